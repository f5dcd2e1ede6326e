"""Which reviews count: of the present tip, by people who did not write the fix. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from releases.policies.flow import FlowPolicy

APPROVE, CHANGES = "approve", "changes"


class Person(Protocol):
    """A user, as far as authors are told from reviewers."""

    pk: int
    email: str

    def get_username(self) -> str: ...

    def get_full_name(self) -> str: ...


class Spoken(Protocol):
    """A review."""

    head: str
    says: str
    at: datetime

    @property
    def reviewer(self) -> Person: ...


@dataclass(frozen=True, slots=True)
class Standing:
    """What the reviews amount to."""

    needed: int
    approved_by: tuple[str, ...] = ()
    approved_at: datetime | None = None
    """When the last of the approvals that it took was given."""
    objections: tuple[str, ...] = ()
    void: int = 0
    """Reviews of an earlier tip."""
    own: tuple[str, ...] = ()
    """Authors who approved their own work: it does not count."""


def needed(policy: FlowPolicy, severity: int) -> int:
    """How many approving reviews a hotfix of this severity takes."""
    return policy.reviewers_sev1 if severity == 1 else policy.reviewers


def is_author(person: Person, commits: Iterable[Mapping[str, Any]]) -> bool:
    """Whether this person wrote any of the commits, by address or by name, also by one that the account had before."""
    before = {str(value).strip().casefold() for value in getattr(person, "known_as", ())}
    emails = {person.email.strip().casefold(), *before} - {""}
    names = {person.get_username().casefold(), person.get_full_name().strip().casefold(), *before} - {""}
    return any(
        str(commit.get("author_email", "")).strip().casefold() in emails
        or str(commit.get("author_name", "")).strip().casefold() in names
        for commit in commits
    )


def wrote(person: Person, commits: Sequence[Mapping[str, Any]], owner: Person | None, known: Iterable[Person]) -> bool:
    """Whether this person's approval is their own.

    The ticket's owner counts as author of commits by somebody whom no account is known for.
    """
    if is_author(person, commits):
        return True
    if owner is None or owner.pk != person.pk:
        return False
    people = list(known)
    return any(not any(is_author(someone, (commit,)) for someone in people) for commit in commits)


def standing(
    reviews: Sequence[Spoken], head: str, commits: Sequence[Mapping[str, Any]], owner: Person | None, required: int,
    known: Iterable[Person] = (),
) -> Standing:  # fmt: skip
    """What these reviews (newest first) amount to for the branch as it stands at `head`."""
    people = [*known, *(review.reviewer for review in reviews)]
    latest: dict[int, Spoken] = {}
    own: dict[str, None] = {}
    for review in reviews:
        if review.head == head and review.says in (APPROVE, CHANGES):
            latest.setdefault(review.reviewer.pk, review)
    counted = []
    for review in latest.values():
        if review.says == APPROVE and wrote(review.reviewer, commits, owner, people):
            own[review.reviewer.get_username()] = None
        elif review.says == APPROVE:
            counted.append(review)
    counted.sort(key=lambda review: review.at)
    reached = counted[required - 1].at if 0 < required <= len(counted) else None
    return Standing(
        needed=required,
        approved_by=tuple(review.reviewer.get_username() for review in counted),
        approved_at=reached,
        objections=tuple(r.reviewer.get_username() for r in latest.values() if r.says == CHANGES),
        void=sum(review.head != head for review in reviews),
        own=tuple(own),
    )
