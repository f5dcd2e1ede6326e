"""A judgement as plain data: what was observed of every commit, to go on from after the next push. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from .facts import Facts
from .rules import Match, Observed
from .store import decode_facts, encode_facts
from .verdicts import Evidence


@dataclass(slots=True)
class Snapshot:
    """One target as it was judged."""

    tip: str
    production: tuple[str, ...]
    observed: dict[str, Observed]
    facts: dict[str, Facts]
    """Of the commits in question, of their counterparts, and of what undid them."""
    undoings: list[tuple[str, str]] = field(default_factory=list)
    squashed: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)
    """By group of commits: the target commits that hold them."""

    def as_data(self) -> tuple[Any, ...]:
        return (
            self.tip, self.production, [_observed_data(seen) for seen in self.observed.values()],
            [encode_facts(facts) for facts in self.facts.values()], self.undoings, list(self.squashed.items()),
        )  # fmt: skip

    @classmethod
    def from_data(cls, data: tuple[Any, ...]) -> Snapshot:
        """Raises ValueError or TypeError for what is no snapshot."""
        tip, production, observed, facts, undoings, squashed = data
        seen = [_observed(item) for item in observed]
        known = [decode_facts(item) for item in facts]
        return cls(
            tip, tuple(production), {item.sha: item for item in seen}, {item.sha: item for item in known},
            [tuple(pair) for pair in undoings], dict(squashed),
        )  # fmt: skip


def snapshot_key(target: str, masked: bool, ignored: Iterable[str]) -> bytes:
    """Names what a judgement may be continued for: the target's name and the way of asking."""
    text = "\0".join([target, str(masked), *sorted(ignored)])
    return blake2b(text.encode(), digest_size=16).digest()


_CODES = tuple(Evidence)
_NUMBERS = {code: number for number, code in enumerate(_CODES)}


def _match_data(match: Match) -> tuple[Any, ...]:
    codes = tuple([_NUMBERS[code] for code in match.evidence])
    return (match.sha, codes, match.similarity, match.has, match.fills, match.narrower, match.authored)


def _match(data: Sequence[Any]) -> Match:
    sha, codes, similarity, has, fills, narrower, authored = data
    return Match(sha, tuple([_CODES[code] for code in codes]), similarity, has, fills, narrower, authored)


def _observed_data(seen: Observed) -> tuple[Any, ...]:
    return (
        seen.sha, seen.in_target, seen.unreadable, seen.unsure, seen.empty, seen.undone_by, seen.undoes,
        [_match_data(match) for match in seen.same_patch], [_match_data(match) for match in seen.same_lines],
        [_match_data(match) for match in seen.declared], seen.outvoted,
        [_match_data(match) for match in seen.likely], seen.squashed, seen.reverted,
    )  # fmt: skip


def _observed(data: Sequence[Any]) -> Observed:
    patch, lines, declared, outvoted, likely, squashed, reverted = data[7:]
    return Observed(
        data[0], data[1], data[2], data[3], data[4], data[5], data[6],
        [_match(m) for m in patch], [_match(m) for m in lines], [_match(m) for m in declared], outvoted,
        [_match(m) for m in likely], tuple(squashed), dict(reverted),
    )  # fmt: skip
