"""What a history itself says of its picks: which commit of the target each production-side commit was taken from.

Read with git and expressions of its own, not with those of the engine that is measured: a mistake that both shared
would flatter the figures.
"""

from __future__ import annotations

import re
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

DEPTH = 4
"""Trailers in a row that are followed."""
LIST = 40
"""A message that names more commits than this is a list, not an origin."""
SHARED = 3
"""A Change-Id that more target commits bear says nothing."""

_ID = r"[0-9a-f]{7,64}\b"
_SEVERAL = rf"{_ID}(?:\s*(?:,|;|&|\band\b)\s*(?:commit\s+)?{_ID})*"
_ORIGINS = re.compile(
    rf"\bcherry[ -]?picked\s+from(?:\s+commits?)?:?\s+({_SEVERAL})"
    rf"|\bback-?port(?:s|ed)?\s+(?:of|from)(?:\s+commits?)?:?\s+({_SEVERAL})"
    rf"|^[\[\s]*(?:upstream\s+)?commit\s+({_ID})\s+upstream"
    rf"|^[\[\s]*upstream[ -]commit:?\s+({_SEVERAL})",
    re.IGNORECASE | re.MULTILINE,
)
_REVERTED = re.compile(rf"\bthis reverts commits? ({_ID})", re.IGNORECASE)
_CHANGE_ID = re.compile(r"^Change-Id: (I[0-9a-f]{40})\s*$", re.MULTILINE)


def origins(message: str) -> tuple[str, ...]:
    """Ids, maybe abbreviated, that a message gives as what it was picked or backported from; none for mere lists."""
    named: dict[str, None] = {}
    for match in _ORIGINS.finditer(message):
        for group in match.groups():
            named.update((name.lower(), None) for name in re.findall(_ID, group or "", re.IGNORECASE))
    return tuple(named) if len(named) <= LIST else ()


def reverted(message: str) -> tuple[str, ...]:
    """Ids of the commits that a message says it takes back as a whole."""
    return tuple(name.lower() for name in _REVERTED.findall(message))


def change_id(message: str) -> str:
    """The Change-Id in the last paragraph that has one; empty when there is none."""
    found = _CHANGE_ID.findall(message)
    return found[-1] if found else ""


@dataclass(slots=True)
class Truth:
    """What is known of one pair of production and target."""

    candidates: list[str]
    """Commits without the merges that production has and the target lacks, newest first."""
    counterparts: dict[str, frozenset[str]] = field(default_factory=dict)
    """By candidate: the commits of the target that it was taken from, or that were taken from it."""
    undone: dict[str, frozenset[str]] = field(default_factory=dict)
    """Those of them whose counterparts were all taken back in the target for good; not among `counterparts`."""
    empty: set[str] = field(default_factory=set)
    """Candidates with a counterpart that change nothing: there is no patch to find, so they are left out."""


def read_truth(git_dir: Path, production: str, target: str) -> Truth:
    """Take the truth about a pair of refs from its messages."""
    ours = dict(_messages(git_dir, f"{target}..{production}"))
    theirs = dict(_messages(git_dir, f"{production}..{target}"))
    there = set(_git(git_dir, "rev-list", "--no-merges", target).split())
    names = _Names(git_dir, ours | theirs)
    known = {sha: names.full(origins(text)) for sha, text in (ours | theirs).items()}
    named_by: dict[str, set[str]] = defaultdict(set)
    for sha in theirs:
        for origin in known[sha]:
            named_by[origin].add(sha)
    by_change: dict[str, set[str]] = defaultdict(set)
    for sha, text in theirs.items():
        if mark := change_id(text):
            by_change[mark].add(sha)
    truth = Truth(list(ours))
    for sha, text in ours.items():
        found = _followed(sha, known, named_by, there, names)
        twins = by_change.get(change_id(text), set())
        found |= twins if len(twins) <= SHARED else set()
        if found:
            truth.counterparts[sha] = frozenset(found)
    _drop_ancestors(git_dir, truth, set(theirs))
    truth.empty = _changing_nothing(git_dir, list(truth.counterparts))
    for sha in truth.empty:
        del truth.counterparts[sha]
    gone = _taken_back(git_dir, theirs)
    truth.undone = {sha: found for sha, found in truth.counterparts.items() if found <= gone}
    for sha in truth.undone:
        del truth.counterparts[sha]
    return truth


