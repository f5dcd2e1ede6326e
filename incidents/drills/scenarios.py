"""What can be drilled in a project: the scenarios that fit its way of working, and the past fixes that fit them.

What is not offered says why.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from django.db.models import F, QuerySet

from releases.deploys.settings_services import pipeline_of
from releases.deploys.spec import PipelineSpec, Trigger
from releases.policies.models import Fix, Target
from releases.projects.models import Project

from .models import Drill

MOST = 50
"""Past fixes to choose from, the newest first."""
_NO_FIXES = (
    "No hotfix of the past can be done again here: it takes one that is live in production and has a release before it."
)
_NO_TARGETS = "No branch of this project has to receive fixes, so there is no merge-back that could conflict."
_CONTINUOUS = (
    "Every merge to the main line is released here, so a fix goes out through it and is never brought back: "
    "there is no merge-back that could conflict."
)


@dataclass(slots=True)
class Offer:
    """One scenario, as far as this project can have it."""

    key: str
    title: str
    says: str
    why_not: str = ""
    """Why it is not offered here; empty when it is."""
    fixes: list[Fix] = field(default_factory=list)

    @property
    def offered(self) -> bool:
        return not self.why_not


_SAYS = {
    Drill.Scenario.REPLAY: "The copy goes back to the release before a fix of the past, which then exists nowhere. "
    "The same bug has to be mended again, from the alert to the last branch.",
    Drill.Scenario.CONFLICT: "The same, and two things go wrong: the merge-back conflicts, because the lines were "
    "changed there meanwhile, and the check after the deployment to production fails the first time.",
}


def offers(project: Project) -> list[Offer]:
    """Every scenario, in order. Four queries."""
    fixes = list(replayable(project)[:MOST])
    found = []
    for key in Drill.Scenario:
        offer = Offer(key.value, str(key.label), _SAYS[key], fixes=fixes)
        offer.why_not = _why_not(key, project, offer.fixes)
        found.append(offer)
    return found


def offer_of(project: Project, key: str) -> Offer | None:
    """The scenario of this name."""
    return next((offer for offer in offers(project) if offer.key == key), None)


def replayable(project: Project) -> QuerySet[Fix]:
    """Fixes that are live, came with a release, and have a release before it to go back to; newest first."""
    return (
        Fix.objects.filter(project=project, present=True, chore=False)
        .exclude(kind__in=(Fix.Kind.REVERT, Fix.Kind.EVIL))
        .filter(release__previous__isnull=False, release__deleted_at=None, release__previous__deleted_at=None)
        .select_related("release__previous")
        .order_by(F("live_since").desc(nulls_last=True), "-pk")
    )


def _why_not(key: Drill.Scenario, project: Project, fixes: list[Fix]) -> str:
    if not fixes:
        return _NO_FIXES
    if key is Drill.Scenario.CONFLICT:
        pipeline = pipeline_of(project)
        if pipeline is not None and PipelineSpec.from_data(pipeline.spec).trigger is Trigger.MAIN:
            return _CONTINUOUS
        if not Target.objects.filter(project=project, closed_at=None).exists():
            return _NO_TARGETS
    return ""
