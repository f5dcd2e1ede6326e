"""Start-up checks: each says what is wrong and what to do about it. `manage.py check --deploy` asks for more."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import DatabaseError

from hotfixdash.supervisor.addresses import is_loopback
from hotfixdash.supervisor.broker import answers
from releases.git.errors import GitError
from releases.git.runner import check_version

SHORTEST_KEY = 40
FEWEST_CHARACTERS = 10
FREE_BYTES = 1 << 30

Configs = Sequence[AppConfig] | None


@register()
def git_is_new_enough(app_configs: Configs, **kwargs: Any) -> list[CheckMessage]:
    """hotfixdash.E001"""
    try:
        check_version()
    except GitError as problem:
        hint = "Install git 2.38 or newer: on Debian 12, `apt-get install git`."
        return [Error(str(problem) or "git is not installed.", hint=hint, id="hotfixdash.E001")]
    return []


@register()
def data_folder_is_usable(app_configs: Configs, **kwargs: Any) -> list[CheckMessage]:
    """hotfixdash.E002, W003"""
    folder = Path(settings.DATA_DIR)
    hint = f"Everything lies below DATA_DIR ({folder}). Make it writable for this user, or set DATA_DIR."
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".write-test-"):
            pass
    except OSError as problem:
        return [Error(f"{folder} cannot be written to: {problem.strerror}.", hint=hint, id="hotfixdash.E002")]
    free = shutil.disk_usage(folder).free
    if free < FREE_BYTES:
        words = f"Only {free >> 20} MB are free below {folder}."
        return [Warning(words, hint="Mirrors need room: free some, or move DATA_DIR.", id="hotfixdash.W003")]
    return []


def _reachable() -> bool:
    return not is_loopback(settings.HOST) or settings.HTTPS


def _is_weak(key: str) -> bool:
    return len(key) < SHORTEST_KEY or len(set(key)) < FEWEST_CHARACTERS or key.startswith("django-insecure")


@register(Tags.security)
def secret_is_kept(app_configs: Configs, **kwargs: Any) -> list[CheckMessage]:
    """hotfixdash.E004, E005, W005"""
    given = os.environ.get("SECRET_KEY", "")
    hint = "Make one: python3 -c 'import secrets; print(secrets.token_urlsafe(50))' and set SECRET_KEY to it."
    if not given:
        if _reachable() and not settings.BROKER_EMBEDDED:
            return [
                Error(
                    "SECRET_KEY is not set, and this installation may run on several machines: each would sign with "
                    "a key of its own.",
                    hint=hint,
                    id="hotfixdash.E004",
                )
            ]
        return []
    if not _is_weak(given):
        return []
    kind = Error if _reachable() else Warning
    words = f"SECRET_KEY is too short or too regular: {SHORTEST_KEY} characters at least."
    return [kind(words, hint=hint, id="hotfixdash.E005" if _reachable() else "hotfixdash.W005")]


@register(Tags.security)
def debug_is_off(app_configs: Configs, **kwargs: Any) -> list[CheckMessage]:
    """hotfixdash.E006"""
    if settings.DEBUG and _reachable():
        return [
            Error(
                f"DEBUG is on while others can reach the dashboard (HOST={settings.HOST}): error pages would show "
                "settings and code.",
                hint="Leave DEBUG unset, or HOST at 127.0.0.1.",
                id="hotfixdash.E006",
            )
        ]
    return []


@register(Tags.security)
def hosts_are_named(app_configs: Configs, **kwargs: Any) -> list[CheckMessage]:
    """hotfixdash.W007, W008"""
    found: list[CheckMessage] = []
    if "*" in settings.ALLOWED_HOSTS and _reachable():
        words = "ALLOWED_HOSTS accepts any name: links in messages could point anywhere."
        found.append(Warning(words, hint="Name the host that people type.", id="hotfixdash.W007"))
    if _reachable() and "ALLOWED_HOSTS" not in os.environ:
        words = f"Others can reach the dashboard (HOST={settings.HOST}), but ALLOWED_HOSTS names only this machine."
        hint = "Set ALLOWED_HOSTS to the names that people type, separated by commas."
        found.append(Warning(words, hint=hint, id="hotfixdash.W008"))
    return found


@register(Tags.security, deploy=True)
def transport_is_safe(app_configs: Configs, **kwargs: Any) -> list[CheckMessage]:
    """hotfixdash.W009"""
    if not is_loopback(settings.HOST) and not settings.HTTPS:
        words = "Passwords and cookies travel in the clear."
        hint = "Put a TLS proxy in front, then set HTTPS=1 and TRUSTED_PROXIES to its address."
        return [Warning(words, hint=hint, id="hotfixdash.W009")]
    return []


@register(deploy=True)
def broker_answers(app_configs: Configs, **kwargs: Any) -> list[CheckMessage]:
    """hotfixdash.W010"""
    if answers(settings.REDIS_URL):
        return []
    if settings.BROKER_EMBEDDED:
        hint = (
            "`manage.py serve` starts it; without it pages work, but nothing is fetched and nothing updates by itself."
        )
    else:
        hint = "Check REDIS_URL and that the server runs. Pages work without it, but nothing is fetched."
    return [Warning("The broker does not answer.", hint=hint, id="hotfixdash.W010")]


@register(deploy=True)
def database_is_shared(app_configs: Configs, **kwargs: Any) -> list[CheckMessage]:
    """hotfixdash.W011"""
    if settings.DATABASES["default"]["ENGINE"].endswith("sqlite3") and not settings.BROKER_EMBEDDED:
        words = "REDIS_URL is set but DATABASE_URL is not: workers on other machines would not see the database."
        hint = "Fine on one machine. On several, use PostgreSQL through DATABASE_URL."
        return [Warning(words, hint=hint, id="hotfixdash.W011")]
    return []


@register(Tags.database)
def demo_accounts_are_closed(app_configs: Configs, **kwargs: Any) -> list[CheckMessage]:
    """hotfixdash.W012; runs only when the database is checked too."""
    if settings.DEMO_LOGINS_ALLOWED or not kwargs.get("databases"):
        return []
    from hotfixdash.accounts.models import User

    try:
        names = list(User.objects.filter(is_demo=True, is_active=True).values_list("username", flat=True))
    except DatabaseError:
        return []
    if not names:
        return []
    words = f"Demo accounts with public passwords exist: {', '.join(names)}. They are refused here."
    return [Warning(words, hint="Remove them: manage.py account disable NAME.", id="hotfixdash.W012")]
