"""Addresses of drills, built without resolving."""

from __future__ import annotations

from django.urls import get_script_prefix


def drills(slug: str = "") -> str:
    """All drills of a project, or what is due in all of them."""
    prefix = get_script_prefix()
    return f"{prefix}projects/{slug}/drills/" if slug else f"{prefix}drills/"


def start(slug: str) -> str:
    return f"{drills(slug)}new/"


def interval(slug: str) -> str:
    return f"{drills(slug)}interval/"


def drill(pk: int) -> str:
    return f"{get_script_prefix()}drills/{pk}/"


def act(pk: int, verb: str) -> str:
    """Where something is done to a drill."""
    return f"{drill(pk)}{verb}/"
