"""What people do to a run: asked first, as a page or a dialog, then done by one service each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.forms import BaseForm
from django.http import Http404, HttpRequest, HttpResponse

from hotfixdash.accounts.roles import Act
from releases import deploy_forms as forms
from releases.deploys import acting
from releases.deploys.errors import DeployRefused
from releases.deploys.gates import queue_of
from releases.deploys.models import Run, Step
from releases.policies.typed import Refused
from releases.projects.models import Project
from releases.tasks import run_changed

from . import asking, fetching, links, waiting, words
from .access import may
from .asking import Done, Question
from .deploy_log import number_of
from .deploy_words import title_of

Doing = Callable[[], Done]
Asked = tuple[Question, Doing]
FORBIDDEN = ("role", "own", "kind")
"""Codes of refusals that are about the person."""
TYPED = ("artifact-gone", "comment", "commit", "no-note", "no-reason", "bad-release", "not-passed", "until")
"""Codes of refusals that are about what was typed."""


@dataclass(slots=True)
class Doer:
    """One request about one run."""

    request: HttpRequest
    project: Project
    run: Run

    @property
    def data(self) -> Any:
        return self.request.POST if self.request.method == "POST" else None

    @property
    def url(self) -> str:
        return links.run(self.project.slug, self.run.pk)

    def question(self, title: str, verb: str, form: BaseForm | None = None, **more: Any) -> Question:
        crumbs = [
            (f"{self.project.name}, deploys", links.deploys(self.project.slug)), (title_of(self.run), self.url)
        ]  # fmt: skip
        back = asking.back_to(self.request, self.url)
        return Question(title, verb, back, form=form, crumbs=crumbs, tab="deploys", **more)


def answer(request: HttpRequest, project: Project, question: Question, do: Doing) -> HttpResponse:
    """As `asking.answer`; what the room of deployments refuses is told with the status that fits."""

    def done() -> Done:
        try:
            return do()
        except DeployRefused as refused:
            if refused.code not in TYPED or question.form is None:
                raise
            # The tick that is offered for it stands below; what is said is about the whole.
            named = () if refused.code == "artifact-gone" else (refused.code, "why", "comment", "note")
            field = next((name for name in named if name in question.form.fields), "")
            raise Refused(field, refused.sentence, refused.code) from None

    try:
        return asking.answer(request, project, question, done)
    except DeployRefused as refused:
        return refusal(request, project, refused, question.back, question.crumbs)


def refusal(
    request: HttpRequest,
    project: Project,
    refused: DeployRefused,
    back: str,
    crumbs: list[tuple[str, str]] | None = None,
) -> HttpResponse:
    """404 for what is not theirs to see, 403 for what is not theirs to do, else 409 with the reason."""
    if refused.code == "unseen":
        raise Http404(refused.sentence)
    if refused.code in FORBIDDEN:
        raise PermissionDenied(refused.sentence)
    return asking.not_now(request, project, refused.sentence, back, crumbs, tab="deploys")


def told(project: Project, run: Run, person: Any) -> None:
    """After a change: open pages look again, and a worker takes what is ready now."""
    waiting.forget(person)
    run_changed(run)
    fetching.tell(project)


def _abort(doer: Doer) -> Asked:
    question = doer.question(
        f"Abort {title_of(doer.run)}?", "Abort it", icon="octagon-x", cautious=True,
        says=["Its command is ended at once, with everything that it started. What it did until then stays done."],
    )  # fmt: skip

    def do() -> Done:
        doer.run = acting.run_abort(doer.run, doer.request.user)
        return Done("It is being ended.", level=messages.INFO)

    return question, do


def _abandon(doer: Doer) -> Asked:
    form = forms.WhyForm(doer.data)
    question = doer.question(
        f"Give up {title_of(doer.run)}?", "Give it up", form, icon="circle-pause", cautious=True,
        says=["Nothing more happens in it, and the next in the queue may begin. Nothing is taken back by itself."],
    )  # fmt: skip

    def do() -> Done:
        doer.run = acting.run_abandon(doer.run, doer.request.user, form.cleaned_data["why"])
        return Done("It is given up.")

    return question, do


def _retry(doer: Doer) -> Asked:
    step = doer.run.steps.exclude(state__in=(Step.State.DONE, Step.State.SKIPPED)).order_by("index").first()
    name = words.visible(step.name) if step is not None else "the beginning"
    question = doer.question(
        f"Go on from “{name}”?", "Go on", icon="rotate-ccw",
        says=["What is done is not done again. This step begins anew, whatever it did before."],
    )  # fmt: skip

    def do() -> Done:
        doer.run = acting.run_retry(doer.run, doer.request.user)
        return Done(f"Going on from “{name}”.", level=messages.INFO)

    return question, do


def _cancel(doer: Doer) -> Asked:
    question = doer.question(
        f"Take back {title_of(doer.run)}?", "Take it back", icon="x", says=["It has not begun; nothing happens."]
    )
    if not may(doer.request, Act.DEPLOY) and doer.run.asked_by_id != doer.request.user.pk:
        raise PermissionDenied("Who asked for it, or a release manager, takes it back.")

    def do() -> Done:
        doer.run = acting.run_cancel(doer.run, doer.request.user)
        return Done("It is taken back.")

    return question, do


def _confirm(doer: Doer) -> Asked:
    number = number_of(doer.request.GET.get("step", ""))
    step = doer.run.steps.filter(index=number).first()
    if step is None:
        raise Http404("No such step.")
    form = forms.ConfirmForm(doer.data)
    text = str(step.spec.get("text", ""))
    passed = doer.request.POST.get("passed", "yes") != "no"
    question = doer.question(
        f"Confirm “{words.visible(step.name)}”", "Confirm and go on", form, icon="check", says=[text] if text else []
    )

    def do() -> Done:
        doer.run = acting.run_confirm(doer.run, step, form.cleaned_data["note"], doer.request.user, passed=passed)
        return Done("Confirmed. It goes on." if passed else "Noted. It ends here.", level=messages.INFO)

    return question, do


def _move(doer: Doer) -> Asked:
    place = doer.run.environment
    if place is None or doer.run.state != Run.State.QUEUED:
        raise DeployRefused("state", "It does not wait in a queue.")
    others = [row for row in queue_of(place) if row.pk != doer.run.pk]
    form = forms.MoveForm([(row.pk, f"Before {words.visible(row.tag)} ({row.pk})") for row in others], doer.data)
    question = doer.question(
        f"Move {words.visible(doer.run.tag)} in the queue of {place.name}", "Move it", form, icon="list"
    )

    def do() -> Done:
        before = next((row for row in others if row.pk == form.cleaned_data["before"]), None)
        acting.queue_move(doer.run, before, doer.request.user)
        return Done(f"The queue of {place.name} is in its new order.")

    return question, do


VERBS: dict[str, tuple[Act, Callable[[Doer], Asked]]] = {
    "abort": (Act.DEPLOY, _abort),
    "abandon": (Act.DEPLOY, _abandon),
    "retry": (Act.DEPLOY, _retry),
    "cancel": (Act.SHIP, _cancel),
    "confirm": (Act.SHIP, _confirm),
    "move": (Act.DEPLOY, _move),
}
