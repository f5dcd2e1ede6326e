"""The ways out of an emergency side by side, for this project, now, from git."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from statistics import median

from django.utils import timezone

from releases.evidence.trial import Pick, Step, Trial, trial_picks
from releases.git.page_reads import CommitInfo
from releases.policies.copies import copies
from releases.policies.flow import FlowPolicy, Preset
from releases.policies.models import Target
from releases.policies.previews import past_versions
from releases.policies.wording import age, count
from releases.projects.history import History, reading
from releases.projects.in_production import commit_in_production, release_in_production
from releases.projects.models import Release
from releases.projects.unreleased import unreleased

from .ground import integration
from .holding import why_unreleasable
from .keys import branch_for
from .models import Hotfix
from .offers import Option
from .requests import Standing
from .sight import Sight

MOST_COMMITS = 20
"""Commits that an option lists."""
_RELEASES = 8
"""Releases that the cadence is read from."""
SECONDS = 4.0


def advise(hotfix: Hotfix) -> list[Option]:
    """Every way out with what speaks for and against it; a few quick questions to git, none when it does not answer."""
    with reading(hotfix.project, SECONDS) as history:
        return _Advisor(Standing(hotfix), history).options()


def clean_everywhere(hotfix: Hotfix) -> list[str]:
    """The targets that must have it, when the fix as it stands can be picked cleanly onto each of them; else none."""
    standing = Standing(hotfix)
    with reading(hotfix.project, SECONDS) as history:
        tried = _tried(standing, history)
    whole = len(tried) == len(standing.concerned) and all(trial.clean and not trial.error for _target, trial in tried)
    return [target.branch for target, _trial in tried] if whole else []


def _tried(standing: Standing, history: History) -> list[tuple[Target, Trial]]:
    """A trial pick of the whole fix onto each open target; none when git cannot tell now."""
    shas = [str(commit["sha"]) for commit in standing.hotfix.commits]
    git_dir = history.git_dir
    if not shas or git_dir is None:
        return []
    known = history.commits(shas)
    steps = tuple(Step(next(iter(known[sha].parents), None), sha) for sha in shas if sha in known)
    wanted = [target for target in standing.concerned if target.tip]
    picks = [Pick(target.tip, steps) for target in wanted]
    trials = history.ask(lambda: trial_picks(git_dir, picks, timeout=SECONDS)) if steps and picks else None
    kept = standing.policy.version_files
    return [(target, past_versions(trial, kept)[0]) for target, trial in zip(wanted, trials or (), strict=bool(trials))]


class _Advisor:
    """One ticket's ways out."""

    def __init__(self, standing: Standing, history: History) -> None:
        self.standing = standing
        self.hotfix = standing.hotfix
        self.policy: FlowPolicy = standing.policy
        self.history = history
        self.live = release_in_production(standing.project)
        self.now = timezone.now()
        released = self.live.commit if self.live else ""
        running = commit_in_production(standing.project)
        self.production_tip = running or next((tip for _name, tip in standing.production_branches), released)
        self.main = integration(standing.targets)
        self.unreleased, self.unreleased_total = self._unreleased()

    def options(self) -> list[Option]:
        found = [self._forward(), self._cut(), self._revert(), self._roll_back(), self._wait()]
        return [replace(option, default=option.way == self.default) for option in found]

    @property
    def default(self) -> str:
        """What the flow policy does unless somebody decides otherwise: under trunk a fix goes forward through main."""
        forward = self.policy.preset is Preset.TRUNK and self.main is not None and not self._against()
        return Hotfix.Way.FORWARD if forward else Hotfix.Way.CUT

    def _unreleased(self) -> tuple[tuple[CommitInfo, ...], int]:
        """What would ship with the integration branch and is not in production in any shape; see unreleased.py."""
        if self.main is None or not self.main.tip:
            return (), 0
        sight = Sight(self.standing.project, self.history)

        def there(shas: Sequence[str]) -> set[str]:
            return sight.there(shas, self.production_tip, "production")

        return unreleased(self.history, self.production_tip, self.main.tip, copies(self.main.pk), there, MOST_COMMITS)

    def _against(self) -> list[str]:
        """What speaks against releasing the integration branch now."""
        if self.main is None:
            return []
        return why_unreleasable(self.standing.project, self.main.pk, self.main.branch, self.main.tip)

    # --- (a) ---

    def _forward(self) -> Option:
        label = Hotfix.Way.FORWARD.label
        if self.main is None:
            return Option(
                Hotfix.Way.FORWARD, label, "Fix it where the next release is made.", possible=False,
                why_not="There is no open branch from which the next release is made.",
            )  # fmt: skip
        label = f"Fix forward through {self.main.branch}"
        against = self._against()
        along = count(self.unreleased_total, "commit that is", "commits that are")
        points = [f"{along} not in production would ship with it." if self.unreleased_total else "Nothing else ships."]
        points += self._cadence()
        points += against or [f"{self.main.branch} is releasable: its gate is open and no check is known to fail."]
        return Option(
            Hotfix.Way.FORWARD, label, f"Fix it on {self.main.branch} and release that; nothing has to be merged back.",
            tuple(points), commits=self.unreleased, commits_total=self.unreleased_total,
            params={"branch": self.main.branch, "releasable": not against},
        )  # fmt: skip

    def _cadence(self) -> list[str]:
        rows = Release.objects.filter(project=self.standing.project, on_production=True, deleted_at=None)
        rows = rows.filter(kind__in=[Release.Kind.MAJOR, Release.Kind.MINOR]).exclude(tagged_at=None)
        newest = rows.order_by("-tagged_at").values_list("tagged_at", flat=True)[:_RELEASES]
        dates = [moment for moment in newest if moment is not None]
        if len(dates) < 2:
            return []
        gap = cadence(dates)
        last = age(int((self.now - dates[0]).total_seconds()))
        return [f"A regular release comes every {age(int(gap.total_seconds()))}; the last was {last} ago."]

    # --- (b) ---

    def _cut(self) -> Option:
        branch = branch_for(self.policy, self.hotfix.key)
        start = self.live.tag if self.live else ""
        owes = tuple(target.branch for target in self.standing.concerned)
        points = [f"It will owe {_and(owes)}." if owes else "No other branch will need it."]
        conflicts: tuple[str, ...] = ()
        if owes:
            predicted, conflicts = self._predicted()
            points += predicted
        possible = bool(self.production_tip)
        return Option(
            Hotfix.Way.CUT, f"Cut from {start}" if start else Hotfix.Way.CUT.label,
            f"{branch} starts from exactly what production runs; only the fix ships.", tuple(points),
            possible=possible, why_not="" if possible else "Nothing is in production yet.", conflicts=conflicts,
            owes=owes, params={"branch": branch, "tag": start},
        )  # fmt: skip

    def _predicted(self) -> tuple[list[str], tuple[str, ...]]:
        """What merging the fix back would meet: tried, when there are commits; else how far the branches drifted."""
        if not self.hotfix.commits or self.history.git_dir is None:
            return self._drift(), ()
        points: list[str] = []
        paths: list[str] = []
        for target, trial in _tried(self.standing, self.history):
            if trial.error:
                points.append(f"{target.branch}: could not be tried.")
            elif trial.clean:
                points.append(f"{target.branch}: the trial is clean.")
            else:
                points.append(f"{target.branch}: conflicts in {_and(trial.paths[:3])}.")
                paths += trial.paths
        return points, tuple(dict.fromkeys(paths))

    def _drift(self) -> list[str]:
        if self.main is None or not self.main.tip or not self.production_tip:
            return []
        files = self.history.files(self.production_tip, self.main.tip)
        if files is None:
            return []
        differ = count(files[1], "file differs", "files differ")
        return [f"{differ} between production and {self.main.branch}; conflicts are predicted once there is a commit."]

    # --- (c), (d), (e) ---

    def _revert(self) -> Option:
        branch = self.main.branch if self.main else ""
        says = f"Undo on {branch} what is not released and in the way, ship the fix, then re-apply."
        points = [
            f"{count(self.unreleased_total, 'unreleased commit')} on {branch} to choose from.",
            "What is undone stays owed until it is re-applied, exactly like a merge-back.",
        ]
        possible = self.unreleased_total > 0
        return Option(
            Hotfix.Way.REVERT, Hotfix.Way.REVERT.label, says if branch else "Undo what is in the way, ship, re-apply.",
            tuple(points) if possible else (), possible=possible,
            why_not="" if possible else "Nothing unreleased is in the way.", commits=self.unreleased,
            commits_total=self.unreleased_total, owes=(branch,) if branch else (), params={"branch": branch},
        )  # fmt: skip

    def _roll_back(self) -> Option:
        before = self._release_before()
        if before is None or self.live is None:
            return Option(
                Hotfix.Way.ROLL_BACK, Hotfix.Way.ROLL_BACK.label, "Put the release before back into production.",
                possible=False, why_not="There is no earlier release to go back to.",
            )  # fmt: skip
        changes = count(self.live.commit_total, "commit")
        points = [f"It takes {changes} of {self.live.tag} out of production.", "The deployment does it; git stays."]
        return Option(
            Hotfix.Way.ROLL_BACK, f"Roll back to {before.tag}", f"{before.tag} ran before {self.live.tag}.",
            tuple(points), params={"tag": before.tag},
        )  # fmt: skip

    def _release_before(self) -> Release | None:
        if self.live is None:
            return None
        rows = Release.objects.filter(project=self.standing.project, on_production=True, deleted_at=None)
        earlier = rows.filter(sort_key__lt=self.live.sort_key).exclude(kind=Release.Kind.PRE)
        return self.live.previous or earlier.order_by("-sort_key").first()

    def _wait(self) -> Option:
        planned = [target for target in self.standing.targets if target.planned_for and target.planned_for > self.now]
        following = min(planned, key=lambda target: target.planned_for or self.now, default=None)
        points = self._cadence()
        if following is not None and following.planned_for is not None:
            left = age(int((following.planned_for - self.now).total_seconds()))
            points = [f"{following.planned_version or following.branch} ships in {left}.", *points]
        return Option(
            Hotfix.Way.WAIT, Hotfix.Way.WAIT.label, "The next regular release brings the fix; users wait until then.",
            tuple(points),
        )  # fmt: skip


def cadence(dates: Sequence[datetime]) -> timedelta:
    """The usual time between releases: the median of the gaps between these dates (two or more, newest first)."""
    gaps = [(newer - older).total_seconds() for newer, older in pairwise(dates)]
    return timedelta(seconds=median(gaps))


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else ", ".join(names[:-1]) + " and " + names[-1] if names else ""
