"""What a grid is: the sections of grid.yaml, typed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from bench.errors import did_you_mean
from bench.grid.candidates import Tuning
from bench.grid.cells import Measure, Phase
from bench.grid.conditions import Expression
from bench.grid.variants import Variant
from bench.plugins import describe
from bench.scoring import registry

#: the metrics of tuning where a grid names none; every grid measures PSNR
PSNR, CRPS = "psnr", "crps"


#: experiments of the studies whose form a report can take: study, then its table or figure
STUDIES = (
    "000_dps_reddiff", "001_table1", "001_table3", "001_table4", "001_fig4", "001_gopro", "002_variational",
    "002_swinir", "003_vpsde",
)  # fmt: skip


def _study(name: str) -> str:
    if name not in STUDIES:
        raise ValueError(f"no study's experiment is called {name[:100]!r}. {did_you_mean(name, STUDIES)}")
    return name


#: The experiment of a study that a grid repeats.
StudyName = Annotated[str, AfterValidator(_study)]


class Section(BaseModel):
    """A section of grid.yaml: nothing unknown in it."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Protocol(Section):
    """What makes numbers comparable; part of every cell's key."""

    boundary: Literal["valid", "circular"] = "valid"
    border: int = Field(default=8, ge=0)  #: pixels left out of the metrics on each side
    clip: bool = True  #: clip estimates to [0, 1] before the metrics
    dtype: Literal["float32", "float64"] = "float32"
    threads: int = Field(default=1, ge=1)  #: threads per worker; sums may differ in the last bit between counts


class Execution(Section):
    """How the run is carried out; never part of a key."""

    device: str = "auto"
    workers: int | Literal["auto"] = "auto"
    batch: int | Literal["auto"] = "auto"
    timeout: float = Field(default=600, gt=0)  #: seconds of the processor per cell and thread
    retries: int = Field(default=1, ge=0)  #: further attempts after a crash, a timeout or lack of memory
    memory_gb: float | None = Field(default=None, gt=0)  #: limit per worker
    images: int = Field(default=4, ge=0)  #: images per setting whose estimates are stored for the report
    certificates: bool = False  #: examine the samplers of the run once it is done, as ``--certify`` does


class TuneSection(Section):
    """How ``tune:`` of a solver searches."""

    metric: str | None = None  #: by default crps of what draws several samples, psnr of all others
    samples: int | None = Field(default=None, ge=1)  #: samples per image of a stochastic solver; as in the test
    per: list[Literal["blur", "noise", "psf_error", "sigma_factor"]] = ["blur", "noise"]
    budget: int = Field(default=12, ge=1)  #: candidates per solver and group


@dataclass(frozen=True)
class SolverEntry:
    """A solver with its settings, what is to be tuned about it, and the prior of one that needs a prior.

    Attributes:
        label: its name in tables: that of the variant, and of the prior where the solver runs with several.
    """

    variant: Variant
    tuning: Tuning | None
    label: str
    prior: Variant | None = None

    @property
    def names(self) -> dict[str, str | None]:
        """What an expression may ask about it."""
        return {
            "solver": self.variant.base,
            "label": self.label,
            "prior": None if self.prior is None else self.prior.id,
        }


@dataclass(frozen=True)
class Source:
    """A dataset plug-in with its settings. ``id``: its name in tables, unique within the split."""

    plugin: describe.Plugin
    settings: dict[str, Any]
    id: str


@dataclass(frozen=True)
class Blurring:
    """A variant of an operator, and how many PSFs are drawn from it.

    Attributes:
        own: drawn for every image anew; if not, the same ones for all images (a crossed design).
    """

    variant: Variant
    psfs: int
    own: bool = False


@dataclass(frozen=True)
class Grid:
    """A validated grid.yaml.

    ``study``: the experiment whose form the report takes besides its own; ``text``: the file as written; ``base``:
    the folder that its relative paths start from.
    """

    name: str
    study: str | None
    seed: int
    test: tuple[Source, ...]
    val: tuple[Source, ...]
    blurs: tuple[Blurring, ...]
    noises: tuple[Variant, ...]
    psf_errors: tuple[dict[str, float], ...]
    sigma_factors: tuple[float, ...]
    solvers: tuple[SolverEntry, ...]
    exclude: tuple[Expression, ...]
    repetitions: int
    samples: int
    tune: TuneSection
    measures: tuple[Measure, ...]
    protocol: Protocol
    run: Execution
    text: str
    base: Path

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(m.name for m in self.measures)

    def draws(self, phase: Phase) -> int:
        """Posterior samples of each stochastic solver."""
        wanted = None if phase == "test" else self.tune.samples
        return self.samples if wanted is None else wanted

    def judge(self, entry: SolverEntry) -> str:
        """The metric that an entry is tuned on.

        What the grid says, where the entry can have it; else ``crps`` of a solver that draws several samples in a
        search, which neither their mean nor their sharpness alone can win, and ``psnr`` of one that estimates.
        """
        flags = entry.variant.plugin.flags
        draws = bool(flags.get("stochastic")) and not flags.get("point") and self.draws("val") > 1
        wanted = self.tune.metric or (CRPS if draws else PSNR)
        return wanted if draws or registry.describe(wanted).of != "samples" else PSNR
