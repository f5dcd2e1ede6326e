"""Addresses that lists need many of, built once per page instead of resolved per row."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from django.urls import get_script_prefix


def _under(slug: str, rest: str) -> str:
    return f"{get_script_prefix()}projects/{slug}/{rest}"


def fix(slug: str, key: str) -> str:
    return _under(slug, f"fixes/{key}/")


def evidence(slug: str, key: str, branch: str) -> str:
    return _under(slug, f"fixes/{key}/in/{quote(branch)}/")


def release(slug: str, tag: str) -> str:
    return _under(slug, f"releases/{quote(tag)}/")


def matrix(slug: str = "", **query: str) -> str:
    """The matrix of one project, or of all; `show` and `target` narrow it."""
    path = _under(slug, "merge-back/") if slug else f"{get_script_prefix()}merge-back/"
    return f"{path}?{urlencode(query)}" if query else path
