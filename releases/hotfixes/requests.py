"""What an operation on a hotfix's behalf needs, and why it cannot be asked for now; for pages and doors alike."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from releases.git.errors import InvalidValue
from releases.git.values import TagName, shown
from releases.operations.models import Operation
from releases.operations.selectors import operations_latest
from releases.policies.flow import FlowPolicy
from releases.policies.models import Target, Verdict
from releases.policies.names import matches, version_in
from releases.projects.in_production import release_in_production
from releases.projects.models import Project, Ref, Release
from releases.projects.versions import next_patch

from . import aside
from .aside import Held
from .errors import HotfixError
from .ground import HEADS
from .keys import branch_for
from .models import Debt, Hotfix
from .services import subject_of, track_of
from .stages import Stage, StageKey, StageState
from .triage import Track

_OVER = (StageState.DONE, StageState.SKIPPED)
MOST_BASES = 12
"""Releases that are offered to cut from, where there are no more lines than that."""


@dataclass(frozen=True, slots=True)
class Ask:
    """An operation to ask for: hand its parts to `operation_ask`."""

    kind: str
    key: str
    subject: str
    params: dict[str, Any] = field(default_factory=dict)


class Standing:
    """One ticket with the rows that decide what can be done about it; each is read once, when it is asked for."""

    def __init__(self, hotfix: Hotfix) -> None:
        self.hotfix = hotfix
        self.project: Project = hotfix.project
        self.policy = FlowPolicy.from_data(hotfix.project.policy)
        self.subject = subject_of(hotfix)
        self.stages = {item["key"]: Stage.from_data(item) for item in hotfix.stages}

    def state(self, key: StageKey) -> StageState:
        stage = self.stages.get(key.value)
        return stage.state if stage else StageState.TODO

    def over(self, key: StageKey) -> bool:
        return self.state(key) in _OVER

    @property
    def live(self) -> bool:
        return self.state(StageKey.PRODUCTION) is StageState.DONE

    @cached_property
    def branch_tip(self) -> str:
        """Where the ticket's branch stands on the remote; empty when it is not there."""
        if not self.hotfix.branch:
            return ""
        ref = Ref.objects.filter(project=self.project, name=f"{HEADS}{self.hotfix.branch}", deleted_at=None)
        return ref.values_list("commit", flat=True).first() or ""

    @cached_property
    def tags(self) -> list[str]:
        """Every version tag there is."""
        return list(Release.objects.filter(project=self.project, deleted_at=None).values_list("tag", flat=True))

    @cached_property
    def production_branches(self) -> list[tuple[str, str]]:
        """Short name and tip of each branch of production, in the policy's order."""
        globs = [name for name in self.policy.production if not name.startswith("tags:")]
        rows = Ref.objects.filter(project=self.project, name__startswith=HEADS, deleted_at=None) if globs else ()
        found = [(row.name.removeprefix(HEADS), row.commit) for row in rows]
        order = {name: place for place, name in enumerate(globs)}
        kept = [(name, tip) for name, tip in found if tip and matches(name, globs)]
        return sorted(kept, key=lambda pair: (order.get(pair[0], len(order)), pair[0]))

    @property
    def production(self) -> str:
        """The production branch that the ticket finishes on: the line of its base release, else the first; empty where
        tags alone are production."""
        names = [name for name, _tip in self.production_branches]
        base = version_in(self.hotfix.base_tag) if self.hotfix.base_tag else None
        line = [name for name in names if base and (found := version_in(name)) and found[:2] == base[:2]]
        return next(iter(line or names), "")

    @cached_property
    def targets(self) -> list[Target]:
        return list(Target.objects.filter(project=self.project, closed_at=None).order_by("position", "branch"))

    @cached_property
    def concerned(self) -> list[Target]:
        """The open targets that must have the fix: all but its own line of production and older ones.

        Nobody asks about those. Before the fix is in production it goes by the version that it starts from.
        """
        lines = [name for name in self.policy.production if not name.startswith("tags:")]
        judged = {verdict.target_id for verdict in self.verdicts}
        if judged:
            return [row for row in self.targets if row.pk in judged or not matches(row.branch, lines)]
        release = None if self.hotfix.base_tag else release_in_production(self.project)
        base = version_in(self.hotfix.base_tag or (release.tag if release else ""))
        return [row for row in self.targets if not (matches(row.branch, lines) and _at_most(row.branch, base))]

    @cached_property
    def bases(self) -> list[str]:
        """Releases in production to cut from: the newest of each line first, then the others, newest first."""
        rows = Release.objects.filter(project=self.project, on_production=True, deleted_at=None)
        tags = list(rows.exclude(kind=Release.Kind.PRE).order_by("-sort_key").values_list("tag", flat=True))
        lines = [found[:2] for name, _tip in self.production_branches if (found := version_in(name))]
        newest: dict[tuple[int, ...], str] = {}
        for tag in tags:
            if (version := version_in(tag)) and version[:2] in lines:
                newest.setdefault(version[:2], tag)
        return list(dict.fromkeys([*newest.values(), *tags]))[: max(MOST_BASES, len(newest))]

    @cached_property
    def verdicts(self) -> list[Verdict]:
        """Of its fixes in open targets, the most pressing branch first."""
        rows = Verdict.objects.filter(
            fix__in=self.hotfix.fixes.filter(present=True, chore=False), target__closed_at=None
        )
        return list(rows.select_related("fix", "target", "settlement").order_by("target__position", "target__branch"))

    @cached_property
    def held(self) -> dict[int, Held]:
        """Of its verdicts, those that wait on a branch of their own."""
        return aside.held(self.verdicts)

    @cached_property
    def debts(self) -> list[Debt]:
        """What has to be re-applied."""
        return list(Debt.objects.filter(hotfix=self.hotfix, settled_at=None))

    @cached_property
    def operations(self) -> dict[str, Operation]:
        """The newest operation of each key."""
        return operations_latest(self.project, self.subject)


