"""What an answer costs beside `git cherry`, in one run, on the same clone with the same commit-graph.

  cold     the answer on every production-side commit, nothing cached (`--no-cache`): `elapsed_seconds`, from arguments
           parsed to verdicts final, over the wall time of `git cherry`; rounds of both take turns, the median counts
  process  the whole process instead: interpreter start and printing included
  push     the target goes forward one commit at a time and the answer is asked for again (`--cache-dir`)
  memory   peak resident memory of Python, and of its largest git (mapped packs included)

Everything runs on a throw-away clone that borrows the objects of the repository, which is only read.

    .venv/bin/python bench/verdicts/speed.py REPO --production REF --target REF
    .venv/bin/python bench/verdicts/speed.py FOLDER        every known history among the clones in it
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from bench.verdicts.asking import Asked, Refused, cherry, mergeback
from bench.verdicts.choosing import add_repository, chosen, columns
from bench.verdicts.histories import Pair

MANY = 500
"""Candidates from which the cold answer must not cost more than `git cherry`."""
COLD, PUSH, PUSH_WORST, MEMORY = 1.0, 0.05, 0.2, 300 << 20
"""At most: both ratios to `git cherry`, for one push at worst, and bytes of Python's memory."""


@dataclass(frozen=True, slots=True)
class Cost:
    """What one pair took. Times in seconds, memory in bytes."""

    title: str
    commits: int
    candidates: int
    cherry: float
    cold: float
    process: float
    previews: float
    """Seconds that a whole process with previews takes longer than one without."""
    pushes: list[float]
    memory: int
    memory_git: int

    @property
    def cold_ratio(self) -> float:
        return self.cold / self.cherry

    @property
    def push_ratio(self) -> float | None:
        return statistics.median(self.pushes) / self.cherry if self.pushes else None

    @property
    def worst_ratio(self) -> float | None:
        return max(self.pushes) / self.cherry if self.pushes else None

    @property
    def lacks(self) -> str:
        """Which targets are not met, in a word each; small histories have none for time."""
        faults = ["memory"] if self.memory > MEMORY else []
        if self.candidates >= MANY:
            faults += ["cold"] if self.cold_ratio > COLD else []
            faults += ["push"] if (self.push_ratio or 0) > PUSH or (self.worst_ratio or 0) > PUSH_WORST else []
        return " ".join(faults)


@contextmanager
def borrowed(pair: Pair) -> Iterator[Pair]:
    """A bare clone with nothing but the two branches, as `production` and `target`, and a commit-graph."""
    with tempfile.TemporaryDirectory(prefix="hotfixdash-bench-") as name:
        folder = Path(name) / "clone.git"
        tips = {branch: _git(pair.repository, "rev-parse", f"{ref}^{{commit}}") for branch, ref in
                (("production", pair.production), ("target", pair.target))}  # fmt: skip
        subprocess.run(["git", "init", "-q", "--bare", str(folder)], check=True)
        objects = _git(pair.repository, "rev-parse", "--path-format=absolute", "--git-path", "objects")
        (folder / "objects/info/alternates").write_text(f"{objects}\n")
        for branch, tip in tips.items():
            _git(folder, "update-ref", f"refs/heads/{branch}", tip)
        _git(folder, "commit-graph", "write", "--reachable", "--changed-paths", "--no-progress")
        yield Pair(folder, pair.name, "production", "target")


def _git(repository: Path, *arguments: str) -> str:
    command = ["git", f"--git-dir={repository}", *arguments]
    return subprocess.run(command, capture_output=True, check=True).stdout.decode().strip()


def measure(pair: Pair, rounds: int, pushes: int) -> Cost:
    """Cold rounds beside `git cherry`, then pushes."""
    with borrowed(pair) as clone, tempfile.TemporaryDirectory(prefix="hotfixdash-bench-") as cache:
        warm = after_pushes(clone, Path(cache), pushes)
        asked: list[Asked] = []
        beside: list[float] = []
        for _ in range(rounds):
            beside.append(cherry(clone)[1])
            asked.append(mergeback(clone, "--no-cache"))
        shown = mergeback(clone, "--no-cache", previews=True)
        process = statistics.median(item.wall for item in asked)
        return Cost(
            pair.title, int(_git(clone.repository, "rev-list", "--count", "--all")), len(asked[0].data["fixes"]),
            statistics.median(beside), statistics.median(item.data["elapsed_seconds"] for item in asked), process,
            max(0.0, shown.wall - process), [item.data["elapsed_seconds"] for item in warm],
            max(item.memory for item in (*asked, *warm)), max(item.memory_git for item in (*asked, *warm)),
        )  # fmt: skip


def after_pushes(clone: Pair, cache: Path, pushes: int) -> list[Asked]:
    """Fill the cache some commits below the tip, then take them one by one, asking after each."""
    line = _git(clone.repository, "rev-list", "--first-parent", f"--max-count={pushes + 1}", "target").split()
    steps = line[::-1]
    _git(clone.repository, "update-ref", "refs/heads/target", steps[0])
    options = ["--cache-dir", str(cache)]
    mergeback(clone, *options)
    answers = []
    for tip in steps[1:]:
        _git(clone.repository, "update-ref", "refs/heads/target", tip)
        answers.append(mergeback(clone, *options))
    return answers


def table(costs: Sequence[Cost]) -> str:
    head = ("history", "commits", "judged", "git cherry", "cold", "ratio", "process", "+ previews", "push", "worst",
            "memory", "git's", "")  # fmt: skip
    rows = [
        (
            cost.title, f"{cost.commits:,}", f"{cost.candidates:,}", f"{cost.cherry:.2f} s", f"{cost.cold:.2f} s",
            f"{cost.cold_ratio:.2f}", f"{cost.process:.2f} s", f"{cost.previews:.1f} s", _ratio(cost.push_ratio),
            _ratio(cost.worst_ratio), f"{cost.memory >> 20} MB", f"{cost.memory_git >> 20} MB", cost.lacks,
        )
        for cost in costs
    ]  # fmt: skip
    return columns(head, rows)


def _ratio(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def as_data(cost: Cost) -> dict[str, object]:
    ratios = {"cold_ratio": cost.cold_ratio, "push_ratio": cost.push_ratio, "worst_ratio": cost.worst_ratio}
    return asdict(cost) | ratios | {"lacks": cost.lacks}


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_repository(parser)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pushes", type=int, default=9)
    return parser.parse_args()


def main() -> int:
    options = read_options()
    costs: list[Cost] = []
    for pair in chosen(options):
        try:
            costs.append(measure(pair, options.rounds, options.pushes))
        except Refused as fault:
            sys.exit(f"{pair.title}: {fault}")
        print(table(costs[-1:]).splitlines()[1], file=sys.stderr, flush=True)
    print(table(costs))
    if options.json:
        options.json.write_text(json.dumps([as_data(cost) for cost in costs], indent=2) + "\n")
    return 1 if any(cost.lacks for cost in costs) else 0


if __name__ == "__main__":
    sys.exit(main())
