"""What became of the e-mail to those who may approve, for whoever can do something about it."""

from __future__ import annotations

from dataclasses import dataclass

from releases.deploys.mail_state import Mails, mails_of
from releases.deploys.models import ApprovalMail, Run

from . import words
from .deploy_words import name_of


@dataclass(frozen=True, slots=True)
class Unsent:
    """One person who was not reached."""

    who: str
    why: str


@dataclass(frozen=True, slots=True)
class ShownMails:
    """What the page says of them; false when there is nothing to say."""

    title: str
    rows: list[Unsent]
    next_at: str
    """When it is tried again by itself; empty when it is not."""


def shown(run: Run) -> ShownMails | None:
    """Of a request that still waits; None when everybody was reached, or is about to be."""
    found = mails_of(run)
    rows = _rows(found)
    if not rows:
        return None
    refused, total = len(found.refused), words.plural(found.total, "approver")
    if refused:
        title = f"The mail to {refused} of {total} was refused"
        title += f", and {len(found.held_up)} more wait." if found.held_up else "."
    else:
        title = f"The mail to {len(found.held_up)} of {total} was not taken so far."
    due = min((row.due_at for row in found.held_up), default=None)
    return ShownMails(title, rows, words.clock(due))


def unsent(run: Run) -> list[Unsent]:
    return _rows(mails_of(run))


def _rows(found: Mails) -> list[Unsent]:
    return [_row(row) for row in (*found.refused, *found.held_up)]


def _row(row: ApprovalMail) -> Unsent:
    return Unsent(f"{name_of(row.person)} <{words.visible(row.person.email)}>", words.visible(row.error))