def _at_most(branch: str, base: tuple[int, int, int] | None) -> bool:
    """Whether a line is the one that this version is of, or older."""
    line = version_in(branch)
    return line is not None and base is not None and line[:2] <= base[:2]


def cut_ask(standing: Standing, tag: str = "") -> Ask:
    """Cut the ticket's branch at a release in production (`tag`, or the one that is live). Raises HotfixError."""
    hotfix = _workable(standing)
    if hotfix.way in (Hotfix.Way.FORWARD, Hotfix.Way.WAIT, Hotfix.Way.ROLL_BACK):
        raise HotfixError("", f"The way chosen is another: {Hotfix.Way(hotfix.way).label.lower()}.", "way")
    if standing.branch_tip:
        raise HotfixError("", f"{hotfix.branch} is there already.", "there")
    if standing.live or hotfix.tag:
        raise HotfixError("", f"It went out already, in {hotfix.tag or 'production'}.", "shipped")
    name = branch_for(standing.policy, hotfix.key)
    release = _base(standing, tag)
    params = {"branch": name, "tag": release.tag if release else "", "commit": _start(standing, release)}
    return Ask(Operation.Kind.CUT, f"cut:{name}", standing.subject, params)


def _base(standing: Standing, tag: str) -> Release | None:
    """The release to cut from; None when nothing was ever released."""
    if not tag:
        return release_in_production(standing.project)
    row = Release.objects.filter(project=standing.project, tag=tag, deleted_at=None, on_production=True).first()
    if row is None:
        raise HotfixError("tag", f"{tag[:80]} is no release in production. Choose one that is.", "no-release")
    return row


def _start(standing: Standing, release: Release | None) -> str:
    if release is not None:
        return release.commit
    tip = next((tip for _name, tip in standing.production_branches), "")
    if not tip:
        raise HotfixError("", "Nothing is in production yet, so there is nothing to cut from.", "no-production")
    return tip


def tag_suggested(standing: Standing) -> str:
    """The next patch version after the release that the fix was cut from; empty when there is none to go from."""
    return next_patch(standing.tags, standing.hotfix.base_tag)


def finish_ask(standing: Standing, tag: str = "", message: str = "") -> Ask:
    """Merge to production and tag. Raises HotfixError (field tag when the tag is the reason)."""
    hotfix = _workable(standing)
    if hotfix.tag:
        raise HotfixError("", f"It is tagged already: {hotfix.tag}.", "tagged")
    if not standing.branch_tip or not hotfix.commits:
        raise HotfixError("", "There is no branch with a fix on it yet.", "no-fix")
    if standing.state(StageKey.BRANCH) is StageState.FAILED:
        detail = standing.stages[StageKey.BRANCH].detail
        raise HotfixError(
            "", f"The branch {detail}. Cut it anew from the production tag, with the fix alone.", "strays"
        )
    if not standing.over(StageKey.REVIEW):
        raise HotfixError("", _review_missing(standing), "review")
    wanted = tag or tag_suggested(standing)
    if not wanted:
        raise HotfixError("tag", "No version can be suggested: name the tag.", "no-tag")
    _tag_checked(wanted, standing.policy)
    if wanted in standing.tags:
        raise HotfixError("tag", f"There is a tag {wanted[:80]} already. Take the next one.", "tag-exists")
    params = {
        "branch": hotfix.branch,
        "head": hotfix.head,
        "production": standing.production,
        "tag": wanted,
        "method": standing.policy.finish,
        "message": message,
    }
    return Ask(Operation.Kind.FINISH, f"finish:{wanted}", standing.subject, params)


