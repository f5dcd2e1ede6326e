"""What a deployment owes afterwards, how it would be taken back, and what it was proved with before. Reads only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from releases.policies.flow import FlowPolicy
from releases.policies.models import Verdict
from releases.policies.release_fixes import fixes_shipped

from .delta import Delta, delta_of
from .models import Environment, Run, Step
from .risks import touched
from .selectors import rollback_target
from .spec import PipelineSpec, StepKind

_SAMPLE = 10
_GOOD = (Run.State.WATCHING, Run.State.DONE)


# --- what it owes ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Owed:
    """One fix of the release that one branch lacks."""

    fix: str
    """Key of the fix."""
    subject: str
    ticket: str
    branch: str
    says: str
    """What a trial pick showed."""
    clean: bool | None
    """Whether it merges cleanly; None when nobody tried."""


def owes_after(run: Run) -> list[Owed]:
    """The merge-backs that are due once this release is live: what its fixes' targets lack, as judged last."""
    if run.release is None:
        return []
    fixes = {fix.pk: fix for fix in fixes_shipped(run.release)}
    lacking = Verdict.objects.filter(fix__in=fixes, owed=True, target__closed_at=None).select_related("target")
    found = []
    for verdict in lacking.order_by("target__position", "target__branch", "fix_id"):
        fix, preview = fixes[verdict.fix_id], verdict.preview or {}
        clean = bool(preview["clean"]) if "clean" in preview else None
        found.append(Owed(fix.key, fix.subject, fix.ticket, verdict.target.branch, _trial(clean, verdict), clean))
    return found


def _trial(clean: bool | None, verdict: Verdict) -> str:
    branch = verdict.target.branch
    if clean is None:
        return f"{branch} lacks it; nobody tried yet how it merges."
    if clean:
        return f"{branch} lacks it. A trial merge is clean, so it is one step."
    return f"{branch} lacks it, and a trial merge has {verdict.detail or 'conflicts'}."


# --- how it would be taken back -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RollbackPlan:
    """How what ran before is brought back."""

    to: Run | None
    """What would be brought back; None when nothing that ran well is known."""
    automatic: bool
    """A failed verification takes it back without asking."""
    steps: tuple[str, ...]
    """Names of the steps that it takes."""
    seconds: float | None
    """What it took before."""
    says: tuple[str, ...]
    """The plan in sentences."""

    @property
    def possible(self) -> bool:
        return self.to is not None and bool(self.steps)


def rollback_plan(run: Run, delta: Delta | None = None) -> RollbackPlan | None:
    """What happens if it goes wrong; None for a build."""
    place = run.environment
    if place is None:
        return None
    to = rollback_target(place, run)
    spec = PipelineSpec.from_data(run.pipeline.spec)
    steps = tuple(step.name for step in spec.rollback_steps(run.lane, place.name) if step.kind is not StepKind.VERIFY)
    seconds = _usual(place)
    automatic = place.rolls_back and to is not None and bool(steps)
    return RollbackPlan(to, automatic, steps, seconds, tuple(_plan(run, to, steps, seconds, automatic, delta)))


def _plan(
    run: Run, to: Run | None, steps: Sequence[str], seconds: float | None, automatic: bool, delta: Delta | None
) -> list[str]:  # fmt: skip
    if to is None:
        return ["Nothing that ran well there before is known, so nothing can be brought back."]
    if not steps:
        return ["The pipeline has no step that brings anything back."]
    took = f", about {seconds:.0f} s" if seconds is not None else ""
    said = [f"Automatic: back to {to.tag} when the verification fails."] if automatic else []
    said.append(f"By hand: “Roll back” brings {to.tag} back{took}.")
    return [*said, _data(run, delta or delta_of(run))]


def _data(run: Run, delta: Delta) -> str:
    if not delta.known:
        return "Data: whether it holds a migration could not be told."
    paths = touched(delta.files, FlowPolicy.from_data(run.project.policy)).get("migration", ())
    if not paths:
        return "Data: nothing to undo, no migration."
    more = f" and {len(paths) - 1:,} more" if len(paths) > 1 else ""
    return f"Data: {paths[0]}{more} is not undone by taking the release back."


def _usual(place: Environment) -> float | None:
    """Seconds that a rollback there took; without one, what a deployment took."""
    for kind in (Run.Kind.ROLLBACK, Run.Kind.DEPLOY):
        ran = Run.objects.filter(environment=place, kind=kind, live_at__isnull=False, started_at__isnull=False)
        spans = ran.order_by("-pk").values_list("started_at", "live_at")[:_SAMPLE]
        took = [(there - begun).total_seconds() for begun, there in spans if begun and there]
        if took:
            return float(median(took))
    return None


# --- what it was proved with ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Proof:
    """A step that looked at this very artifact, and what it found."""

    where: str
    """The environment; empty for the build."""
    step: Step
    run: Run
    by: str = ""
    """Who confirmed it, where a person did."""


def proofs_of(run: Run) -> list[Proof]:
    """The steps, as far as they were begun, of its build and of the newest run of exactly this digest in every other
    environment: in the order in which a release passes them.
    """
    builds = [run.build_id] if run.build_id else []
    elsewhere = Run.objects.filter(project=run.project_id, commit=run.commit, digest=run.digest, kind=Run.Kind.DEPLOY)
    elsewhere = elsewhere.exclude(environment=run.environment_id).exclude(digest="")
    last: dict[int, int] = {}
    for pk, place in elsewhere.order_by("pk").values_list("pk", "environment_id"):
        last[place or 0] = pk
    steps = Step.objects.filter(run__in=[*builds, *last.values()]).select_related("run__environment", "by")
    begun = sorted(steps.exclude(state=Step.State.TODO), key=_in_order)
    return [
        Proof(
            step.run.environment.name if step.run.environment else "", step, step.run,
            step.by.get_username() if step.by else "",
        )
        for step in begun
    ]  # fmt: skip


def _in_order(step: Step) -> tuple[int, int, int]:
    return (step.run.environment.order if step.run.environment else -1, step.run_id, step.index)


def staged(run: Run) -> list[Run]:
    """Where exactly this artifact runs, or ran, well before: the newest run of each environment."""
    ran = Run.objects.filter(project=run.project_id, digest=run.digest, kind=Run.Kind.DEPLOY, state__in=_GOOD)
    found: dict[int | None, Run] = {}
    if run.digest:
        for other in ran.exclude(pk=run.pk).select_related("environment").order_by("pk"):
            found[other.environment_id] = other
    return list(found.values())
