"""Whole releases that reached production as one commit: their content came from the target's line."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from releases.evidence.history import History
from releases.git import runner
from releases.git.errors import GitError

from .versions import is_patch

SHARE = 0.8
"""Share of changed files that must stand as on the target's line when a commit calls itself a release."""
LOOKED_AT = 60
"""Commits that call themselves releases whose files are compared, the newest ones."""
_SAYS_RELEASE = re.compile(
    r"^(?:\S+: ?)?(?:merge |squash |prepare )?release\b|\brelease[ /-]v?\d|^v?\d+\.\d+(?:\.0)?\b|"
    r"\bmerge (?:branch )?'?(?:origin/)?(?:develop|development|dev|release)\b|"
    r"\b(?:develop|dev) (?:in)?to (?:main|master)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class _State:
    sha: str
    tree: str
    committed_at: int
    subject: str
    parent: str


def squashed_releases(
    history: History, candidates: Sequence[str], line: Sequence[str], tagged: Mapping[str, Sequence[str]]
) -> set[str]:
    """Which candidates (single-parent commits on production) are a release in one commit.

    `line` are commits that only the targets have. A candidate is a release when its tree is exactly one that the line
    had before, under another subject; or when its subject or tag says so and its files stand as they did on the line.
    """
    if not candidates or not line:
        return set()
    try:
        states = _states(history, [*candidates, *line])
        on_line = sorted((states[sha] for sha in line if sha in states), key=lambda state: state.committed_at)
        by_tree: dict[str, _State] = {}
        for state in on_line:
            by_tree.setdefault(state.tree, state)
        mine = [states[sha] for sha in candidates if sha in states]
        exact = {state.sha for state in mine if _same_tree(state, by_tree)}
        said = [state for state in mine if state.sha not in exact and _says_release(state, tagged.get(state.sha, ()))]
        said.sort(key=lambda state: -state.committed_at)
        return exact | {state.sha for state in said[:LOOKED_AT] if _stands_as(history, state, on_line)}
    except GitError:
        return set()


def _states(history: History, shas: Sequence[str]) -> dict[str, _State]:
    spec = "".join(f"{sha}\n" for sha in shas).encode()
    args = ["log", "--no-walk=unsorted", "--stdin", "--format=%H%x00%T%x00%ct%x00%P%x00%s"]
    found = {}
    with runner.stream(args, git_dir=history.git_dir, stdin=spec) as flow:
        for row in flow:
            sha, tree, date, parents, subject = row.rstrip(b"\n").split(b"\0", 4)
            parent = parents.split(b" ")[0].decode()
            found[sha.decode()] = _State(
                sha.decode(), tree.decode(), int(date), subject.decode("utf-8", "replace"), parent
            )
    return found


def _same_tree(state: _State, by_tree: Mapping[str, _State]) -> bool:
    """Had the line exactly this tree before, and is this not simply that one commit picked over?"""
    before = by_tree.get(state.tree)
    return before is not None and before.committed_at <= state.committed_at and before.subject != state.subject


def _says_release(state: _State, tags: Sequence[str]) -> bool:
    if tags and all(is_patch(tag) for tag in tags):
        return False
    return bool(tags) or bool(_SAYS_RELEASE.search(state.subject))


def _stands_as(history: History, state: _State, line: Sequence[_State]) -> bool:
    """Do most of the files that the commit changed stand as they did on the line at that time?"""
    place = bisect_right([on_line.committed_at for on_line in line], state.committed_at)
    if not place or not state.parent:
        return False
    changed = _paths(history, state.parent, state.sha)
    differing = _paths(history, line[place - 1].sha, state.sha)
    return len(changed) > 1 and len(changed & differing) <= (1 - SHARE) * len(changed)


def _paths(history: History, one: str, other: str) -> set[bytes]:
    done = runner.run(["diff-tree", "-r", "-z", "--name-only", "--no-renames", one, other], git_dir=history.git_dir)
    return set(done.stdout.split(b"\0")) - {b""}
