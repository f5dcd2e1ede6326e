"""The pipeline's editor: changes gather in a draft, and nothing is in force before it is saved."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from releases.deploys.drafting import draft_of
from releases.deploys.environment_services import shipping_set_up
from releases.deploys.models import PipelineDraft
from releases.deploys.settings_services import pipeline_of, pipeline_save
from releases.deploys.spec import Answer, PipelineSpec, StepKind, StepSpec, Trigger
from releases.projects.models import Project
from tests.factories import make_project, make_user

pytestmark = pytest.mark.django_db
PAGE = "/projects/shop/settings/shipping/pipeline/"
STEP = {
    "form": "step", "name": "Tests", "kind": "check", "run": "make test\r\n", "lanes": ["release", "hotfix"],
    "environments": "", "timeout": "60", "silence": "30", "retries": "1", "cpu": "0", "size": "100",
    "env": "A=1\r\nB= x=y \r\n", "secrets": "TOKEN, OTHER", "answer": "exit",
}  # fmt: skip


@pytest.fixture
def project(client: Client) -> Project:
    project = make_project("shop")
    shipping_set_up(project)
    client.force_login(make_user("ada", "administrator", all_projects=True))
    return project


def post(client: Client, project: Project, data: dict[str, Any], **changes: Any) -> Any:
    return client.post(PAGE, {"stamp": draft_of(project).stamp, **data, **changes})


def names(project: Project) -> list[str]:
    return [step.name for step in draft_of(project).spec.steps]


def test_a_changed_step_is_in_the_draft_and_not_in_force(client: Client, project: Project) -> None:
    answer = post(client, project, STEP, index="0")
    assert (answer.status_code, answer["Location"]) == (302, f"{PAGE}#step-1")
    assert draft_of(project).spec.steps[0] == StepSpec(
        "Tests", StepKind.CHECK, "make test", timeout=60, silence=30, retries=1, max_size=100 << 20,
        env={"A": "1", "B": " x=y "}, secrets=("TOKEN", "OTHER"),
    )  # fmt: skip
    now = pipeline_of(project)
    assert now is not None
    assert (now.version, now.spec["steps"][0]["name"]) == (1, "Critical tests")
    body = client.get(PAGE).content.decode()
    assert "These changes are not in force yet." in body
    assert "Save as version 2" in body


def test_saving_makes_the_draft_the_next_version(client: Client, project: Project) -> None:
    post(client, project, STEP, index="0")
    assert post(client, project, {"form": "save", "note": "Test more"}).status_code == 302
    now = pipeline_of(project)
    assert now is not None
    assert (now.version, now.note, now.made_by.username) == (2, "Test more", "ada")  # type: ignore[union-attr]
    assert not PipelineDraft.objects.exists()
    body = client.get(f"{PAGE}2/").content.decode()
    assert "What differs from version 1" in body
    assert "Critical tests" in body
    assert client.get(f"{PAGE}1/?from=2").status_code == 200
    assert client.get(f"{PAGE}9/").status_code == 404


def test_steps_are_added_moved_and_removed(client: Client, project: Project) -> None:
    before = names(project)
    post(client, project, STEP, form="add", name="New")
    assert names(project) == [*before, "New"]
    post(client, project, {"form": "move", "index": "5", "to": "up"})
    assert names(project) == [*before[:4], "New", before[4]]
    post(client, project, {"form": "move", "index": "0", "to": "down"})
    assert names(project)[:2] == [before[1], before[0]]
    post(client, project, STEP, form="remove", index="4")
    assert "New" not in names(project)


def test_changing_everything_back_ends_the_draft(client: Client, project: Project) -> None:
    post(client, project, {"form": "move", "index": "0", "to": "down"})
    assert PipelineDraft.objects.exists()
    post(client, project, {"form": "move", "index": "0", "to": "down"})
    assert not PipelineDraft.objects.exists()


def test_what_a_kind_has_no_use_for_is_left_out(client: Client, project: Project) -> None:
    filled = {"text": "Pay.", "tests": "tests/**", "artifact": "x", "environments": "staging", "answer": "callback"}
    post(client, project, STEP, index="0", **(filled | {"kind": "manual"}))
    manual = draft_of(project).spec.steps[0]
    assert (manual.text, manual.run, manual.env, manual.secrets, manual.answer) == ("Pay.", "", {}, (), Answer.EXIT)
    post(client, project, STEP, index="0", **(filled | {"kind": "build"}))
    build = draft_of(project).spec.steps[0]
    assert (build.text, build.tests, build.artifact, build.environments) == ("", (), "x", ())
    assert build.answer is Answer.CALLBACK


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"name": ""}, "This field is required."),
        ({"run": ""}, "A check step needs a command."),
        ({"lanes": []}, "This field is required."),
        ({"timeout": "soon"}, "Enter a number."),
        ({"timeout": "0.5"}, "Its time limit is between"),
        ({"env": "A"}, "Each line is a name, = and a text."),
        ({"env": "A=1\nA=2"}, "A stands there twice."),
        ({"env": "HOTFIXDASH_TAG=v1"}, "HOTFIXDASH_TAG is set by the dashboard."),
        ({"secrets": "token"}, "“token” cannot name a secret"),
        ({"kind": "moon"}, "Select a valid choice."),
    ],
)
def test_a_step_that_cannot_run_is_refused_and_stays_as_filled_in(
    client: Client, project: Project, changes: dict[str, Any], says: str
) -> None:
    answer = post(client, project, STEP, **({"index": "0", "artifact": "kept-as-typed"} | changes))
    assert answer.status_code == 422
    body = answer.content.decode()
    assert says in body
    assert "kept-as-typed" in body
    assert not PipelineDraft.objects.exists()


def test_two_who_change_it_at_once_do_not_undo_each_other(client: Client, project: Project) -> None:
    seen = draft_of(project).stamp
    post(client, project, STEP, index="0")
    answer = client.post(PAGE, {"stamp": seen, **STEP, "index": "0", "name": "Mine"})
    assert answer.status_code == 422
    assert "was changed meanwhile" in answer.content.decode()
    assert names(project)[0] == "Tests"
    assert client.post(PAGE, {"stamp": seen, "form": "save"}).status_code == 422


def test_a_draft_that_was_overtaken_is_not_saved(client: Client, project: Project) -> None:
    post(client, project, STEP, index="0")
    pipeline_save(project, PipelineSpec(steps=(StepSpec("Only", StepKind.CHECK, "true"),)))
    body = client.get(PAGE).content.decode()
    assert "Version 2 was saved since." in body
    assert "Save as version" not in body
    assert post(client, project, {"form": "save"}).status_code == 422
    assert post(client, project, {"form": "discard"}).status_code == 302
    assert names(project) == ["Only"]


def test_a_draft_with_faults_says_them_and_cannot_be_saved(client: Client, project: Project) -> None:
    post(client, project, STEP, index="1", name="Critical tests")
    body = client.get(PAGE).content.decode()
    assert "2 steps are called Critical tests." in body
    assert "Save as version" not in body
    assert post(client, project, {"form": "save"}).status_code == 422
    assert pipeline_of(project).version == 1  # type: ignore[union-attr]


def test_a_step_that_is_gone_is_said_so(client: Client, project: Project) -> None:
    for data in (STEP, {"form": "move", "to": "up"}, {"form": "remove"}):
        for index in ("99", "-1", "x", ""):
            answer = post(client, project, data, index=index)
            assert answer.status_code == 422
            assert "That step is gone." in answer.content.decode()


def test_what_starts_it_is_changed(client: Client, project: Project) -> None:
    post(client, project, {"form": "start", "trigger": "main", "naming": "date"})
    assert draft_of(project).spec.trigger is Trigger.MAIN
    assert post(client, project, {"form": "start", "trigger": "noon", "naming": "date"}).status_code == 422


def test_all_of_it_is_changed_as_text(client: Client, project: Project) -> None:
    body = client.get(PAGE).content.decode()
    found = re.search(r'<textarea name="text"[^>]*id="toml_text"[^>]*>(.*?)</textarea>', body, re.S)
    assert found is not None
    assert "Critical tests" in found[1]
    text = 'trigger = "tag"\n[[steps]]\nname = "All"\nkind = "check"\nrun = "make"\nenv = {A = "1\\n2"}\n'
    assert post(client, project, {"form": "toml", "text": text}).status_code == 302
    assert names(project) == ["All"]
    wrong = post(client, project, {"form": "toml", "text": "[[steps]]\nkind = 'moon'"})
    assert wrong.status_code == 422
    assert "steps[1]: kind: choose one of" in wrong.content.decode()
    # Lines cannot hold a value of several lines: the form leaves it as it is.
    assert "it can be changed as TOML" in client.get(PAGE).content.decode()
    post(client, project, STEP, index="0")
    assert draft_of(project).spec.steps[0].env == {"A": "1\n2"}


def test_a_hostile_name_is_shown_as_text(client: Client, project: Project) -> None:
    post(client, project, STEP, index="0", name="<script>alert(1)</script>", run="echo '</pre><script>'")
    body = client.get(PAGE).content.decode()
    assert "<script>alert" not in body
    assert "&lt;script&gt;" in body
