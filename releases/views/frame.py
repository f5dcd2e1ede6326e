"""What stands around every page: tabs, project switcher, theme."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse

from hotfixdash.accounts.roles import Act
from releases.policies import overview
from releases.projects.models import Project

from .access import may

SWITCHER = 12
"""Projects offered in the header; the others are on the projects page."""


@dataclass(frozen=True, slots=True)
class Tab:
    label: str
    icon: str
    url: str
    current: bool
    count: int = 0


class Frame:
    """Read by base.html. Everything is looked up when it is asked for, once per page.

    A view may hand over what it knows already: `project` (the one the page is about), `nav_projects`
    (rows with `name` and `slug`, by name) and `nav_owed` (fixes owed).
    """

    def __init__(self, context: Any) -> None:
        self.context = context
        self.request: HttpRequest | None = context.get("request")

    @cached_property
    def theme(self) -> str:
        theme = self.request.COOKIES.get("theme", "") if self.request else ""
        return theme if theme in ("light", "dark") else ""

    @cached_property
    def project(self) -> Project | None:
        project = self.context.get("project")
        return project if getattr(project, "slug", None) else None

    @cached_property
    def projects(self) -> list[Any]:
        """The first projects by name that this person may see."""
        given = self.context.get("nav_projects")
        if given is not None:
            return list(given[: SWITCHER + 1])
        if self.request is None:
            return []
        seen = Project.objects.seen_by(self.request.user).order_by("name")
        return list(seen.values("name", "slug")[: SWITCHER + 1])

    @cached_property
    def switcher(self) -> list[Any]:
        return self.projects[:SWITCHER]

    @cached_property
    def more_projects(self) -> bool:
        return len(self.projects) > SWITCHER

    @cached_property
    def owed(self) -> int:
        given = self.context.get("nav_owed")
        if given is not None:
            return int(given)
        if self.request is None:
            return 0
        return overview.owed_count(self.request.user, self.project)

    @cached_property
    def may_manage(self) -> bool:
        return self.request is not None and may(self.request, Act.MANAGE)

    @cached_property
    def tabs(self) -> list[Tab]:
        """Only the pages that exist, in the scope the visitor is in."""
        rows = [
            ("overview", "Overview", "layout-dashboard", "overview", "project-overview", 0),
            ("matrix", "Merge-back", "git-merge", "matrix-all", "matrix", self.owed),
            ("releases", "Releases", "tag", "releases-all", "releases", 0),
            ("projects", "Projects", "list", "projects", "", 0),
        ]
        current = self.context.get("tab", "")
        tabs = []
        for key, label, icon, everywhere, inside, count in rows:
            url = self._url(everywhere, inside)
            if url:
                tabs.append(Tab(label, icon, url, key == current, count))
        return tabs

    def _url(self, everywhere: str, inside: str) -> str:
        try:
            if self.project and inside:
                return reverse(f"releases:{inside}", args=[self.project.slug])
            return reverse(f"releases:{everywhere}")
        except NoReverseMatch:
            return ""
