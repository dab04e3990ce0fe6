"""What validation measures is what the grids measure."""

from __future__ import annotations

import numpy as np
import pytest

from bench.scoring.ssim import ssim as metric
from bench.train.validate import ssim


def test_the_ssim_of_validation_is_the_metric_on_pictures_in_0_to_1() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random((3, 1, 24, 20))
    estimate = (truth + 0.1 * rng.standard_normal(truth.shape)).clip(0, 1)
    expected = np.mean([metric(t, e) for t, e in zip(truth, estimate, strict=True)])
    assert ssim(2 * estimate - 1, 2 * truth - 1) == pytest.approx(float(expected), rel=1e-9)
