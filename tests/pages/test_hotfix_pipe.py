"""The pane on a hotfix's page that shows how its release is being shipped."""

from __future__ import annotations

import pytest
from django.test import Client
from django.utils import timezone

from releases.deploys.models import Run
from releases.hotfixes.models import Hotfix
from releases.projects.models import Project
from tests.factories import (
    make_build,
    make_environment,
    make_lines,
    make_project,
    make_shipment,
    make_step,
    make_user,
)
from tests.pages.hotfix_scene import main_words

pytestmark = pytest.mark.django_db
PAGE = "/projects/shop/hotfixes/TICKET-7/"


@pytest.fixture
def project(db: None) -> Project:
    found = make_project("shop", visibility="public")
    Hotfix.objects.create(
        project=found, key="TICKET-7", title="Payments fail", tag="v1.0.1", triage={"track": "hotfix", "answers": []}
    )
    return found


@pytest.fixture
def reader(client: Client, project: Project) -> Client:
    client.force_login(make_user("ada", "viewer"))
    return client


def running(project: Project) -> Run:
    make_build(project, "v1.0.1")
    run = make_shipment(make_environment(project), "v1.0.1", state="running", started_at=timezone.now())
    make_step(run, "switch <b>", state="running", started_at=timezone.now(), first_line=1)
    make_lines(run, "switching", "</ol><script>x</script>")
    return run


def test_it_shows_the_run_of_now_with_its_log(reader: Client, project: Project) -> None:
    run = running(project)
    answer = reader.get(PAGE)
    words = main_words(answer)
    for part in ("Pipeline for v1.0.1", "Build done", "production running", "switch <b>", "switching"):
        assert part in words, part
    body = answer.content.decode().partition("<main")[2]
    assert "<script>" not in body
    assert f'data-log="/projects/shop/deploys/{run.pk}/log/"' in body
    assert f'data-live="run:{run.pk}@' in body


def test_a_part_of_the_page_brings_no_lines(reader: Client, project: Project) -> None:
    running(project)
    part = reader.get(PAGE, HTTP_HX_TARGET="hotfix").content.decode()
    assert "Pipeline for" in part
    assert "switching" not in part
    assert 'data-last="0"' in part


def test_what_waits_for_approval_leads_there(reader: Client, project: Project) -> None:
    make_build(project, "v1.0.1")
    run = make_shipment(make_environment(project, approvals=1), "v1.0.1", state="asked")
    body = reader.get(PAGE).content.decode()
    assert "waits for approval." in body
    assert f'href="/projects/shop/deploys/{run.pk}/approval/"' in body


def test_without_a_run_or_a_tag_there_is_no_pane(reader: Client, project: Project) -> None:
    assert "Pipeline for" not in main_words(reader.get(PAGE))
    make_build(project, "v2.0.0")
    assert "Pipeline for" not in main_words(reader.get(PAGE))


def test_visitors_of_an_open_project_see_no_logs(client: Client, project: Project) -> None:
    running(project)
    words = main_words(client.get(PAGE))
    assert "Payments fail" in words
    assert "switching" not in words
