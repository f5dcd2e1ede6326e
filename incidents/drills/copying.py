"""A project's history as it was before a fix, as a repository of its own that nothing leads out of.

What is chosen is decided from rows and written down first, so that a worker that takes over copies the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings

from releases.git import objects
from releases.git.changes import Changes
from releases.git.commits import Person
from releases.git.reader import Reader
from releases.git.repository import locate
from releases.git.throwaway import newest_without, throw_away_copy
from releases.policies.flow import FlowPolicy
from releases.policies.models import Fix, Target, Verdict
from releases.policies.names import matches
from releases.policies.refs import TAGS
from releases.projects.models import Project, Ref, Release
from releases.projects.services.mirrors import mirror_folder

from .conflicting import conflict_edits
from .errors import DrillError
from .models import Drill

_HEADS, _TAGS = "refs/heads/", "refs/tags/"
_MAIN_KINDS = (Target.Kind.DEVELOP, Target.Kind.MAIN, Target.Kind.RELEASE, Target.Kind.SUPPORT)


@dataclass(frozen=True, slots=True)
class Plan:
    """What the copy will hold."""

    refs: dict[str, str]
    """Full name → object id."""
    head: str
    """Short name of the branch that a clone checks out."""
    begins_at: str
    """The tag that production runs."""
    target: str
    """The branch that the fix has to be brought to first."""
    left_out: list[str]
    """Branches that did not exist then."""

    def as_data(self) -> dict[str, Any]:
        return {
            "refs": self.refs, "head": self.head, "begins_at": self.begins_at, "target": self.target,
            "left_out": self.left_out,
        }  # fmt: skip

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> Plan:
        return cls(**{name: data[name] for name in ("refs", "head", "begins_at", "target", "left_out")})


def drill_folder(drill: Drill) -> Path:
    """Everything that a drill has on this disk apart from its mirror, work and artifacts."""
    return Path(settings.DRILLS_DIR) / str(drill.pk)


def repository_folder(drill: Drill) -> Path:
    """What participants clone and push to."""
    return drill_folder(drill) / "repository.git"


def sandbox_folder(drill: Drill) -> Path:
    """What its environments run."""
    return drill_folder(drill) / "sandbox"


def traces_of(fix: Fix) -> list[str]:
    """Commits by which the fix is anywhere: its own, the merge that brought it, and what was taken for the same."""
    found = {str(commit["sha"]) for commit in fix.commits} | {fix.key}
    for commits in Verdict.objects.filter(fix=fix).values_list("commits", flat=True):
        for commit in commits:
            found.update(map(str, commit.get("counterparts", ())))
    return sorted(found)


def plan_copy(project: Project, fix: Fix) -> Plan:
    """The references as they were before the release that brought the fix. Raises DrillError and GitError."""
    release, before = _releases(fix)
    git_dir = locate(mirror_folder(project))
    policy = FlowPolicy.from_data(project.policy)
    branches = _branches(project)
    wanted = _wanted(project, policy, fix, branches)
    traces, until = traces_of(fix), _moment(release)
    refs: dict[str, str] = {}
    left_out: list[str] = []
    for name in wanted:
        own = name == fix.production_ref
        commit = before.commit if own else newest_without(git_dir, branches[name], traces, until)
        if commit:
            refs[f"{_HEADS}{name}"] = commit
        else:
            left_out.append(name)
    target = _first_target(project, fix, refs)
    if not target:
        raise DrillError("fix", "No branch that has to receive this fix existed before it. Choose another one.", "old")
    for name in _not_yet(git_dir, refs, {f"{_HEADS}{target}", f"{_HEADS}{fix.production_ref}"}):
        left_out.append(name.removeprefix(_HEADS))
        del refs[name]
    refs |= _tags(project, git_dir, traces, release, before)
    production = fix.production_ref if f"{_HEADS}{fix.production_ref}" in refs else target
    return Plan(refs, production, before.tag, target, left_out)


def copy_make(drill: Drill, plan: Plan) -> None:
    """Make the repository as planned; of a conflict, with what makes it conflict. Raises DrillError and GitError."""
    source = locate(mirror_folder(drill.project))
    conflict = drill.scenario == Drill.Scenario.CONFLICT

    def change(draft: Path, refs: dict[str, str]) -> dict[str, str]:
        return _prepare_conflict(drill, plan, source, draft) if conflict else {}

    throw_away_copy(source, repository_folder(drill), plan.refs, head=plan.head, change=change)


# --- choosing -----------------------------------------------------------------------------------------------------


def _releases(fix: Fix) -> tuple[Release, Release]:
    release = fix.release
    if release is None or release.previous is None:
        raise DrillError("fix", "There is no release before this fix to go back to. Choose another one.", "first")
    return release, release.previous


def _moment(release: Release) -> int:
    """Right before this release was made, in Unix seconds."""
    at: datetime = release.tagged_at or release.first_seen_at
    return int(at.timestamp()) - 1


def _branches(project: Project) -> dict[str, str]:
    """Short name → commit of every branch there is."""
    rows = Ref.objects.filter(project=project, name__startswith=_HEADS, deleted_at=None).exclude(commit="")
    return {name.removeprefix(_HEADS): commit for name, commit in rows.values_list("name", "commit")}


def _wanted(project: Project, policy: FlowPolicy, fix: Fix, branches: dict[str, str]) -> list[str]:
    """The branches that the flow is about: production, and what must receive every fix. Work of others stays out."""
    named = [name for name in policy.production if not name.startswith(TAGS)]
    targets = set(Target.objects.filter(project=project, closed_at=None).values_list("branch", flat=True))
    return sorted(name for name in branches if name in targets or name == fix.production_ref or matches(name, named))


def _not_yet(git_dir: Path, refs: dict[str, str], main: set[str]) -> list[str]:
    """Branches that had nothing of their own yet: they were cut later from what the main ones were then."""
    mains = [refs[name] for name in main if name in refs]
    others = {name: commit for name, commit in refs.items() if name not in main}
    return [name for name, commit in others.items() if any(objects.is_ancestor(git_dir, commit, tip) for tip in mains)]


def _first_target(project: Project, fix: Fix, refs: dict[str, str]) -> str:
    """The branch that counts first: develop, else main, else the first in order; the fix's own is none."""
    rows = Target.objects.filter(project=project, closed_at=None).exclude(branch=fix.production_ref)
    standing = [row for row in rows if f"{_HEADS}{row.branch}" in refs]
    standing.sort(key=lambda row: (_MAIN_KINDS.index(Target.Kind(row.kind)), row.position))
    return standing[0].branch if standing else ""


