"""The document: written part by part, each saved by itself; read, printed and downloaded as a whole."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_POST, require_safe

from incidents.postmortems import presence
from incidents.postmortems.actions import action_trailer
from incidents.postmortems.document import (
    ShownPart,
    chains,
    changed_since,
    history,
    reduced,
    shown_part,
    shown_parts,
    writers,
)
from incidents.postmortems.errors import PostMortemError, SomebodyWasFaster
from incidents.postmortems.export import as_markdown
from incidents.postmortems.impact import numbers, reached
from incidents.postmortems.library import seen_before
from incidents.postmortems.markdown import render as markdown
from incidents.postmortems.models import PostMortem, Reading, Section
from incidents.postmortems.opening import hotfixes_of
from incidents.postmortems.outline import BY_KEY, PARTS
from incidents.postmortems.reviewing import CHECKS, readiness
from incidents.postmortems.timeline import Entry, entries
from incidents.postmortems.writing import OPEN, draft_drop, hint_keep, section_write, topic_of
from releases import live
from releases.hotfixes.stages import StageKey
from releases.policies.typed import straight
from releases.views import links as places
from releases.views import live_part
from releases.views.access import may

from . import links
from . import postmortem_links as here
from .postmortem_access import WRITE, get_postmortem, signed_in

MERGED = "\n\n"
"""Between one writer's text and the other's, when both are kept."""
EXCERPT = 300_000
"""Characters that a preview takes."""


@signed_in
@require_safe
def document(request: HttpRequest, key: str) -> HttpResponse:
    """The document as it is written; published, as it is read. Its part asks for itself again when anything changes."""
    row = get_postmortem(request, key)
    if row.state not in OPEN or not may(request, WRITE):
        if request.headers.get("HX-Target") == "postmortem":
            # It was published while it was being written: the whole page is another one now.
            return HttpResponse(status=204, headers={"HX-Refresh": "true"})
        return _read(request, row)
    return _document(request, row, shown_parts(row, request.user))


def _document(request: HttpRequest, row: PostMortem, parts: list[ShownPart], status: int = 200) -> HttpResponse:
    topics = live_part.stamped(topic_of(row), live.project_topic(row.project_id))
    context = _context(request, row, parts) | {"live": topics}
    part = request.headers.get("HX-Target") == "postmortem"
    template = "incidents/_postmortem.html" if part else "incidents/postmortem.html"
    response = render(request, template, context, status=status)
    patch_vary_headers(response, ["HX-Target"])
    return response


def _context(request: HttpRequest, row: PostMortem, parts: list[ShownPart]) -> dict[str, Any]:
    """Everything that the page of a document shows."""
    lines = entries(row, hidden=True)
    return _frame(request, row) | {
        "parts": parts, "by_part": {one.part.key: one for one in parts},
        "lines": [line for line in lines if not line.hidden], "hidden": [line for line in lines if line.hidden],
        "days": _days(lines), "numbers": numbers(row), "chains": chains(row), "before": _before(row),
        "actions": _actions(row), "writers": writers(row), "others": presence.here(row, but=request.user),
        "ready": readiness(row), "readings": list(row.readings.select_related("person")[:5]),
        "late_parts": changed_since(row, _latest_ready(row)), "facts": _facts(row),
    }  # fmt: skip


def _frame(request: HttpRequest, row: PostMortem) -> dict[str, Any]:
    """What the page and each of its parts need."""
    key = row.key
    return {
        "tab": "postmortems", "project": row.project, "postmortem": row, "url": here.document(key),
        "library_url": here.library(row.project.slug), "read_url": here.reading(key), "may_write": may(request, WRITE),
        "is_open": row.state in OPEN, "owns": row.owner_id == request.user.pk,
        "overdue": row.state in OPEN and row.due_at <= timezone.now(),
        "acts": {verb.replace("-", "_"): here.act(key, verb) for verb in _VERBS},
        "incident_url": links.incident(row.incident.key) if row.incident else "",
        "hotfixes": [(hotfix, places.hotfix(row.project.slug, hotfix.key)) for hotfix in hotfixes_of(row)],
        "review_checks": CHECKS, "found_ready": _latest_ready(row) is not None,
    }  # fmt: skip


def _days(lines: list[Entry]) -> list[date]:
    """The days of a timeline; when it is one, it stands above the lines and not beside each."""
    return sorted({timezone.localdate(line.at) for line in lines})


_VERBS = (
    "edit", "line", "hide", "number", "factor", "action", "ask", "review", "publish", "withdraw", "here", "render",
)  # fmt: skip


def _actions(row: PostMortem) -> list[dict[str, Any]]:
    """Action items, each with the trailer that closes it."""
    today = timezone.localdate()
    items = row.actions.select_related("owner", "postmortem")
    return [
        {
            "item": item, "trailer": action_trailer(item), "late": _late(item, today),
            "edit_url": here.act(row.key, "action", item=str(item.number)),
            "set_url": here.act(row.key, "settle", item=str(item.number)),
        }
        for item in items
    ]  # fmt: skip


def _late(item: Any, today: Any) -> bool:
    return item.state == item.State.OPEN and item.due_on is not None and item.due_on < today


def _before(row: PostMortem) -> list[dict[str, Any]]:
    return [
        {
            "found": found, "url": places.hotfix(row.project.slug, found.hotfix.key),
            "incident_url": links.incident(found.incident.key) if found.incident else "",
            "postmortem_url": here.document(found.postmortem.key) if found.postmortem else "",
        }
        for found in seen_before(row)
    ]  # fmt: skip


def _facts(row: PostMortem) -> list[tuple[str, str]]:
    """Facts on record about the fix."""
    found = []
    for hotfix in hotfixes_of(row):
        change = hotfix.change
        if change.get("files"):
            commits, files = len(hotfix.commits), change["files"]
            size = f"{commits} commit{'s' * (commits != 1)}, {files} file{'s' * (files != 1)}"
            found.append(("Fix", f"{size}, +{change.get('added', 0)} −{change.get('removed', 0)}"))
        if hotfix.tag:
            found.append(("Release", hotfix.tag))
        live_at = reached(hotfix.stages, StageKey.PRODUCTION)
        if live_at is not None:
            found.append(("Live", f"{timezone.localtime(live_at):%-d %b %H:%M}"))
        if hotfix.owed_count:
            found.append(("Owed to", f"{hotfix.owed_count} branch{'es' * (hotfix.owed_count != 1)}"))
    return found


def _latest_ready(row: PostMortem) -> Reading | None:
    latest = row.readings.first()
    return latest if latest is not None and latest.says == Reading.Says.READY else None


@signed_in
@require_POST
def part(request: HttpRequest, key: str, part_key: str) -> HttpResponse:
    """Save a part; with `by-itself` while somebody types. What two wrote at once comes back as both.

    `settle` says what becomes of one's own text then: mine, theirs or both. `keep` keeps a wording that was hinted at.
    """
    row = get_postmortem(request, key, WRITE)
    if part_key not in BY_KEY:
        raise Http404("There is no such part.")
    try:
        _save(request, row, part_key)
    except SomebodyWasFaster:
        return _saved(request, row, part_key, 409)
    except PostMortemError as refused:
        return _saved(request, row, part_key, 422, error=refused.sentence)
    keep = request.POST.get("keep", "")
    section = Section.objects.filter(postmortem=row, key=part_key).first()
    if keep and section is not None:
        hint_keep(section, keep)
    return _saved(request, row, part_key)


def _save(request: HttpRequest, row: PostMortem, key: str) -> None:
    text, base = request.POST.get("text", ""), _number(request.POST.get("base"))
    settle, seen = request.POST.get("settle", ""), _number(request.POST.get("seen"))
    if settle == "theirs":
        section = get_object_or_404(Section, postmortem=row, key=key)
        draft_drop(section, request.user)
        return
    if settle == "both":
        section = get_object_or_404(Section, postmortem=row, key=key)
        text = f"{section.text.rstrip()}{MERGED}{text.lstrip()}"
    if settle in ("mine", "both"):
        # What was on the screen is decided on, not what somebody wrote a second ago.
        base = seen
    section_write(row, key, text, base, request.user, by_itself="by-itself" in request.POST)


def _number(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else 0


def _saved(request: HttpRequest, row: PostMortem, key: str, status: int = 200, error: str = "") -> HttpResponse:
    """What is shown after a part was sent: what is below its field, or without script the page again."""
    if not request.headers.get("HX-Request"):
        if error:
            parts = shown_parts(row, request.user)
            one = next(found for found in parts if found.part.key == key)
            one.error, one.typed = error, request.POST.get("text", "")
            return _document(request, row, parts, status)
        said = "Saved." if status == 200 else "Somebody wrote here in the meantime. Both texts are below."
        messages.add_message(request, messages.SUCCESS if status == 200 else messages.WARNING, said)
        return HttpResponseRedirect(here.document(row.key, f"s-{key}"))
    one = shown_part(row, key, request.user)
    one.error = error
    if error:
        one.typed = request.POST.get("text", "")
    parts = shown_parts(row, request.user)
    context = _frame(request, row) | {
        "one": one, "parts": parts, "ready": readiness(row), "beside": True, "actions": _actions(row),
        "taken": request.POST.get("settle") in ("theirs", "both"), "lines": entries(row),
        "numbers": numbers(row), "others": presence.here(row, but=request.user), "writers": writers(row),
    }  # fmt: skip
    return render(request, "incidents/_postmortem_saved.html", context, status=status)


@signed_in
@require_safe
def part_history(request: HttpRequest, key: str, part_key: str) -> HttpResponse:
    """What a part was before, revision by revision, with what differs."""
    row = get_postmortem(request, key, WRITE)
    part = BY_KEY.get(part_key)
    if part is None:
        raise Http404("There is no such part.")
    section = Section.objects.filter(postmortem=row, key=part_key).first()
    before = _number(request.GET.get("before")) or None
    changes = history(section, before) if section is not None else []
    older = here.history(key, part_key, before=str(changes[-1].revision.version)) if len(changes) == 20 else ""
    context = _frame(request, row) | {
        "part": part, "older": older, "changes": [(change, reduced(change.pieces)) for change in changes],
        "part_url": here.document(key, f"s-{part_key}"),
    }  # fmt: skip
    return render(request, "incidents/postmortem_history.html", context)


@signed_in
@require_safe
def read(request: HttpRequest, key: str) -> HttpResponse:
    """The document to be read: what people wrote as they meant it, for the screen and for paper."""
    return _read(request, get_postmortem(request, key))


def _read(request: HttpRequest, row: PostMortem) -> HttpResponse:
    topics = live_part.stamped(topic_of(row), live.project_topic(row.project_id))
    sections = {section.key: section.text for section in row.sections.all()}
    texts = [(part, markdown(sections.get(part.key, ""))) for part in PARTS if sections.get(part.key, "").strip()]
    lines = entries(row)
    context = _frame(request, row) | {
        "live": topics, "texts": texts, "by_key": {part.key: text for part, text in texts}, "lines": lines,
        "days": _days(lines), "numbers": numbers(row),
        "chains": chains(row), "actions": _actions(row), "facts": _facts(row), "before": _before(row),
        "writers": writers(row),
        "export_url": here.export(row.key), "now": timezone.now(),
        "readings": list(row.readings.select_related("person")[:5]),
    }  # fmt: skip
    part = request.headers.get("HX-Target") == "postmortem-read"
    template = "incidents/_postmortem_read.html" if part else "incidents/postmortem_read.html"
    response = render(request, template, context)
    patch_vary_headers(response, ["HX-Target"])
    return response


@signed_in
@require_safe
def export(request: HttpRequest, key: str) -> HttpResponse:
    """The document as Markdown, to be kept elsewhere."""
    row = get_postmortem(request, key)
    response = HttpResponse(straight(as_markdown(row)), content_type="text/markdown; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{row.key}.md"'
    return response


@signed_in
@require_POST
def preview(request: HttpRequest, key: str) -> HttpResponse:
    """How a text will look."""
    get_postmortem(request, key, WRITE)
    shown = markdown(request.POST.get("text", "")[:EXCERPT])
    return render(request, "incidents/_postmortem_preview.html", {"shown": shown})


@signed_in
@require_POST
def present(request: HttpRequest, key: str) -> HttpResponse:
    """A page tells that it is open, and in which part somebody writes; or, with `gone`, that it is closed."""
    row = get_postmortem(request, key, WRITE)
    if "gone" in request.POST:
        presence.went(row, request.user)
        return HttpResponse(status=204)
    presence.came(row, request.user, request.POST.get("part", ""))
    context = _frame(request, row) | {"others": presence.here(row, but=request.user)}
    return render(request, "incidents/_postmortem_here.html", context)
