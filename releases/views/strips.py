"""Parts of pages that other apps draw; this app knows none of them. Every command loads this: it imports nothing heavy.

An app adds the dotted path of a function as it starts (as with tabs.py); the function is imported when a page asks for
it first. What it returns is markup that it made itself, safe as it stands, or nothing.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from django.utils.module_loading import import_string
from django.utils.safestring import SafeString, mark_safe

ON_OVERVIEW: list[str] = []
"""`(pks, project)`: above the answer, over the whole width. `pks` are the projects that the page is about, all of which
its reader may see, `project` the one that it is about alone, or None. The part is kept for everybody who sees the same
projects: nothing personal goes in."""
ON_OVERVIEW_SIDE: list[str] = []
"""The same, for a section of the side."""
ON_OVERVIEW_INSIDE: list[str] = []
"""The same as the side, for those alone who work on hotfixes."""
ON_HOTFIX: list[str] = []
"""`(request, hotfix)`: buttons in the head of a hotfix's page."""

_imported = cache(import_string)


def drawn(names: list[str], *about: Any) -> SafeString:
    """What these functions say about it, one after the other."""
    return mark_safe("".join(_imported(name)(*about) for name in names))  # noqa: S308 - markup, by the contract above


def counted(name: str, *about: Any) -> int:
    """A number by such a function."""
    return int(_imported(name)(*about))
