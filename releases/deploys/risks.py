"""What deserves a look before somebody says yes: each signal with what was found, whether it worries or not.

A signal that could not be told says so and counts as worrying: silence is no good news.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils import timezone

from releases.git.page_reads import FileCount
from releases.hotfixes.change import fits
from releases.policies.flow import FlowPolicy
from releases.policies.release_gate import release_gate
from releases.policies.wording import age, count

from .bad_releases import bad_in
from .delta import Delta, delta_of
from .freezing import freeze_now, moment_says, next_freeze
from .gates import lock_says, locked
from .models import BadRelease, Environment, Run
from .models.runs import HOLDING
from .selectors import passed
from .spec import PipelineSpec

OK, LOOK, BAD = "ok", "look", "bad"
"""Tones of a signal: nothing there, look at it, this speaks against it."""
SOON = timedelta(hours=24)
"""A freeze that begins within this time is worth a look."""
OLD_TAG = timedelta(days=14)
"""A regular release that was tagged longer ago than this is worth a look."""
_TITLES = {"migration": "Migrations", "dependency": "Dependencies", "setting": "Settings"}
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Risk:
    """One signal."""

    code: str
    """critical, migration, dependency, setting, size, age, freeze, deploys, gate, bad, drift, backwards, skipped, lock,
    unknown."""
    title: str
    says: str
    tone: str = OK
    paths: tuple[str, ...] = ()
    """Files that it is about."""

    @property
    def worries(self) -> bool:
        return self.tone != OK


def risks_of(run: Run, delta: Delta | None = None, now: datetime | None = None) -> list[Risk]:
    """Every signal about this deployment, in the order in which they matter most."""
    now = now or timezone.now()
    delta = delta or delta_of(run)
    policy = FlowPolicy.from_data(run.project.policy)
    found = [*_of_change(run, delta, policy, now), *_of_history(run, delta)]
    if run.environment is not None:
        found += [*_skipped(run, run.environment), *_lock(run.environment, now)]
        found += [_freeze(run.environment, now), _other_deploys(run)]
    return found


def touched(files: Iterable[FileCount], policy: FlowPolicy) -> dict[str, tuple[str, ...]]:
    """Paths that the policy watches, by what it calls them: migration, dependency, setting, and the team's own words.

    A file counts once, for the first rule that fits it.
    """
    rules = [(kind.strip(), glob.strip()) for kind, _, glob in (rule.partition("=") for rule in policy.risky_paths)]
    found: dict[str, list[str]] = {}
    for file in files:
        kind = next((kind for kind, glob in rules if fits(file.path, glob)), "")
        if kind:
            found.setdefault(kind, []).append(file.path)
    return {kind: tuple(paths) for kind, paths in found.items()}


# --- of the change itself -------------------------------------------------------------------------------------------


def _of_change(run: Run, delta: Delta, policy: FlowPolicy, now: datetime) -> list[Risk]:
    if not delta.known:
        said = f"What would change could not be told: {delta.problem}"
        return [Risk("unknown", "The change", said, BAD)]
    paths = touched(delta.files, policy)
    return [
        *_critical(paths),
        _size(run, delta, policy),
        _age(run, delta, policy, now),
        *(_kind(kind, title, paths.get(kind, ())) for kind, title in _TITLES.items()),
    ]


def _critical(paths: Mapping[str, tuple[str, ...]]) -> list[Risk]:
    """Paths that the team gave a name of its own in the policy: `critical=payouts/**`."""
    own = {kind: found for kind, found in paths.items() if kind not in _TITLES}
    if not own:
        return [Risk("critical", "Critical paths", "None touched.")]
    return [
        Risk("critical", "Critical path" if kind == "critical" else kind.capitalize(), _listed(found), LOOK, found)
        for kind, found in own.items()
    ]


def _kind(kind: str, title: str, paths: tuple[str, ...]) -> Risk:
    return Risk(kind, title, _listed(paths) if paths else "None.", LOOK if paths else OK, paths)


def _listed(paths: tuple[str, ...]) -> str:
    more = f" and {len(paths) - _SHOWN:,} more" if len(paths) > _SHOWN else ""
    return f"{', '.join(paths[:_SHOWN])}{more}."


def _size(run: Run, delta: Delta, policy: FlowPolicy) -> Risk:
    lines, files = delta.added + delta.removed, len(delta.files)
    if not delta.counted:
        return Risk("size", "Size", f"{count(files, 'file')}; its lines could not be counted.", LOOK)
    said = f"{count(lines, 'line')} in {count(files, 'file')}"
    if run.lane != Run.Lane.HOTFIX:
        return Risk("size", "Size", f"{said}.")
    over = lines > policy.max_lines or files > policy.max_files
    return Risk("size", "Size", f"{said}, limit {policy.max_lines:,} in {policy.max_files:,}.", LOOK if over else OK)


def _age(run: Run, delta: Delta, policy: FlowPolicy, now: datetime) -> Risk:
    """How long it lay: of a hotfix since its first commit, of a release since its tag."""
    if run.lane == Run.Lane.HOTFIX and delta.oldest is not None:
        lay = now - delta.oldest
        old = lay > timedelta(hours=policy.sla_hours)
        said = f"Its first commit is {age(lay.total_seconds())} old."
        return Risk("age", "Age", f"{said} Look whether it still fits." if old else said, LOOK if old else OK)
    tagged = run.release.tagged_at if run.release is not None else None
    if tagged is None:
        return Risk("age", "Age", "Nobody knows when it was tagged.", LOOK)
    old = now - tagged > OLD_TAG
    return Risk("age", "Age", f"Tagged {age((now - tagged).total_seconds())} ago.", LOOK if old else OK)


# --- of what ran and runs -------------------------------------------------------------------------------------------


def _of_history(run: Run, delta: Delta) -> list[Risk]:
    found = []
    if delta.base.drift:
        found.append(Risk("drift", "What runs there", delta.base.says, LOOK))
    if delta.known and delta.behind:
        said = f"It takes {count(delta.behind, 'commit')} away that run there now."
        found.append(Risk("backwards", "Backwards", said, LOOK))
    found.append(_gate(run))
    found.append(_bad(run))
    return found


def _gate(run: Run) -> Risk:
    """Whether shipping it brings a bug back that production has fixed."""
    title = "Fixed bugs"
    if run.release is None:
        return Risk("gate", title, "Its tag is gone, so nothing can be compared.", LOOK)
    gate = release_gate(run.project, run.release)
    if gate.problem:
        return Risk("gate", title, f"Whether it brings a fixed bug back could not be told: {gate.problem}", LOOK)
    if gate.returning:
        return Risk("gate", title, gate.sentence, BAD)
    return Risk("gate", title, gate.sentence, LOOK if gate.to_check else OK)


def _bad(run: Run) -> Risk:
    """Whether it is, or still contains, a release that was taken back."""
    title = "Taken back before"
    own = BadRelease.objects.filter(project=run.project_id, tag=run.tag, lifted_at=None).first()
    if own is not None:
        return Risk("bad", title, f"{run.tag} itself was taken back: {own.why}", BAD)
    inside = bad_in(run.project, run.commit, but=run.tag)
    if not inside:
        return Risk("bad", title, "It contains nothing that was taken back.")
    first = inside[0]
    more = f" {count(len(inside) - 1, 'other release')} as well." if len(inside) > 1 else ""
    mend = f"and not {first.fixed_by[:7]}, which mends it" if first.fixed_by else "and nobody named what mends it"
    said = f"It still contains the change of {first.tag}, which was taken back ({first.why}), {mend}.{more}"
    return Risk("bad", title, said, BAD)


def _skipped(run: Run, place: Environment) -> list[Risk]:
    """What it should have passed before and did not: somebody asked for it all the same."""
    if run.release is None:
        return []
    spec = PipelineSpec.from_data(run.pipeline.spec)
    lacks = passed(place, run.release, spec, run.lane, run.digest).lacks("It")
    return [Risk("skipped", "Tried before", lacks, BAD)] if lacks else []


# --- of the environment ---------------------------------------------------------------------------------------------


def _lock(place: Environment, now: datetime) -> list[Risk]:
    return [Risk("lock", "Lock", lock_says(place), LOOK)] if locked(place, now) else []


def _freeze(place: Environment, now: datetime) -> Risk:
    title = "Freeze window"
    freezes = list(place.freezes.all())
    window = freeze_now(place, now, freezes)
    if window is not None:
        return Risk("freeze", title, f"Frozen until {moment_says(window.ends, place)}: {window.why}", LOOK)
    coming = next_freeze(place, now, freezes)
    if coming is None:
        return Risk("freeze", title, "None now, none planned.")
    soon = coming.starts - now < SOON
    said = f"None now. Next: {moment_says(coming.starts, place)}: {coming.why}"
    return Risk("freeze", title, said, LOOK if soon else OK)


def _other_deploys(run: Run) -> Risk:
    moving = Run.objects.filter(project=run.project_id, state__in=(*HOLDING, Run.State.WATCHING)).exclude(pk=run.pk)
    others = list(moving.exclude(kind=Run.Kind.BUILD).select_related("environment").order_by("pk"))
    if not others:
        return Risk("deploys", "Other deploys", "Nothing else is deploying.")
    named = [f"{other.tag} to {other.environment.name}" for other in others if other.environment is not None]
    near = any(other.environment_id == run.environment_id for other in others)
    return Risk("deploys", "Other deploys", f"On its way: {', '.join(named)}.", LOOK if near else OK)
