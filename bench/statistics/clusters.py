"""How the cells of a table hang together, and what each cluster of them adds to a mean.

Cells of one image under many blurs and noises are not independent, nor are crops of one photograph: independent are
the *groups* (source photograph, patient, sequence). Where groups share the kernels that blur them, cells of one
kernel depend on each other as well. Every interval of this room is built on two questions answered here: what is the
mean, and how much of its scatter comes from each group and each kernel.

The mean of a table is taken over settings that weigh alike; within a setting over groups that weigh alike; within a
group over its cells. It is linear in the cells, θ = Σ w_i d_i. The *influence* of a cluster c is
u_c = Σ_{i in c} w_i (d_i - θ_s(i)), the part of the mean's error that is the cluster's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

Array = np.ndarray


@dataclass(frozen=True)
class Design:
    """Which cells belong together.

    Attributes:
        settings, groups: (n,) integers 0 .. S-1 and 0 .. G-1.
        kernels: (n,) integers 0 .. K-1 of kernels drawn at random and shared by several groups; -1 for a cell whose
            kernel is its group's own, or part of its setting. None where no kernel is shared.
    """

    settings: Array
    groups: Array
    kernels: Array | None = None

    @classmethod
    def of(
        cls,
        settings: Sequence[Any] | Array,
        groups: Sequence[Any] | Array,
        kernels: Sequence[Any] | Array | None = None,
    ) -> Design:
        """From names.

        Args:
            settings: (n,) names of degradations; a constant where there is one.
            groups: (n,) names of source photographs, patients or sequences.
            kernels: (n,) name of the randomly drawn kernel of each cell (one that several settings share, as the
                exposures of one camera path do, has one name); None, "" or NaN where a kernel is not drawn but part
                of its setting, as a disk of radius 3 is. Whether the design is crossed is read off: does one kernel
                occur with two groups?

        Raises ValueError for lengths that differ.
        """
        lengths = {"settings": len(settings), "groups": len(groups)}
        if kernels is not None:
            lengths["kernels"] = len(kernels)
        if len(set(lengths.values())) > 1:
            raise ValueError(f"settings, groups and kernels name the same cells, but their lengths are {lengths}")
        g = numbered(groups)
        return cls(numbered(settings), g, None if kernels is None else _shared(kernels, g))

    @property
    def n_groups(self) -> int:
        """G."""
        return int(self.groups.max()) + 1 if len(self.groups) else 0

    @property
    def n_settings(self) -> int:
        """S."""
        return int(self.settings.max()) + 1 if len(self.settings) else 0

    @property
    def n_kernels(self) -> int | None:
        """K, the number of kernels that groups share; None in a design that is not crossed."""
        return None if self.kernels is None else int(self.kernels.max()) + 1

    def select(self, cells: Array) -> Design:
        """The same for a subset of the cells, (n,) booleans."""
        if self.kernels is None:
            return Design.of(self.settings[cells], self.groups[cells])
        kernels = [None if k < 0 else k for k in self.kernels[cells].tolist()]
        return Design.of(self.settings[cells], self.groups[cells], kernels)


class Influence(NamedTuple):
    """Means and what the clusters add to them; leading dimensions (...) are rows of a table.

    Attributes:
        mean: (...,); NaN where there is no value.
        group: (..., G) influence of each group, 0 for one without values; sums to 0.
        groups: (...,) number of groups with values.
        kernel: (..., K), and of each pair of group and kernel
        both: (..., H); None unless the design is crossed.
    """

    mean: Array
    group: Array
    groups: Array
    kernel: Array | None = None
    both: Array | None = None

    def take(self, rows: Any) -> Influence:
        """Those rows."""
        kernel = None if self.kernel is None else self.kernel[rows]
        both = None if self.both is None else self.both[rows]
        return Influence(self.mean[rows], self.group[rows], self.groups[rows], kernel, both)

    def minus(self, other: Influence) -> Influence:
        """Of the differences, where both come from the same cells (the mean is linear in them)."""
        return Influence(
            self.mean - other.mean,
            self.group - other.group,
            self.groups,
            None if self.kernel is None or other.kernel is None else self.kernel - other.kernel,
            None if self.both is None or other.both is None else self.both - other.both,
        )


def influences(values: Array, design: Design) -> Influence:
    """Means of the rows of ``values`` (R, n) and the clusters' influences; NaN values are left out.

    With m_sg the mean over the cells of group g in setting s, θ_s the mean of the m_sg over the G_s groups, the mean
    is θ = (1/S) Σ θ_s and u_g = Σ_s (m_sg - θ_s) / (S G_s): in balanced data (m_g - θ) / G.
    """
    values = np.asarray(values, float)
    S, G = design.n_settings, design.n_groups
    present = ~np.isnan(values)
    block = design.settings * G + design.groups
    count = _summed(present, block, S * G).reshape(len(values), S, G)
    with np.errstate(invalid="ignore", divide="ignore"):
        m = _summed(np.where(present, values, 0.0), block, S * G).reshape(len(values), S, G) / count
        here = count > 0
        of_setting = here.sum(2)
        theta = np.where(here, m, 0).sum(2) / of_setting
        n_settings = (of_setting > 0).sum(1)
        mean = np.where(of_setting > 0, theta, 0).sum(1) / n_settings
        weight = 1 / (n_settings[:, None] * of_setting)
        group = (np.where(here, m - theta[:, :, None], 0) * weight[:, :, None]).sum(1)
    mean = np.where(n_settings > 0, mean, np.nan)
    groups = here.any(1).sum(1)
    if design.kernels is None:
        return Influence(mean, np.where(np.isnan(mean)[:, None], np.nan, group), groups)
    per_cell = (weight[:, :, None] / np.where(here, count, 1)).reshape(len(values), S * G)[:, block]
    own = np.where(present, (values - theta[:, design.settings]) * per_cell, 0)
    K, drawn = design.n_kernels or 0, design.kernels >= 0
    kernel = _summed(own[:, drawn], design.kernels[drawn], K)
    pairs = numbered(design.groups[drawn] * K + design.kernels[drawn])
    both = _summed(own[:, drawn], pairs, int(pairs.max(initial=-1)) + 1)
    return Influence(mean, group, groups, kernel, both)


def _summed(values: Array, index: Array, length: int) -> Array:
    """(R, length): sums of the columns of ``values`` (R, n) that share an index."""
    order = np.argsort(index, kind="stable")
    names, starts = np.unique(index[order], return_index=True)
    out = np.zeros((len(values), length))
    if len(names):
        out[:, names] = np.add.reduceat(values[:, order].astype(float), starts, axis=1)
    return out


def numbered(names: Sequence[Any] | Array) -> Array:
    """0, 1, ... in the order of first appearance."""
    number: dict[Any, int] = {}
    plain = names.tolist() if isinstance(names, np.ndarray) else names
    return np.array([number.setdefault(n, len(number)) for n in plain], int)


def _shared(kernels: Sequence[Any] | Array, groups: Array) -> Array | None:
    """Numbers of the kernels, -1 where none is drawn or only one group has it; None if no two groups share one."""
    names = np.asarray(kernels, object).tolist()
    users: dict[Any, set[int]] = {}
    for name, group in zip(names, groups.tolist(), strict=True):
        users.setdefault(name, set()).add(group)
    # Half-crossed data keep also the kernels of one group: they belong to the same draw from the same law.
    drawn = [n is not None and n != "" and n == n for n in names]
    if not any(d and len(users[n]) > 1 for n, d in zip(names, drawn, strict=True)):
        return None
    out = np.full(len(names), -1)
    mask = np.array(drawn)
    out[mask] = numbered([n for n, d in zip(names, drawn, strict=True) if d])
    return out
