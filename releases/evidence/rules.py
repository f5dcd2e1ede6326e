"""The rules of judgement: what was observed of a commit or a fix → its verdict. Pure, in the order of strength."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from .verdicts import Code, CommitVerdict, Evidence, FixVerdict

CORROBORATES = 0.2
"""Share of common lines from which the content backs what a message declares."""
ALIKE = 0.8
"""Share of common lines from which two changes of different name and author are likely the same."""
ALIKE_LINES = 6
"""Changed lines below which similarity says nothing."""
CONTAINED = 0.9
"""Share of a fix's lines that a squashed commit must hold."""
HALF = 0.5


@dataclass(slots=True)
class Match:
    """A commit of the target that may be the counterpart, and what speaks for it."""

    sha: str
    evidence: tuple[Evidence, ...]
    similarity: float | None = None
    """Share of changed lines in common; None when it was not measured."""
    has: float | None = None
    """Share of the fix's changed lines that the counterpart has."""
    fills: float | None = None
    """Share of the counterpart's changed lines that the fix has."""
    narrower: bool = False
    """It touches only some of the fix's paths, and none besides."""
    authored: bool = False
    """Same author and author date, or same author and subject."""


@dataclass(slots=True)
class Observed:
    """All that is known of one commit of a fix with regard to one target."""

    sha: str
    in_target: bool = False
    unreadable: str = ""
    """Why it cannot be judged; empty when it can."""
    unsure: str = ""
    """Why its absence proves nothing (history cut off); empty when it does."""
    empty: bool = False
    undone_by: str = ""
    """The commit of production that undid it there, for good."""
    undoes: str = ""
    """The production commit that this one undoes, when the target never had it."""
    same_patch: list[Match] = field(default_factory=list)
    same_lines: list[Match] = field(default_factory=list)
    """Same changed lines in the same files, telling enough to stand alone."""
    declared: list[Match] = field(default_factory=list)
    outvoted: str = ""
    """The commit that a trailer names although authorship and subject point elsewhere."""
    likely: list[Match] = field(default_factory=list)
    squashed: tuple[str, ...] = ()
    """Target commits that together hold its lines, proved by a trial pick that changes nothing."""
    tried: bool = False
    """Target commits hold its lines, but a trial pick did not prove it: that may change with the target's tip."""
    paths: tuple[str, ...] = ()
    """For a merge: where its own changes are."""
    reverted: dict[str, str] = field(default_factory=dict)
    """Counterpart (or the commit itself) → the target commit that undid it and stands."""


def short(sha: str) -> str:
    return sha[:9]


def judge_commit(seen: Observed) -> CommitVerdict:
    """The verdict on one commit."""
    if seen.in_target:
        by = seen.reverted.get(seen.sha)
        if by and not seen.undone_by:
            return _reverted(seen, (), (Evidence.ANCESTOR,), by)
        return CommitVerdict(seen.sha, Code.MERGED, True, (seen.sha,), (Evidence.ANCESTOR,), "It is in its history.")
    if seen.unreadable:
        return CommitVerdict(seen.sha, Code.UNKNOWN, False, why=seen.unreadable)
    if seen.empty:
        return CommitVerdict(
            seen.sha, Code.NOTHING_OWED, True, (), (Evidence.EMPTY,), "It changes nothing: there is nothing to carry."
        )
    found = _found(seen)
    if seen.undone_by and not (found and found.settled):
        others = found.counterparts if found else ()
        why = f"It was undone in production itself by {short(seen.undone_by)}."
        return CommitVerdict(
            seen.sha, Code.NOTHING_OWED, True, others, (Evidence.REVERT,), why, reverted_by=(seen.undone_by,)
        )
    if found:
        return found
    if seen.undoes:
        why = f"It undoes {short(seen.undoes)}, which the target never had."
        return CommitVerdict(seen.sha, Code.NOTHING_OWED, True, (), (Evidence.REVERT,), why)
    if seen.unsure:
        return CommitVerdict(seen.sha, Code.UNKNOWN, False, why=seen.unsure)
    return CommitVerdict(seen.sha, Code.MISSING, False, why="No commit of the target carries this change.")


def _reverted(seen: Observed, counterparts: tuple[str, ...], evidence: tuple[Evidence, ...], by: str) -> CommitVerdict:
    why = f"It was there, and {short(by)} undid it; nothing brought it back since."
    return CommitVerdict(
        seen.sha, Code.REVERTED, False, counterparts or (seen.sha,), (*evidence, Evidence.REVERT), why,
        reverted_by=(by,),
    )  # fmt: skip


def _found(seen: Observed) -> CommitVerdict | None:
    """The strongest counterpart that still stands; else the strongest that was undone; else none."""
    undone: CommitVerdict | None = None
    for rule in (_equivalent, _declared, _squashed, _likely):
        verdict = rule(seen)
        if verdict is None:
            continue
        by = [seen.reverted[sha] for sha in verdict.counterparts if sha in seen.reverted]
        if not by:
            return verdict
        if undone is None:
            undone = _reverted(seen, verdict.counterparts, verdict.evidence, by[-1])
    return undone


