"""Any metric of the user's own installation of pyiqa."""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from bench import Context, Metric, SettingError
from bench.scoring import pyiqa_bridge
from bench.scoring.backbones import require_file


@dataclass(frozen=True)
class Pyiqa(Metric):
    """A metric of the package pyiqa (IQA-PyTorch) by its name there, with pyiqa's own settings and weights: RGB in
    [0, 1], gray repeated to three channels. Those that it would have to download are refused.
    """

    better = "direction"
    family = "perception"
    reference = "Chen & Mo, IQA-PyTorch: PyTorch Toolbox for Image Quality Assessment, 2022"

    metric: str  #: as pyiqa.list_models() has it: niqe, topiq_fr, musiq ...
    direction: Literal["higher", "lower"] = "higher"  #: which values are better; refused where pyiqa says otherwise
    weights: str = ""  #: file of its network (pyiqa's pretrained_model_path); "": none, or one in pyiqa's cache

    def __post_init__(self) -> None:
        require_file("pyiqa", "weights", self.weights)
        lower = pyiqa_bridge.lower_is_better(self.metric, self.weights)
        if lower != (self.direction == "lower"):
            other = "lower" if lower else "higher"
            raise SettingError(
                parts=[("direction", f"pyiqa: of {self.metric} {other} is better: direction: {other}")]
            )

    @property
    def needs_truth(self) -> bool:  # type: ignore[override]  # a fact about the class elsewhere, here about the setting
        """Not of a metric without reference: it is measured on photographs without sharp versions too."""
        return pyiqa_bridge.needs_truth(self.metric, self.weights)

    def measure(self, truth: np.ndarray, estimate: np.ndarray, context: Context) -> float:
        """In float32 on the CPU; of a metric without reference the truth is not looked at."""
        return pyiqa_bridge.value(self.metric, self.weights, truth, estimate)
