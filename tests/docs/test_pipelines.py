"""docs/pipelines.md is complete: every field, kind and variable stands there, and no other."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest
from django.test import Client

from releases.deploys.environment_services import SETTABLE
from releases.deploys.probing import KINDS, Probe
from releases.deploys.requesting import deploy_request
from releases.deploys.spec import Answer, Naming, PipelineSpec, StepKind, StepSpec, Trigger
from releases.deploys.toml_form import shipping_read
from releases.webhooks import told_from
from tests.deploys.shop import carried, make_shop

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "pipelines.md").read_text()
SET_BY_THE_SHELL = {"PWD", "OLDPWD", "SHLVL", "_"}


def table(heading: str, under: str = "") -> dict[str, list[str]]:
    """The table under a heading, or the one whose head is `heading`: names in the first column → further cells."""
    found = PAGE[PAGE.index(heading) :]
    rows: dict[str, list[str]] = {}
    for line in found.splitlines()[1:]:
        if line.startswith("| `"):
            first, *rest = [cell.strip() for cell in line.strip().strip("|").split("|")]
            for name in re.findall(r"`([^`]+)`", first):
                rows[name] = rest
        elif rows:
            break
    return rows


def test_every_field_of_a_step_and_what_is_usual() -> None:
    rows = table("## Fields of a step")
    assert set(rows) == {item.name for item in fields(StepSpec)}
    usual = StepSpec("", StepKind.CHECK).as_data()
    for name, (said, *_rest) in rows.items():
        if said:
            value = usual[name]
            plain = int(value) if isinstance(value, float) else value
            assert said.strip("`").strip('"') == str(plain).replace("'", '"'), name


def test_every_kind_and_start() -> None:
    assert set(table("## Kinds of steps")) == set(StepKind)
    starts = table("## What starts it")
    assert all(f"`{trigger}`" in starts["trigger"][0] for trigger in Trigger)
    assert all(f"`{naming}`" in starts["naming"][0] for naming in Naming)


def test_every_field_of_an_environment_and_of_a_probe() -> None:
    assert set(table("| of an environment |")) == {"name", "approvers", "freezes", *SETTABLE}
    rows = table("| of a probe |")
    assert set(rows) == {item.name for item in fields(Probe)}
    assert all(f"`{kind}`" in rows["kind"][1] for kind in KINDS)
    assert set(table("| of the file |")) == {"format", "secrets", "pipeline", "environments"}


def test_the_example_is_a_file() -> None:
    (example,) = re.findall(r"^```toml\n(.*?)^```", PAGE, re.M | re.S)
    wanted = shipping_read(example)
    assert wanted.pipeline is not None
    assert wanted.environments is not None
    assert len(wanted.environments[0].freezes or ()) == 2


def test_the_answer_from_elsewhere_is_as_it_is_read() -> None:
    (body,) = re.findall(r"^```json\n(.*?)^```", PAGE, re.M | re.S)
    assert told_from(body.encode()) is not None


@pytest.mark.django_db
def test_the_variables_are_those_that_steps_get_and_no_others(tmp_path: Path) -> None:
    shop = make_shop(tmp_path)
    seen = f"tr '\\0' '\\n' < /proc/$$/environ >> '{tmp_path}/seen'"
    build, _check = shop.steps()[1], shop.steps()[0]
    shop.pipeline(
        build,
        StepSpec("Look", StepKind.CHECK, seen),
        StepSpec("Start", StepKind.DEPLOY, seen, answer=Answer.CALLBACK),
    )
    run, _made = deploy_request(shop.place("staging"), shop.release("v1.0.1"), trigger="person")
    assert carried(run).state == "done"
    assert carried(run.project.runs.get(environment__isnull=False)).state == "paused"
    names = {line.partition("=")[0] for line in (tmp_path / "seen").read_text().splitlines()}
    assert names - SET_BY_THE_SHELL == set(table("## Variables"))


@pytest.mark.django_db
def test_a_pipeline_in_the_repository_changes_nothing(tmp_path: Path, client: Client) -> None:
    """Whatever a branch or a tag holds under any likely name, a run goes by what administrators saved."""
    shop = make_shop(tmp_path)
    evil = 'trigger = "tag"\n[[steps]]\nname = "evil"\nkind = "build"\nrun = "touch /tmp/evil"\n'
    names = ("hotfixdash.toml", ".hotfixdash.toml", ".hotfixdash/pipeline.toml", "shop-shipping.toml", "shipping.toml")
    commit = shop.repo.commit(dict.fromkeys(names, evil), "Change how it is shipped", branch="main")
    shop.repo.tag("v1.0.2", at=commit, message="v1.0.2")
    shop.look()
    run, _made = deploy_request(shop.place("staging"), shop.release("v1.0.2"), trigger="person")
    assert carried(run).state == "done"
    assert [step.name for step in run.steps.order_by("index")] == ["tests", "build"]
    assert shop.did() == ["tests v1.0.2", "build v1.0.2"]
    saved = shop.project.pipelines.get()
    assert PipelineSpec.from_data(saved.spec).steps == tuple(shop.steps())
