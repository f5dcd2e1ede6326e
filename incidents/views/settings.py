"""Status pages, components, planned work, and where announcements go: for administrators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from hotfixdash.accounts.roles import Act
from incidents.announcements.channels import channel_pause, channel_remove, channel_save, channel_secret, shown_target
from incidents.announcements.delivering import message_again
from incidents.announcements.models import Channel, Message
from incidents.forms import ChannelForm, ComponentForm, MaintenanceForm, StatusPageForm, WordsForm
from incidents.response.components import component_retire, component_save, maintenance_cancel, maintenance_plan
from incidents.response.models import Component, Maintenance, UpdateTemplate
from incidents.response.words import USUAL, Words, words_for, words_remove, words_save
from incidents.status.models import StatusPage
from incidents.status.services import page_remove, page_save
from incidents.tasks import channels_nudge
from releases.projects.models import Project
from releases.views import asking
from releases.views.access import require
from releases.views.asking import Done, Question

PAGES, CHANNELS = "/status-pages/", "/announcements/"
SHOWN = 50
"""Messages that the outbox shows, the newest first; what failed comes before."""
Asked = tuple[Project | None, Question, Callable[[], Done]]


@require_safe
def status_pages(request: HttpRequest) -> HttpResponse:
    """Every status page, and the components and planned work of every project."""
    require(request, Act.MANAGE)
    pages = StatusPage.objects.prefetch_related("projects", "channels")
    components = Component.objects.filter(retired_at=None).select_related("project").order_by("project__name", "order")
    planned = Maintenance.objects.filter(cancelled_at=None).select_related("project").order_by("-starts_at")[:20]
    context = {
        "tab": "incidents", "pages": pages, "components": components, "planned": planned, "words": words_for(None),
        "projects": Project.objects.real().order_by("name"),
    }  # fmt: skip
    return render(request, "incidents/status_pages.html", context)


@require_safe
def announcements(request: HttpRequest) -> HttpResponse:
    """Every channel, and what became of its messages."""
    require(request, Act.MANAGE)
    channels = [(row, shown_target(row)) for row in Channel.objects.select_related("page")]
    waiting = Message.objects.exclude(state=Message.State.SENT).select_related("channel").order_by("-pk")[:SHOWN]
    sent = Message.objects.filter(state=Message.State.SENT).select_related("channel").order_by("-pk")[:SHOWN]
    context = {"tab": "incidents", "channels": channels, "waiting": waiting, "sent": sent}
    return render(request, "incidents/announcements.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def set_up(request: HttpRequest, what: str, pk: str = "") -> HttpResponse:
    """Ask for one of `_WHAT`, and on POST do it; `pk` names what is changed, or the project of something new."""
    require(request, Act.MANAGE)
    prepare = _WHAT.get(what)
    if prepare is None:
        raise Http404("There is no such thing to set up.")
    project, question, do = prepare(request, pk)
    return asking.answer(request, project, question, do)  # type: ignore[arg-type]


@require_POST
def again(request: HttpRequest, pk: int) -> HttpResponse:
    """Send a message again that was given up, or now instead of later."""
    require(request, Act.MANAGE)
    message = get_object_or_404(Message.objects.select_related("channel", "event"), pk=pk)
    if message_again(message, request.user):
        channels_nudge()
        messages.success(request, "It is sent again.")
    else:
        messages.info(request, "It is on its way already, or was sent.")
    return HttpResponseRedirect(CHANNELS)


def _page(request: HttpRequest, pk: str) -> Asked:
    row = get_object_or_404(StatusPage, slug=pk) if pk else None
    initial: dict[str, Any] = {"visibility": "hidden"}
    if row is not None:
        initial = {
            "title": row.title, "slug": row.slug, "says": row.says, "visibility": row.visibility,
            "projects": row.projects.all(), "components": row.components.all(),
        }  # fmt: skip
    form = StatusPageForm(request.POST or None, initial=initial)
    question = _ask(request, f"Change {row.title}" if row else "Add a status page", "Save", PAGES, form=form)

    def do() -> Done:
        data = form.cleaned_data
        page_save(
            data["slug"], data["title"], data["visibility"], list(data["projects"]), says=data["says"],
            components=data["components"], page=row, actor=request.user,
        )  # fmt: skip
        return Done("The page is saved.", PAGES)

    return None, question, do


def _page_remove(request: HttpRequest, pk: str) -> Asked:
    row = get_object_or_404(StatusPage, slug=pk)
    count = row.subscribers.filter(left_at=None).count()
    says = [f"/status/{row.slug}/ is gone for everybody, with its {count} subscribers."]
    question = _ask(request, f"Remove {row.title}?", "Remove it", PAGES, says=says, cautious=True)

    def do() -> Done:
        page_remove(row, request.user)
        return Done("The page is removed.", PAGES)

    return None, question, do


def _component(request: HttpRequest, pk: str) -> Asked:
    """`pk` is a project's slug for a new one, a number for one that is there."""
    row = get_object_or_404(Component.objects.select_related("project"), pk=int(pk)) if pk.isdecimal() else None
    project = row.project if row else _project(request, pk)
    initial = {"name": row.name, "says": row.says, "order": row.order, "baseline": row.baseline} if row else {}
    form = ComponentForm(request.POST or None, initial=initial)
    title = f"Change {row.name}" if row else f"Add a component to {project.name}"
    question = _ask(request, title, "Save", PAGES, form=form)

    def do() -> Done:
        data = form.cleaned_data
        component_save(project, data.pop("name"), component=row, actor=request.user, **data)
        return Done("The component is saved.", PAGES)

    return project, question, do


