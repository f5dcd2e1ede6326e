"""Reviews, checks and people of a hotfix, as its page lists them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hotfixdash.accounts.roles import Act
from releases.hotfixes.change import ChangeSize
from releases.hotfixes.ground import people_behind
from releases.hotfixes.models import Hotfix, Review
from releases.hotfixes.reviewing import Standing, is_author, needed, standing
from releases.policies.flow import FlowPolicy
from releases.projects.signatures import TagSeal

from . import words

Check = tuple[str, str, str, bool]
"""Tone (ok, bad, warn, idle), what is checked, its value, and whether that is in the mono face."""
_SAYS = {"approve": ("ok", "circle-check", "Approves"), "changes": ("bad", "circle-x", "Asks for changes"),
         "comment": ("idle", "quote", "Comments")}  # fmt: skip
_SEALS = {
    TagSeal.LIGHT: ("warn", "not annotated"),
    TagSeal.UNSIGNED: ("warn", "not signed"),
    TagSeal.OTHER: ("ok", "by a key that is not the project's"),
    TagSeal.UNCHECKED: ("ok", "signed; not checked here"),
    TagSeal.BAD: ("bad", "the signature does not fit"),
}


@dataclass(frozen=True, slots=True)
class ShownReview:
    """What one person said, and whether it still counts."""

    tone: str
    icon: str
    says: str
    who: str
    at: datetime
    head: str
    text: str
    void: bool
    note: str


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody with a part in the hotfix."""

    name: str
    does: str


def reviews_shown(hotfix: Hotfix, reviews: Sequence[Review], found: Standing) -> list[ShownReview]:
    """The newest first."""
    return [_review(hotfix, review, found) for review in reviews]


def _review(hotfix: Hotfix, review: Review, found: Standing) -> ShownReview:
    tone, icon, says = _SAYS[review.says]
    void = review.head != hotfix.head
    own = review.says == Review.Says.APPROVE and review.reviewer.get_username() in found.own
    note = ""
    if void:
        note = "Of an earlier state of the branch; it no longer counts."
    elif own:
        wrote = is_author(review.reviewer, hotfix.commits)
        note = "Their own work: it does not count."
        if not wrote:
            note = "It does not count: no account is known for an author, so the owner stands for them."
    who = review.reviewer.get_username()
    return ShownReview("idle" if void else tone, icon, says, who, review.at, review.head[:7], review.text, void, note)


def review_standing(hotfix: Hotfix, reviews: Sequence[Review], policy: FlowPolicy) -> Standing:
    """What they amount to, by the same people as the ticket's steps."""
    required, behind = needed(policy, hotfix.severity), people_behind([hotfix])
    return standing(reviews, hotfix.head, hotfix.commits, hotfix.owner, required, behind)


def review_words(found: Standing) -> str:
    """`1 of 2 given`, `none needed`."""
    if not found.needed:
        return "none needed"
    return f"{len(found.approved_by)} of {found.needed} given"


def review_why_not(hotfix: Hotfix, person: Any, acts: Collection[Act]) -> str:
    """Why this person's approval would not count, to be said before they give it; empty when it would."""
    if Act.HOTFIX in acts and hotfix.commits and is_author(person, hotfix.commits):
        return "You wrote this fix, so your own approval does not count."
    return ""


def checks(
    hotfix: Hotfix, size: ChangeSize | None, found: Standing, convention: str, seal: TagSeal | None, *, signs: bool
) -> list[Check]:
    """What can be checked of this hotfix from git and from people.

    `seal` is of its tag, None while that is not read; `signs`: whether the project signs its tags.
    """
    if not hotfix.branch and not hotfix.commits:
        return []
    from_tag = ("ok", "Cut from the production tag", hotfix.base_tag, True)
    rows: list[Check] = [from_tag if hotfix.base_tag else ("warn", "Cut from the production tag", "elsewhere", False)]
    if size is not None:
        rows.append(_named(hotfix, size, convention))
        strays = words.plural(size.strays, "other commit")
        rows.append(("bad", "Nothing else ships along", strays, False) if size.strays else
                    ("ok", "Nothing else ships along", "", False))  # fmt: skip
    if found.needed and hotfix.commits:
        enough = len(found.approved_by) >= found.needed and not found.objections
        who = ", ".join(found.approved_by) or review_words(found)
        second = "Reviewed by a second person" if found.needed == 1 else f"Reviewed by {found.needed} others"
        tone = "ok" if enough else "bad" if found.objections else "warn" if hotfix.tag else "idle"
        rows.append((tone, second, f"by {', '.join(found.objections)}" if found.objections else who, False))
    if hotfix.tag:
        rows.append(_tag(hotfix.tag, seal, signs=signs))
    return rows


def _tag(tag: str, seal: TagSeal | None, *, signs: bool) -> Check:
    """What the tag itself proves. A project that has no key signs nothing, and is not told off for it."""
    both = "Tag is annotated and signed"
    if seal is TagSeal.UNSIGNED and not signs:
        return ("ok", "Tag is annotated", tag, True)
    if seal is TagSeal.OURS:
        return ("ok", both, tag, True)
    tone, says = _SEALS.get(seal or TagSeal.UNKNOWN, ("warn", "not read yet"))
    return (tone, both, says, False)


def _named(hotfix: Hotfix, size: ChangeSize, convention: str) -> Check:
    if not convention or not hotfix.commits:
        return ("ok", "Commit messages", "no rule", False)
    odd = len(size.badly_named)
    if odd:
        return ("warn", f"Subjects begin with {convention}", f"{odd} of {len(hotfix.commits)} do not", False)
    return ("ok", f"Subjects begin with {convention}", "", False)


def people(hotfix: Hotfix, reviews: Sequence[Review], taking_part: Sequence[Any]) -> list[Person]:
    """Who wrote it, who reviewed it, who owns it; each once, with everything they did."""
    does: dict[str, list[str]] = {}

    def add(name: str, what: str) -> None:
        said = does.setdefault(name, [])
        if what not in said:
            said.append(what)

    accounts = {person.email.casefold(): person.get_username() for person in taking_part if person.email}
    accounts |= {person.get_full_name().casefold(): person.get_username() for person in taking_part}
    for commit in hotfix.commits:
        email, name = str(commit.get("author_email", "")).casefold(), str(commit.get("author_name", ""))
        if name or email:
            add(accounts.get(email) or accounts.get(name.casefold()) or name or email, "wrote the fix")
    for review in reviews:
        if review.head == hotfix.head and review.says != Review.Says.COMMENT:
            said = "approved" if review.says == Review.Says.APPROVE else "asked for changes"
            add(review.reviewer.get_username(), f"{said}, {words.clock(review.at)}")
    if hotfix.owner:
        add(hotfix.owner.get_username(), "owner")
    for person in taking_part:
        if person.get_username() not in does:
            add(person.get_username(), "takes part")
    return [Person(name, ", ".join(said)) for name, said in list(does.items())[:12]]
