"""The speed suite: measures every section in a process of its own, and writes docs/speed.md with its plots.

    python benchmarks/speed.py [--out runs/speed] [--only SECTION ...] [--data-root FOLDER] [--benchopt COMMAND]
    python benchmarks/speed.py --render-only

Every row is saved as it comes, in OUT/SECTION.json; a section that fails or takes too long keeps the rows it has and
the others go on. ``--only`` measures some sections again, ``--render-only`` none: the page is made of what is saved.
Training pairs need photographs (``--data-root``). Without ``--benchopt``, benchopt is installed by uv into
OUT/benchopt. ``--quick`` makes everything tiny, to see that it works: its figures mean nothing and the page says so.
Nothing else should run on the machine. It ends after ``--minutes``, and takes less than 45 on two cores.
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
from pathlib import Path
from typing import Any

from suite import SECTIONS, Section, chosen, environment, measured

ROOT = Path(__file__).parent.parent
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def log(text: str) -> None:
    """A line on stderr."""
    print(time.strftime("%H:%M:%S"), text, file=sys.stderr, flush=True)


def save(file: Path, found: dict[str, Any]) -> None:
    """Replace the file in one step."""
    beside = file.with_suffix(".tmp")
    beside.write_text(json.dumps(found, indent=1), encoding="utf-8")
    beside.replace(file)


def work(section: Section, options: argparse.Namespace) -> None:
    """Measure the tables of one section in this process and save after every row."""
    import torch

    torch.set_num_threads(1)
    file, start = options.out / f"{section.name}.json", time.perf_counter()
    found: dict[str, Any] = {
        "section": section.name, "quick": options.quick, "environment": environment(options.benchopt), "error": "",
        "tables": {t.name: {"rows": [], "error": "", "seconds": 0.0} for t in section.tables},
    }  # fmt: skip
    given = {"benchopt": options.benchopt, "data_root": options.data_root}
    for table in section.tables:
        saved, began = found["tables"][table.name], time.perf_counter()
        lacks = _lacking(table.name, options)
        try:
            for row in () if lacks else measured(table, options.quick, given):
                saved["rows"].append(row)
                saved["seconds"] = time.perf_counter() - began
                found["seconds"] = time.perf_counter() - start
                save(file, found)
                log(f"  {section.name} {found['seconds']:.0f} s: " + ", ".join(str(v)[:60] for v in row.values()))
            saved["error"] = lacks
        except Exception as error:  # whatever a benchmark raises: the other tables shall be measured
            traceback.print_exc()
            saved["error"] = f"{type(error).__name__}: {str(error).splitlines()[0][:160] if str(error) else ''}"
        found["seconds"] = time.perf_counter() - start
        save(file, found)


def _lacking(table: str, options: argparse.Namespace) -> str:
    if table == "pairs" and options.data_root is None:
        return "not run: it needs photographs (--data-root)"
    if table == "benchopt" and options.benchopt is None:
        return "not run: benchopt could not be installed"
    return ""


def run(section: Section, options: argparse.Namespace, left: float) -> None:
    """Measure a section in a process of its own, and end it when its time, or what is left of all, is over."""
    limit = min(section.limit, left)
    file, start = options.out / f"{section.name}.json", time.monotonic()
    file.unlink(missing_ok=True)
    command = [sys.executable, __file__, "--work", section.name, "--out", str(options.out)]
    command += ["--quick"] if options.quick else []
    for name in ("benchopt", "data_root"):
        if value := getattr(options, name):
            command += [f"--{name.replace('_', '-')}", str(value)]
    # One thread everywhere, so that CPU seconds are those of one core.
    process = subprocess.Popen(
        command, env={**os.environ, **dict.fromkeys(THREADS, "1")}, cwd=ROOT, start_new_session=True
    )
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
        found = json.loads(file.read_text()) if file.exists() else {"section": section.name, "tables": {}}
        save(file, {**found, "error": why, "seconds": time.monotonic() - start})
    log(f"{section.name}: {time.monotonic() - start:.0f} s{', ' + why if why else ''}")


def _end(process: subprocess.Popen[bytes]) -> None:
    """Interrupt the section, which ends what it has started; then kill it."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def benchopt_command(folder: Path) -> Path | None:
    """benchopt's command in an environment made for it, or None where it cannot be installed."""
    command = folder / "bin" / "benchopt"
    if command.exists():
        return command
    log("installing benchopt into an environment of its own")
    try:
        subprocess.run(["uv", "venv", "--quiet", "--clear", "--python", sys.executable, folder], check=True)
        subprocess.run(["uv", "pip", "install", "--quiet", "--python", folder, "benchopt==1.10.*"], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        log(f"benchopt could not be installed: {error}")
        return None
    return command


def arguments() -> argparse.Namespace:
    """The command line."""
    names = [s.name for s in SECTIONS]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "speed", help="where rows are saved")
    parser.add_argument("--only", nargs="+", choices=names, help="measure only these sections")
    parser.add_argument("--render-only", action="store_true", help="measure nothing, write the page")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that it works")
    parser.add_argument("--data-root", type=Path, help="folder of photographs for the training pairs")
    parser.add_argument("--benchopt", type=Path, help="benchopt's command")
    parser.add_argument("--minutes", type=float, default=45, help="after which everything is ended")
    parser.add_argument("--page", type=Path, default=ROOT / "docs" / "speed.md", help="where the page is written")
    parser.add_argument("--work", choices=names, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measure, then write the page."""
    options = arguments()
    options.out = options.out.resolve()
    options.out.mkdir(parents=True, exist_ok=True)
    options.data_root = options.data_root and options.data_root.resolve()
    options.benchopt = options.benchopt and options.benchopt.absolute()
    if options.work:
        work(chosen([options.work])[0], options)
        return
    if not options.render_only:
        wanted = chosen(options.only)
        if any(s.name in ("benchopt", "start") for s in wanted):
            options.benchopt = options.benchopt or benchopt_command(options.out / "benchopt")
        start = time.monotonic()
        for section in wanted:
            left = 60 * options.minutes - (time.monotonic() - start)
            if left < 20:
                log(f"{section.name}: not run, the {options.minutes:g} minutes are used up")
                continue
            run(section, options, left)
        log(f"measured in {time.monotonic() - start:.0f} s")
    from speed_page import write

    write(options.out, options.page)
    log("page written")


if __name__ == "__main__":
    main()
