"""The settings of one environment: how releases get there, its probe, its freezes."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.http import require_http_methods

from hotfixdash.accounts.roles import Act
from releases.deploys.environment_services import environment_retire, environment_save, people_called
from releases.deploys.errors import DeployRefused
from releases.deploys.freezing import freeze_add, freeze_end, freeze_now, freeze_says, next_freeze, zone_of
from releases.deploys.gates import lock_says, locked
from releases.deploys.models import Environment
from releases.deploys.probing import probe, probe_check
from releases.deploys.settings_services import SettingsRefused
from releases.projects.models import Project
from releases.shipping_forms import EnvironmentForm, FreezeForm, ProbeForm

from . import links
from .access import may
from .shipping_settings import Handled, Handler, get_settings, handled, page, saved, take_refusal

PROBE_WORDS = {"http-json": "a field of JSON", "http-text": "text", "http-header": "a header", "command": "a command"}


@require_http_methods(["GET", "HEAD", "POST"])
def environment(request: HttpRequest, slug: str, name: str) -> HttpResponse:
    """Everything that is set up about one environment."""
    project, manage = get_settings(request, slug)
    row = _find(project, name)
    shown: dict[str, Any] = {"environment": row}
    answer = handled(request, project, _HANDLERS, shown)
    if answer is not None:
        return answer
    now = timezone.now()
    windows = list(row.freezes.select_related("environment__project", "made_by"))
    zone = zone_of(row)
    context: dict[str, Any] = {
        "project": project,
        "may_manage": manage,
        "may_lock": may(request, Act.DEPLOY),
        "zone": zone.key,
        "approvers": [user.get_username() for user in row.approvers.all()],
        "probe_words": PROBE_WORDS.get(row.probe.get("kind", ""), ""),
        "is_locked": locked(row, now),
        "lock_says": lock_says(row),
        "lock_url": links.environment_act(slug, "unlock" if locked(row, now) else "lock", name),
        "freezes": [(window, freeze_says(window)) for window in windows if not window.ends_at or window.ends_at > now],
        "frozen": freeze_now(row, now, windows),
        "next_freeze": next_freeze(row, now, windows),
    }
    if manage:
        context |= {"form": EnvironmentForm.of(row), "probe_form": ProbeForm.of(row), "freeze_form": FreezeForm()}
    return page(request, "releases/shipping_environment.html", context | shown)


def _find(project: Project, name: str) -> Environment:
    row = Environment.objects.filter(project=project, name=name, retired_at=None).select_related("locked_by").first()
    if row is None:
        raise Http404("No such environment, or it was taken out of use.")
    row.project = project
    return row


def _done(request: HttpRequest, row: Environment, said: str, part: str) -> HttpResponse:
    return saved(request, said, "shipping-environment", row.project.slug, row.name, part=part)


def _settings(request: HttpRequest, project: Project, shown: dict[str, Any]) -> Handled:
    row: Environment = shown["environment"]
    form = shown["form"] = EnvironmentForm.of(row, request.POST)
    if not form.is_valid():
        return None
    data = dict(form.cleaned_data)
    try:
        people = people_called(data.pop("approvers"))
        told = environment_save(row, approvers=people, actor=request.user, **data)
    except SettingsRefused as refusal:
        take_refusal(form, refusal)
        return None
    return _done(request, row, f"{row.name} is saved." if told else "Nothing was changed.", "rules")


def _probe(request: HttpRequest, project: Project, shown: dict[str, Any]) -> Handled:
    row: Environment = shown["environment"]
    form = shown["probe_form"] = ProbeForm.of(row, request.POST)
    if not form.is_valid():
        return None
    if "try" in request.POST:
        _try(row, form, shown)
        return None
    rhythm = {name: form.cleaned_data[name] for name in ProbeForm.RHYTHM}
    try:
        environment_save(row, actor=request.user, probe=form.probe, **rhythm)
    except SettingsRefused as refusal:
        take_refusal(form, refusal)
        return None
    return _done(request, row, f"The probe of {row.name} is saved.", "probe")


def _try(row: Environment, form: ProbeForm, shown: dict[str, Any]) -> None:
    """Ask as the form says, without keeping anything."""
    problems = probe_check(form.probe, row.url)
    for said in problems:
        form.add_error(None, said)
    if not problems:
        asked = Environment(project=row.project, name=row.name, url=row.url, probe=form.probe)
        asked.pk = row.pk
        shown["tried"] = probe(asked)


def _freeze(request: HttpRequest, project: Project, shown: dict[str, Any]) -> Handled:
    row: Environment = shown["environment"]
    form = shown["freeze_form"] = FreezeForm(request.POST)
    if not form.valid_in(zone_of(row)):
        return None
    try:
        made = freeze_add(row, actor=request.user, **form.cleaned_data)
    except DeployRefused as refusal:
        form.add_error(None, refusal.sentence)
        return None
    return _done(request, row, f"Frozen {freeze_says(made)}.", "freezes")


def _freeze_end(request: HttpRequest, project: Project, shown: dict[str, Any]) -> Handled:
    row: Environment = shown["environment"]
    chosen = request.POST.get("freeze", "")
    window = row.freezes.filter(pk=chosen if chosen.isdecimal() else 0).select_related("environment__project").first()
    if window is not None:
        freeze_end(window, request.user)
    return _done(request, row, "The freeze is over.", "freezes")


def _retire(request: HttpRequest, project: Project, shown: dict[str, Any]) -> Handled:
    row: Environment = shown["environment"]
    try:
        environment_retire(row, actor=request.user)
    except SettingsRefused as refusal:
        shown["not_retired"] = str(refusal)
        return None
    said = f"{row.name} is out of use. Its history stays."
    return saved(request, said, "shipping-settings", project.slug, part="environments")


_HANDLERS: dict[str, Handler] = {
    "settings": _settings,
    "probe": _probe,
    "freeze": _freeze,
    "freeze-end": _freeze_end,
    "retire": _retire,
}
