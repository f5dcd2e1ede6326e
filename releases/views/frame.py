"""What stands around every page: tabs, project switcher, theme."""

from __future__ import annotations

from functools import cached_property, lru_cache
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.urls import get_script_prefix, reverse
from django.utils.html import escape, format_html, format_html_join
from django.utils.http import urlencode
from django.utils.safestring import SafeString, mark_safe

from hotfixdash.accounts.roles import Act
from releases import live
from releases.hotfixes.listing import hotfix_count
from releases.policies import overview
from releases.projects.models import Project

from . import links, strips, waiting, words
from .access import get_project, may
from .icons import icon
from .tabs import COUNTS, OF_DRILLS, OF_OTHERS

REST = ("incidents", "postmortems", "drills", "releases", "projects")
"""Tabs for which the bar of a phone has no room."""
ROOM = {"overview": 0, "matrix": 0, "hotfixes": 0, "incidents": 0, "postmortems": 1, "deploys": 1}
"""Tabs in the header, where it is shown: 0 always, 1 on wide screens. All others stand behind "More" there."""
NEVER = 2
SWITCHER = 12
"""Projects offered in the header; the others are on the projects page."""


@lru_cache(maxsize=256)
def _address(name: str, prefix: str) -> str:
    return reverse(name)


def address(name: str) -> str:
    """The address of a page that takes no arguments, resolved once."""
    return _address(name, get_script_prefix())