def _tags(project: Project, git_dir: Path, traces: Sequence[str], release: Release, before: Release) -> dict[str, str]:
    """Releases of that time which lack the fix: full name → what the tag names."""
    moment = release.tagged_at or release.first_seen_at
    rows = Release.objects.filter(project=project, deleted_at=None).exclude(pk=release.pk)
    known = [row for row in rows if row.pk == before.pk or (row.tagged_at is not None and row.tagged_at < moment)]
    with_fix = _holding(git_dir, traces, [row.commit for row in known])
    return {f"{_TAGS}{row.tag}": row.tag_object or row.commit for row in known if row.commit not in with_fix}


def _holding(git_dir: Path, traces: Sequence[str], commits: Sequence[str]) -> set[str]:
    """Those of these commits that have one of the traces behind them, or are one."""
    found = set(commits) & set(traces)
    for trace in sorted(objects.present(git_dir, traces)):
        after = set(objects.walk(git_dir, [*commits, f"^{trace}"], "--ancestry-path")) if commits else set()
        found |= after & set(commits)
    return found


# --- the conflict -------------------------------------------------------------------------------------------------


def _prepare_conflict(drill: Drill, plan: Plan, source: Path, draft: Path) -> dict[str, str]:
    """Let the first target have changed the very lines that the fix is about."""
    name = f"{_HEADS}{plan.target}"
    commits = [str(commit["sha"]) for commit in (drill.fix.commits if drill.fix else [])]
    kept_aside = FlowPolicy.from_data(drill.project.policy).version_files
    with Reader(source) as reader, Changes(draft) as changes:
        edits = conflict_edits(reader, commits, lambda path: changes.content(plan.refs[name], path), kept_aside)
        if not edits:
            raise DrillError(
                "fix",
                f"The lines of this fix look different on {plan.target}: no conflict can be made. Choose another one.",
                "no-conflict",
            )
        tree = changes.edited(plan.refs[name], edits)
        who = Person("Drill", "drill@hotfixdash.invalid", int(drill.asked_at.timestamp()))
        commit = changes.write_commit(tree, [plan.refs[name]], "Rework the same lines for the next release", who, who)
        changes.keep()
    return {name: commit}
