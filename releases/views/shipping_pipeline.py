"""The pipeline's editor: a form for each step, changes gathered in a draft, versions compared, everything as a file."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods, require_safe

from releases.deploys.applying import project_apply, project_export, shipping_missing
from releases.deploys.checking import pipeline_check
from releases.deploys.comparing import pipeline_differences
from releases.deploys.drafting import (
    Change,
    Draft,
    draft_change,
    draft_discard,
    draft_of,
    draft_save,
    step_move,
    step_put,
    step_remove,
)
from releases.deploys.environment_services import environments_of
from releases.deploys.models import Pipeline
from releases.deploys.settings_services import SettingsRefused
from releases.deploys.spec import Naming, PipelineSpec, StepKind, StepSpec, Trigger
from releases.deploys.toml_form import NotReadable, pipeline_read, pipeline_text
from releases.projects.models import Project
from releases.shipping_forms import KIND_WORDS, NAMING_WORDS, TRIGGER_WORDS, SaveForm, StartForm, StepForm, TomlForm

from .shipping_settings import Handled, Handler, get_settings, handled, page, saved, take_refusal

VERSIONS = 50
"""Versions listed on the editor's page."""


@require_http_methods(["GET", "HEAD", "POST"])
def pipeline(request: HttpRequest, slug: str) -> HttpResponse:
    """The steps in order, each with its form; nothing is in force before it is saved as a version."""
    project, manage = get_settings(request, slug)
    shown: dict[str, Any] = {}
    answer = handled(request, project, _HANDLERS, shown)
    if answer is not None:
        return answer
    draft = draft_of(project)
    now = PipelineSpec.from_data(draft.now.spec) if draft.now else None
    context: dict[str, Any] = {
        "project": project,
        "may_manage": manage,
        "draft": draft,
        "stamp": draft.stamp,
        "trigger": TRIGGER_WORDS[draft.spec.trigger],
        "naming": NAMING_WORDS[draft.spec.naming],
        "kinds": KIND_WORDS,
        "steps": _steps(draft, shown, manage),
        "problems": pipeline_check(draft.spec) if draft.row or draft.now is None else [],
        "missing": shipping_missing(project),
        "changes": pipeline_differences(now, draft.spec) if draft.row else None,
        "places": [row.name for row in environments_of(project)],
        "versions": Pipeline.objects.filter(project=project).select_related("made_by").defer("spec")[:VERSIONS],
    }
    if manage:
        context |= {
            "start_form": StartForm(initial={"trigger": draft.spec.trigger, "naming": draft.spec.naming}),
            "new_form": StepForm(step=StepSpec("", StepKind.CHECK), number=0),
            "save_form": SaveForm(),
            "toml_form": TomlForm(initial={"text": pipeline_text(draft.spec)}, auto_id="toml_%s"),
        }
    return page(request, "releases/shipping_pipeline.html", context | shown)


def _steps(draft: Draft, shown: dict[str, Any], manage: bool) -> list[dict[str, Any]]:
    """Each step with its form; one that was sent and is wrong stays as it was filled in."""
    sent: tuple[int, StepForm] | None = shown.get("sent")
    found = []
    for number, step in enumerate(draft.spec.steps, 1):
        form = None
        if manage:
            form = sent[1] if sent is not None and sent[0] == number - 1 else StepForm(step=step, number=number)
        found.append({
            "step": step, "number": number, "form": form, "words": KIND_WORDS[step.kind].partition(":")[0],
            "first": number == 1, "last": number == len(draft.spec.steps),
        })  # fmt: skip
    return found


def _change(request: HttpRequest, project: Project, shown: dict[str, Any], change: Change, part: str) -> Handled:
    """Make a change to the draft; what stands in its way is said at the top of the page."""
    try:
        draft_change(project, change, stamp=request.POST.get("stamp", ""), actor=request.user)
    except SettingsRefused as refusal:
        shown["refused"] = refusal.problems
        return None
    return saved(request, "It is in the draft.", "shipping-pipeline", project.slug, part=part)


def _start(request: HttpRequest, project: Project, shown: dict[str, Any]) -> Handled:
    form = shown["start_form"] = StartForm(request.POST)
    if not form.is_valid():
        return None
    trigger, naming = Trigger(form.cleaned_data["trigger"]), Naming(form.cleaned_data["naming"])
    return _change(request, project, shown, lambda spec: replace(spec, trigger=trigger, naming=naming), "start")


def _index(request: HttpRequest, draft: Draft) -> int | None:
    """Which step the form is about; None when there is no such step."""
    said = request.POST.get("index", "")
    index = int(said) if said.isdecimal() and len(said) < 6 else -1
    return index if 0 <= index < len(draft.spec.steps) else None


def _step(request: HttpRequest, project: Project, shown: dict[str, Any]) -> Handled:
    draft = draft_of(project)
    index = _index(request, draft)
    if index is None:
        shown["refused"] = ["That step is gone. This is how the pipeline stands."]
        return None
    form = StepForm(request.POST, step=draft.spec.steps[index], number=index + 1)
    shown["sent"] = (index, form)
    if not form.is_valid():
        return None
    return _change(request, project, shown, step_put(index, form.step), f"step-{index + 1}")


