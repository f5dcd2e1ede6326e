"""The one address under which something is done to an incident: asked on GET, done on POST."""

from __future__ import annotations

from collections.abc import Callable

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.html import format_html, format_html_join
from django.views.decorators.http import require_http_methods

from hotfixdash.accounts.roles import Act
from incidents.forms import CorrectForm, EditForm, HurtsForm, LinkForm, TimesForm, UpdateForm
from incidents.response.facts import warnings
from incidents.response.models import Incident, Update
from incidents.response.services import (
    incident_edit,
    incident_hurts,
    incident_link,
    incident_say,
    incident_time,
    incident_unlink,
    update_correct,
)
from incidents.response.words import Words, words_for
from incidents.tasks import announce_soon
from releases.hotfix_forms import HotfixForm, ReasonForm
from releases.hotfixes.models import Hotfix
from releases.hotfixes.services import hotfix_open
from releases.views import asking, fetching
from releases.views import links as places
from releases.views.asking import Done, Question

from . import links
from .incidents import get_incident

Asked = tuple[Question, Callable[[], Done]]


@require_http_methods(["GET", "HEAD", "POST"])
def act(request: HttpRequest, key: str, verb: str) -> HttpResponse:
    """Ask for one of `VERBS`, and on POST do it."""
    prepare = VERBS.get(verb)
    if prepare is None:
        raise Http404("There is no such thing to do.")
    incident = get_incident(request, key, Act.HOTFIX)
    question, do = prepare(request, incident)

    def done() -> Done:
        result = do()
        announce_soon(incident.project_id)
        return result

    return asking.answer(request, incident.project, question, done)


def _question(request: HttpRequest, incident: Incident, title: str, verb: str, **more: object) -> Question:
    back = asking.back_to(request, links.incident(incident.key))
    crumbs = [(incident.key, links.incident(incident.key))]
    return Question(title, verb, back, tab="incidents", crumbs=crumbs, **more)  # type: ignore[arg-type]


def _say(request: HttpRequest, incident: Incident) -> Asked:
    offered = words_for(incident.project)
    chosen = _beginning(request, offered)
    wanted = chosen.state if chosen else request.GET.get("state", "")
    state = wanted if wanted in Incident.State.values else incident.state
    initial = {"state": state, "text": chosen.about(incident) if chosen else ""}
    begin = format_html("Begin with: {}", format_html_join(", ", '<a href="{}" data-dialog>{}</a>', (
        (links.act(incident.key, "say", words=words.key), words.name) for words in offered
    )))  # fmt: skip
    form = UpdateForm(incident, request.POST or None, initial=initial, beginnings=begin)
    told = warnings(incident, list(incident.hotfixes.all())) if incident.is_open else []
    question = _question(
        request, incident, f"Say something about {incident.key}", "Say it", form=form, icon="megaphone",
        warnings=[f"Before you resolve it: {text}" for text in told],
    )  # fmt: skip

    def do() -> Done:
        data = form.cleaned_data
        incident_say(
            incident, data["text"], state=data["state"], public=data.get("public", False), at=data["at"],
            why=data.get("why", ""), actor=request.user,
        )  # fmt: skip
        return Done("It is said." if data.get("public") else "It is noted, for colleagues only.")

    return question, do


def _beginning(request: HttpRequest, offered: list[Words]) -> Words | None:
    """The words that were asked for, or the first ones for the state that was."""
    key, state = request.GET.get("words", ""), request.GET.get("state", "")
    return next((words for words in offered if words.key == key or (not key and words.state == state)), None)


def _correct(request: HttpRequest, incident: Incident) -> Asked:
    number = request.GET.get("update", "")
    update = get_object_or_404(Update, incident=incident, pk=number if number.isdigit() else 0)
    form = CorrectForm(request.POST or None, initial={"text": update.text})
    says = ["What was said stays readable beside it."]
    question = _question(request, incident, "Correct this update?", "Correct it", form=form, says=says)

    def do() -> Done:
        update_correct(update, form.cleaned_data["text"], request.user)
        return Done("It is corrected.")

    return question, do


