"""The rows of one project that its hotfixes are observed from: read once, in a constant number of queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Prefetch

from releases.ledger.models import Event
from releases.policies.flow import FlowPolicy
from releases.policies.models import Target
from releases.policies.names import matches
from releases.projects.models import Project, Ref

from .keys import branch_for, holds_key, is_hotfix_branch, key_in
from .models import Debt, Hotfix, Review
from .rows import FixRow, ReleaseRow, VerdictRow, fix_rows, release_rows, verdict_rows

HEADS, TAGS = "refs/heads/", "refs/tags/"


@dataclass(slots=True)
class Branch:
    """A hotfix branch as last seen."""

    name: str
    commit: str
    ref: Ref

    @property
    def here(self) -> bool:
        return self.ref.deleted_at is None


@dataclass
class Ground:
    """What is known of a project beside its mirror."""

    project: Project
    policy: FlowPolicy
    branches: dict[str, Branch]
    """Hotfix branches by short name, those that are gone included."""
    production: dict[str, str]
    """Production branches (short name → tip)."""
    releases: dict[str, ReleaseRow]
    """By tag, without those that are gone."""
    targets: list[Target]
    fixes: list[FixRow]
    verdicts: dict[int, list[VerdictRow]]
    """By fix, of open targets."""
    taken: set[str] = field(default_factory=set)
    """Branches that belong to a ticket."""
    claimed: set[int] = field(default_factory=set)
    """Fixes that belong to a ticket."""

    @classmethod
    def of(cls, project: Project) -> Ground:
        """Read it all; seven queries."""
        policy = FlowPolicy.from_data(project.policy)
        heads = Ref.objects.filter(project=project, name__startswith=HEADS)
        branches, production = {}, {}
        for ref in heads:
            name = ref.name.removeprefix(HEADS)
            if ref.commit and is_hotfix_branch(policy, name):
                branches[name] = Branch(name, ref.commit, ref)
            if ref.commit and ref.deleted_at is None and matches(name, policy.production):
                production[name] = ref.commit
        targets = list(Target.objects.filter(project=project, closed_at=None))
        verdicts: dict[int, list[VerdictRow]] = defaultdict(list)
        for verdict in verdict_rows(project, {target.pk: target.branch for target in targets}):
            verdicts[verdict.fix_id].append(verdict)
        releases, fixes = release_rows(project), fix_rows(project)
        taken = set(Hotfix.objects.filter(project=project).exclude(branch="").values_list("branch", flat=True))
        claimed = set(Hotfix.fixes.through.objects.filter(hotfix__project=project).values_list("fix_id", flat=True))
        return cls(project, policy, branches, production, releases, targets, fixes, dict(verdicts), taken, claimed)

    @cached_property
    def pipeline_since(self) -> datetime | None:
        """Since when a pipeline tells of this project's releases; None without one."""
        if not self.project.stages_told:
            return None
        saved = Event.objects.filter(project=self.project, kind="pipeline.saved")
        return saved.order_by("at").values_list("at", flat=True).first()

    @cached_property
    def by_pk(self) -> dict[int, FixRow]:
        return {fix.pk: fix for fix in self.fixes}

    @cached_property
    def by_ticket(self) -> dict[str, list[FixRow]]:
        """By the ticket's key in small letters."""
        found: dict[str, list[FixRow]] = defaultdict(list)
        for fix in self.fixes:
            if fix.ticket:
                found[fix.ticket.casefold()].append(fix)
        return found

    @cached_property
    def by_commit(self) -> dict[str, list[FixRow]]:
        """By their own id and those of their commits."""
        found: dict[str, list[FixRow]] = defaultdict(list)
        for fix in self.fixes:
            for sha in {fix.key, *(str(commit.get("sha")) for commit in fix.commits)}:
                found[sha].append(fix)
        return found

    @cached_property
    def production_commits(self) -> list[str]:
        """Every tip of production: of its branches, and of the version tags that are production."""
        tagged = [row.commit for row in self.releases.values() if row.on_production]
        return [*self.production.values(), *tagged]

    @property
    def production_tip(self) -> str:
        """The commit that production stands at: of its (first) branch, else of its newest release."""
        live = self.project.production_release
        return next(iter(self.production.values()), live.commit if live else "")

    def branch_of(self, hotfix: Hotfix) -> Branch | None:
        """The branch whose name carries the ticket's key: of several, the one named as we would, else the first."""
        wanted = branch_for(self.policy, hotfix.key)
        fitting = [
            branch
            for name, branch in sorted(self.branches.items())
            if branch.here and name not in self.taken and self._belongs(name, hotfix.key)
        ]
        return next((branch for branch in fitting if branch.name == wanted), fitting[0] if fitting else None)

    def _belongs(self, name: str, key: str) -> bool:
        return holds_key(name, key) or key_in(self.policy, name).casefold() == key.casefold()

    def fixes_of(self, hotfix: Hotfix, shas: Iterable[str], standing: Iterable[int]) -> list[FixRow]:
        """The fixes that carry this ticket's key or hold one of its commits, and those tied to it before."""
        kept = set(standing)
        found = {fix.pk: fix for fix in self.by_ticket.get(hotfix.key.casefold(), ())}
        found |= {fix.pk: fix for fix in self.fixes_with(shas)}
        found |= {pk: fix for pk in kept if (fix := self.by_pk.get(pk)) is not None}
        return [found[pk] for pk in sorted(found)]

    def fixes_with(self, shas: Iterable[str]) -> list[FixRow]:
        """The fixes that consist of, or hold, one of these commits."""
        return list({fix.pk: fix for sha in shas for fix in self.by_commit.get(sha, ())}.values())

    def is_production(self, ref: str) -> bool:
        """Whether a whole reference name is a branch of production, or a tag that production contains."""
        if ref.startswith(HEADS):
            return ref.removeprefix(HEADS) in self.production
        release = self.releases.get(ref.removeprefix(TAGS))
        return release is not None and release.on_production


