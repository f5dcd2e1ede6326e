"""What other apps tell in the demo, and the pages of theirs that are printed; they register as they start.

Every command loads this: it imports no models.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.module_loading import import_string

if TYPE_CHECKING:
    from releases.projects.models import Project

STORIES: list[str] = []
"""Dotted paths of `(projects) -> None`: called when the demo's own tickets are there, and again by every further run,
which must find nothing left to do."""
PUBLIC_PAGES: list[str] = []
"""Dotted paths of `() -> list[tuple[str, str]]`: label and path of what everybody may open without signing in."""


def others_tell(projects: list[Project]) -> None:
    """Let every other app tell its part of the demo."""
    for path in STORIES:
        import_string(path)(projects)


def public_pages() -> list[tuple[str, str]]:
    """Label and path of each page of the demo that is for everybody and there now."""
    return [page for path in PUBLIC_PAGES for page in import_string(path)()]
