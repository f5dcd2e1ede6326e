"""What was undone to clear the way and has to come back: judged from git like every merge-back."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction
from django.utils import timezone

from releases.evidence import text
from releases.evidence.verdicts import Code, FixVerdict
from releases.git import objects
from releases.ledger.services import event_write
from releases.operations.models import Operation
from releases.projects.models import Project, Ref
from releases.projects.services.refs import clean

from .ground import HEADS, Ground, integration
from .models import Debt, Hotfix
from .sight import Sight

MOST_READ = 200
"""Commits of a branch that are read for reverts made without the dashboard."""


def debts_observe(project: Project, hotfixes: Sequence[Hotfix], ground: Ground, sight: Sight) -> None:
    """Write down new debts of these tickets and settle those whose change came back."""
    tips = {
        ref.name.removeprefix(HEADS): ref.commit
        for ref in Ref.objects.filter(project=project, name__startswith=HEADS, deleted_at=None)
        if ref.commit
    }
    reverting = [hotfix for hotfix in hotfixes if hotfix.way == Hotfix.Way.REVERT or hotfix.debts.all()]
    if not reverting:
        return
    for hotfix in reverting:
        _new_by_operation(hotfix, sight)
        if hotfix.way == Hotfix.Way.REVERT and not hotfix.is_closed:
            _new_by_hand(hotfix, ground, sight)
        for debt in Debt.objects.filter(hotfix=hotfix, settled_at=None):
            if tip := tips.get(debt.branch):
                _judge(debt, tip, sight)
        hotfix._prefetched_objects_cache.pop("debts", None)  # type: ignore[attr-defined]


def _new_by_operation(hotfix: Hotfix, sight: Sight) -> None:
    done = Operation.objects.filter(
        project=hotfix.project_id, subject=f"hotfix:{hotfix.key}", kind=Operation.Kind.REVERT,
        state=Operation.State.DONE,
    )  # fmt: skip
    for operation in done.order_by("pk"):
        commits = [str(sha) for sha in operation.params.get("commits", [])]
        _add(hotfix, str(operation.params.get("branch", "")), commits, _named(commits, sight))


def _new_by_hand(hotfix: Hotfix, ground: Ground, sight: Sight) -> None:
    """Reverts of unreleased commits on the integration branch since this way was chosen, whoever made them."""
    git_dir, target = sight.git_dir, integration(ground.targets)
    if git_dir is None or target is None or not target.tip or hotfix.way_at is None:
        return
    spans = [target.tip, *(f"^{sha}" for sha in dict.fromkeys(ground.production_commits))]
    options = ("--no-merges", f"--max-count={MOST_READ}", f"--since={int(hotfix.way_at.timestamp())}")
    fresh = sight.history.ask(lambda: list(objects.walk(git_dir, spans, *options))) or []
    for fields, _paths in objects.records(git_dir, fresh, lambda _sha: None) if fresh else ():
        subject, body = fields[6].decode("utf-8", "replace"), fields[7].decode("utf-8", "replace")
        named = sight.history.ask(lambda body=body: objects.resolve_many(git_dir, text.reverts(body))) or {}  # type: ignore[misc]
        undone = list(dict.fromkeys(named.values()))
        # A revert of a revert brings something back; only what undoes a change of its own is a debt.
        if undone and not subject.startswith(('Revert "Revert', "Reapply ")):
            _add(hotfix, target.branch, undone, _named(undone, sight) or subject)


def _named(commits: Sequence[str], sight: Sight) -> str:
    """What was undone, by the subjects of its commits; empty when git cannot tell."""
    known = sight.history.commits(commits)
    names = [f"“{known[sha].subject[:120]}”" for sha in commits if sha in known]
    more = [f"{len(names) - 2} more"] if len(names) > 2 else []
    return " and ".join([*names[:2], *more])


def _add(hotfix: Hotfix, branch: str, commits: list[str], subject: str) -> None:
    if not branch or not commits:
        return
    with transaction.atomic():
        Hotfix.objects.select_for_update(of=("self",)).get(pk=hotfix.pk)
        known = {sha for debt in Debt.objects.filter(hotfix=hotfix, branch=branch) for sha in debt.undone}
        if known & set(commits):
            return
        told = clean(subject, 300) or f"{len(commits)} commits"
        Debt.objects.create(
            project_id=hotfix.project_id, hotfix=hotfix, branch=branch, undone=commits, subject=told
        )  # fmt: skip
        event_write(
            "debt.owed", project_id=hotfix.project_id, subject=f"hotfix:{hotfix.key}", target=branch,
            why=f"{branch} has to get back what was undone to clear the way: {told}.", evidence={"undone": commits},
        )  # fmt: skip


def _judge(debt: Debt, tip: str, sight: Sight) -> None:
    """Undone as long as git sees the revert stand; settled when all of it is there again, with what brought it."""
    verdict = sight.judged(debt.undone, tip, debt.branch)
    if verdict is None:
        return
    if not debt.reverted_by:
        by = [sha for commit in verdict.commits for sha in commit.reverted_by]
        if verdict.verdict in (Code.REVERTED, Code.PARTIAL, Code.MISSING):
            Debt.objects.filter(pk=debt.pk).update(reverted_by=by[0] if by else tip)
        return
    if verdict.settled:
        _settle(debt, verdict, tip)


def _settle(debt: Debt, verdict: FixVerdict, tip: str) -> None:
    by = next((sha for c in verdict.commits for sha in c.counterparts if sha not in debt.undone), tip)
    with transaction.atomic():
        now = timezone.now()
        if Debt.objects.filter(pk=debt.pk, settled_at=None).update(settled_at=now, settled_by=by):
            event_write(
                "debt.settled", project_id=debt.project_id, subject=f"hotfix:{debt.hotfix.key}", target=debt.branch,
                new=by, why=f"{debt.branch} has it back: {debt.subject}.", evidence={"undone": debt.undone},
            )  # fmt: skip
