"""What discovery finds: fixes before they are judged, and why each counts as one."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Message:
    """What a commit says about itself."""

    sha: str
    subject: str
    body: str
    author_name: str
    author_email: str
    authored_at: int
    committed_at: int


@dataclass(frozen=True, slots=True)
class Draft:
    """A fix that was found; numbers are commits of the graph."""

    commit: int
    """The hotfix merge, or the (newest) commit itself: the fix's id."""
    landing: int
    """The commit on production's own line that brought it."""
    commits: tuple[int, ...]
    """What is to be judged, oldest first."""
    kind: str
    """merge, direct, pick, revert or evil."""
    production: str
    """The production ref, as typed."""
    subject: str
    branch: str = ""
    """The branch that was merged, when the message names it."""
    base: int | None = None
    """The state of production before it, when the whole fix can be laid onto a branch in one step."""


@dataclass(slots=True)
class Discovery:
    """All fixes found, newest first, and what was left out on purpose."""

    drafts: list[Draft] = field(default_factory=list)
    release_leftovers: int = 0
    """Commits that came to production with release merges and are not in every target."""
    releases: int = 0
    """Release merges (or squashed releases) passed over."""
