"""A judgement as plain data: what was observed of every commit, to go on from after the next push. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from .rules import Match, Observed
from .verdicts import Evidence


@dataclass(slots=True)
class Snapshot:
    """One target as it was judged."""

    tip: str
    production: tuple[str, ...]
    lacking: list[str]
    """What production had and the target had not, in the order of the walk."""
    pool: list[str]
    """What the target had that may be a counterpart."""
    observed: dict[str, Observed]
    """The commits in question that the target lacked."""
    dates: dict[str, int]
    """When the commits in question and their counterparts were committed (Unix seconds)."""
    undoings: list[tuple[str, str, int]] = field(default_factory=list)
    squashed: dict[tuple[str, ...], tuple[str, ...]] = field(default_factory=dict)
    """By group of commits: the target commits that hold them."""

    def as_data(self) -> tuple[Any, ...]:
        return (
            self.tip, self.production, _joined(self.lacking), _joined(self.pool),
            [_observed_data(seen) for seen in self.observed.values()], self.dates, self.undoings,
            list(self.squashed.items()),
        )  # fmt: skip

    @classmethod
    def from_data(cls, data: tuple[Any, ...]) -> Snapshot:
        """Raises ValueError, TypeError or LookupError for what is no snapshot."""
        tip, production, lacking, pool, observed, dates, undoings, squashed = data
        seen = [_observed(item) for item in observed]
        return cls(
            tip, tuple(production), _apart(lacking), _apart(pool), {item.sha: item for item in seen}, dict(dates),
            [tuple(pair) for pair in undoings], dict(squashed),
        )  # fmt: skip


def snapshot_key(target: str, production: Iterable[str], masked: bool, ignored: Iterable[str]) -> bytes:
    """Names what a judgement may be continued for: the names of the refs and the way of asking."""
    names = sorted({name.partition("#")[0] for name in production})
    text = "\0".join([target, str(masked), *names, "", *sorted(ignored)])
    return blake2b(text.encode("utf-8", "surrogateescape"), digest_size=16).digest()


def _joined(shas: Sequence[str]) -> tuple[int, bytes]:
    return (len(shas[0]) if shas else 40), bytes.fromhex("".join(shas))


def _apart(data: tuple[int, bytes]) -> list[str]:
    width, raw = data
    text = raw.hex()
    return [text[at : at + width] for at in range(0, len(text), width)]


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
        seen.sha, seen.unreadable, seen.unsure, seen.empty,
        [_match_data(match) for match in seen.same_patch], [_match_data(match) for match in seen.same_lines],
        [_match_data(match) for match in seen.declared], seen.outvoted,
        [_match_data(match) for match in seen.likely], seen.squashed, seen.tried, seen.paths,
    )  # fmt: skip


def _observed(data: Sequence[Any]) -> Observed:
    sha, unreadable, unsure, empty, patch, lines, declared, outvoted, likely, squashed, tried, paths = data
    return Observed(
        sha, False, unreadable, unsure, empty, "", "",
        [_match(m) for m in patch], [_match(m) for m in lines], [_match(m) for m in declared], outvoted,
        [_match(m) for m in likely], tuple(squashed), tried, tuple(paths),
    )  # fmt: skip
