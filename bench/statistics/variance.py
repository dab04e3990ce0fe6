"""Where the scatter of a comparison comes from: photographs, kernels, noise, and how solvers react to each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np

from bench.statistics.clusters import Array, numbered


def variance_components(values: Array, factors: Mapping[str, Sequence[Any] | Array]) -> dict[str, float]:
    """Variance components of a crossed random-effects model, by Henderson's first method (Biometrics 9, 1953).

    The model of a cell is μ + Σ over factors of an effect of its level + one for each pair of levels + a rest, all
    independent. For every term the sum of squares of level means about the grand mean, T = Σ n_l (m_l - m)², has an
    expectation linear in the components: a component whose levels are l' adds
    σ'² (Σ_l (1/n_l) Σ_l' n_ll'² - (1/N) Σ_l' n_l'²), n_ll' counting cells in both. Solving T = E T is unbiased, also
    where cells are missing; in balanced data it is the analysis of variance. Estimates may be negative: a component
    is then indistinguishable from 0, and clipping them here would bias sums.

    Args:
        values: (n,); NaN values are left out.
        factors: name -> (n,) levels, such as {"photograph": ..., "kernel": ..., "solver": ...}. One with a single
            level is left out; repetitions of the noise with nothing to tell them apart are the rest.

    Returns:
        Variances, in the square of the values' unit: of each factor, of each pair as "a × b", and of the "rest"
        (repetitions, and interactions of three or more). A term that the cells cannot tell from others is NaN: each
        kernel its photograph's own, for one.
    """
    known = np.isfinite(np.asarray(values, float))
    several = {name: f for name, f in factors.items() if len(set(np.asarray(f, object)[known].tolist())) > 1}
    pairs = {
        f"{a} × {b}": list(zip(*(np.asarray(several[f], object).tolist() for f in (a, b)), strict=True))
        for a, b in combinations(several, 2)
    }
    return variances(values, {**several, **pairs})


def variances(values: Array, terms: Mapping[str, Sequence[Any] | Array]) -> dict[str, float]:
    """The same for terms given one by one, factors and interactions alike, also nested ones; the rest is added.

    Args:
        values: (n,); NaN values are left out.
        terms: name -> (n,) levels.
    """
    values = np.asarray(values, float)
    known = np.isfinite(values)
    x = values[known] - (values[known].mean() if known.any() else 0)
    levels = {name: numbered([v for v, k in zip(f, known, strict=True) if k]) for name, f in terms.items()}
    levels["rest"] = np.arange(len(x))
    names = _identified(levels)
    out = dict.fromkeys(levels, float("nan"))
    if len(x) < 2:
        return out
    squares = np.array([_between(x, levels[t]) for t in names])
    expected = np.array([[_coefficient(levels[t], levels[c]) for c in names] for t in names])
    out.update(zip(names, np.linalg.lstsq(expected, squares, rcond=None)[0].tolist(), strict=True))
    return out


def _identified(terms: dict[str, Array]) -> list[str]:
    """The terms that split the cells in ways of their own: of several that split them alike only the last, which is
    the finest in name, can carry what they share.
    """
    last = {tuple(numbered(index).tolist()): name for name, index in terms.items()}
    return [name for name in terms if name in last.values()]


def _between(x: Array, index: Array) -> float:
    """Σ n_l (m_l - m)²."""
    n = np.bincount(index)
    return float((np.bincount(index, weights=x) ** 2 / n).sum() - x.sum() ** 2 / len(x))


def _coefficient(index: Array, component: Array) -> float:
    """What the component's variance is multiplied with in the expectation of ``_between`` of a term."""
    n, own = np.bincount(index), np.bincount(component).astype(float)
    both, count = np.unique(index * len(own) + component, return_counts=True)
    return float((count**2 / n[both // len(own)]).sum() - (own**2).sum() / len(index))
