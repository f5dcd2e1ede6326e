"""The colour theme: a cookie that the server renders, so that no script runs before the first paint."""

from __future__ import annotations

from django.http import HttpRequest

COOKIE = "theme"
AUTO = "auto"
THEMES = (AUTO, "light", "dark")
YEAR_SECONDS = 365 * 24 * 3600


def theme_of(request: HttpRequest) -> str:
    """`light`, `dark`, or `auto` (the system decides), also when the cookie says anything else."""
    chosen = request.COOKIES.get(COOKIE, AUTO)
    return chosen if chosen in THEMES else AUTO


def theme(request: HttpRequest) -> dict[str, str]:
    """Context processor: `theme` for `<html data-theme>`."""
    return {"theme": theme_of(request)}
