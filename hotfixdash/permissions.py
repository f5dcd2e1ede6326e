"""What whoever holds a session may follow: asked of the database for the routes beside Django, in threads of theirs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest

from releases.live import OVERVIEW, WAITING, project_topic, run_topic

from .held import held_connection


@dataclass(frozen=True, slots=True)
class Seen:
    """What a session may follow, and whether it is that of somebody who may do something to a run."""

    topics: set[str]
    may_act: bool


def seen_by(session_key: str, topics: tuple[str, ...]) -> Seen:
    """Of the topics, those that whoever holds this session (or a visitor without one) may follow."""
    from releases.deploys.models import Run
    from releases.projects.models import Project
    from releases.views.deploy_page import ACTS

    with held_connection():
        request = HttpRequest()
        request.session = import_module(settings.SESSION_ENGINE).SessionStore(session_key or None)
        user = get_user(request)
        visible = Project.objects.open_to(user)
        projects, runs = _numbers(topics, "project"), _numbers(topics, "run")
        allowed: set[str] = set()
        if projects:
            allowed |= {project_topic(pk) for pk in visible.filter(pk__in=projects).values_list("pk", flat=True)}
        if runs:
            seen = Run.objects.filter(pk__in=runs, project__in=visible)
            allowed |= {run_topic(pk) for pk in seen.values_list("pk", flat=True)}
        allowed |= _of_incidents(topics, user, visible)
        if OVERVIEW in topics and (user.is_authenticated or visible.exists()):
            allowed.add(OVERVIEW)
        if WAITING in topics and user.is_authenticated:
            allowed.add(WAITING)
        return Seen(allowed, user.is_authenticated and any(user.may(act) for act in ACTS))


def _of_incidents(topics: tuple[str, ...], user: Any, visible: Any) -> set[str]:
    """Topics of incidents and post-mortems: the ones follow their project, the others are for signed-in people."""
    from incidents.models import Incident, PostMortem

    allowed: set[str] = set()
    incidents, documents = _numbers(topics, "incident"), _numbers(topics, "postmortem")
    if incidents:
        seen = Incident.objects.filter(pk__in=incidents, project__in=visible)
        allowed |= {f"incident:{pk}" for pk in seen.values_list("pk", flat=True)}
    if documents and user.is_authenticated:
        known = PostMortem.objects.filter(pk__in=documents, project__in=visible)
        allowed |= {f"postmortem:{pk}" for pk in known.values_list("pk", flat=True)}
    return allowed


def _numbers(topics: Iterable[str], kind: str) -> list[int]:
    split = (topic.partition(":") for topic in topics)
    return [int(number) for name, _, number in split if name == kind]
