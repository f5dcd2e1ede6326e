"""The page of one build, deployment or rollback: how far it came, its log, its facts, what can be done."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_safe

from hotfixdash.accounts.roles import Act
from releases import live
from releases.deploy_forms import ConfirmForm
from releases.deploys import selectors
from releases.deploys.gates import waits_for
from releases.deploys.models import Run, Step
from releases.deploys.models.runs import HOLDING
from releases.deploys.spec import StepKind
from releases.deploys.voices import Quorum, quorum
from releases.ledger.models import Event
from releases.projects.models import Project

from . import links, live_part, words
from .access import get_project, may
from .deploy_log import ShownLog, line_meant, shown_log
from .deploy_offers import rollback_offer, run_offers
from .deploy_progress import Progress, progress_of
from .deploy_words import STATES, ShownRun, ShownStep, ShownVoice, name_of
from .kept import kept
from .offers import Offer
from .run_follows import follows
from .timeline import ShownEvent

ACTS = (Act.SHIP, Act.DEPLOY, Act.APPROVE)
EVENTS = 30
STOPPED = (Run.State.FAILED, Run.State.ABORTED)
"""Ledger rows on the page."""
_RELATED = (*selectors.RELATED, "follow_up", "follow_up__closed_by")


def get_run(project: Project, pk: int) -> Run:
    """Raises Http404."""
    found = Run.objects.filter(project=project, pk=pk).select_related(*_RELATED).first()
    if found is None:
        raise Http404("No such run.")
    found.project = project
    return found


@dataclass(slots=True)
class Fact:
    """One row beside the log."""

    name: str
    value: str
    url: str = ""
    mono: bool = False
    copied: bool = False
    """It can be copied."""


class RunPage:
    """Everything that the page shows to somebody who may do `acts`; a constant number of queries."""

    def __init__(self, run: Run, acts: Collection[Act], person: Any) -> None:
        self.run, self.acts, self.person = run, acts, person
        self.slug = run.project.slug
        self.shown = ShownRun(run, self.slug)
        self.url = self.shown.url
        self.read = selectors.run_page(run)

    @property
    def names(self) -> list[str]:
        """Tags and environments that its sentences speak of."""
        return [self.run.tag, self.run.replaces.tag if self.run.replaces else ""]

    @property
    def rows(self) -> list[Step]:
        return self.read.steps

    @cached_property
    def steps(self) -> list[ShownStep]:
        now = self.current
        cut = self.run.state == Run.State.LOST
        return [ShownStep(row, self.slug, row is now, cut) for row in self.rows]

    @cached_property
    def current(self) -> Step | None:
        """The step at which it is, or at which it ended badly."""
        told = (Step.State.RUNNING, Step.State.WAITING, Step.State.FAILED)
        found = next((row for row in self.rows if row.state in told), None)
        if found is None and self.run.state in (*HOLDING, *STOPPED):
            found = next((row for row in self.rows if row.state == Step.State.TODO), None)
        return found

    @property
    def done_words(self) -> str:
        """`2 of 5 steps`."""
        done = sum(row.state in (Step.State.DONE, Step.State.SKIPPED) for row in self.rows)
        return f"{done} of {words.plural(len(self.rows), 'step')}" if self.rows else ""

    # ---- what is asked of people ----

    @cached_property
    def quorum(self) -> Quorum:
        return quorum(self.run)

    @property
    def manual(self) -> ShownStep | None:
        """The step that a person has to confirm."""
        step = self.current if self.run.state == Run.State.PAUSED else None
        waits = step is not None and step.state == Step.State.WAITING and step.kind == StepKind.MANUAL
        return ShownStep(step, self.slug) if waits and step is not None else None

    @property
    def manual_text(self) -> str:
        return str(self.manual.row.spec.get("text", "")) if self.manual else ""

    @cached_property
    def confirm_form(self) -> ConfirmForm | None:
        return ConfirmForm() if self.manual and Act.SHIP in self.acts else None

    @property
    def confirm_url(self) -> str:
        return links.run_act(self.slug, "confirm", self.run.pk, step=str(self.manual.row.index)) if self.manual else ""

    @cached_property
    def offers(self) -> list[Offer]:
        back = rollback_offer(self.run)
        return run_offers(self.run, self.acts, self.person, self.current, back, can_retry=self.read.can_retry)

    @property
    def panel_offers(self) -> list[Offer]:
        """In the panel, where there is one that says why."""
        return self.offers if self.panel is not None and self.manual is None else []

    @property
    def head_offers(self) -> list[Offer]:
        return [] if self.panel_offers else self.offers

    @property
    def yours(self) -> bool:
        """This person can move it on."""
        return self.confirm_form is not None or any(offer.allowed for offer in self.panel_offers)

    # ---- what it says ----

    @cached_property
    def holds(self) -> list[str]:
        """Why it does not start yet."""
        found = [hold.sentence for hold in waits_for(self.run)]
        if not found and self.run.state == Run.State.QUEUED:
            return ["It starts as soon as a worker is free."]
        return found

    @cached_property
    def follows(self) -> list[str]:
        """What happens when it ends well, in sentences."""
        return follows(self.run)

    @cached_property
    def progress(self) -> Progress | None:
        return progress_of(self.run, self.read.estimate)

    @cached_property
    def voices(self) -> list[ShownVoice]:
        if self.run.kind != Run.Kind.DEPLOY:
            return []
        rows = self.run.approvals.select_related("person").order_by("at", "pk")
        return [ShownVoice(row) for row in rows]

    @property
    def review_url(self) -> str:
        """Where this person says what they found; empty when somebody else has to, or has."""
        open_ = self.glass is not None and self.glass.closed_at is None
        theirs = Act.APPROVE in self.acts and self.run.glass_by_id != self.person.pk
        return links.run_act(self.slug, "reviewed", self.run.pk) if open_ and theirs else ""

    @property
    def glass_closed(self) -> str:
        """Who looked at it afterwards, and what they found."""
        found = self.glass
        if found is None or found.closed_at is None:
            return ""
        return f"{name_of(found.closed_by)} looked at it {words.on_day(found.closed_at)}: “{words.visible(found.note)}”"

    @property
    def compare_url(self) -> str:
        """This run beside what it replaced, else beside the last one of the same release in the same place."""
        other = self.run.replaces or next(iter(self.read.earlier), None)
        return links.deploy_compare(self.slug, other.pk, self.run.pk) if other is not None else ""

    @property
    def earlier(self) -> list[ShownRun]:
        """Other runs of the same release in the same place."""
        return [ShownRun(row, self.slug) for row in self.read.earlier[:6]]

    @cached_property
    def panel(self) -> tuple[str, str, str, str] | None:
        """Tone, icon, title and sentence of the panel; None while there is nothing more to say than the state."""
        asked = self.run.state == Run.State.ASKED
        return _panel(self.run, self.current, self.quorum if asked else Quorum(0))

    @property
    def glass(self) -> Any:
        return getattr(self.run, "follow_up", None)

    @property
    def glass_by(self) -> str:
        return name_of(self.run.glass_by)

    @cached_property
    def facts(self) -> list[Fact]:
        return _facts(self.run, self.slug)

    @property
    def said(self) -> list[tuple[str, str]]:
        """What the steps wrote into their output file."""
        return [(words.visible(name)[:80], words.visible(value)[:500]) for name, value in self.run.facts.items()]

    @cached_property
    def events(self) -> list[ShownEvent]:
        told = Event.objects.filter(project=self.run.project_id, subject=f"run:{self.run.pk}").order_by("-at", "-pk")
        return [ShownEvent(row) for row in told[:EVENTS]]


def _panel(run: Run, step: Step | None, said: Quorum) -> tuple[str, str, str, str] | None:
    tone, icon = STATES[run.state]
    at = f" at “{words.visible(step.name)}”" if step is not None else ""
    if run.state == Run.State.ASKED:
        return (
            tone,
            icon,
            f"{len(said.given)} of {said.needed} approvals",
            "It starts as soon as enough people said yes.",
        )
    if run.state == Run.State.LOST:
        says = (
            "Nobody knows how far its command came, so nothing goes on by itself. Look at the log and the place itself."
        )
        return tone, icon, f"The worker went away{at}", f"{says} {run.error_text}".strip()
    if run.state == Run.State.FAILED:
        return tone, icon, f"It failed{at}", run.error_text or (step.why if step is not None else "")
    if run.state == Run.State.WATCHING and run.watch_until is not None:
        left = words.duration(words.seconds_until(run.watch_until))
        return tone, icon, "Live, being watched", f"Verified when its health stays good for {left} more."
    if run.is_over and run.error_text:
        return tone, icon, str(run.get_state_display()), run.error_text
    if run.state == Run.State.RUNNING and run.abort_asked_at is not None:
        return "warn", "octagon-x", "It is being ended", f"{name_of(run.abort_by)} asked for it to be aborted."
    return None


def _facts(run: Run, slug: str) -> list[Fact]:
    found = [Fact("Release", run.tag, links.release(slug, run.tag), mono=True), Fact("Commit", run.commit, mono=True)]
    if run.environment is not None:
        found.append(Fact("Environment", run.environment.name, links.deploys(slug)))
        if run.environment.url.startswith(("https://", "http://")):
            found.append(Fact("Address", run.environment.url, run.environment.url))
    if run.replaces is not None:
        found.append(Fact("Replaces", run.replaces.tag, links.run(slug, run.replaces.pk), mono=True))
    if run.digest:
        found.append(Fact("Artifact", run.digest, mono=True, copied=True))
        if run.artifact_gone_at is not None:
            found.append(Fact("Its file", f"removed {words.on_day(run.artifact_gone_at)}; it is kept no longer"))
    if run.build is not None:
        found.append(Fact("Built by", f"Build {run.build.pk}", links.run(slug, run.build.pk)))
    found.append(Fact("Pipeline", f"version {run.pipeline.version}"))
    found.append(Fact("Lane", f"{run.get_lane_display()}. {run.lane_why}".rstrip(". ") + "."))
    if run.attempts > 1:
        found.append(Fact("Attempts", str(run.attempts)))
    if run.worker and not run.is_over:
        found.append(Fact("Worker", run.worker, mono=True))
    if run.verified_at is not None:
        found.append(Fact("Verified", words.clock(run.verified_at)))
    return [Fact(f.name, words.visible(f.value), f.url, f.mono, f.copied) for f in found]


@require_safe
def run_page(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """One run; asked by itself, only the part that changes, without the lines of the log."""
    project = get_project(request, slug)
    topics = live_part.of_project(project.pk)
    acts = {act for act in ACTS if may(request, act)}
    part = request.headers.get("HX-Target") == "run"
    if line := line_meant(request.GET.dict()):
        return HttpResponseRedirect(links.run_line(slug, pk, max(1, min(line, get_run(project, pk).log_lines))))

    def context() -> dict[str, Any]:
        log_topic = live_part.stamped(live.run_topic(pk))
        run = get_run(project, pk)
        page = RunPage(run, acts, request.user)
        return {
            "tab": "deploys", "project": project, "run": run, "page": page, "live": topics, "log_live": log_topic,
            "log": log_of(page, request, part), "here": page.url,
        }  # fmt: skip

    if not part:
        response = render(request, "releases/run.html", context())
    elif topics.endswith("@0"):
        # Without the broker nobody says when it changes: it is made anew each time.
        response = render(request, "releases/_run.html", context())
    else:
        alike = _seen_alike(project, pk, request.user)
        html, _ = kept(request, "releases/_run.html", (topics, sorted(acts), alike), context)
        response = HttpResponse(html)
    patch_vary_headers(response, ["HX-Target"])
    return response


def _seen_alike(project: Project, pk: int, person: Any) -> tuple[Any, ...]:
    """Hundreds may look at a run when its state changes; those for whom all of this is the same see the same part.

    Asked for by itself, since the whole run takes more to read than all the rest of the answer. Raises Http404.
    """
    row = Run.objects.filter(project=project, pk=pk).values_list(
        "state", "fence", "abort_asked_at", "asked_by_id", "glass_by_id"
    ).first()  # fmt: skip
    if row is None:
        raise Http404("No such run.")
    *seen, asked_by, glass_by = row
    return pk, *seen, asked_by == person.pk, glass_by == person.pk


def log_of(page: RunPage, request: HttpRequest, part: bool) -> ShownLog:
    """The log pane; in a part that is swapped it is left empty, since the one on the page looks after itself."""
    return shown_log(page.run, page.rows, page.slug, request.GET.dict(), empty=part)
