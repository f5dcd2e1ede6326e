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
    run: Run,
    acts: Collection[Act],
    person: Any,
    step: Step | None,
    back: Offer | None = None,
    *,
    can_retry: bool = True,
) -> list[Offer]:
    """The most useful first; the first is the primary one."""
    if not person.is_authenticated:
        return []
    found: list[Offer] = []
    manager = Act.DEPLOY in acts
    why = "" if manager else MANAGER

    def add(kind: str, label: str, reason: str = "", **query: str) -> None:
        url = links.run_act(run.project.slug, kind, run.pk, **query)
        found.append(Offer(kind, label, url, not reason, reason))

    if run.state == Run.State.ASKED:
        url = links.approval(run.project.slug, run.pk)
        found.append(Offer("approve", "Review and decide", url, dialog=False))
    if run.state in _RETRY:
        at = f" from “{words.short(step.name)}”" if step is not None else ""
        gone = "" if can_retry else "Something else was begun in its place since."
        add("retry", f"Go on{at}" if run.state == Run.State.LOST else f"Try again{at}", why or gone)
    if back is not None:
        found.append(back if manager else Offer(back.kind, back.label, back.url, False, MANAGER))
    if run.state == Run.State.LOST:
        add("abandon", "Give it up", why)
    if run.state in (Run.State.RUNNING, Run.State.PAUSED):
        gone = "It is being ended already." if run.abort_asked_at is not None else ""
        add("abort", "Abort", why or gone)
    if run.state == Run.State.QUEUED:
        add("move", "Move in the queue", why)
    if run.state in _NOT_BEGUN and run.kind == Run.Kind.DEPLOY and run.environment is not None and Act.SHIP in acts:
        url = links.environment_act(run.project.slug, "deploy", run.environment.name, tag=run.tag)
        found.append(Offer("deploy", "Ask again", url))
    if run.state in (Run.State.ASKED, Run.State.QUEUED):
        own = manager or (Act.SHIP in acts and run.asked_by_id == person.pk)
        add("cancel", "Take it back", "" if own else "Who asked for it, or a release manager, takes it back.")
    return found


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
