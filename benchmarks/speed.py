"""The speed suite: measures every table in a process of its own, and writes docs/speed.md with its plots.

    python benchmarks/speed.py [--data-root FOLDER] [--benchopt COMMAND]    every table, then the page
    python benchmarks/speed.py TABLE ...                                    some tables again, then the page
    python benchmarks/speed.py --render-only                                the page alone, of what is saved
    python benchmarks/speed.py --print TABLE [--set NAME=VALUE ...]         a table on the terminal, nothing saved

Tables: start, iterations, classical, quality, kernels, pairs, samplers, overhead, batches, benchopt, report, growth,
grids. Every row is saved as it comes, in OUT/TABLE.jsonl; a table that fails or takes too long keeps the rows it has
and the others go on. Training pairs need photographs (--data-root), the comparison with benchopt its command.
``--quick`` makes everything tiny, to see that it works: its figures mean nothing and the page says so. Nothing else
should run on the machine; two cores take about 45 minutes.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tables import TABLES, Table, markdown

ROOT = Path(__file__).parent.parent
#: one thread everywhere, so that CPU seconds are those of one core
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")
PACKAGES = ("deepinv", "pylops", "pyproximal", "scikit-image", "pandas", "pyarrow")
#: what some tables need from the command line, and what is missing without it
NEEDED = {"benchopt": "its command (--benchopt)", "data_root": "photographs (--data-root)"}


def log(text: str) -> None:
    """A line on stderr."""
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)


def options_of(table: Table, given: argparse.Namespace) -> dict[str, Any]:
    """The arguments of a table: tiny ones where asked, those of --set, and what it needs."""
    needed = {name: getattr(given, name) for name in NEEDED if name in table.options and getattr(given, name)}
    return {**(table.quick if given.quick else {}), **given.set, **needed}


def work(name: str, given: argparse.Namespace) -> None:
    """Measure a table in this process and save every row."""
    import torch

    torch.set_num_threads(1)
    table, start = TABLES[name], time.perf_counter()
    with (given.out / f"{name}.jsonl").open("w", encoding="utf-8") as file:

        def save(**entry: Any) -> None:
            print(json.dumps(entry), file=file, flush=True)

        save(about=about(given))
        lacks = [what for option, what in NEEDED.items() if option in table.options and not getattr(given, option)]
        if lacks and name != "start":  # which only adds a row of benchopt's
            save(error=f"not run: it needs {' and '.join(lacks)}")
            return
        try:
            for row in table.rows(options_of(table, given)):
                save(row=row, seconds=time.perf_counter() - start)
                log(f"  {name} {time.perf_counter() - start:.0f} s: " + ", ".join(str(v)[:60] for v in row.values()))
        except Exception as error:  # whatever a benchmark raises: the page shall say so
            traceback.print_exc()
            save(error=f"{type(error).__name__}: {(str(error).splitlines() or [''])[0][:160]}")


def about(given: argparse.Namespace) -> dict[str, Any]:
    """What a figure depends on: the date, the processor, its load, and versions."""
    from bench.running.environment import commit, environment

    machine, (sha, changed) = environment("cpu"), commit()
    versions = {name: machine[name] for name in ("python", "torch", "numpy", "scipy")}
    versions |= {name: version(name) for name in PACKAGES}
    if given.benchopt:
        versions["benchopt"] = subprocess.check_output([given.benchopt, "--version"], text=True).strip()
    return {
        "date": time.strftime("%Y-%m-%d"), "processor": machine["cpu"], "cores": os.cpu_count(),
        "commit": f"{(sha or '')[:7]}{' with changes' if changed else ''}", "load": round(os.getloadavg()[0], 2),
        "versions": versions, "quick": given.quick,
    }  # fmt: skip


def run(name: str, words: list[str], out: Path) -> None:
    """Measure a table in a process of its own, and end it when its time is over."""
    limit, start = TABLES[name].limit, time.monotonic()
    process = subprocess.Popen([sys.executable, __file__, "--work", name, *words], cwd=ROOT, start_new_session=True)
    why = ""
    try:
        if code := process.wait(timeout=limit):
            why = f"its process ended with {code}"
    except subprocess.TimeoutExpired:
        why = f"stopped after {limit:.0f} s"
    finally:
        if process.poll() is None:
            _end(process)
    if why:
        with (out / f"{name}.jsonl").open("a", encoding="utf-8") as file:
            print("\n" + json.dumps({"error": why}), file=file)
    log(f"{name}: {time.monotonic() - start:.0f} s{', ' + why if why else ''}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Interrupt the measurement, which ends what it has started; then kill it."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def setting(word: str) -> tuple[str, Any]:
    """NAME=VALUE, the value in JSON or as it stands."""
    name, _, value = word.partition("=")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tables", nargs="*", metavar="TABLE", choices=[[], *TABLES], help="default: all")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "speed", help="where rows are saved")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "speed.md", help="where the page is written")
    parser.add_argument("--render-only", action="store_true", help="measure nothing, write the page")
    parser.add_argument("--print", action="store_true", help="print the tables, save nothing")
    parser.add_argument("--set", action="append", type=setting, default=[], help="an argument of the tables")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it works")
    parser.add_argument("--data-root", type=Path, help="folder of photographs for the training pairs")
    parser.add_argument("--benchopt", type=Path, help="benchopt's command")
    parser.add_argument("--work", choices=list(TABLES), help=argparse.SUPPRESS)
    return parser


def main(words: list[str]) -> None:
    """Measure, then write the page."""
    os.environ.update(dict.fromkeys(THREADS, "1"))
    given = arguments().parse_args(words)
    given.set, names = dict(given.set), given.tables or list(TABLES)
    given.data_root = given.data_root and given.data_root.resolve()
    given.benchopt = given.benchopt and given.benchopt.absolute()
    given.out = given.out.resolve()
    if given.print:
        for name in names:
            print(markdown(TABLES[name].rows(options_of(TABLES[name], given))), end="\n\n")
        return
    given.out.mkdir(parents=True, exist_ok=True)
    if given.work:
        work(given.work, given)
        return
    if not given.render_only:
        for name in names:
            run(name, [word for word in words if word not in given.tables], given.out)
    from page import write

    write(given.out, given.page)
    log("page written")


if __name__ == "__main__":
    main(sys.argv[1:])
