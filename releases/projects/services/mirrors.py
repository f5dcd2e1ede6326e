"""Where a project's mirror and its cached facts lie on this worker's disk."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from ..models import Project


def mirror_folder(project: Project) -> Path:
    """The bare mirror; named by key and not by name, so that renaming a project moves nothing."""
    return Path(settings.MIRROR_DIR) / f"{project.pk}.git"


def facts_file(project: Project) -> Path:
    """The facts about this project's commits; losing the file costs only time."""
    return Path(settings.EVIDENCE_DIR) / f"{project.pk}.sqlite3"