def _edit(request: HttpRequest, incident: Incident) -> Asked:
    form = EditForm(incident, request.POST or None)
    question = _question(request, incident, f"Edit {incident.key}", "Save", form=form)

    def do() -> Done:
        incident_edit(incident, request.user, **form.cleaned_data)
        return Done("Saved.")

    return question, do


def _times(request: HttpRequest, incident: Incident) -> Asked:
    wanted = request.GET.get("field", "started_at")
    at = getattr(incident, wanted) if wanted in ("started_at", "detected_at", "ended_at") else None
    form = TimesForm(request.POST or None, initial={"field": wanted, "at": at})
    says = ["Say when it really was. What is not known is better left open than guessed."]
    question = _question(request, incident, "Set a time", "Set it", form=form, says=says, icon="clock")

    def do() -> Done:
        data = form.cleaned_data
        incident_time(incident, data["field"], data["at"], data["note"], request.user)
        return Done("The time is set.")

    return question, do


def _hurts(request: HttpRequest, incident: Incident) -> Asked:
    form = HurtsForm(incident, request.POST or None)
    says = ["What it does to each part of the product. A part is shown as bad as the worst that hurts it."]
    if not form.components:
        says = ["This project has no components yet. An administrator adds them on the status page's settings."]
    question = _question(request, incident, "What is hurt?", "Save", form=form, says=says)

    def do() -> Done:
        for component, health in form.healths.items():
            incident_hurts(incident, component, health, request.user)
        return Done("Saved.")

    return question, do


def _link(request: HttpRequest, incident: Incident) -> Asked:
    form = LinkForm(incident, request.POST or None)
    says = ["Its facts come onto the timeline by themselves: branch cut, tagged, live, verified, merged back."]
    question = _question(request, incident, "Tie a hotfix to it", "Tie it", form=form, says=says)

    def do() -> Done:
        hotfix = form.cleaned_data["hotfix"]
        incident_link(incident, hotfix, request.user)
        return Done(f"{hotfix.key} is tied to it.")

    return question, do


def _fix(request: HttpRequest, incident: Incident) -> Asked:
    """Open a hotfix for it, tied to it, with what is known filled in."""
    initial = {
        "title": incident.title, "severity": incident.severity, "impact": incident.impact[:5000],
        "owner": request.user.pk,
    }  # fmt: skip
    form = HotfixForm(incident.project, request.POST or None, initial=initial)
    form.fields["key"].widget.attrs |= {"class": "input mono", "autocomplete": "off", "placeholder": "TICKET-1234"}
    says = [f"It is tied to {incident.key}: what happens to it comes onto the timeline by itself."]
    question = _question(
        request, incident, "Open a hotfix", "Open it", form=form, says=says, icon="git-branch",
    )  # fmt: skip

    def do() -> Done:
        data = form.cleaned_data
        # Not in one transaction: opening reads git meanwhile, and a hotfix that is not tied yet can be tied later.
        hotfix = hotfix_open(
            incident.project, data["key"], data["title"], impact=data["impact"], severity=data["severity"],
            owner=data["owner"], actor=request.user,
        )  # fmt: skip
        incident_link(incident, hotfix, request.user)
        fetching.tell(incident.project)
        return Done(f"{hotfix.key} is open. Triage comes first.", places.hotfix(incident.project.slug, hotfix.key))

    return question, do


def _unlink(request: HttpRequest, incident: Incident) -> Asked:
    hotfix = get_object_or_404(Hotfix, incidents=incident, key=request.GET.get("hotfix", ""))
    form = ReasonForm(request.POST or None)
    question = _question(request, incident, f"Untie {hotfix.key}?", "Untie it", form=form, cautious=True)

    def do() -> Done:
        incident_unlink(incident, hotfix, form.cleaned_data["why"], request.user)
        return Done(f"{hotfix.key} is no part of it any more.")

    return question, do


VERBS: dict[str, Callable[[HttpRequest, Incident], Asked]] = {
    "say": _say, "correct": _correct, "edit": _edit, "times": _times, "hurts": _hurts, "link": _link,
    "unlink": _unlink, "fix": _fix,
}  # fmt: skip
