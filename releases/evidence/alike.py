"""What nobody's name or date finds: changes that read nearly the same, and changes squashed or split on their way.

Patches of the target are read for the best guesses only, within a budget, so that the search stays in proportion.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter

from .content import Content, contained, similarity
from .facts import Facts
from .observe import TELLING
from .patches import Patches
from .pool import LATE, SUBJECT_HITS, Pool, related
from .rules import ALIKE, ALIKE_LINES, CONTAINED, CORROBORATES, HALF, Match, Observed
from .verdicts import Evidence

GUESSES = 4
"""Target commits that are compared with one commit at most."""
PIECES = 12
"""Target commits that one commit may have been split into."""
WIDE, WIDER = 20, 4
"""A commit of more paths than this, and this many times those of the fix, is no guess."""
PATHS = 200
"""Paths of one commit by which others are looked for."""
POPULAR = 150
"""A path that more target commits touch leads to none of them by itself."""

_authored = attrgetter("authored_at")

Proof = Callable[[Sequence[Sequence[str]]], Sequence[bool]]
"""Whether a trial pick of each of these groups of commits changes nothing in the target."""


@dataclass(frozen=True, slots=True)
class Guess:
    commit: Facts
    other: Facts
    score: float


def budget(candidates: int) -> int:
    """How many patches of the target may be read for guesses."""
    return 60 + candidates // 16


def guesses(pool: Pool, commits: Sequence[Facts], limit: int) -> list[Guess]:
    """The most promising pairs, best first, with at most `limit` different commits among them."""
    commits = [commit for commit in commits if not commit.wide]
    touching = pool.touching((path for commit in commits for path in commit.paths[:PATHS]), POPULAR)
    made = {author: sorted(found, key=_authored) for author, found in pool.made_by(commits).items()}
    found: list[Guess] = []
    for commit in commits:
        named = pool.by_subject.get(commit.key, ())
        near: dict[str, Facts] = {other.sha: other for other in named if len(named) <= SUBJECT_HITS}
        own = made.get(commit.author_email, [])
        early = bisect_left(own, commit.authored_at - LATE, key=_authored)
        late = bisect_right(own, commit.authored_at + LATE, key=_authored)
        near.update((other.sha, other) for other in own[early:late] if own_again(commit, other))
        for path in commit.paths[:PATHS]:
            near.update((other.sha, other) for other in touching.get(path, ()))
        ranked = sorted(
            (Guess(commit, other, score) for other in near.values() if (score := promise(commit, other)) >= HALF),
            key=lambda guess: (-guess.score, abs(guess.other.authored_at - commit.authored_at), guess.other.sha),
        )
        found += ranked[:GUESSES]
    found.sort(key=lambda guess: (-guess.score, guess.commit.sha, guess.other.sha))
    chosen: dict[str, None] = {}
    kept = []
    for guess in found:
        needed = [sha for sha in (guess.commit.sha, guess.other.sha) if sha not in chosen]
        if len(chosen) + len(needed) <= limit:
            chosen.update((sha, None) for sha in needed)
            kept.append(guess)
    return kept


def pieces(pool: Pool, patches: Patches, commits: Sequence[Facts], limit: int) -> list[Guess]:
    """Pairs with commits that may each be a piece of one: together they touch what it touches, and nothing else.

    A piece lets every file of it grow as the whole does. At most `limit` pieces of all commits are returned.
    """
    commits = [commit for commit in commits if not commit.wide and 2 <= len(commit.paths) <= PATHS]
    touching = pool.touching((path for commit in commits for path in commit.paths), POPULAR)
    parts: list[tuple[Facts, list[Facts]]] = []
    for commit in commits:
        ours = commit.path_set
        near = {o.sha: o for path in commit.paths for o in touching.get(path, ()) if o.path_set < ours}
        if _cover(commit, near.values()):
            parts.append((commit, list(near.values())))
    patches.measure({c.sha: c for commit, near in parts for c in (commit, *near)}.values())
    found: list[Guess] = []
    for commit, around in parts:
        grown = dict(zip(commit.paths, patches.growth(commit) or (), strict=False))
        fitting = [other for other in around if _grew_as(patches, other, grown)]
        fitting.sort(key=lambda other: (abs(other.authored_at - commit.authored_at), other.sha))
        if _cover(commit, fitting[:PIECES]) and len(found) + len(fitting[:PIECES]) <= limit:
            found += [Guess(commit, other, HALF) for other in fitting[:PIECES]]
    return found


def _cover(commit: Facts, parts: Iterable[Facts]) -> bool:
    return commit.path_set == {path for part in parts for path in part.paths}


def _grew_as(patches: Patches, part: Facts, grown: Mapping[str, int | None]) -> bool:
    """Whether each path of a part grew by as many bytes as it did in the whole."""
    growth = patches.growth(part)
    if growth is None:
        return False
    return all(size is not None and grown.get(path) == size for path, size in zip(part.paths, growth, strict=False))


def own_again(commit: Facts, other: Facts) -> bool:
    """Whether its author made nearly the same, by its subject, in some of the same places about that time."""
    if commit.author_email != other.author_email or abs(commit.authored_at - other.authored_at) > LATE:
        return False
    return _named_alike(commit, other) and related(commit, other)


def promise(commit: Facts, other: Facts) -> float:
    """How much speaks for reading two patches to compare them; from HALF on it may be worth it."""
    if other.wide or len(other.paths) > WIDE + WIDER * len(commit.paths):
        return 0.0  # a sweep over the whole tree holds pieces of everything
    ours, theirs = commit.path_set, other.path_set
    both = len(ours & theirs)
    score = both / (len(ours) + len(theirs) - both) if ours or theirs else 0.0
    if both >= CONTAINED * len(ours):
        score = max(score, HALF)
    words, others = commit.words, other.words
    said = len(words & others)
    return score + said / max(1, len(words) + len(others) - said) + 0.3 * (commit.author_email == other.author_email)


def look_alike(pairs: Sequence[Guess], patches: Patches, observed: Mapping[str, Observed]) -> None:
    """Note pairs whose lines are nearly the same, or half the same under half the same subject."""
    for guess in pairs:
        ours, theirs = patches.of(guess.commit.sha), patches.of(guess.other.sha)
        if not ours.readable or not theirs.readable:
            continue
        share = similarity(ours, theirs)
        named = _named_alike(guess.commit, guess.other)
        again = named and _by_same_hand(guess.commit, guess.other, few=ours.changed < ALIKE_LINES)
        if share is None or (ours.changed < ALIKE_LINES and not again):
            continue
        if share < (CORROBORATES if again else HALF if named else ALIKE):
            continue
        codes = (Evidence.SUBJECT, Evidence.SIMILARITY) if named else (Evidence.SIMILARITY,)
        match = Match(guess.other.sha, codes, share, contained(ours, theirs), contained(theirs, ours))
        observed[guess.commit.sha].likely.append(match)
    for sha in {guess.commit.sha for guess in pairs}:
        observed[sha].likely.sort(key=lambda match: (-(match.similarity or 0.0), match.sha))


def _named_alike(one: Facts, other: Facts) -> bool:
    ours, theirs = one.words, other.words
    if len(ours) < 2:
        return False
    both = len(ours & theirs)
    return both >= HALF * (len(ours) + len(theirs) - both)


def _by_same_hand(one: Facts, other: Facts, *, few: bool) -> bool:
    """Whether one author made both under nearly the same subject, and not for two versions of something.

    A subject may differ the less the fewer lines speak for the pair.
    """
    if one.author_email != other.author_email:
        return False
    ours, theirs = set(_VERSION.sub("", one.key).split()), set(_VERSION.sub("", other.key).split())
    if any(word[:1].isdigit() for word in ours - theirs) and any(word[:1].isdigit() for word in theirs - ours):
        return False
    return not few or len(ours & theirs) >= ALIKE * len(ours | theirs)


_VERSION = re.compile(r"\bv(?=\d)")


def holders(part: Content, others: Iterable[tuple[Facts, Content]]) -> tuple[str, ...]:
    """The target commit that holds these lines, or the several that do together; none when there are none."""
    if part.lines is None or part.weight < TELLING:
        return ()
    pieces: list[tuple[Facts, Content]] = []
    for other, content in others:
        share = contained(part, content)
        if share is not None and share >= CONTAINED:
            return (other.sha,)
        if share and (contained(content, part) or 0.0) >= ALIKE:
            pieces.append((other, content))
    pieces = pieces[:PIECES]
    union: Counter[bytes] = Counter()
    for _, content in pieces:
        union.update(content.lines or {})
    if len(pieces) > 1 and (contained(part, union) or 0.0) >= CONTAINED:
        return tuple(other.sha for other, _ in sorted(pieces, key=lambda item: (item[0].committed_at, item[0].sha)))
    return ()


def look_for_squashes(
    pairs: Sequence[Guess], patches: Patches, observed: Mapping[str, Observed], proved: Proof
) -> None:
    """Note commits whose lines the target holds in other commits, where a trial pick proves it."""
    by_commit: dict[str, list[Facts]] = {}
    for guess in pairs:
        by_commit.setdefault(guess.commit.sha, []).append(guess.other)
    held: dict[str, tuple[str, ...]] = {}
    for sha, others in by_commit.items():
        seen = observed[sha]
        if seen.likely:
            continue
        found = holders(patches.of(sha), [(other, patches.of(other.sha)) for other in others])
        seen.tried = bool(found)
        if found:
            held[sha] = found
    for sha, nothing in zip(held, proved([[sha] for sha in held]), strict=True):
        if nothing:
            observed[sha].squashed, observed[sha].tried = held[sha], False


def union(contents: Iterable[Content]) -> Content | None:
    """The lines of several patches together; None when one of them is a giant or unreadable."""
    lines: Counter[bytes] = Counter()
    for content in contents:
        if content.lines is None:
            return None
        lines.update(content.lines)
    return Content(b"", lines=lines)
