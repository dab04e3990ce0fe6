"""What travels to a worker elsewhere and back: JSON text, so that neither side trusts the other's objects."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from bench.grid.cells import Cell, Ref, cell_of
from bench.plugins.code_digest import code_of, harness_digest
from bench.plugins.contents import keyed
from bench.running.environment import Shared
from bench.seeds import digest


@dataclass(frozen=True)
class Order:
    """Cells to solve, or solvers to build when there are none.

    Attributes:
        shared: threads, device and limits of the worker.
        folder: the run's working directory, from which relative paths start.
        code: digest of all that the numbers pass through, as the run sees it: a worker that sees other code refuses.
        timeout: of the whole batch in seconds.
    """

    shared: Shared
    folder: str
    code: dict[str, str]
    timeout: float
    cells: tuple[Cell, ...] = ()
    solvers: tuple[Ref, ...] = ()

    @property
    def text(self) -> str:
        """As JSON."""
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def of(cls, text: str) -> Order:
        """The inverse of ``text``."""
        d = json.loads(text)
        cells, solvers = tuple(cell_of(c) for c in d["cells"]), tuple(Ref(**r) for r in d["solvers"])
        return cls(Shared(**d["shared"]), d["folder"], d["code"], d["timeout"], cells, solvers)


def code_behind(cells: Sequence[Cell], solvers: Iterable[Ref] = ()) -> dict[str, str]:
    """Digests of the harness, of the plug-ins that the cells name, and of their weights."""
    refs = set(solvers)
    for cell in cells:
        degradation = cell.shot.degradation
        refs |= {cell.solver, cell.shot.dataset, degradation.blur, degradation.noise}
        refs |= {cell.prior} if cell.prior is not None else set()
    digests = {"harness": harness_digest()}
    for ref in refs:
        plugin, name = ref.plugin, f"{ref.kind} {ref.path or ref.name}"
        code = code_of(plugin)
        digests[name] = code.digest
        digests[f"packages of {name}"] = digest(code.packages)
        for setting, value in ref.settings.items() if ref.kind != "dataset" else ():  # its pixels are checked
            if (content := keyed(plugin, {setting: value})[setting]) != value:
                digests[f"{setting} {value}"] = digest(content)
    return digests
