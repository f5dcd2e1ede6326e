"""How a project is shipped: its environments and secrets. Administrators change it, release managers look at it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.safestring import SafeString
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods

from hotfixdash.accounts.roles import Act
from releases.deploys.applying import shipping_missing
from releases.deploys.environment_services import (
    environment_add,
    environments_of,
    environments_order,
    shipping_set_up,
)
from releases.deploys.models import DeploySecret
from releases.deploys.settings_services import SettingsRefused, pipeline_of, secret_remove, secret_set
from releases.deploys.spec import PipelineSpec
from releases.ledger.models import Event
from releases.projects.models import Project
from releases.shipping_forms import KIND_WORDS, TRIGGER_WORDS, DeploySecretForm, NewEnvironmentForm

from .access import get_project, may

Handled = HttpResponse | None
Handler = Callable[[HttpRequest, Project, dict[str, Any]], Handled]
LEDGER = ("environment.", "pipeline.", "secret.")


def get_settings(request: HttpRequest, slug: str) -> tuple[Project, bool]:
    """The project, and whether this person may change how it is shipped. Raises like `get_project`.

    Whoever may not, may look; sending a form is refused.
    """
    project = get_project(request, slug, Act.EDIT_POLICY)
    manage = may(request, Act.MANAGE)
    if request.method == "POST" and not manage:
        raise PermissionDenied("Only administrators change how a project is shipped.")
    return project, manage


def handled(
    request: HttpRequest, project: Project, handlers: dict[str, Handler], shown: dict[str, Any]
) -> HttpResponse | None:
    """The answer to a form that was sent; None when the page is shown, again with what is wrong in `shown`."""
    if request.method != "POST":
        return None
    handler = handlers.get(request.POST.get("form", ""))
    if handler is None:
        return HttpResponse("This form is not known.", status=400, content_type="text/plain")
    return handler(request, project, shown)


def page(request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    """A page of the settings; one that is shown again after a form was sent says with its status that it was wrong."""
    wrong = request.method == "POST" and not context.get("tried")
    response = render(request, template, {"tab": "projects", **context}, status=422 if wrong else 200)
    response["Cache-Control"] = "no-store"
    return response


def saved(request: HttpRequest, said: str, name: str, *args: Any, part: str = "") -> HttpResponse:
    messages.success(request, said)
    return redirect(SafeString(f"{reverse(f'releases:{name}', args=args)}{f'#{part}' if part else ''}"))


def take_refusal(form: Any, refusal: SettingsRefused) -> None:
    """Say in the form why what it asks for cannot be."""
    for said in refusal.problems:
        form.add_error(refusal.field if refusal.field in form.fields else None, said)


@sensitive_post_parameters("value")
@require_http_methods(["GET", "HEAD", "POST"])
def shipping(request: HttpRequest, slug: str) -> HttpResponse:
    """Environments in order, the pipeline at a glance, and the names of the secrets."""
    project, manage = get_settings(request, slug)
    shown: dict[str, Any] = {}
    answer = handled(request, project, _HANDLERS, shown)
    if answer is not None:
        return answer
    pipeline = pipeline_of(project)
    spec = PipelineSpec.from_data(pipeline.spec) if pipeline else None
    context: dict[str, Any] = {
        "project": project,
        "may_manage": manage,
        "environments": environments_of(project),
        "retired": environments_of(project, retired=True),
        "pipeline": pipeline,
        "spec": spec,
        "trigger": TRIGGER_WORDS[spec.trigger] if spec else "",
        "kinds": KIND_WORDS,
        "secrets": _secrets(project, spec),
        "missing": shipping_missing(project) if pipeline else [],
        "history": _history(project),
        "environment_form": NewEnvironmentForm(auto_id="new_%s"),
        "secret_form": DeploySecretForm(auto_id="secret_%s"),
    }
    return page(request, "releases/shipping_settings.html", context | shown)


def _secrets(project: Project, spec: PipelineSpec | None) -> list[dict[str, Any]]:
    """Each stored one with who set it when, and the steps that get it; never its value."""
    rows = DeploySecret.objects.filter(project=project).select_related("changed_by").defer("value")
    steps = spec.steps if spec else ()
    return [{"row": row, "steps": [step.name for step in steps if row.name in step.secrets]} for row in rows]


def _history(project: Project, limit: int = 8) -> list[Event]:
    found = Event.objects.filter(project=project)
    chosen = found.none()
    for kind in LEDGER:
        chosen = chosen | found.filter(kind__startswith=kind)
    return list(chosen[:limit])


def _set_up(request: HttpRequest, project: Project, shown: dict[str, Any]) -> Handled:
    shipping_set_up(project, actor=request.user)
    said = "Three environments and a pipeline are there. Write its deploy step next."
    return saved(request, said, "shipping-settings", project.slug)


def _add(request: HttpRequest, project: Project, shown: dict[str, Any]) -> Handled:
    form = shown["environment_form"] = NewEnvironmentForm(request.POST, auto_id="new_%s")
    if not form.is_valid():
        return None
    try:
        row = environment_add(project, form.cleaned_data["name"], kind=form.cleaned_data["kind"], actor=request.user)
    except SettingsRefused as refusal:
        take_refusal(form, refusal)
        return None
    return saved(request, f"{row.name} is there.", "shipping-environment", project.slug, row.name)


def _move(request: HttpRequest, project: Project, shown: dict[str, Any]) -> Handled:
    names = [row.name for row in environments_of(project)]
    name = request.POST.get("name", "")
    if name in names:
        place = names.index(name)
        names.insert(max(0, place + (-1 if request.POST.get("to") == "up" else 1)), names.pop(place))
        environments_order(project, names, actor=request.user)
    return saved(request, f"Releases go {' → '.join(names)}.", "shipping-settings", project.slug, part="environments")


def _secret(request: HttpRequest, project: Project, shown: dict[str, Any]) -> Handled:
    form = shown["secret_form"] = DeploySecretForm(request.POST, auto_id="secret_%s")
    if not form.is_valid():
        return None
    try:
        secret_set(project, form.cleaned_data["name"], form.cleaned_data["value"], actor=request.user)
    except SettingsRefused as refusal:
        take_refusal(form, refusal)
        return None
    said = f"{form.cleaned_data['name']} is stored, encrypted."
    return saved(request, said, "shipping-settings", project.slug, part="secrets")


def _secret_remove(request: HttpRequest, project: Project, shown: dict[str, Any]) -> Handled:
    name = request.POST.get("name", "")
    gone = secret_remove(project, name, actor=request.user)
    said = f"{name} is removed." if gone else "It was gone already."
    return saved(request, said, "shipping-settings", project.slug, part="secrets")


_HANDLERS: dict[str, Handler] = {
    "set-up": _set_up,
    "environment": _add,
    "move": _move,
    "secret": _secret,
    "secret-remove": _secret_remove,
}