class Frame:
    """Read by base.html. Everything is looked up when it is asked for, once per page, and built without templates:
    it stands around every page, and links in it are many.

    `fresh` counts anew what is otherwise kept for a moment.

    A view may hand over what it knows already: `project` (the one the page is about), `nav_projects`
    (rows with `name` and `slug`, by name, one more than is shown when there are more), `nav_owed` (fixes owed),
    `nav_hotfixes` (tickets on which something is left to do) and `nav_waiting` (what waits for the person).
    """

    def __init__(self, context: Any, *, fresh: bool = False) -> None:
        self.context = context
        self._fresh = fresh
        self.request: HttpRequest | None = context.get("request")
        self.url = address

    @cached_property
    def theme(self) -> str:
        theme = self.request.COOKIES.get("theme", "") if self.request else ""
        return theme if theme in ("light", "dark") else ""

    @cached_property
    def project(self) -> Project | None:
        project = self.context.get("project")
        return project if getattr(project, "slug", None) else None

    @cached_property
    def _projects(self) -> list[tuple[str, str]]:
        """Name and slug of the first projects by name that this person may see."""
        given = self.context.get("nav_projects")
        if given is not None:
            rows = given[: SWITCHER + 1]
            return [(row["name"], row["slug"]) if isinstance(row, dict) else (row.name, row.slug) for row in rows]
        if self.request is None:
            return []
        seen = Project.objects.seen_by(self.request.user).order_by("name")
        return list(seen.values_list("name", "slug")[: SWITCHER + 1])

    @cached_property
    def owed(self) -> int:
        given = self.context.get("nav_owed")
        if given is not None:
            return int(given)
        if self.request is None:
            return 0
        return overview.owed_count(self.request.user, self.project)

    @cached_property
    def hotfixes(self) -> int:
        given = self.context.get("nav_hotfixes")
        if given is not None:
            return int(given)
        return 0 if self.request is None else hotfix_count(self.request.user, self.project)

    @cached_property
    def _stirs(self) -> bool:
        """Whether anything waits for anybody; without it neither count nor notice are looked for."""
        request = self.request
        return request is not None and request.user.is_authenticated and waiting.stirs(request.user)

    @cached_property
    def waiting(self) -> int:
        """What waits for this person."""
        given = self.context.get("nav_waiting")
        if given is not None:
            return int(given)
        return waiting.count(self.request.user, fresh=self._fresh) if self.request and self._stirs else 0

    @property
    def bell(self) -> SafeString:
        """The bell with its count; for signed-in people."""
        number = self.waiting
        here = ' aria-current="page"' if self.context.get("tab") == "waiting" else ""
        said = f"{words.plural(number, 'thing waits', 'things wait')} for you" if number else "Nothing waits for you"
        count = f'<span class="count count--you" aria-hidden="true">{min(number, 99)}</span>' if number else ""
        url = address("releases:waiting")
        return mark_safe(  # noqa: S308 - words and addresses of our own
            f'<a class="icon-btn" href="{url}" aria-label="{said}"{here}>{icon("bell")}{count}</a>'
        )

    @cached_property
    def glass(self) -> SafeString:
        """The notice on every page while a broken glass was not looked at."""
        found = waiting.broken(self.request.user) if self.request and self._stirs else None
        if found is None:
            return SafeString("")
        return SafeString(render_to_string("parts/glass.html", {"glass": found}))

    @cached_property
    def drill(self) -> SafeString:
        """The banner on every page of a drill's copy; nothing on others."""
        project = self.project
        if not getattr(project, "is_drill", False) or project is None or project.drill_of is None:
            return SafeString("")
        url = f"{get_script_prefix()}{OF_DRILLS[0]}{project.slug}/" if OF_DRILLS else ""
        return SafeString(render_to_string("parts/drill.html", {"real": project.drill_of.name, "url": url}))

    @cached_property
    def may_manage(self) -> bool:
        return self.request is not None and may(self.request, Act.MANAGE)

    @cached_property
    def may_hotfix(self) -> bool:
        return self.request is not None and may(self.request, Act.HOTFIX)

    @property
    def new_hotfix(self) -> str:
        """Where a hotfix is opened, in the scope that the page is in."""
        return links.hotfix_new(self.project.slug if self.project else "")

    @cached_property
    def switcher(self) -> SafeString:
        """Links to the overviews."""
        base, current = address("releases:projects"), self.project.slug if self.project else ""
        here = ' aria-current="true"'
        parts = [f'<a href="{address("releases:overview")}"{"" if current else here}>All projects</a>']
        parts += [
            f'<a href="{base}{slug}/"{here if slug == current else ""}>{escape(name)}</a>'
            for name, slug in self._projects[:SWITCHER]
        ]
        if len(self._projects) > SWITCHER:
            parts.append(f'<a class="menu-end" href="{base}">More projects</a>')
        return mark_safe("".join(parts))  # noqa: S308 - slugs hold no markup, names are escaped

    def _rows(self) -> list[tuple[str, str, str, str, int]]:
        """Key, label, icon, address and count of every tab, in the scope that the page is in."""
        base = f"{address('releases:projects')}{self.project.slug}/" if self.project else get_script_prefix()
        return [
            ("overview", "Overview", "layout-dashboard", base, 0),
            ("matrix", "Merge-back", "git-merge", f"{base}merge-back/", self.owed),
            ("hotfixes", "Hotfixes", "git-branch", f"{base}hotfixes/", self.hotfixes),
            *((key, label, name, f"{base}{path}", self._others[key]) for key, label, name, path in OF_OTHERS),
            ("deploys", "Deploys", "rocket", f"{base}deploys/", 0),
            ("releases", "Releases", "tag", f"{base}releases/", 0),
            ("projects", "Projects", "list", address("releases:projects"), 0),
        ]

    @cached_property
    def _others(self) -> dict[str, int]:
        """What the tabs of other apps count."""
        person = self.request.user if self.request else None
        known = {key: COUNTS[key] for key, *_ in OF_OTHERS if key in COUNTS and person is not None}
        counts = {key: strips.counted(name, person, self.project, self._fresh) for key, name in known.items()}
        return {key: counts.get(key, 0) for key, *_ in OF_OTHERS}

    def _current(self, key: str) -> str:
        return ' aria-current="page"' if key == self.context.get("tab") else ""

    @cached_property
    def live(self) -> SafeString:
        """Attributes by which the tabs ask for their counts again; none for visitors, who see no counts that move."""
        if self.request is None or not self.request.user.is_authenticated:
            return SafeString("")
        topic = live.project_topic(self.project.pk) if self.project else live.OVERVIEW
        topic = f"{topic} {live.WAITING}"
        asked = urlencode({"project": self.project.slug if self.project else "", "tab": self.context.get("tab") or ""})
        return format_html(
            'data-live="{}" hx-get="{}?{}" hx-trigger="live" hx-swap="morph:innerHTML"',
            topic, address("releases:tabs"), asked,
        )  # fmt: skip

    @cached_property
    def tabs(self) -> SafeString:
        """The tabs of a wide screen, as many as fit there."""
        rows = [row for row in self._rows() if _room(row[0]) < NEVER]
        return mark_safe(  # noqa: S308 - words and addresses of our own
            "".join(
                f'<a class="t-{_room(key)}" href="{url}"{self._current(key)}>{label}{_count(key, count, " ")}</a>'
                for key, label, _icon, url, count in rows
            )
        )

    @cached_property
    def more(self) -> SafeString:
        """What a wide screen has no room for; what does stand in its header is hidden here."""
        rows = [row for row in self._rows() if _room(row[0])]
        return mark_safe(  # noqa: S308 - words and addresses of our own
            "".join(
                f'<a class="m-{_room(key)}" href="{url}"{self._current(key)}>{icon(name, "i--sm")} {label}</a>'
                for key, label, name, url, _count in rows
            )
        )

    @property
    def room(self) -> int:
        """How much room the page's own tab needs; 0 when it has none."""
        tab = self.context.get("tab")
        return _room(tab) if any(tab == key for key, *_ in self._rows()) else 0

    @cached_property
    def bottom(self) -> SafeString:
        """The bar of a phone: four with their counts; the others stand behind "More"."""
        rows = [row for row in self._rows() if row[0] not in REST]
        return mark_safe(  # noqa: S308 - words and addresses of our own
            "".join(
                f'<a href="{url}"{self._current(key)}><span class="bn-i">{icon(name, "i--lg")}'
                f"{_count(key, count)}</span>{label}</a>"
                for key, label, name, url, count in rows
            )
        )

    @property
    def rest(self) -> SafeString:
        """What stands behind "More" in the bar of a phone."""
        rows = [row for row in self._rows() if row[0] in REST]
        rows.append(("search", "Search", "search", address("releases:search"), 0))
        return mark_safe(  # noqa: S308 - words and addresses of our own
            "".join(
                f'<a href="{url}"{self._current(key)}>{icon(name, "i--sm")} {label}</a>'
                for key, label, name, url, _count in rows
            )
        )


def _room(key: str) -> int:
    return ROOM.get(key, NEVER)


def tabs(request: HttpRequest) -> HttpResponse:
    """The counts in the tabs of a wide screen, and out of band those of a phone, for pages that are open."""
    slug = request.GET.get("project", "")
    context = {"request": request, "tab": request.GET.get("tab", ""), "project": None}
    if slug:
        context["project"] = get_project(request, slug)
    frame = Frame(context, fresh=True)
    parts = [("tabs-m", "bn-t", frame.bottom), ("glass", "", frame.glass)]
    if request.user.is_authenticated:
        parts.append(("bell", "bell", frame.bell))
    # Each element as a whole, as the page has it: with the morph extension "innerHTML" would nest it in itself.
    beside = format_html_join("", '<div id="{}" class="{}" hx-swap-oob="morph">{}</div>', parts)
    return HttpResponse(format_html("{}{}", frame.tabs, beside))


def _count(key: str, number: int, before: str = "") -> str:
    css = "count count--owed" if key == "matrix" else "count"
    return f'{before}<span class="{css}">{number}</span>' if number else ""
