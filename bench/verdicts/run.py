"""Accuracy and speed of the verdicts, on the known histories in a folder or on a made-up one.

    .venv/bin/python bench/verdicts/run.py [FOLDER]      HISTORIES in the environment does the same

A made-up history must be judged right; what it costs is printed, and no target is set for it.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from bench.verdicts import accuracy, speed
from bench.verdicts.histories import known_pairs
from bench.verdicts.synthetic import build


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path, default=os.environ.get("HISTORIES") or None)
    folder = parser.parse_args().folder
    if folder is None:
        with tempfile.TemporaryDirectory(prefix="hotfixdash-bench-") as name:
            pair = build(Path(name))
            score = accuracy.measure(pair, None)
            print(accuracy.table([score]), flush=True)
            print(speed.table([speed.measure(pair, rounds=5, pushes=5)]))
            return 0 if score.good else 1
    scores = [(pair, accuracy.measure(pair, None)) for pair in known_pairs(Path(folder))]
    everything = [*(score for _, score in scores), *accuracy.pooled(scores)]
    print(accuracy.table(everything), flush=True)
    costs = [speed.measure(pair, rounds=5, pushes=9) for pair, _ in scores]
    print(speed.table(costs))
    return 0 if all(score.good for score in everything) and not any(cost.lacks for cost in costs) else 1


if __name__ == "__main__":
    sys.exit(main())