def _tag_checked(tag: str, policy: FlowPolicy) -> None:
    """A tag that git takes and that counts as a version here; anything else would be no release to anybody."""
    try:
        TagName.parse(tag)
    except InvalidValue as fault:
        raise HotfixError("tag", fault.sentence, "tag-name") from None
    if not re.search(policy.tag_pattern, tag):
        raise HotfixError(
            "tag", f"{shown(tag)} is no version by this project's pattern for tags: {policy.tag_pattern}", "tag-pattern"
        )


def _review_missing(standing: Standing) -> str:
    stage = standing.stages.get(StageKey.REVIEW.value)
    if stage is not None and stage.state is StageState.FAILED:
        return f"A reviewer asks for changes: {stage.detail.removeprefix('changes asked by ')}."
    return f"It is not reviewed yet{f': {stage.detail}' if stage and stage.detail else ''}."


def clean_up_ask(standing: Standing) -> Ask:
    """Delete the branch. Raises HotfixError while anything is owed, saying what."""
    hotfix = standing.hotfix
    if not standing.branch_tip:
        raise HotfixError("", "There is no branch (any more).", "gone")
    if not standing.live and not hotfix.is_closed:
        raise HotfixError("", f"{hotfix.tag or 'It'} is not in production yet.", "not-live")
    owing = [verdict.target.branch for verdict in standing.verdicts if verdict.owed]
    owing += [debt.branch for debt in standing.debts]
    if owing:
        raise HotfixError("", f"It is still owed to {', '.join(dict.fromkeys(owing))}.", "owed")
    params = {
        "branch": hotfix.branch,
        "head": standing.branch_tip,
        "targets": [target.branch for target in standing.concerned],
        "commits": [commit["sha"] for commit in hotfix.commits],
    }
    return Ask(Operation.Kind.CLEAN_UP, f"clean-up:{hotfix.branch}", standing.subject, params)


def revert_ask(standing: Standing, branch: str, commits: Sequence[str]) -> Ask:
    """Undo unreleased commits that are in the way. Raises HotfixError."""
    hotfix = _workable(standing)
    if hotfix.way != Hotfix.Way.REVERT:
        raise HotfixError("", "Choose this way out first, with its reason.", "way")
    if branch not in {target.branch for target in standing.targets}:
        raise HotfixError("branch", f"{branch[:80]} is not a branch that fixes go to.", "branch")
    if not commits:
        raise HotfixError("commits", "Say which commits are in the way.", "missing")
    params = {"branch": branch, "commits": list(commits), "ticket": hotfix.key}
    return Ask(Operation.Kind.REVERT, f"revert:{hotfix.key}", standing.subject, params)


def reapply_ask(standing: Standing, debt: Debt) -> Ask:
    """Bring back what was undone. Raises HotfixError while the fix is not out, or when it is back already."""
    hotfix = standing.hotfix
    if debt.settled_at is not None:
        raise HotfixError("", f"{debt.branch} has it back already.", "settled")
    if not standing.live and not hotfix.is_closed:
        raise HotfixError(
            "", "The fix is not in production yet; until then this would be in its way again.", "not-live"
        )
    reverts = _reverts(standing, debt)
    if not reverts:
        raise HotfixError("", "The revert was not seen on the remote yet.", "not-seen")
    params = {"branch": debt.branch, "reverts": reverts, "ticket": hotfix.key}
    return Ask(Operation.Kind.REAPPLY, f"re-apply:{hotfix.key}", standing.subject, params)


def _reverts(standing: Standing, debt: Debt) -> list[str]:
    """The commits that undid it: all that the operation wrote, else the one that git showed."""
    done = Operation.objects.filter(
        project=standing.project, subject=standing.subject, kind=Operation.Kind.REVERT, state=Operation.State.DONE
    )
    for operation in done:
        if set(map(str, operation.params.get("commits", []))) == set(debt.undone) and operation.outcome.get("reverts"):
            return [str(sha) for sha in operation.outcome["reverts"]]
    return [debt.reverted_by] if debt.reverted_by else []


def _workable(standing: Standing) -> Hotfix:
    """Raise HotfixError for a ticket that is closed, or on which nobody decided yet."""
    hotfix = standing.hotfix
    if hotfix.is_closed:
        raise HotfixError("", f"{hotfix.key} was {hotfix.closed}. Reopen it first.", "closed")
    if track_of(hotfix) is not Track.HOTFIX and not hotfix.commits:
        raise HotfixError("", "Answer the three questions of triage first.", "not-triaged")
    return hotfix
