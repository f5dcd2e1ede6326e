"""What is asked: which fixes, of which production, in which targets."""

from __future__ import annotations

from dataclasses import dataclass, field

from .flow import FlowPolicy


@dataclass(frozen=True, slots=True)
class Question:
    """One question to a repository; `answer` turns it into a Report."""

    production: tuple[str, ...]
    """Branches, tags or globs as typed; `tags:v*` means every version tag of that shape."""
    targets: tuple[str, ...]
    """Branches or globs as typed. A glob stands for the branches that exist and are still open."""
    policy: FlowPolicy = field(default_factory=FlowPolicy)
    since: str | None = None
    """A tag or commit (what it contains is left out) or a date (what was live before it is left out)."""
    commits: bool = False
    """Every production-side commit that not all targets contain, each as its own fix."""
    mask_trailers: bool = False
    """Do not use trailers and Change-Ids as evidence."""
    ignore: frozenset[str] = frozenset()
    """Object ids that must not serve as counterparts."""
    strict: bool = True
    """A name that the repository does not have is an error; otherwise it is left out with a note."""
    guess_tickets: bool = False
    """Find out from the messages how this project names its tickets, instead of the policy's pattern."""

    @classmethod
    def of(cls, policy: FlowPolicy) -> Question:
        """The standing question of a project: its policy's production against its policy's targets."""
        return cls(policy.production, policy.targets, policy, strict=False)


class QuestionError(Exception):
    """The question cannot be asked of this repository; `code` is stable, `hint` says what to do."""

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
