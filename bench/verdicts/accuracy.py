"""How right the verdicts are where a history itself says what each pick was taken from.

The trailers that tell it are hidden from the engine (`--mask trailers`), and every production-side commit is judged:

  found      share of fixes with a true counterpart that are settled or Likely and name it
  named      the same, whatever the verdict (Reverted and Partial name their counterparts, too)
  undone     of fixes whose true counterparts the target took back, by its own messages, for good: share that is
             Reverted (or owes nothing). They are left out of everything else, where that is not said otherwise
  precision  of those that are settled or Likely with a counterpart: share whose first named one is a true one
  hidden     with every true counterpart taken away: share that another commit still settles by itself
  idle       with every true counterpart taken away: share that owes nothing for another reason (undone in production)
  cherry     what `git cherry` finds of the same fixes, in the same run

    .venv/bin/python bench/verdicts/accuracy.py REPO --production REF --target REF
    .venv/bin/python bench/verdicts/accuracy.py FOLDER        every known history among the clones in it
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent.parent))

from bench.verdicts.asking import Refused, cherry, mergeback
from bench.verdicts.choosing import add_repository, chosen, columns
from bench.verdicts.histories import Pair
from bench.verdicts.truth import Truth, read_truth

FOUND, PRECISION, HIDDEN = 0.99, 0.998, 0.001
"""What each history must reach: at least, at least, at most."""


@dataclass(slots=True)
class Judged:
    """The verdict on one commit, as the command printed it."""

    sha: str
    subject: str
    code: str
    settled: bool
    counterparts: list[str]
    why: str

    @property
    def holds(self) -> bool:
        """Settled or Likely: somebody who reads it looks no further, or at the counterpart only."""
        return self.settled or self.code in ("likely", "declared")


@dataclass(slots=True)
class Score:
    """What came of one pair, or of several together."""

    title: str
    candidates: int = 0
    fixes: int = 0
    """Candidates with a true counterpart."""
    found: int = 0
    named: int = 0
    answered: int = 0
    """Fixes that are settled or Likely and name a counterpart, right or wrong."""
    first_right: int = 0
    hidden: int = 0
    idle: int = 0
    cherry: int = 0
    undone: int = 0
    """Fixes whose true counterparts the target took back."""
    undone_right: int = 0
    empty: int = 0
    """Candidates with a counterpart that change nothing, left out of all shares."""
    codes: dict[str, int] = field(default_factory=dict)
    missed: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    hiding: list[str] = field(default_factory=list)

    def add(self, other: Score) -> None:
        for name in ("candidates", "fixes", "found", "named", "answered", "first_right", "hidden", "idle", "cherry",
                     "undone", "undone_right", "empty"):  # fmt: skip
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for code, count in other.codes.items():
            self.codes[code] = self.codes.get(code, 0) + count

    def share(self, count: int, of: int | None = None) -> float | None:
        whole = self.fixes if of is None else of
        return count / whole if whole else None

    @property
    def good(self) -> bool:
        """Whether the bar is met; a pair without a fix to find has none to miss."""
        if not self.fixes:
            return True
        precision = self.share(self.first_right, self.answered)
        return (
            (self.share(self.found) or 0) >= FOUND
            and (precision is None or precision >= PRECISION)
            and (self.share(self.hidden) or 0) <= HIDDEN
        )

    def as_data(self) -> dict[str, Any]:
        return {
            "title": self.title, "candidates": self.candidates, "fixes": self.fixes, "left_out_empty": self.empty,
            "undone": self.undone, "undone_right": self.share(self.undone_right, self.undone),
            "found": self.share(self.found), "named": self.share(self.named),
            "precision": self.share(self.first_right, self.answered), "hidden": self.share(self.hidden),
            "idle": self.share(self.idle), "cherry": self.share(self.cherry), "verdicts": self.codes,
            "missed": self.missed, "wrong": self.wrong, "hiding": self.hiding, "good": self.good,
        }  # fmt: skip


def score(
    pair: Pair, truth: Truth, judged: dict[str, Judged], without: dict[str, Judged], cherry: Iterable[str]
) -> Score:
    """Compare the verdicts with the truth; `without` are those given when every true counterpart was taken away."""
    out = Score(pair.title, len(truth.candidates), len(truth.counterparts), empty=len(truth.empty))
    equal = set(cherry)
    for item in judged.values():
        out.codes[item.code] = out.codes.get(item.code, 0) + 1
    out.undone = len(truth.undone)
    out.undone_right = sum(judged[sha].code in ("reverted", "nothing_owed") for sha in truth.undone)
    for sha, true in truth.counterparts.items():
        item = judged[sha]
        right = not true.isdisjoint(item.counterparts)
        out.cherry += sha in equal
        out.named += right
        out.found += right and item.holds
        if item.holds and item.counterparts:
            out.answered += 1
            out.first_right += item.counterparts[0] in true
            if item.counterparts[0] not in true:
                out.wrong.append(described(item, true))
        if not (right and item.holds):
            out.missed.append(described(item, true))
        left = without[sha]
        if left.settled and left.counterparts:
            out.hidden += 1
            out.hiding.append(described(left, true))
        elif left.settled:
            out.idle += 1
    return out


def described(item: Judged, true: Iterable[str]) -> str:
    names = ", ".join(sorted(sha[:10] for sha in true)[:4])
    return f"{item.sha[:10]} {item.subject[:70]!r}: {item.code}: {item.why[:110]} (true: {names})"


def verdicts(data: dict[str, Any], target: str) -> dict[str, Judged]:
    """By commit, from the documented JSON."""
    found = {}
    for fix in data["fixes"]:
        for commit in fix["verdicts"][target]["commits"]:
            found[commit["sha"]] = Judged(
                commit["sha"], fix["subject"], commit["verdict"], commit["settled"], commit["counterparts"],
                commit["why"],
            )  # fmt: skip
    return found


def measure(pair: Pair, since: str | None) -> Score:
    """Judge one pair twice and compare."""
    truth = read_truth(pair.repository, pair.production, pair.target)
    usual = ["--no-cache", "--mask", "trailers", *(["--since", since] if since else [])]
    judged = verdicts(mergeback(pair, *usual).data, pair.target)
    if since:
        truth.candidates = [sha for sha in truth.candidates if sha in judged]
        truth.counterparts = {sha: found for sha, found in truth.counterparts.items() if sha in judged}
        truth.undone = {sha: found for sha, found in truth.undone.items() if sha in judged}
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as listed:
        listed.writelines(f"{sha}\n" for found in truth.counterparts.values() for sha in found)
        listed.flush()
        without = verdicts(mergeback(pair, *usual, "--ignore-commits", listed.name).data, pair.target)
    equal = [sha for sha, same in cherry(pair)[0].items() if same]
    return score(pair, truth, judged, without, equal)


def pooled(scores: Sequence[tuple[Pair, Score]]) -> Iterator[Score]:
    """One score for each history with several pairs, and one over everything."""
    for name in dict.fromkeys(pair.name for pair, _ in scores):
        together = Score(f"{name}, all")
        mine = [item for pair, item in scores if pair.name == name]
        for item in mine:
            together.add(item)
        if len(mine) > 1:
            yield together
    everything = Score("all histories")
    for _, item in scores:
        everything.add(item)
    if len({pair.name for pair, _ in scores}) > 1:
        yield everything


def table(scores: Sequence[Score]) -> str:
    head = ("history", "judged", "fixes", "cherry", "found", "named", "precision", "hidden", "idle", "undone", "")
    rows = [
        (
            item.title, str(item.candidates), str(item.fixes), _percent(item.share(item.cherry)),
            _percent(item.share(item.found)), _percent(item.share(item.named)),
            _percent(item.share(item.first_right, item.answered)), _percent(item.share(item.hidden)),
            _percent(item.share(item.idle)), f"{item.undone_right}/{item.undone}", "" if item.good else "below the bar",
        )
        for item in scores
    ]  # fmt: skip
    return columns(head, rows)


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.2f} %"


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_repository(parser)
    parser.add_argument("--since", metavar="TAG|DATE", help="only fixes that are live since then")
    parser.add_argument("--cases", action="store_true", help="list what was missed, wrong and hidden")
    return parser.parse_args()


def main() -> int:
    options = read_options()
    scores: list[tuple[Pair, Score]] = []
    for pair in chosen(options):
        try:
            found = measure(pair, options.since)
        except Refused as fault:
            sys.exit(f"{pair.title}: {fault}")
        scores.append((pair, found))
        for word in ("missed", "wrong", "hiding") if options.cases else ():
            for line in getattr(found, word):
                print(f"{word:7} {found.title}: {line}", flush=True)
    everything = [*(found for _, found in scores), *pooled(scores)]
    print(table(everything))
    if options.json:
        options.json.write_text(json.dumps([item.as_data() for item in everything], indent=2) + "\n")
    return 0 if all(item.good for item in everything) else 1


if __name__ == "__main__":
    sys.exit(main())
