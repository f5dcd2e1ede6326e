"""Two who change how a project is shipped at the same moment, by threads with connections of their own."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from django.db import connection

from releases.deploys.applying import project_apply
from releases.deploys.drafting import draft_change, draft_of, draft_save, step_put
from releases.deploys.environment_services import environment_add, environments_of, shipping_set_up
from releases.deploys.models import Environment, Pipeline, PipelineDraft
from releases.deploys.settings_services import SettingsRefused, pipeline_save
from releases.deploys.spec import PipelineSpec, StepKind, StepSpec
from releases.ledger.models import Event
from tests.factories import make_project

pytestmark = pytest.mark.django_db(transaction=True)
ROUNDS = 4
"""So often each race is run: who comes first changes."""


def at_once(*works: Callable[[], Any]) -> list[Any]:
    """What each gave, or how it was refused; all begun together."""
    start = threading.Barrier(len(works))
    found: list[Any] = [None] * len(works)

    def one(number: int, work: Callable[[], Any]) -> None:
        try:
            start.wait(10)
            found[number] = work()
        except SettingsRefused as refusal:
            found[number] = refusal
        finally:
            connection.close()

    threads = [threading.Thread(target=one, args=pair) for pair in enumerate(works)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return found


def spec(name: str) -> PipelineSpec:
    return PipelineSpec(steps=(StepSpec(name, StepKind.CHECK, "true"),))


def test_of_two_edits_of_one_version_one_is_kept() -> None:
    for turn in range(ROUNDS):
        project = make_project(f"edits-{turn}")
        pipeline_save(project, spec("First"))
        found = at_once(*(partial(pipeline_save, project, spec(name), after=1) for name in ("Mine", "Yours")))
        assert sorted(isinstance(each, SettingsRefused) for each in found) == [False, True]
        assert list(Pipeline.objects.filter(project=project).values_list("version", flat=True)) == [2, 1]
        assert Event.objects.filter(project=project, kind="pipeline.saved").count() == 2


def test_of_two_changes_of_one_draft_one_is_taken() -> None:
    for turn in range(ROUNDS):
        project = make_project(f"draft-{turn}")
        shipping_set_up(project)
        stamp = draft_of(project).stamp
        steps = [StepSpec(name, StepKind.CHECK, "true") for name in ("Mine", "Yours")]
        found = at_once(*(partial(draft_change, project, step_put(0, s), stamp=stamp, actor=None) for s in steps))
        assert sorted(isinstance(each, SettingsRefused) for each in found) == [False, True]
        assert draft_of(project).spec.steps[0].name in ("Mine", "Yours")


def test_a_draft_that_is_saved_twice_becomes_one_version() -> None:
    for turn in range(ROUNDS):
        project = make_project(f"save-{turn}")
        shipping_set_up(project)
        draft = draft_change(
            project, step_put(0, StepSpec("Mine", StepKind.CHECK, "true")), stamp=draft_of(project).stamp, actor=None
        )
        found = at_once(*(partial(draft_save, project, stamp=draft.stamp, note="", actor=None) for _ in range(2)))
        assert any(isinstance(each, Pipeline) for each in found)
        assert list(Pipeline.objects.filter(project=project).values_list("version", flat=True)) == [2, 1]
        assert not PipelineDraft.objects.filter(project=project).exists()


def test_an_environment_that_two_add_is_there_once() -> None:
    for turn in range(ROUNDS):
        project = make_project(f"add-{turn}")
        found = at_once(*(partial(environment_add, project, "staging") for _ in range(2)))
        assert sorted(isinstance(each, SettingsRefused) for each in found) == [False, True]
        assert len(environments_of(project)) == 1


def test_two_files_at_once_leave_what_one_of_them_says() -> None:
    files = ['[[environments]]\nname = "one"\n[[environments]]\nname = "two"\n', '[[environments]]\nname = "three"\n']
    for turn in range(ROUNDS):
        project = make_project(f"files-{turn}")
        at_once(*(partial(project_apply, project, text) for text in files))
        names = set(Environment.objects.filter(project=project, retired_at=None).values_list("name", flat=True))
        assert names in ({"one", "two"}, {"three"})
