"""Addresses of incidents, built without resolving."""

from __future__ import annotations

from urllib.parse import urlencode

from django.urls import get_script_prefix


def incidents(slug: str = "", **query: str) -> str:
    """The list, of one project or of all."""
    prefix = get_script_prefix()
    path = f"{prefix}projects/{slug}/incidents/" if slug else f"{prefix}incidents/"
    return f"{path}?{urlencode(query)}" if query else path


def incident(key: str) -> str:
    return f"{get_script_prefix()}incidents/{key}/"


def act(key: str, verb: str, **query: str) -> str:
    """Where something is done to an incident."""
    path = f"{get_script_prefix()}incidents/{key}/{verb}/"
    return f"{path}?{urlencode(query)}" if query else path


def declare(slug: str = "", **query: str) -> str:
    path = f"{get_script_prefix()}projects/{slug}/incidents/new/" if slug else f"{get_script_prefix()}incidents/new/"
    return f"{path}?{urlencode(query)}" if query else path


def status(slug: str) -> str:
    """A status page."""
    return f"{get_script_prefix()}status/{slug}/"
