"""The contracts between the harness and its plug-ins: Dataset, Operator, Noise, Metric, Problem, Solver.

Conventions that hold at every interface: images are float in [0, 1], channels first; a PSF has odd sides, unit
sum and its centre at ``size // 2``, and is applied by *convolution* (flipped against correlation); sigma is a
standard deviation in [0, 1] units. Importing this module imports no torch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import torch


# --- Data -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Image:
    """One picture: the scene, of which the sensor sees all but ``margin`` pixels on each side.

    Attributes:
        id: name, unique within its dataset and split.
        scene: float64 array (C, H + 2 margin, W + 2 margin) in [0, 1], C = 1 or 3.
        margin: pixels around the field of view that a ``valid`` blur may draw from.
        burst: neighbouring frames of one sequence, (N, C, H + 2 margin, W + 2 margin) with N odd, of which the
            middle one is the scene; None for a single picture.
    """

    id: str
    scene: np.ndarray
    margin: int = 0
    burst: np.ndarray | None = None


class Dataset:
    """Images of one split. Subclass as a frozen dataclass whose fields are the settings a grid may give.

    Attributes:
        sharp: whether the pictures are sharp: such as can be blurred, and compared with. Of photographs that came out
            blurred nobody has the sharp version: they are measurements, for the operator ``recorded`` alone.
    """

    sharp: ClassVar[bool] = True

    def ids(self) -> Sequence[str]:
        """Names of the images, in a fixed order. Cheap: decodes no image. Raises DataError when files miss."""
        raise NotImplementedError

    def load(self, id: str) -> Image:
        """The image of that name. The same name gives the same pixels, always."""
        raise NotImplementedError

    def fingerprint(self, id: str) -> str | None:  # noqa: ARG002  # the contract; subclasses use it
        """A cheap text that changes when the image might (path, size, time), or None to have it loaded."""
        return None

    def group_of(self, id: str) -> str | None:  # noqa: ARG002  # the contract; subclasses use it
        """Where the image comes from: photograph, patient or sequence; None for the image itself.

        Images of one group are alike, so intervals and ranks take groups for independent, not images. Cheap: decodes
        no image.
        """
        return None

    def knows_psf(self) -> bool:
        """Whether recorded measurements come with their PSF. Without it, solvers that ask for one are left out."""
        return True


# --- Degradation ----------------------------------------------------------------------------------------------


class Exposed(NamedTuple):
    """What an operator yields: a PSF and the exposure that it was taken with.

    Attributes:
        psf: float64 (h, w), odd sides, non-negative, unit sum.
        T: exposure in (0, 1]; the camera's PSF sums to T, the sensor's amplifier divides by it.
        note: what should be recorded beside the result (a support that was grown, say), or "".
    """

    psf: np.ndarray
    T: float = 1.0
    note: str = ""


class Operator:
    """A blur model. Subclass as a frozen dataclass whose fields are the settings.

    Attributes:
        random: whether ``psf`` draws from its generator: a PSF for every image, or with ``trajectories: N`` in a grid
            the same N for all images; if not, there is one.
        shared: names of the fields that do not enter the generator's key, so that PSFs which differ only in them
            come from the same draw (several exposures of one trajectory).
        recorded: the dataset brings PSF and measurement (real pictures); nothing is synthesised.
    """

    random: ClassVar[bool] = False
    shared: ClassVar[tuple[str, ...]] = ()
    recorded: ClassVar[bool] = False

    def psf(self, rng: np.random.Generator) -> Exposed:
        """One PSF. All randomness comes from ``rng``. Raises PsfError when it does not fit its support."""
        raise NotImplementedError

    def fingerprint(self) -> str | None:
        """A hash of what lies outside the settings (the content of a file), or None; it replaces ``path`` in keys."""
        return None


class NoiseLevel(NamedTuple):
    """y = gain * Poisson(x / gain) + N(0, sigma^2), all in [0, 1] units; gain 0 means no photon noise.

    Floats for one image; tensors of shape (B,) in a Problem. The variance at intensity x is gain x + sigma^2.
    """

    gain: Any
    sigma: Any


class Noise:
    """A noise model. Subclass as a frozen dataclass whose fields are the settings."""

    def level(self, T: float) -> NoiseLevel:
        """Gain and sigma in [0, 1] units at exposure T: what a solver gets."""
        raise NotImplementedError

    def sample(self, clean: np.ndarray, T: float, rng: np.random.Generator) -> np.ndarray:
        """A measurement of ``clean`` (float64, unit-sum PSF already applied), same shape, not clipped."""
        raise NotImplementedError


# --- Metrics --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Context:
    """What a metric may need besides truth and estimate.

    Attributes:
        y: the measurement (C, H, W), float64, not clipped.
        psf: the true PSF (h, w), unit sum; None where nobody knows it.
        level: the true gain and sigma, floats in [0, 1] units.
        boundary: how the measurement was made.
        border: pixels that the protocol drops on every side.
        clip: whether the protocol clips the estimate to [0, 1].
    """

    y: np.ndarray
    psf: np.ndarray | None
    level: NoiseLevel
    boundary: Literal["valid", "circular"] = "valid"
    border: int = 0
    clip: bool = True


class Metric:
    """What is measured on an estimate. Subclass as a frozen dataclass whose fields are the settings.

    The first paragraph of the class's docstring is the definition that reports print. What a table must know stands
    in class variables, literals all, so that it is read without importing the file.

    Attributes:
        label: what tables call it, the name where it is empty; a dict gives one for each of several column names.
        better: "higher" or "lower"; "one" for a check, which ranks nothing and should come to ``target``; or the name
            of a parameter that says which.
        target: what a check should come to.
        range: least and largest value that is possible; None where there is no bound.
        unit: "dB", or "" for a pure number.
        digits: decimals worth printing.
        family: what it sees: "fidelity" (errors of pixels), "structure" (edges and contrast), "perception" (features
            of a network), "check" (consistency with the measurement), "samples" (the law of several).
        of: "picture", for one estimate (of K samples the mean over them is reported), or "samples" for all together.
        frame: what it is given: "clipped", after the protocol's clipping and cropping, "cropped" without the
            clipping, "whole" as the solver returned it.
        channels: of the pictures that it takes; of others it is NaN.
        smallest: side in pixels, after cropping, under which it is NaN.
        needs_truth: False of one whose value does not depend on the truth: the others are empty on photographs whose
            sharp version nobody has.
        tolerance: mean loss of a group that ``bench check`` lets pass: in float64; in float32 of a deterministic
            solver elsewhere, or of a sampler on the same machine; of a sampler elsewhere. None: 0.1, 2 and 10 units
            of the last printed digit.
        presets: short names of a grid, which are names of columns too, and the settings that each stands for.
        reference: the paper that defines it.
    """

    label: ClassVar[str | dict[str, str]] = ""
    better: ClassVar[str] = "higher"
    target: ClassVar[float] = 1.0
    range: ClassVar[tuple[float | None, float | None]] = (None, None)
    unit: ClassVar[str] = ""
    digits: ClassVar[int] = 3
    family: ClassVar[str] = "fidelity"
    of: ClassVar[str] = "picture"
    frame: ClassVar[str] = "clipped"
    channels: ClassVar[tuple[int, ...]] = (1, 3)
    smallest: ClassVar[int] = 1
    needs_truth: ClassVar[bool] = True
    tolerance: ClassVar[tuple[float, float, float] | None] = None
    presets: ClassVar[dict[str, dict[str, Any]]] = {}
    reference: ClassVar[str] = ""

    def measure(self, truth: np.ndarray, estimate: np.ndarray, context: Context) -> float | None:
        """The value of one estimate, of nothing but its arguments: no randomness, no memory of other pictures.

        Args:
            truth: (C, H, W), float64, within [0, 1]; something of that shape where ``needs_truth`` is False.
            estimate: the same shape; with ``of = "samples"`` (K, C, H, W).
            context: measurement, PSF, noise level and protocol.

        Returns:
            A number; NaN where it is undefined on this picture; None where it cannot be had (no weights, one sample).
        """
        raise NotImplementedError


# --- Cost -----------------------------------------------------------------------------------------------------


@dataclass
class Evaluated:
    """A network, and how often it was called on inputs of one shape.

    Attributes:
        network: what holds its parameters.
        call: what is called: mostly the network itself.
        inputs: shape, type and device of each tensor in place of it, everything else as it was.
    """

    network: Any
    call: Any
    inputs: tuple[Any, ...]
    times: int = 0


class Shaped(NamedTuple):
    """What is remembered of a tensor."""

    shape: Any
    dtype: Any
    device: Any


#: the counts of a Cost, which are columns of results
COUNTS = ("n_A", "n_At", "nfe_forward", "nfe_backward")


@dataclass
class Cost:
    """Calls counted while one batch was solved; a call on a batch counts once.

    Attributes:
        n_A, n_At: applications of the blur and of its adjoint.
        nfe_forward, nfe_backward: passes of networks.
        evaluated: the networks with the shapes that they saw, from which parameters and MACs follow.
    """

    n_A: int = 0
    n_At: int = 0
    nfe_forward: int = 0
    nfe_backward: int = 0
    evaluated: dict[Any, Evaluated] = field(default_factory=dict, repr=False, compare=False)

    def evaluation(self, network: Any, *inputs: Any, call: Any = None) -> None:
        """Count a forward pass of a network: of ``call(*inputs)``, or of ``network(*inputs)``."""
        self.nfe_forward += 1
        seen = tuple(Shaped(tuple(i.shape), i.dtype, i.device) if hasattr(i, "dtype") else i for i in inputs)
        key = (id(network), *(i if isinstance(i, Shaped) else None for i in seen))
        self.evaluated.setdefault(key, Evaluated(network, call or network, seen)).times += 1

    def watch(self, network: torch.nn.Module) -> torch.nn.Module:
        """Count the forward and backward passes of ``network`` through hooks; returns the network."""

        def forward(_: object, inputs: tuple[Any, ...], named: dict[str, Any], __: object) -> None:
            self.evaluation(network, *inputs, call=partial(network, **named) if named else None)

        def backward(*_: object) -> None:
            self.nfe_backward += 1

        network.register_forward_hook(forward, with_kwargs=True)
        network.register_full_backward_hook(backward)
        return network
