"""What pages of releases show of drills: when a project was drilled last, and when the next one is due."""

from __future__ import annotations

from collections.abc import Sequence

from django.template.loader import render_to_string

from incidents.drills.selectors import dues
from releases.projects.models import Project

from . import drill_links as links


def on_overview_side(pks: Sequence[int], project: Project | None) -> str:
    """On the overview of one project; those of all projects stand on the page of drills."""
    if project is None or project.is_drill:
        return ""
    due = dues([project])[0]
    context = {
        "due": due, "url": links.drills(project.slug), "running_url": links.drill(due.running) if due.running else ""
    }  # fmt: skip
    return str(render_to_string("incidents/_drill_strip.html", context))
