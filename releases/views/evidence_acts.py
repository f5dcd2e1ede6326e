"""What somebody can do about a fix in a branch, what is under way there, and what was decided by hand."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest

from hotfixdash.accounts.roles import Act
from releases.evidence.verdicts import Code
from releases.hotfixes.aside import Held, held
from releases.hotfixes.models import Hotfix
from releases.operations.models import Operation
from releases.operations.selectors import operations_of
from releases.policies.models import Fix, Verdict
from releases.policies.selectors import FixInTarget
from releases.projects.models import Project

from . import links, merge_back
from .access import may
from .offers import Offer, in_branch
from .operations import ShownOperation

ACTS = (Act.OPERATE, Act.SETTLE)


def evidence_acts(request: HttpRequest, shown: FixInTarget) -> dict[str, Any]:
    """For the drawer and the evidence page: buttons, the last operation, the standing decision."""
    verdict, project = shown.verdict, shown.project
    if verdict is None:
        return {}
    hotfix = merge_back.hotfix_of(shown.fix)
    key = merge_back.key_of(shown.fix, shown.target.branch)
    subjects = {merge_back.subject_of(shown.fix, hotfix), merge_back.subject_of(shown.fix, None)}
    last = operations_of(project, *subjects).filter(key=key).first()
    active = last if last is not None and last.is_active else None
    waits = held([verdict]).get(verdict.pk)
    offers = in_branch(project.slug, verdict, {act for act in ACTS if may(request, act)}, active, waits)
    return {
        "held": waits,
        "offers": offers,
        "offers_off": [offer for offer in offers if not offer.allowed],
        "operation": _shown(request, project, last, settled=verdict.settled),
        "settlement": verdict.settlement if verdict.settlement and verdict.settlement.ended_at is None else None,
        "git_says": _git_says(verdict),
        **hotfix_link(project, hotfix),
    }


def _shown(request: HttpRequest, project: Project, row: Operation | None, *, settled: bool) -> ShownOperation | None:
    """The last one, unless it is over and done with."""
    if row is None or row.state == Operation.State.DONE or row.error_code == "cancelled":
        return None
    if settled and not row.is_active:
        return None
    return ShownOperation(row, project.slug, may(request, Act.OPERATE))


def _git_says(verdict: Verdict) -> dict[str, str]:
    """Git's own verdict where a person decided otherwise."""
    found = verdict.found or {}
    if not found:
        return {}
    return {"label": Code(found.get("code", Code.UNKNOWN)).label, "why": str(found.get("why", ""))}


def hotfix_link(project: Project, hotfix: Hotfix | None) -> dict[str, str]:
    return {"hotfix_url": links.hotfix(project.slug, hotfix.key) if hotfix else ""}


def fix_acts(
    request: HttpRequest, fix: Fix, verdicts: list[Verdict], waits: Mapping[int, Held]
) -> dict[int, list[Offer]]:
    """Verdict id → buttons, for the page of the whole fix. One query however many branches."""
    acts = {act for act in ACTS if may(request, act)}
    if not acts:
        return {}
    project = fix.project
    active = Operation.objects.filter(
        project=project, key__startswith=f"merge-back:{fix.key}:", state__in=("queued", "running")
    )
    running = {row.key: row for row in active}
    back = links.fix(project.slug, fix.key)

    def offered(verdict: Verdict) -> list[Offer]:
        row = running.get(merge_back.key_of(fix, verdict.target.branch))
        return in_branch(project.slug, verdict, acts, row, waits.get(verdict.pk), back)

    return {verdict.pk: offered(verdict) for verdict in verdicts}
