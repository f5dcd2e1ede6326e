"""What an e-mail about a deployment that waits for approval says."""

from __future__ import annotations

from releases.policies.wording import count, harmless

from .delta import Delta, delta_of, summary
from .freezing import moment_says
from .models import Run
from .risks import risks_of
from .voices import quorum


def words(run: Run, page: str, account: str) -> tuple[str, str]:
    """Subject and text of the message. Names from a repository are made harmless first."""
    place = run.environment.name if run.environment else ""
    delta, said = delta_of(run), quorum(run)
    what = harmless(f"{run.project.name} {run.tag} to {place}")
    lines = [
        f"{_who(run)} to bring {what}.",
        "",
        f"What would change: {summary(delta)}",
        f"Measured from: {harmless(delta.base.says)}",
        *_tickets(delta),
        *_worries(run, delta),
        f"Approvals: {len(said.given)} of {said.needed}",
        *_until(run),
        "",
        "Look at it and decide:",
        page,
        "",
        "You get this because your account asks for it. Change that here:",
        account,
    ]
    return f"Waits for your approval: {what}", "\n".join(lines) + "\n"


def _who(run: Run) -> str:
    if run.asked_by is None:
        return "The dashboard asks"
    return f"{harmless(run.asked_by.get_full_name() or run.asked_by.get_username())} asks"


def _tickets(delta: Delta) -> list[str]:
    return [f"Tickets: {harmless(', '.join(delta.tickets[:10]))}"] if delta.tickets else []


def _worries(run: Run, delta: Delta) -> list[str]:
    found = [risk for risk in risks_of(run, delta) if risk.worries]
    if not found:
        return ["Risk signals: none needs a look"]
    shown = [f"  {risk.title}: {harmless(risk.says)}" for risk in found]
    return [f"Risk signals, {count(len(found), 'needs a look', 'need a look')}:", *shown]


def _until(run: Run) -> list[str]:
    if run.expires_at is None or run.environment is None:
        return []
    return [f"Expires: {moment_says(run.expires_at, run.environment)}"]
