"""Addresses of post-mortems, built without resolving."""

from __future__ import annotations

from urllib.parse import urlencode

from django.urls import get_script_prefix


def library(slug: str = "", **query: str) -> str:
    """The list, of one project or of all."""
    prefix = get_script_prefix()
    path = f"{prefix}projects/{slug}/postmortems/" if slug else f"{prefix}postmortems/"
    return f"{path}?{urlencode(query)}" if query else path


def actions(**query: str) -> str:
    """Every action item."""
    path = f"{get_script_prefix()}postmortems/actions/"
    return f"{path}?{urlencode(query)}" if query else path


def words() -> str:
    """The wordings that are hinted at."""
    return f"{get_script_prefix()}postmortems/words/"


def opening(slug: str = "", **query: str) -> str:
    """Where one is opened by hand."""
    path = f"{get_script_prefix()}projects/{slug}/postmortems/new/"
    return f"{path}?{urlencode(query)}" if query else path


def document(key: str, part: str = "") -> str:
    """The document; `part` is where on its page."""
    path = f"{get_script_prefix()}postmortems/{key}/"
    return f"{path}#{part}" if part else path


def reading(key: str) -> str:
    """The document to be read and printed."""
    return f"{document(key)}read/"


def export(key: str) -> str:
    """The document as Markdown."""
    return f"{document(key)}export.md"


def part(key: str, part_key: str) -> str:
    """Where a part is saved."""
    return f"{document(key)}parts/{part_key}/"


def history(key: str, part_key: str, **query: str) -> str:
    """What a part was before."""
    path = f"{document(key)}parts/{part_key}/history/"
    return f"{path}?{urlencode(query)}" if query else path


def act(key: str, verb: str, **query: str) -> str:
    """Where something is done to a document."""
    path = f"{document(key)}{verb}/"
    return f"{path}?{urlencode(query)}" if query else path
