"""What can be done to a run or an environment, as buttons; where it cannot be done now, why not."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from hotfixdash.accounts.roles import Act
from releases.deploys.models import Run, Step
from releases.deploys.selectors import rollback_target

from . import links, words
from .offers import Offer

MANAGER = "It takes a release manager."
_NOT_BEGUN = (Run.State.REJECTED, Run.State.VOID, Run.State.EXPIRED, Run.State.CANCELLED)
_RETRY = (Run.State.LOST, Run.State.FAILED, Run.State.ABORTED)


def run_offers(
    run: Run, acts: Collection[Act], person: Any, step: Step | None, back: Offer | None = None, *,
    can_retry: bool = True,
) -> list[Offer]:  # fmt: skip
    """The most useful first; the first is the primary one."""
    if not person.is_authenticated:
        return []
    manager = Act.DEPLOY in acts
    found = _to_go_on(run, step, manager=manager, can_retry=can_retry)
    if back is not None:
        found.append(back if manager else Offer(back.kind, back.label, back.url, False, MANAGER))
    found += _to_end(run, manager=manager)
    if run.state in _NOT_BEGUN and run.kind == Run.Kind.DEPLOY and run.environment is not None and Act.SHIP in acts:
        url = links.environment_act(run.project.slug, "deploy", run.environment.name, tag=run.tag)
        found.append(Offer("deploy", "Ask again", url))
    if run.state in (Run.State.ASKED, Run.State.QUEUED):
        own = manager or (Act.SHIP in acts and run.asked_by_id == person.pk)
        why = "" if own else "Who asked for it, or a release manager, takes it back."
        found.append(_offer(run, "cancel", "Take it back", why))
    return found


def _offer(run: Run, kind: str, label: str, why: str = "") -> Offer:
    return Offer(kind, label, links.run_act(run.project.slug, kind, run.pk), not why, why)


def _to_go_on(run: Run, step: Step | None, *, manager: bool, can_retry: bool) -> list[Offer]:
    """Deciding on it, and taking it up again."""
    if run.state == Run.State.ASKED:
        url = links.approval(run.project.slug, run.pk)
        return [Offer("approve", "Review and decide", url, dialog=False)]
    if run.state not in _RETRY:
        return []
    at = f" from “{words.short(step.name)}”" if step is not None else ""
    why = "" if can_retry else "Something else was begun in its place since."
    label = f"Go on{at}" if run.state == Run.State.LOST else f"Try again{at}"
    return [_offer(run, "retry", label, why if manager else MANAGER)]


def _to_end(run: Run, *, manager: bool) -> list[Offer]:
    """Giving it up, ending it, and letting others go first."""
    why = "" if manager else MANAGER
    if run.state == Run.State.LOST:
        return [_offer(run, "abandon", "Give it up", why)]
    if run.state in (Run.State.RUNNING, Run.State.PAUSED):
        gone = "It is being ended already." if run.abort_asked_at is not None else ""
        return [_offer(run, "abort", "Abort", why or gone)]
    return [_offer(run, "move", "Move in the queue", why)] if run.state == Run.State.QUEUED else []


def rollback_offer(run: Run) -> Offer | None:
    """Bringing back what ran well before this run, while that is what one would want."""
    place = run.environment
    if place is None or not (place.live_id == run.pk or run.state in _RETRY):
        return None
    target = rollback_target(place, run)
    if target is None:
        return None
    label = f"Roll back to {words.short(target.tag)}"
    return Offer("rollback", label, links.environment_act(run.project.slug, "rollback", place.name))
