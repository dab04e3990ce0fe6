"""How long a solver's process may take, and how its end is put into words."""

from __future__ import annotations

#: a solver may take so many times its seconds of the processor by the clock: a busy machine is not its fault
WALL = 4.0


def death(exitcode: int | None) -> str:
    """How a process ended, in words."""
    if exitcode is None:
        return "its worker died"
    text = f"signal {-exitcode}" if exitcode < 0 else f"exit code {exitcode}"
    hint = " (the system stops processes so when memory runs out)" if exitcode == -9 else ""
    return f"its worker died: {text}{hint}"