def _standing(seen: Observed, matches: Sequence[Match]) -> list[Match]:
    """Those that were not undone, or all when every one was."""
    return [match for match in matches if match.sha not in seen.reverted] or list(matches)


def _equivalent(seen: Observed) -> CommitVerdict | None:
    for matches, words in ((seen.same_patch, "the same patch"), (seen.same_lines, "the same changed lines")):
        if matches:
            standing = _standing(seen, matches)
            first = standing[0]
            others = tuple(match.sha for match in standing)
            why = f"{short(first.sha)} is {words}."
            if matches is seen.same_lines:
                why = f"{short(first.sha)} has {words}, in other surroundings."
            return CommitVerdict(seen.sha, Code.EQUIVALENT, True, others, first.evidence, why, 1.0)
    return None


def _declared(seen: Observed) -> CommitVerdict | None:
    if not seen.declared or seen.outvoted:
        return None
    backed = [match for match in seen.declared if corroborated(match)]
    standing = _standing(seen, backed or seen.declared)
    first = standing[0]
    settled = bool(backed)
    word = "Change-Id" if Evidence.CHANGE_ID in first.evidence else "message"
    why = f"The {word} links it to {short(first.sha)}" + (
        f", and {_because(first)}." if settled else ", but neither content nor authorship backs that: have a look."
    )
    named = tuple(match.sha for match in standing)
    return CommitVerdict(seen.sha, Code.DECLARED, settled, named, first.evidence, why, first.similarity)


def corroborated(match: Match) -> bool:
    """Whether content or authorship backs a declared link."""
    if match.has is not None and match.has >= HALF:
        return True
    return match.authored or (match.similarity is not None and match.similarity >= CORROBORATES)


def _because(match: Match) -> str:
    if match.similarity is not None and match.similarity >= CORROBORATES:
        return f"{match.similarity:.0%} of the changed lines are the same"
    if match.has is not None and match.has >= HALF:
        return f"it holds {match.has:.0%} of the changed lines"
    return "author and date are the same"


def _squashed(seen: Observed) -> CommitVerdict | None:
    if not seen.squashed:
        return None
    names = ", ".join(short(sha) for sha in seen.squashed)
    held = "holds" if len(seen.squashed) == 1 else "together hold"
    why = f"{names} {held} its lines, and picking it would change nothing."
    return CommitVerdict(seen.sha, Code.EQUIVALENT, True, seen.squashed, (Evidence.SQUASH, Evidence.TRIAL_PICK), why)


def _likely(seen: Observed) -> CommitVerdict | None:
    if not seen.likely:
        return None
    first = _standing(seen, seen.likely)[0]
    if is_part(first):
        why = f"{short(first.sha)} carries only {first.has:.0%} of its changed lines."
        return CommitVerdict(seen.sha, Code.PARTIAL, False, (first.sha,), first.evidence, why, first.similarity)
    reasons = {
        Evidence.AUTHOR_DATE: "the same author and date",
        Evidence.SUBJECT: "the same subject",
        Evidence.SIMILARITY: "nearly the same lines",
        Evidence.NO_CONTEXT: "the same few lines",
        Evidence.PATCH_ID: "the same small patch",
    }
    said = " and ".join(reasons[code] for code in first.evidence if code in reasons)
    shared = "" if first.similarity is None else f"; {first.similarity:.0%} of the changed lines are the same"
    other = f" Its message names {short(seen.outvoted)}, which looks wrong." if seen.outvoted else ""
    why = f"{short(first.sha)} has {said}{shared}.{other}"
    twins = tuple(match.sha for match in _standing(seen, seen.likely)[1:] if _twins(first, match))
    return CommitVerdict(seen.sha, Code.LIKELY, False, (first.sha, *twins), first.evidence, why, first.similarity)


def _twins(one: Match, other: Match) -> bool:
    """Whether both have every name in common with the fix: the target has it twice."""
    both = {Evidence.AUTHOR_DATE, Evidence.SUBJECT}
    return both <= set(one.evidence) and both <= set(other.evidence)


def is_part(match: Match) -> bool:
    """Whether the counterpart is a mere part of the fix: little of the fix is in it, and nothing else."""
    if match.has is None or match.fills is None or not match.narrower:
        return False
    return match.has < HALF and match.fills >= CONTAINED and len(match.evidence) > 1


_WEIGHT = {
    Code.MISSING: 0, Code.UNKNOWN: 1, Code.REVERTED: 2, Code.PARTIAL: 3, Code.LIKELY: 4, Code.DECLARED: 5,
    Code.NOTHING_OWED: 6, Code.EQUIVALENT: 7, Code.WAIVED: 7, Code.MERGED: 8,
}  # fmt: skip
"""From worst to best: a fix stands as its worst commit does."""


