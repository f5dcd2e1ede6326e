"""The merge-back matrix, of one project and over all of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import get_script_prefix, reverse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.html import escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_safe

from hotfixdash.accounts.roles import Act
from releases.evidence.verdicts import Code
from releases.hotfixes.aside import Held, held_cells
from releases.hotfixes.listing import hotfix_count
from releases.live import OVERVIEW
from releases.policies import overview
from releases.policies.flow import FlowPolicy
from releases.policies.matrix_selectors import PERIODS, SIZES, Cell, Column, Group, Matrix, MatrixQuery, Row, matrix
from releases.policies.models import Target
from releases.policies.names import version_in
from releases.policies.selectors import fix_in_target
from releases.projects.models import Project
from releases.templatetags.dash import chip, icon

from . import links, live_part, words
from .access import get_project, may, open_to_visitors, require_any
from .evidence_acts import evidence_acts
from .evidence_context import evidence_context
from .gates import GateMark, gate_mark
from .kept import kept

HeldCells = dict[tuple[int, str, str], Held]
_SHA = re.compile(r"[0-9a-f]{7,64}\Z")
_SUBJECT = 220
"""Characters of a subject that a row shows."""
_SEGMENTS = (
    ("all", "All"), ("owed", "Owed"), ("confirm", "To confirm"), ("settled", "Settled"), ("waived", "Waived"),
    ("chores", "Chores"),
)  # fmt: skip
_SORTS = (("age", "Waiting longest"), ("live", "Live most recently"), ("ticket", "Ticket"))


@dataclass(frozen=True, slots=True)
class Place:
    """What a row needs to know of its project."""

    name: str
    slug: str


@dataclass(frozen=True, slots=True)
class Section:
    """A group of rows, as markup."""

    title: SafeString
    count: int
    rows: list[SafeString]


@open_to_visitors
@require_safe
def matrix_page(request: HttpRequest, slug: str) -> HttpResponse:
    """Fixes of one project by target branch; with `?cell=<fix>:<branch>` the evidence beside it."""
    project = get_project(request, slug)
    topics = live_part.of_project(project.pk)
    query = MatrixQuery.from_params(request.GET)
    opened = request.GET.get("cell", "")
    check = _check_url(request, "releases:project-check", slug)

    def heads(found: Matrix) -> list[dict[str, Any]]:
        gates = _gates(project)
        return [_head(request, column) | {"gate": gates.get(column.pk)} for column in found.columns]

    def context() -> dict[str, Any]:
        found = matrix([project.pk], query)
        facts = {"project": project, "live": topics, "checked_at": project.judged_at, "check_url": check}
        # Without filters it is known already what the Merge-back tab counts.
        owed = overview.owed_count(request.user, project) if query.narrowed else _nav_owed(found.columns)
        nav = {"nav_owed": owed, "nav_hotfixes": hotfix_count(request.user, project)}
        place = Place(project.name, project.slug)
        return _shared(request, found, {project.pk: place}, opened) | facts | {"nav": nav, "heads": heads(found)}

    # Verdicts change only together with the moment of judgement or the live version.
    key = (project.pk, project.name, project.judged_at, project.error_text, topics, request.get_full_path(), check)
    extra = {"project": project, "query": query, "production": FlowPolicy.from_data(project.policy).production}
    if request.headers.get("HX-Target") != "matrix":
        extra |= _drawer(request, project, opened, topics)
    return _answer(request, "releases/matrix.html", key, context, extra)


@open_to_visitors
@require_safe
def matrix_all(request: HttpRequest) -> HttpResponse:
    """The same over all projects that the person may see: targets differ, so each row lists its own."""
    topics = live_part.stamped(OVERVIEW)
    seen = Project.objects.seen_by(request.user).order_by("name")
    projects: list[Any] = list(seen.values_list("pk", "name", "slug", "judged_at", named=True))
    require_any(request, projects)
    params = request.GET.dict()
    params.setdefault("show", "owed")
    check = _check_url(request, "releases:check-all")

    def context() -> dict[str, Any]:
        found = matrix([project.pk for project in projects], MatrixQuery.from_params(params))
        places = {project.pk: Place(project.name, project.slug) for project in projects}
        checked = min((project.judged_at for project in projects if project.judged_at), default=None)
        nav = {"nav_owed": overview.owed_count(request.user), "nav_hotfixes": hotfix_count(request.user)}
        facts = {"live": topics, "checked_at": checked, "check_url": check, "nav": nav}
        return _shared(request, found, places, "", stacked=True) | facts

    return _answer(
        request, "releases/matrix_all.html", (projects, topics, request.get_full_path(), check), context,
        {"nav_projects": projects},
    )  # fmt: skip


def _answer(
    request: HttpRequest, page: str, key: object, context: Callable[[], dict[str, Any]], extra: dict[str, Any]
) -> HttpResponse:
    """The whole page, or its table when that asks for itself again."""
    part, nav = kept(request, "releases/_matrix.html", (key, get_script_prefix()), context, "nav")
    if request.headers.get("HX-Target") == "matrix":
        response = HttpResponse(part)
    else:
        response = render(request, page, {"tab": "matrix", "part": part, **nav, **extra})
    patch_vary_headers(response, ["HX-Target"])
    return response


def _check_url(request: HttpRequest, name: str, *args: str) -> str:
    """Where *Check now* posts to; empty for those who may not."""
    return reverse(name, args=args) if may(request, Act.CHECK) else ""


def _nav_owed(columns: Iterable[Column]) -> int:
    """What the Merge-back tab counts, known already on a page without filters."""
    return sum(column.owed for column in columns if column.kind in (Target.Kind.DEVELOP, Target.Kind.MAIN))


def _shared(
    request: HttpRequest, found: Matrix, places: dict[int, Place], opened: str, stacked: bool = False
) -> dict[str, Any]:
    """Everything that both pages show."""
    query, waits = found.query, held_cells(list(places))
    columns = {column.pk: column for column in found.columns}
    return {
        "matrix": found,
        "span": len(found.columns) + 1,
        "query": query,
        "segments": _segments(request, found),
        "sorts": _SORTS,
        "periods": PERIODS,
        "sizes": SIZES,
        "filtered": bool(query.author or query.target or query.days or query.sort != "age" or query.size != SIZES[0]),
        "target_choices": [column.branch for column in found.offered],
        "target_names": [column.branch for column in found.columns],
        "sections": [
            Section(
                _group_title(group, found.columns, stacked),
                count,
                [_row(row, columns, places, opened, stacked, waits) for row in rows],
            )
            for group, count, rows in found.groups
        ],
        "stacked": stacked,
        "here": request.get_full_path(),
        "earlier": _with(request, page=query.page - 1) if query.page > 1 else "",
        "later": _with(request, page=query.page + 1) if query.page < found.pages else "",
        "unfiltered": _with(request, q="", author="", days="", target="", page=""),
    }


def _with(request: HttpRequest, **changes: object) -> str:
    """This address with some parameters changed; empty ones and the open cell are dropped."""
    params = request.GET.dict() | {name: str(value) for name, value in changes.items()}
    params.pop("cell", None)
    kept = {name: value for name, value in params.items() if value}
    return f"{request.path}?{urlencode(kept)}" if kept else request.path


def _segments(request: HttpRequest, found: Matrix) -> list[dict[str, Any]]:
    return [
        {
            "label": label,
            "count": found.counts[show],
            "url": _with(request, show=show, page=""),
            "current": show == found.query.show,
        }
        for show, label in _SEGMENTS
        if show not in ("waived", "chores") or found.counts[show] or found.query.show == show
    ]


def _gates(project: Project) -> dict[int, GateMark]:
    """The regression gate of each open target; it does not depend on the filters."""
    hours, now = FlowPolicy.from_data(project.policy).sla_hours, timezone.now()
    rows = overview.debt([project.pk]).targets
    return {row.pk: gate_mark(overview.gate_of(row, hours, now)) for row in rows}


def _head(request: HttpRequest, column: Column) -> dict[str, Any]:
    says = column.says
    if column.planned_for:
        says = f"{says} {words.day(column.planned_for)}"
    return {
        "branch": column.branch,
        "says": says,
        "owed": column.owed,
        "confirm": column.confirm,
        "owed_url": _with(request, show="owed", target=column.branch, page=""),
        "confirm_url": _with(request, show="confirm", target=column.branch, page=""),
    }


def _group_title(group: Group, columns: list[Column], stacked: bool) -> SafeString:
    first = columns[0].branch if columns else ""
    if group is Group.FIRST:
        return escape("Owed to the next release" if stacked else f"Owed to {words.visible(first)}")
    if group is Group.ELSEWHERE:
        others = [column.branch for column in columns[1:]]
        if not stacked and len(others) == 1:
            return escape(f"Owed to {words.visible(others[0])} only")
        return escape("Owed to other branches only")
    return escape({Group.CONFIRM: "To confirm", Group.SETTLED: "Settled", Group.CHORES: "Chores, never owed"}[group])


def _row(
    row: Row, columns: dict[int, Column], places: dict[int, Place], opened: str, stacked: bool, waits: HeldCells
) -> SafeString:  # fmt: skip
    """One row; markup is put together here because a page has hundreds of cells."""
    place = places[row.project_id]
    address = links.fix(place.slug, row.key)
    shown = []
    for cell in row.cells:
        column = columns[cell.target_id]
        held = waits.get((row.project_id, row.key, column.branch))
        shown.append(_cell(cell, column, row.key, place.slug, opened, stacked, held, row.production_ref))
    cells = mark_safe("".join(shown))  # noqa: S308 - each cell escapes what it shows
    head = format_html(
        '<a class="ow-s" href="{}">{}</a><span class="ow-m">{}</span>',
        address, words.visible(_short(row.subject)), _facts(row, place if stacked else None),
    )  # fmt: skip
    if stacked:
        return format_html('<li class="mxa-r"><div class="mxa-f">{}</div><div class="mxa-c">{}</div></li>', head, cells)
    return format_html('<tr><th scope="row">{}</th>{}</tr>', head, cells)


def _short(subject: str) -> str:
    return subject if len(subject) <= _SUBJECT else subject[: _SUBJECT - 1] + "…"


def _facts(row: Row, place: Place | None) -> SafeString:
    parts = []
    if row.ticket:
        parts.append(format_html('<span class="tk">{}</span>', words.visible(row.ticket)))
    if place:
        parts.append(format_html('<a href="{}">{}</a>', links.matrix(place.slug), place.name))
    if row.shipped_in:
        parts.append(format_html('<span class="ref">{}</span>', words.visible(row.shipped_in)))
    if row.live_since:
        parts.append(
            format_html('<span class="nw">live {}</span>', words.duration(words.seconds_since(row.live_since)))
        )
    if row.security:
        parts.append(format_html('<span class="nw">{} Security</span>', icon("shield", "i--sm")))
    return mark_safe("".join(parts))  # noqa: S308 - every part is escaped


def _cell(
    cell: Cell, column: Column, key: str, slug: str, opened: str, stacked: bool, held: Held | None,
    lives_on: str,
) -> str:  # fmt: skip
    """A verdict as a link to its evidence; the branch in it shows where cells are not in columns."""
    branch = f'<span class="mx-b">{escape(words.visible(column.branch))}</span>'
    if not cell.code:
        inner = f'<span class="mx-c">{branch}<span class="mx-d">{_unjudged(column, lives_on)}</span></span>'
    else:
        current = ' is-open" aria-current="true' if opened == f"{key}:{column.branch}" else ""
        inner = (
            f'<a class="mx-c{current}" href="{escape(links.evidence(slug, key, column.branch))}">'
            f"{branch}{chip(cell.code, cell.settled)}{_held(held) if held else _detail(cell)}</a>"
        )
    return inner if stacked else f"<td>{inner}</td>"


def _unjudged(column: Column, lives_on: str) -> str:
    """Why there is no verdict: nobody asks about the fix's own line, nor about older ones."""
    if column.branch == lives_on:
        return "lives here"
    here, line = version_in(column.branch), version_in(lives_on)
    if column.kind == Target.Kind.SUPPORT and here and line and here < line:
        return "older line"
    return "not judged yet"


def _held(held: Held) -> str:
    """The second line of a cell that waits on a branch of its own."""
    name = f'<span class="mx-h">{escape(words.visible(held.branch))}</span>'
    if held.waits:
        return f'<span class="mx-d">waiting for {name} to be merged in the forge</span>'
    return f'<span class="mx-d">{name} {escape(words.visible(held.stale))}</span>'


def _detail(cell: Cell) -> str:
    """The second line of a cell; an object id stands short and in the mono face."""
    if _SHA.match(cell.detail):
        by = "by " if cell.code == Code.REVERTED else ""
        return f'<span class="mx-d">{by}<span class="mx-sha">{cell.detail[:7]}</span></span>'
    return f'<span class="mx-d">{escape(words.visible(cell.detail))}</span>' if cell.detail else ""


def _drawer(request: HttpRequest, project: Project, opened: str, topics: str) -> dict[str, Any]:
    """What the evidence drawer shows, when a cell is open."""
    key, found, branch = opened.partition(":")
    shown = fix_in_target(project, key, branch) if found else None
    if shown is None:
        return {}
    return evidence_context(shown) | evidence_acts(request, shown) | {"close": _with(request), "live": topics}