def _component_retire(request: HttpRequest, pk: str) -> Asked:
    row = get_object_or_404(Component.objects.select_related("project"), pk=int(pk) if pk.isdecimal() else 0)
    says = ["It is shown on no page any more; its history stays."]
    question = _ask(request, f"Retire {row.name}?", "Retire it", PAGES, says=says, cautious=True)

    def do() -> Done:
        component_retire(row, request.user)
        return Done("The component is retired.", PAGES)

    return row.project, question, do


def _planned(request: HttpRequest, pk: str) -> Asked:
    project = _project(request, pk)
    form = MaintenanceForm(project, request.POST or None)
    question = _ask(request, f"Plan work on {project.name}", "Announce it", PAGES, form=form, icon="clock")

    def do() -> Done:
        data = form.cleaned_data
        maintenance_plan(
            project, data["title"], data["starts_at"], data["ends_at"], text=data["text"],
            components=data["components"], actor=request.user,
        )  # fmt: skip
        return Done("It is announced.", PAGES)

    return project, question, do


def _planned_cancel(request: HttpRequest, pk: str) -> Asked:
    row = get_object_or_404(Maintenance.objects.select_related("project"), pk=int(pk) if pk.isdecimal() else 0)
    question = _ask(request, f"Cancel “{row.title}”?", "Cancel it", PAGES, cautious=True)

    def do() -> Done:
        maintenance_cancel(row, request.user)
        return Done("It is cancelled.", PAGES)

    return row.project, question, do


def _words(request: HttpRequest, pk: str) -> Asked:
    """`pk` is a number for a team's own, a state for ours, which are not changed but replaced."""
    row = get_object_or_404(UpdateTemplate, pk=int(pk)) if pk.isdecimal() else None
    ours = next((words for words in USUAL if words.key == pk), None)
    if pk and row is None and ours is None:
        raise Http404("There are no such words.")
    known: UpdateTemplate | Words | None = row or ours
    initial = {"name": known.name, "state": known.state, "text": known.text, "project": known.project} if known else {}
    form = WordsForm(request.POST or None, initial=initial)
    question = _ask(request, f"Change “{known.name}”" if known else "Add usual words", "Save", PAGES, form=form)

    def do() -> Done:
        data = form.cleaned_data
        words_save(data["name"], data["state"], data["text"], project=data["project"], row=row, actor=request.user)
        return Done("The words are saved.", PAGES)

    return row.project if row else None, question, do


def _words_remove(request: HttpRequest, pk: str) -> Asked:
    row = get_object_or_404(UpdateTemplate.objects.select_related("project"), pk=int(pk) if pk.isdecimal() else 0)
    question = _ask(request, f"Remove “{row.name}”?", "Remove it", PAGES, cautious=True)

    def do() -> Done:
        words_remove(row, request.user)
        return Done("The words are removed.", PAGES)

    return row.project, question, do


def _channel(request: HttpRequest, pk: str) -> Asked:
    row = _channel_of(pk) if pk else None
    initial: dict[str, Any] = {}
    if row is not None:
        initial = {
            "name": row.name, "kind": row.kind, "topics": row.kinds, "worst": row.worst, "internal": row.internal,
            "projects": row.projects.all(),
        }  # fmt: skip
    form = ChannelForm(request.POST or None, initial=initial)
    question = _ask(request, f"Change {row.name}" if row else "Add a channel", "Save", CHANNELS, form=form)

    def do() -> Done:
        data = form.cleaned_data
        saved = channel_save(
            data["name"], data["kind"], data["target"], data["topics"], worst=data["worst"],
            internal=data["internal"], projects=data["projects"], channel=row, actor=request.user,
        )  # fmt: skip
        if row is None and saved.secret:
            return Done(f"Saved. Its signing secret, shown this once: {channel_secret(saved)}", CHANNELS)
        return Done("The channel is saved.", CHANNELS)

    return None, question, do


def _channel_pause(request: HttpRequest, pk: str) -> Asked:
    row = _channel_of(pk)
    paused = row.paused_at is None
    title = f"Pause {row.name}?" if paused else f"Send to {row.name} again?"
    says = ["What comes meanwhile waits, and is sent when you let it go on."] if paused else []
    question = _ask(request, title, "Pause it" if paused else "Go on", CHANNELS, says=says)

    def do() -> Done:
        channel_pause(row, paused, request.user)
        return Done("It is paused." if paused else "It goes on.", CHANNELS)

    return None, question, do


def _channel_remove(request: HttpRequest, pk: str) -> Asked:
    row = _channel_of(pk)
    says = ["What it has not sent yet is not sent any more."]
    question = _ask(request, f"Remove {row.name}?", "Remove it", CHANNELS, says=says, cautious=True)

    def do() -> Done:
        channel_remove(row, request.user)
        return Done("The channel is removed.", CHANNELS)

    return None, question, do


def _channel_of(pk: str) -> Channel:
    """A channel that people made; those of subscribers come and go with their pages."""
    rows = Channel.objects.exclude(kind=Channel.Kind.SUBSCRIBERS)
    return get_object_or_404(rows, pk=int(pk) if pk.isdecimal() else 0)


def _project(request: HttpRequest, slug: str) -> Project:
    """Of something new: named by the address, or chosen before."""
    return get_object_or_404(Project.objects.real(), slug=slug or request.GET.get("project", ""))


def _ask(request: HttpRequest, title: str, verb: str, back: str, **more: Any) -> Question:
    return Question(title, verb, asking.back_to(request, back), tab="incidents", **more)


_WHAT: dict[str, Callable[[HttpRequest, str], Asked]] = {
    "page": _page, "page-remove": _page_remove, "component": _component, "component-retire": _component_retire,
    "words": _words, "words-remove": _words_remove, "planned": _planned, "planned-cancel": _planned_cancel,
    "channel": _channel, "channel-pause": _channel_pause, "channel-remove": _channel_remove,
}  # fmt: skip
