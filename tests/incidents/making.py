"""Rows of incidents, with ordinary values unless told otherwise."""

from __future__ import annotations

from typing import Any

from incidents.response.components import component_save
from incidents.response.models import Component, Incident
from incidents.response.services import incident_declare
from releases.hotfixes.models import Hotfix
from releases.hotfixes.stages import Stage, StageKey, StageState
from releases.projects.models import Project


def make_component(project: Project, name: str = "Card payments", **fields: Any) -> Component:
    return component_save(project, name, **fields)


def make_incident(project: Project, title: str = "Card payments fail", **fields: Any) -> Incident:
    return incident_declare(project, title, **fields)


def make_hotfix(project: Project, key: str = "TICKET-7", **fields: Any) -> Hotfix:
    return Hotfix.objects.create(project=project, key=key, **({"title": "Send the timeout in milliseconds"} | fields))


def reached(**states: str) -> list[dict[str, Any]]:
    """Stages as data; those named have that state, by key with underscores: merge_back="owed"."""
    return [
        Stage(key, StageState(states.get(key.value.replace("-", "_"), "todo")), at=1_000_000.0).as_data()
        for key in StageKey
    ]
