"""``python -m bench.train RECIPE --out DIR``: the trainer without the rest of the command line."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from bench.errors import BenchError
from bench.train import run


def main() -> int:
    """Parse, train, and say where the weights are."""
    parser = argparse.ArgumentParser(prog="python -m bench.train", description="Train a prior from a recipe.")
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoints and history")
    parser.add_argument("--resume", action="store_true", help="go on from the last checkpoint")
    parser.add_argument("--steps", type=int, help="length of the training")
    parser.add_argument("--finish", action="store_true", help="with --resume: decay the rate from here, then stop")
    parser.add_argument("--device", choices=["auto", "cpu", "cuda"])
    parser.add_argument("--data-root", type=Path, help="folder that relative paths of images start from")
    parser.add_argument("--train", type=Path, help="folder of training images instead of the recipe's")
    parser.add_argument("--val", type=Path, help="folder of validation images instead of the recipe's")
    try:
        best = run(**vars(parser.parse_args()))
    except BenchError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    sys.stdout.write(f"{best}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
