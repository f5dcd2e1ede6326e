"""Who stands behind what a hotfix went through: people for reviews and approvals, a worker for what a pipeline did."""

from __future__ import annotations

from releases.deploys.models import Approval, Environment, Run
from releases.hotfixes.models import Hotfix, Review
from releases.hotfixes.reviewing import is_author
from releases.hotfixes.stages import StageKey, StageState
from releases.ledger.models import Event

BETWEEN = ", "
"""Between names; no user name holds it."""


def behind(hotfix: Hotfix, event: Event) -> str:
    """Names of the people, else what saw it: the row itself may say `git`, which only saw what followed."""
    names: list[str] = []
    if event.new == StageState.DONE and event.target == StageKey.REVIEW:
        names = _reviewers(hotfix, event)
    elif event.new == StageState.DONE and event.target == StageKey.APPROVAL:
        names = _approvers(hotfix, event)
    if names:
        return BETWEEN.join(dict.fromkeys(names))
    told = event.actor_name == "git" and event.target in hotfix.project.stages_told
    return "worker" if told else event.actor_name


def _reviewers(hotfix: Hotfix, event: Event) -> list[str]:
    """Who approved the tip that the row is about, authors aside."""
    rows = Review.objects.filter(hotfix=hotfix, head=event.evidence.get("head", ""), says=Review.Says.APPROVE)
    return [
        row.reviewer.get_username()
        for row in rows.filter(at__lte=event.at).select_related("reviewer").order_by("at")
        if not is_author(row.reviewer, hotfix.commits)
    ]


def _approvers(hotfix: Hotfix, event: Event) -> list[str]:
    """Who let the release go to production: as the deployment says that was approved last before the row."""
    runs = Run.objects.filter(
        project=hotfix.project_id, tag=event.evidence.get("tag", ""), environment__kind=Environment.Kind.PRODUCTION,
        kind=Run.Kind.DEPLOY, approved_at__lte=event.at,
    )  # fmt: skip
    run = runs.select_related("glass_by").order_by("-approved_at").first()
    if run is None:
        return []
    if run.glass_by is not None:
        return [run.glass_by.get_username()]
    given = run.approvals.filter(withdrawn_at=None, says=Approval.Says.APPROVE).select_related("person")
    return [voice.person.get_username() for voice in given.order_by("at")]