def _add(request: HttpRequest, project: Project, shown: dict[str, Any]) -> Handled:
    form = shown["new_form"] = StepForm(request.POST, number=0)
    if not form.is_valid():
        return None
    place = len(draft_of(project).spec.steps)
    return _change(request, project, shown, step_put(place, form.step), f"step-{place + 1}")


def _of_step(make: Callable[[HttpRequest, int], tuple[Change, int]]) -> Handler:
    def handle(request: HttpRequest, project: Project, shown: dict[str, Any]) -> Handled:
        index = _index(request, draft_of(project))
        if index is None:
            shown["refused"] = ["That step is gone. This is how the pipeline stands."]
            return None
        change, then = make(request, index)
        return _change(request, project, shown, change, f"step-{max(then, 0) + 1}")

    return handle


def _moved(request: HttpRequest, index: int) -> tuple[Change, int]:
    to = index - 1 if request.POST.get("to") == "up" else index + 1
    return step_move(index, to), to


def _toml(request: HttpRequest, project: Project, shown: dict[str, Any]) -> Handled:
    form = shown["toml_form"] = TomlForm(request.POST, auto_id="toml_%s")
    if not form.is_valid():
        return None
    try:
        spec = pipeline_read(form.cleaned_data["text"])
    except NotReadable as fault:
        for said in fault.problems:
            form.add_error(None, said)
        return None
    return _change(request, project, shown, lambda _old: spec, "draft")


def _save(request: HttpRequest, project: Project, shown: dict[str, Any]) -> Handled:
    form = shown["save_form"] = SaveForm(request.POST)
    if not form.is_valid():
        return None
    try:
        made = draft_save(
            project, stamp=request.POST.get("stamp", ""), note=form.cleaned_data["note"], actor=request.user
        )
    except SettingsRefused as refusal:
        shown["refused"] = refusal.problems
        return None
    return saved(request, f"Version {made.version} is in force.", "shipping-pipeline", project.slug)


def _discard(request: HttpRequest, project: Project, shown: dict[str, Any]) -> Handled:
    draft_discard(project)
    return saved(request, "The draft is gone.", "shipping-pipeline", project.slug)


_HANDLERS: dict[str, Handler] = {
    "start": _start,
    "step": _step,
    "add": _add,
    "move": _of_step(_moved),
    "remove": _of_step(lambda _request, index: (step_remove(index), index - 1)),
    "toml": _toml,
    "save": _save,
    "discard": _discard,
}


@require_safe
def version(request: HttpRequest, slug: str, number: int) -> HttpResponse:
    """One version, and what differs from another one: the one before, unless `?from=` names one."""
    project, _manage = get_settings(request, slug)
    rows = {row.version: row for row in Pipeline.objects.filter(project=project).select_related("made_by")}
    if number not in rows:
        raise Http404("The pipeline has no such version.")
    chosen = request.GET.get("from", "")
    older = rows.get(int(chosen) if chosen.isdecimal() and len(chosen) < 9 else number - 1)
    spec = PipelineSpec.from_data(rows[number].spec)
    start, steps = pipeline_differences(PipelineSpec.from_data(older.spec) if older else None, spec)
    context = {
        "project": project, "row": rows[number], "older": older, "start": start, "steps": steps,
        "text": pipeline_text(spec), "others": [n for n in sorted(rows, reverse=True) if n != number],
    }  # fmt: skip
    return page(request, "releases/shipping_version.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def file(request: HttpRequest, slug: str) -> HttpResponse:
    """Everything as one file: to take away, to look at what another would change, to apply."""
    project, manage = get_settings(request, slug)
    shown: dict[str, Any] = {}
    answer = handled(request, project, {"apply": _apply}, shown)
    if answer is not None:
        return answer
    text = project_export(project)
    context = {
        "project": project, "may_manage": manage, "text": text, "form": TomlForm(initial={"text": text}),
        "save_form": SaveForm(),
    }  # fmt: skip
    return page(request, "releases/shipping_file.html", context | shown)


def _apply(request: HttpRequest, project: Project, shown: dict[str, Any]) -> Handled:
    form, note = TomlForm(request.POST), SaveForm(request.POST)
    shown |= {"form": form, "save_form": note}
    if not (form.is_valid() and note.is_valid()):
        return None
    try:
        told = project_apply(
            project, form.cleaned_data["text"], request.user,
            note=note.cleaned_data["note"], dry_run="look" in request.POST,
        )  # fmt: skip
    except SettingsRefused as refusal:
        take_refusal(form, refusal)
        return None
    if "look" in request.POST:
        shown["tried"] = told
        return None
    said = "Applied." if told.changes else "Nothing was to be changed."
    return saved(request, said, "shipping-settings", project.slug)


@require_safe
def file_download(request: HttpRequest, slug: str) -> HttpResponse:
    """The file itself."""
    project, _manage = get_settings(request, slug)
    answer = HttpResponse(project_export(project), content_type="application/toml; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{project.slug}-shipping.toml"'
    answer["Cache-Control"] = "no-store"
    return answer