def judge_fix(commits: Sequence[CommitVerdict], target: str, squashed: Sequence[str] = ()) -> FixVerdict:
    """The verdict on a whole fix from those on its commits; `squashed` are commits proved to hold the union."""
    parts = tuple(commits)
    if not parts:
        return FixVerdict(Code.NOTHING_OWED, True, "It has no commits of its own.", ())
    open_parts = [part for part in parts if not part.settled]
    if open_parts and squashed:
        names = ", ".join(short(sha) for sha in squashed)
        why = f"In {target} as {names}: all its lines are there, and picking it would change nothing."
        parts = tuple(part if part.settled else _in_squash(part, tuple(squashed)) for part in parts)
        return FixVerdict(Code.EQUIVALENT, True, why, parts, short(squashed[0]))
    owed = [part for part in parts if part.verdict is not Code.NOTHING_OWED]
    if not owed:
        return FixVerdict(Code.NOTHING_OWED, True, _said(parts[0].why, target), parts, "nothing to carry")
    if len(owed) == 1:
        return _single(owed[0], parts, target)
    worst = min(owed, key=lambda part: (part.settled, _WEIGHT[part.verdict]))
    settled = [part for part in owed if part.settled]
    if not open_parts or not settled:
        if not settled and any(part.verdict is not worst.verdict for part in owed):
            return _mixed(owed, parts, target)
        return _uniform(worst, owed, parts, target)
    count = f"{len(settled)} of {len(owed)} commits"
    lacking = ", ".join(short(part.sha) for part in owed if not part.settled)
    if worst.verdict in (Code.UNKNOWN, Code.REVERTED):
        return FixVerdict(worst.verdict, False, _said(worst.why, target), parts, count)
    if all(part.settled or part.verdict in (Code.LIKELY, Code.DECLARED) for part in owed):
        return FixVerdict(worst.verdict, False, f"{count} settled in {target}; look at {lacking}.", parts, count)
    verb = "is" if len(owed) - len(settled) == 1 else "are"
    return FixVerdict(Code.PARTIAL, False, f"{count} are in {target}; {lacking} {verb} not proved.", parts, count)


def _in_squash(part: CommitVerdict, squashed: tuple[str, ...]) -> CommitVerdict:
    why = f"{short(squashed[0])} holds the lines of the whole fix."
    evidence = (Evidence.SQUASH, Evidence.TRIAL_PICK)
    return CommitVerdict(part.sha, Code.EQUIVALENT, True, squashed, evidence, why)


def _single(part: CommitVerdict, parts: tuple[CommitVerdict, ...], target: str) -> FixVerdict:
    return FixVerdict(part.verdict, part.settled, _said(part.why, target), parts, _second_line(part))


def _second_line(part: CommitVerdict) -> str:
    """The fact that a cell shows below its verdict."""
    if part.verdict is Code.MERGED:
        return ""
    if part.verdict is Code.LIKELY and part.similarity is not None:
        return f"{int(part.similarity * 100)} % alike"
    if part.verdict is Code.DECLARED and not part.settled:
        return "trailer only" if Evidence.TRAILER in part.evidence else "Change-Id only"
    if part.verdict is Code.REVERTED and part.reverted_by:
        return f"by {short(part.reverted_by[0])}"
    return short(part.counterparts[0]) if part.counterparts else ""


def _uniform(
    worst: CommitVerdict, owed: Sequence[CommitVerdict], parts: tuple[CommitVerdict, ...], target: str
) -> FixVerdict:
    every = f"all {len(owed)} commits"
    sentences = {
        Code.MERGED: f"{every.capitalize()} are in the history of {target}.",
        Code.EQUIVALENT: f"{every.capitalize()} have their counterpart in {target}.",
        Code.DECLARED: f"The messages link {every} to commits of {target}.",
        Code.MISSING: f"None of its {len(owed)} commits is in {target}.",
        Code.LIKELY: f"{every.capitalize()} have a likely counterpart in {target}.",
    }
    why = sentences.get(worst.verdict, _said(worst.why, target))
    return FixVerdict(worst.verdict, worst.settled, why, parts, f"{len(owed)} commits")


def _mixed(owed: Sequence[CommitVerdict], parts: tuple[CommitVerdict, ...], target: str) -> FixVerdict:
    """Nothing settled, and not all commits stand alike."""
    for code in (Code.REVERTED, Code.UNKNOWN):
        for part in owed:
            if part.verdict is code:
                return FixVerdict(code, False, _said(part.why, target), parts, f"{len(owed)} commits")
    held = [part for part in owed if part.verdict in (Code.LIKELY, Code.DECLARED)]
    count = f"{len(held)} of {len(owed)} commits"
    if len(held) == len(owed):
        return FixVerdict(Code.LIKELY, False, f"All commits have a likely counterpart in {target}.", parts, count)
    return FixVerdict(Code.PARTIAL, False, f"{count} have a likely counterpart in {target}.", parts, count)


def _said(why: str, target: str) -> str:
    """The sentence on a commit, with the target's name."""
    return why.replace("the target", target) if "the target" in why else f"{target}: {why}"
