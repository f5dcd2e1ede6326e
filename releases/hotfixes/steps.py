"""The next step of a hotfix for one person: one primary action, the others, and why what cannot be done cannot."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from hotfixdash.accounts.roles import Act
from releases.evidence.verdicts import Code
from releases.operations.models import Operation
from releases.policies.models import Verdict
from releases.projects.in_production import release_in_production

from .change import ChangeSize, convention
from .errors import HotfixError
from .ground import integration
from .keys import branch_for
from .models import Hotfix, Review
from .offers import Action, NextStep
from .requests import Ask, Standing, clean_up_ask, cut_ask, finish_ask, reapply_ask, tag_suggested
from .reviewing import is_author
from .services import track_of
from .stages import Stage, StageKey, StageState
from .triage import Track

_NEEDS = {
    "triage": Act.HOTFIX, "choose-way": Act.HOTFIX, "review": Act.HOTFIX, "close": Act.HOTFIX, "reopen": Act.HOTFIX,
    "split": Act.HOTFIX, "decide": Act.RELEASE, "finish": Act.RELEASE, "cut": Act.OPERATE, "merge-back": Act.OPERATE,
    "merge-back-all": Act.OPERATE, "clean-up": Act.OPERATE, "revert": Act.OPERATE, "re-apply": Act.OPERATE,
}  # fmt: skip
_REMOTE = frozenset({"cut", "finish", "merge-back", "merge-back-all", "clean-up", "revert", "re-apply"})
_ROLE = {Act.HOTFIX: "engineers", Act.OPERATE: "engineers", Act.RELEASE: "release managers"}


def next_step(hotfix: Hotfix, user: Any) -> NextStep:
    """What is due now, as this person may do it."""
    panel = _Panel(Standing(hotfix), user)
    if hotfix.is_closed and not hotfix.owed_count:
        return panel.closed()
    return panel.step()


class _Panel:
    """One ticket before one person."""

    def __init__(self, standing: Standing, user: Any) -> None:
        self.standing = standing
        self.hotfix = standing.hotfix
        self.user = user

    def step(self) -> NextStep:
        if self.standing.live and self.hotfix.owed_count:
            return self._merge_back()
        steps: dict[str, Callable[[], NextStep]] = {
            StageKey.TRIAGE: self._triage,
            StageKey.BRANCH: self._branch,
            StageKey.FIX: self._fix,
            StageKey.REVIEW: self._review,
            StageKey.TAG: self._tag,
            StageKey.PRODUCTION: self._production,
            StageKey.MERGE_BACK: self._merge_back,
            StageKey.CLEAN_UP: self._clean_up,
        }
        if self.hotfix.finished_at is not None:
            return NextStep(StageKey.POST_MORTEM, "Nothing is left to do", "It is live, and no branch is owed it.")
        return steps.get(self.hotfix.stage, self._elsewhere)()

    # --- actions ----------------------------------------------------------------------------------------------------

    def action(self, kind: str, label: str, why_not: str = "", **params: Any) -> Action:
        """An action, allowed when the role allows it and nothing speaks against it."""
        act = _NEEDS[kind]
        if not getattr(self.user, "is_authenticated", False):
            why_not = "Sign in first."
        elif not self.user.may(act):
            why_not = f"This is for {_ROLE[act]}; your role is {self.user.role.label.lower()}."
        return Action(kind, label, not why_not, why_not, params, kind in _REMOTE)

    def asked(self, kind: str, label: str, make: Callable[[], Ask]) -> Action:
        """An operation, off with the reason when it cannot be asked for, or is under way."""
        try:
            ask = make()
        except HotfixError as refused:
            return self.action(kind, label, refused.sentence)
        action = self.action(kind, label, **ask.params)
        return self.unless_running(action, ask.key)

    def unless_running(self, action: Action, key: str) -> Action:
        newest = self.standing.operations.get(key)
        if newest is None or not action.allowed:
            return action
        if newest.is_active:
            return replace(action, allowed=False, why_not=f"It is under way, asked by {newest.actor_name}.")
        judged_at = self.standing.project.judged_at
        if newest.state == Operation.State.DONE and judged_at and newest.finished_at and judged_at < newest.finished_at:
            # The remote has it; what stands here is from before.
            return replace(action, allowed=False, why_not="It is done. Git is being read again.")
        return action

    # --- steps ------------------------------------------------------------------------------------------------------

    def closed(self) -> NextStep:
        hotfix = self.hotfix
        title = f"{Hotfix.Closed(hotfix.closed).label} by decision"
        if hotfix.superseded_by is not None:
            title = f"Superseded by {hotfix.superseded_by.key}"
        others = [self.action("reopen", "Open it again")]
        if hotfix.closed == Hotfix.Closed.DECLINED and track_of(hotfix) is Track.REGULAR:
            others.append(self.action("decide", "Make it a hotfix all the same", track=Track.HOTFIX.value))
        return NextStep(hotfix.stage, title, hotfix.closed_why, None, tuple(others))

    def _triage(self) -> NextStep:
        says = "A hotfix is for what is critical, hurts users in production now, and has no workaround."
        return NextStep(StageKey.TRIAGE, "Answer three questions", says, self.action("triage", "Answer triage"))

    def _branch(self) -> NextStep:
        stage = self.standing.stages.get(StageKey.BRANCH.value)
        if stage is not None and stage.state is StageState.FAILED:
            says = (
                f"{self.hotfix.branch} {stage.detail}. Cut a branch from the production tag, with the fix alone on it."
            )
            return NextStep(StageKey.BRANCH, "The branch needs a look", says, self._cut(), (self._choose(),))
        if not self.hotfix.way:
            says = "Cut from the production tag, go forward with main, or wait: compare them, then choose."
            return NextStep(
                StageKey.BRANCH, "Choose the way out", says, self._choose(), (self._cut(),), self._shell_cut()
            )
        says = self._way_says()
        if self.hotfix.way == Hotfix.Way.CUT:
            return NextStep(StageKey.BRANCH, self._cut_title(), says, self._cut(), (self._choose(),), self._shell_cut())
        if self.hotfix.way == Hotfix.Way.REVERT:
            return self._revert_first(says)
        return NextStep(StageKey.BRANCH, Hotfix.Way(self.hotfix.way).label, says, None, (self._choose(),))

    def _revert_first(self, says: str) -> NextStep:
        if self.standing.debts:
            return NextStep(
                StageKey.BRANCH, self._cut_title(), says, self._cut(), (self._choose(),), self._shell_cut()
            )  # fmt: skip
        main = integration(self.standing.targets)
        target = main.branch if main else ""
        revert = self.unless_running(
            self.action("revert", "Revert what is in the way", branch=target), f"revert:{self.hotfix.key}"
        )
        title = f"Clear the way on {target}" if target else "Clear the way"
        return NextStep(StageKey.BRANCH, title, says, revert, (self._cut(), self._choose()))

    def _way_says(self) -> str:
        says = {
            Hotfix.Way.CUT: "The branch starts from exactly what production runs, so nothing else can come along.",
            Hotfix.Way.REVERT: "What was undone is owed until it is re-applied.",
            Hotfix.Way.FORWARD: "Make the fix on main; it is live with the next release.",
            Hotfix.Way.ROLL_BACK: "Put the release before back into production; the next regular release mends it.",
            Hotfix.Way.WAIT: "Nothing is done now; the next regular release brings it.",
        }
        return says[Hotfix.Way(self.hotfix.way)]

    def _cut_title(self) -> str:
        release = release_in_production(self.standing.project)
        return f"Cut {branch_for(self.standing.policy, self.hotfix.key)}" + (f" from {release.tag}" if release else "")

    def _cut(self) -> Action:
        return self.asked("cut", "Cut the branch", lambda: cut_ask(self.standing))

    def _choose(self) -> Action:
        return self.action("choose-way", "Choose another way" if self.hotfix.way else "Choose the way out")

    def _shell_cut(self) -> tuple[str, ...]:
        release = release_in_production(self.standing.project)
        if release is None:
            return ()
        branch = shlex.quote(branch_for(self.standing.policy, self.hotfix.key))
        tag = shlex.quote(f"refs/tags/{release.tag}")
        return ("git fetch origin --tags", f"git switch -c {branch} {tag}", f"git push -u origin {branch}")

    def _fix(self) -> NextStep:
        branch = shlex.quote(self.hotfix.branch)
        stage = self.standing.stages.get(StageKey.FIX.value)
        if stage is not None and stage.state is StageState.FAILED:
            says = (
                f"{self.hotfix.branch} is gone and its commits are not in production. Push it again, or abandon this."
            )
            return NextStep(StageKey.FIX, "The branch is gone", says, self._cut(), (self.action("close", "Abandon"),))
        subject = shlex.quote(convention(self.standing.policy, self.hotfix.key))
        commands = ("git fetch origin", f"git switch {branch}", f"git commit -m {subject}", f"git push origin {branch}")
        says = "Commit the smallest change that helps, and push it. This page follows."
        return NextStep(StageKey.FIX, f"Make the fix on {self.hotfix.branch}", says, None, (), commands)

    def _review(self) -> NextStep:
        hotfix = self.hotfix
        stage = self.standing.stages.get(StageKey.REVIEW.value)
        own = hotfix.commits and getattr(self.user, "email", None) is not None and is_author(self.user, hotfix.commits)
        why_not = "You wrote it; somebody else has to look. A comment is welcome." if own else ""
        review = self.action("review", "Review", why_not, head=hotfix.head)
        says = f"Somebody who did not write it looks at {hotfix.head[:9]}. {self._reviews(stage)}"
        title = "Review the fix"
        if stage is not None and stage.state is StageState.FAILED:
            title, says = "Changes are asked for", f"{stage.detail.capitalize()}. Push a new commit, then review again."
        others = [self.action("review", "Comment", head=hotfix.head, says=Review.Says.COMMENT.value)] if own else []
        size = ChangeSize.from_data(hotfix.change)
        if size is not None and not size.minimal:
            others.append(self.action("split", "Split off what does not belong"))
        commands = ("git fetch origin", f"git log -p {shlex.quote(hotfix.base_commit)}..{shlex.quote(hotfix.head)}")
        return NextStep(StageKey.REVIEW, title, says, review, tuple(others), commands if hotfix.base_commit else ())

    def _reviews(self, stage: Stage | None) -> str:
        if stage is None or not stage.detail[:1].isdigit():
            return "The branch moved since the last review." if stage is not None and stage.detail else ""
        return f"Approved by {stage.detail} so far."

    def _tag(self) -> NextStep:
        hotfix, standing = self.hotfix, self.standing
        tag, production = tag_suggested(standing), standing.production
        if standing.live:
            says = "Production has it, but no version tag contains it yet. Tag what runs there."
            commands = (
                f"git tag -a {shlex.quote(tag)} {shlex.quote(hotfix.head)}",
                f"git push origin {shlex.quote(tag)}",
            )
            return NextStep(StageKey.TAG, "Tag it", says, None, (), commands if tag else ())
        if not standing.branch_tip:
            says = "It ships with the next release of the branch it is on."
            return NextStep(StageKey.TAG, "Release it", says)
        title = f"Merge to {production} and tag {tag}" if production else f"Tag {tag}"
        says = "The tag goes onto the branch's tip; tags are what production runs."
        if production:
            says = "Merge and tag reach the remote together, or not at all."
        finish = self.asked("finish", "Finish", lambda: finish_ask(standing))
        return NextStep(StageKey.TAG, title, says, finish, (), self._shell_finish(tag, production))

    def _shell_finish(self, tag: str, production: str) -> tuple[str, ...]:
        if not tag:
            return ()
        branch, name = shlex.quote(f"origin/{self.hotfix.branch}"), shlex.quote(tag)
        if not production:
            return ("git fetch origin", f"git tag -a {name} {branch}", f"git push origin {name}")
        line = shlex.quote(production)
        return (
            "git fetch origin", f"git switch {line}", f"git merge --ff-only {shlex.quote('origin/' + production)}",
            f"git merge --no-ff {branch}", f"git tag -a {name}", f"git push --atomic origin {line} {name}",
        )  # fmt: skip

    def _production(self) -> NextStep:
        says = f"{self.hotfix.tag} is not part of production yet."
        production = self.standing.production
        if production:
            says = f"{self.hotfix.tag} is tagged, but {production} does not contain it. Merge it there."
        return NextStep(StageKey.PRODUCTION, "Bring it into production", says)

    def _merge_back(self) -> NextStep:
        owed = [verdict for verdict in self.standing.verdicts if verdict.owed]
        if not owed and not self.standing.debts:
            return NextStep(StageKey.MERGE_BACK, "Being judged", "Git is asked which branches have it.")
        waiting = [held for verdict in owed if (held := self.standing.held.get(verdict.pk)) and held.waits]
        free = [verdict for verdict in owed if not self._waits(verdict)]
        actions = [self._back(verdict) for verdict in free]
        actions += [self._reapply()] if self.standing.debts else []
        primary = next((action for action in actions if action.allowed), next(iter(actions), None))
        others = [action for action in actions if action is not primary]
        clean = [verdict for verdict in free if (verdict.preview or {}).get("clean")]
        if len(clean) > 1:
            others.insert(0, self.action("merge-back-all", f"Merge back into all {len(clean)} clean ones"))
        says = " ".join([self._back_says(owed), *self._held_says(owed)])
        others += [Action("compare", "Compare in the forge", params={"url": one.url}) for one in waiting[:1] if one.url]
        title = self._back_title(free) if actions else f"Waiting for {waiting[0].branch} to be merged"
        return NextStep(StageKey.MERGE_BACK, title, says, primary, tuple(others))

    def _waits(self, verdict: Verdict) -> bool:
        """It lies on a branch of its own, which is to be merged in the forge."""
        held = self.standing.held.get(verdict.pk)
        return held is not None and held.waits

    def _held_says(self, owed: list[Verdict]) -> list[str]:
        """What was pushed to branches of their own because their targets take no push."""
        found = [self.standing.held[verdict.pk].says for verdict in owed if verdict.pk in self.standing.held]
        return _unique(found)

    def _back(self, verdict: Verdict) -> Action:
        branch = verdict.target.branch
        why_not = ""
        if verdict.code in (Code.LIKELY, Code.DECLARED):
            why_not = f"Git found something like it in {branch}. Confirm that, or say that it is not the same."
        elif verdict.code == Code.REVERTED:
            why_not = f"It was undone in {branch}. Look at the revert first."
        params = {"target": branch, "fix_key": verdict.fix.key}
        action = self.action("merge-back", f"Merge back into {branch}", why_not, **params)
        return self.unless_running(action, f"merge-back:{verdict.fix.key}:{branch}")

    def _reapply(self) -> Action:
        debt = self.standing.debts[0]
        return self.asked("re-apply", f"Re-apply on {debt.branch}", lambda: reapply_ask(self.standing, debt))

    def _back_title(self, owed: list[Verdict]) -> str:
        what = self.hotfix.tag or "the fix"
        if not owed:
            return f"Re-apply what was undone on {self.standing.debts[0].branch}"
        return f"Merge {what} back into {owed[0].target.branch}"

    def _back_says(self, owed: list[Verdict]) -> str:
        if not owed:
            return "The fix is out; what was undone to clear its way is still missing."
        first, *rest = _unique(verdict.target.branch for verdict in owed)
        says = f"The fix is live and {first} does not have it."
        return says + (f" Also owed to {', '.join(rest)}." if rest else "")

    def _clean_up(self) -> NextStep:
        says = "No branch is owed the fix any more, so this one is not needed."
        action = self.asked("clean-up", "Delete the branch", lambda: clean_up_ask(self.standing))
        branch = shlex.quote(self.hotfix.branch)
        commands = (f"git push origin --delete {branch}",)
        return NextStep(StageKey.CLEAN_UP, f"Delete {self.hotfix.branch}", says, action, (), commands)

    def _elsewhere(self) -> NextStep:
        """A step of the pipeline, which tells how far it is; what is owed meanwhile can be brought back already."""
        key, what = StageKey(self.hotfix.stage), self.hotfix.tag or "the fix"
        stage = self.standing.stages.get(key.value)
        detail = stage.detail if stage else ""
        title = f"{key.label} of {what}"
        says = f"{detail[:1].upper()}{detail[1:]}." if detail else "It has not begun yet."
        if stage is not None and stage.state is StageState.FAILED:
            title = f"{key.label}: {what} needs a look"
            at = f" at “{detail}”" if detail else ""
            says = f"The pipeline stopped{at}. Its log says why; then let it run again."
        if not self.hotfix.owed_count:
            return NextStep(key, title, says)
        back = self._merge_back()
        offered = [back.primary, *back.others] if back.primary is not None else list(back.others)
        branches = _unique(verdict.target.branch for verdict in self.standing.verdicts if verdict.owed)
        owed = [f"Owed to {', '.join(branches)} meanwhile."] if branches else []
        held = self._held_says([verdict for verdict in self.standing.verdicts if verdict.owed])
        return NextStep(key, title, " ".join([says, *owed, *held]), None, tuple(offered))


def _unique(names: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(names))
