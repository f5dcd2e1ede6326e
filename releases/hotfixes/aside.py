"""Merge-backs that wait on a branch of their own, because their target takes no push: to be merged in the forge."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from releases.evidence.trial import Pick, Step, trial_picks
from releases.git import objects
from releases.policies.flow import FlowPolicy
from releases.policies.models import Verdict
from releases.policies.names import MERGEBACK, mergeback_branch
from releases.policies.previews import past_versions
from releases.policies.wording import count
from releases.projects.forge import compare_url
from releases.projects.history import History, reading
from releases.projects.models import Project, Ref

from .ground import HEADS
from .sight import Sight

SECONDS = 3.0
"""For all that is asked of git about the branches of one project."""
_MOST = 20
"""Commits of such a branch that are tried on its target."""


@dataclass(frozen=True, slots=True)
class Held:
    """The branch that holds a fix for a target."""

    branch: str
    target: str
    stale: str = ""
    """Why merging it would not do any more, as the rest of a sentence; empty when it would, or git cannot tell."""
    url: str = ""
    """Where the forge shows what it would bring; empty when the forge is not known."""

    @property
    def waits(self) -> bool:
        """Merging it in the forge is what is left to do."""
        return not self.stale

    @property
    def says(self) -> str:
        """A sentence."""
        if self.stale:
            return f"{self.branch} {self.stale}: merge back again."
        return f"Waiting for {self.branch} to be merged into {self.target} in the forge."


def held(verdicts: Iterable[Verdict]) -> dict[int, Held]:
    """By verdict id, what waits on a branch of its own; one query when there is no such branch, as is usual.

    The verdicts come with fix, target and project. Those that are settled wait for nothing.
    """
    owed: dict[int, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        if verdict.owed and verdict.target.closed_at is None:
            owed[verdict.project_id].append(verdict)
    if not owed:
        return {}
    refs = Ref.objects.filter(project__in=owed, name__startswith=f"{HEADS}{MERGEBACK}", deleted_at=None)
    tips: dict[int, dict[str, str]] = defaultdict(dict)
    for project_pk, name, commit in refs.values_list("project_id", "name", "commit"):
        tips[project_pk][name.removeprefix(HEADS)] = commit
    found: dict[int, Held] = {}
    for project in Project.objects.filter(pk__in=[pk for pk in owed if tips[pk]]):
        with reading(project, SECONDS) as history:
            found |= _of_project(project, owed[project.pk], tips[project.pk], history)
    return found


def held_cells(project_pks: Collection[int]) -> dict[tuple[int, str, str], Held]:
    """The same for every owed verdict of these projects, by project, fix and branch; for lists of many."""
    if not Ref.objects.filter(
        project__in=project_pks, name__startswith=f"{HEADS}{MERGEBACK}", deleted_at=None
    ).exists():
        return {}
    rows = Verdict.objects.filter(project__in=project_pks, owed=True, target__closed_at=None)
    verdicts = {row.pk: row for row in rows.select_related("fix", "target")}
    return {
        (verdicts[pk].project_id, verdicts[pk].fix.key, verdicts[pk].target.branch): one
        for pk, one in held(verdicts.values()).items()
    }


def _of_project(
    project: Project, verdicts: Sequence[Verdict], tips: dict[str, str], history: History
) -> dict[int, Held]:
    keys: dict[int, set[str]] = defaultdict(set)
    through = Verdict.objects.filter(pk__in=[verdict.pk for verdict in verdicts])
    for fix_pk, key in through.values_list("fix_id", "fix__hotfixes__key"):
        keys[fix_pk].add(key or "")
    found = {}
    for verdict in verdicts:
        fix, target = verdict.fix, verdict.target
        names = [mergeback_branch(ticket, fix.key, target.branch) for ticket in (fix.ticket, *sorted(keys[fix.pk]))]
        name = next((name for name in names if name in tips), "")
        if name:
            stale = _stale(project, verdict, tips[name], history)
            found[verdict.pk] = Held(name, target.branch, stale, compare_url(project.remote_url, target.branch, name))
    return found


def _stale(project: Project, verdict: Verdict, tip: str, history: History) -> str:
    """Why merging the branch would not settle it; empty when it would, or git cannot tell now."""
    git_dir, target = history.git_dir, verdict.target
    if git_dir is None or not target.tip or not history.commits([tip]):
        return ""
    own = history.ask(lambda: list(objects.walk(git_dir, [tip, f"^{target.tip}"], "--first-parent")))
    if own is None:
        return ""
    if not own:
        return f"brings nothing that {target.branch} has not, and the fix is missing there"
    every = [str(entry["sha"]) for entry in verdict.commits if entry.get("sha")] or [verdict.fix.key]
    settled = {str(entry.get("sha")) for entry in verdict.commits if entry.get("settled")}
    wanted = [sha for sha in every if sha not in settled]
    lacking = len(set(wanted) - Sight(project, history).there(wanted, tip, "aside")) if not history.problem else 0
    if history.problem:
        return ""
    if lacking:
        return f"lacks {count(lacking, 'commit')} of the fix"
    return f"conflicts with {target.branch} by now" if _conflicts(project, own[::-1], target.tip, history) else ""


def _conflicts(project: Project, own: Sequence[str], onto: str, history: History) -> bool:
    """Whether the branch's own commits (oldest first) cannot go onto the target any more."""
    git_dir, known = history.git_dir, history.commits(own)
    steps = tuple(Step(next(iter(known[sha].parents), None), sha) for sha in own if sha in known)
    if git_dir is None or not steps or len(steps) > _MOST:
        return False
    trials = history.ask(lambda: trial_picks(git_dir, [Pick(onto, steps)], timeout=SECONDS))
    if not trials:
        return False
    trial, _kept = past_versions(trials[0], FlowPolicy.from_data(project.policy).version_files)
    return not trial.clean and not trial.error
