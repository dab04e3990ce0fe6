"""Images with a power spectrum and nothing else: what a network must beat."""

from dataclasses import dataclass
from typing import ClassVar

from bench import Prior, SettingError
from bench.methods.diffusion.denoiser import PriorModel
from bench.methods.diffusion.power_law import GaussianImages, PowerLaw


@dataclass(frozen=True)
class Gaussian(Prior):
    """Stationary Gaussian images whose power falls with a power of the frequency; its denoiser is a Wiener filter."""

    slope: float = 2.6  #: S(f) falls as |f|^-slope; 2 for occluding objects of all sizes
    corner: float = 0.005  #: frequency in cycles per pixel below which the spectrum is flat
    std: float = 0.54  #: standard deviation of a pixel, images in [-1, 1]
    mean: float = -0.09  #: mean of a pixel, images in [-1, 1]

    reference: ClassVar[str] = (
        "Ruderman, Vision Research 37, 1997; the defaults are fitted to the photographs of `photos`"
    )

    def __post_init__(self) -> None:
        if self.corner <= 0 or self.std <= 0:
            raise SettingError(f"gaussian: corner and std must be positive, got {self.corner} and {self.std}")

    def load(self) -> PriorModel:
        """A closed form, by FFT on a torus of the image's size."""
        return GaussianImages(PowerLaw(self.slope, self.corner, self.std, self.mean))