def _taken_back(git_dir: Path, theirs: dict[str, str]) -> set[str]:
    """Commits that one of these messages takes back, and that no later one brought back."""
    written = {name for text in theirs.values() for name in reverted(text)}
    full = _resolved(git_dir, sorted(written))
    by: dict[str, list[str]] = defaultdict(list)
    for sha, text in theirs.items():
        for name in reverted(text):
            if name in full and full[name] != sha:
                by[full[name]].append(sha)

    def stands(sha: str, depth: int = 0) -> bool:
        return depth > DEPTH or not any(stands(other, depth + 1) for other in by.get(sha, ()))

    return {sha for sha in by if not stands(sha)}


def _followed(
    sha: str, known: dict[str, list[str]], named_by: dict[str, set[str]], there: set[str], names: _Names
) -> set[str]:
    """Commits of the target that trailers lead to, in either direction; the search ends at each of them."""
    found: set[str] = set()
    seen, layer = {sha}, [sha]
    for _ in range(DEPTH):
        beyond: list[str] = []
        for at in layer:
            if at not in known:
                known[at] = names.origins_of(at)
            for near in (*known[at], *named_by.get(at, ())):
                if near in seen:
                    continue
                seen.add(near)
                (found.add if near in there else beyond.append)(near)
        layer = beyond
    return found


def _drop_ancestors(git_dir: Path, truth: Truth, beyond: set[str]) -> None:
    """A commit that the candidate already stood on is no counterpart, whatever the message says of it."""
    for sha, found in list(truth.counterparts.items()):
        kept = {other for other in found if other in beyond or not _is_ancestor(git_dir, other, sha)}
        if kept:
            truth.counterparts[sha] = frozenset(kept)
        else:
            del truth.counterparts[sha]


class _Names:
    """Full object ids of written ones, and the origins of commits outside the pair."""

    def __init__(self, git_dir: Path, messages: dict[str, str]) -> None:
        self.git_dir = git_dir
        wanted = {name for text in messages.values() for name in origins(text)}
        self._full = _resolved(git_dir, sorted(wanted))

    def full(self, written: Iterable[str]) -> list[str]:
        return [self._full[name] for name in written if name in self._full]

    def origins_of(self, sha: str) -> list[str]:
        named = origins(_git(self.git_dir, "log", "-1", "--no-walk", "--format=%B", sha))
        unknown = [name for name in named if name not in self._full]
        self._full.update(_resolved(self.git_dir, unknown))
        return self.full(named)


def _messages(git_dir: Path, revisions: str) -> Iterator[tuple[str, str]]:
    for record in _git(git_dir, "log", "-z", "--no-merges", "--format=%H%n%B", revisions).split("\0"):
        sha, _, text = record.lstrip("\n").partition("\n")
        if sha:
            yield sha, text


def _resolved(git_dir: Path, names: Sequence[str]) -> dict[str, str]:
    if not names:
        return {}
    text = "".join(f"{name}^{{commit}}\n" for name in names)
    answers = _git(git_dir, "cat-file", "--batch-check=%(objecttype) %(objectname)", stdin=text).splitlines()
    parts = [(name, answer.split(" ")) for name, answer in zip(names, answers, strict=True)]
    return {name: words[1] for name, words in parts if words[0] == "commit" and len(words) == 2}


def _is_ancestor(git_dir: Path, sha: str, tip: str) -> bool:
    command = ["git", f"--git-dir={git_dir}", "merge-base", "--is-ancestor", sha, tip]
    return subprocess.run(command, check=False).returncode == 0


def _changing_nothing(git_dir: Path, shas: Sequence[str]) -> set[str]:
    """Those whose tree is that of their first parent."""
    text = "".join(f"{sha}^{{tree}}\n{sha}^1^{{tree}}\n" for sha in shas)
    answers = _git(git_dir, "cat-file", "--batch-check=%(objectname)", stdin=text).splitlines()
    return {sha for number, sha in enumerate(shas) if answers[2 * number] == answers[2 * number + 1]}


def _git(git_dir: Path, *arguments: str, stdin: str = "") -> str:
    command = ["git", f"--git-dir={git_dir}", *arguments]
    done = subprocess.run(command, input=stdin.encode(), capture_output=True, check=True)
    return done.stdout.decode("utf-8", "replace")