def integration(targets: Sequence[Target]) -> Target | None:
    """The branch from which the next release is made: develop, else main, else an open release; never a supported line,
    which gets patches only."""
    for kind in (Target.Kind.DEVELOP, Target.Kind.MAIN, Target.Kind.RELEASE):
        for target in targets:
            if target.kind == kind:
                return target
    return None


def watched(project: Project, only: Sequence[int]) -> list[Hotfix]:
    """The tickets to look at, with their reviews, debts and tied fixes: all but those that were declined or given up
    before anything was made of them."""
    found = Hotfix.objects.filter(project=project).select_related("owner", "project__production_release")
    if only:
        found = found.filter(pk__in=only)
    else:
        found = found.exclude(closed__in=[Hotfix.Closed.DECLINED, Hotfix.Closed.ABANDONED], branch="", tag="")
    reviews = Prefetch("reviews", Review.objects.select_related("reviewer"))
    debts = Prefetch("debts", Debt.objects.order_by("owed_since", "pk"))
    return list(found.prefetch_related(reviews, debts, "fixes"))


def told_by_ledger(project: Project, hotfixes: Sequence[Hotfix]) -> Mapping[str, list[Event]]:
    """By subject, the newest first, what the ledger tells of stages that git cannot know: kinds `stage.<stage>`."""
    subjects = [f"hotfix:{hotfix.key}" for hotfix in hotfixes]
    subjects += [f"release:{hotfix.tag}" for hotfix in hotfixes if hotfix.tag]
    found: dict[str, list[Event]] = defaultdict(list)
    if subjects:
        events = Event.objects.filter(project=project, subject__in=subjects, kind__startswith="stage.")
        for event in events.order_by("-at", "-pk"):
            found[event.subject].append(event)
    return found


def people_behind(hotfixes: Sequence[Hotfix]) -> list[Any]:
    """Accounts whose address stands in the commits of these tickets."""
    emails = {str(c.get("author_email", "")).casefold() for hotfix in hotfixes for c in hotfix.commits} - {""}
    return list(get_user_model().objects.filter(email__in=emails)) if emails else []
