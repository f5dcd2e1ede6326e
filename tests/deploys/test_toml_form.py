"""Shipping settings as a file: written, read back, and refused with the place of what is wrong."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import UTC, datetime, time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from releases.deploys.presets import skeleton
from releases.deploys.spec import Answer, Naming, PipelineSpec, StepKind, StepSpec, Trigger
from releases.deploys.toml_form import NotReadable, pipeline_read, pipeline_text, shipping_read
from releases.deploys.toml_text import toml_text

FULL = StepSpec(
    name='Build "it"', kind=StepKind.BUILD, run="set -e\ncd 'app'\nprintf '%s\\n' \"$A\"\n", lanes=("release",),
    timeout=12.5, silence=0, retries=2, env={"A": "1", "B": 'x"y'}, secrets=("TOKEN",), artifact="dist",
    max_size=1 << 30, cpu=90,
)  # fmt: skip
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@pytest.mark.parametrize(
    "spec",
    [
        skeleton(),
        skeleton(trunk=True),
        PipelineSpec(Trigger.MAIN, Naming.DATE, (FULL,)),
        PipelineSpec(
            steps=(
                StepSpec("Look", StepKind.MANUAL, text="Pay.\nThen pay again."),
                StepSpec("Prove", StepKind.PROVE, "make test", tests=("tests/**", "spec/*")),
                StepSpec("CI", StepKind.DEPLOY, "./start", environments=("prod-*",), answer=Answer.CALLBACK),
            )
        ),
    ],
)
def test_what_is_written_reads_back_the_same(spec: PipelineSpec) -> None:
    assert pipeline_read(pipeline_text(spec)) == spec
    assert pipeline_read(pipeline_text(spec).replace("\n", "\r\n")) == spec


@given(run=TEXTS, name=TEXTS, value=TEXTS, variable=TEXTS)
def test_every_text_survives(run: str, name: str, value: str, variable: str) -> None:
    spec = PipelineSpec(steps=(replace(FULL, name=name, run=run, env={variable: value}),))
    assert pipeline_read(pipeline_text(spec)) == spec


@pytest.mark.parametrize(
    "text", ["", "a\n", "\n\na", "a'", "a\n'", "'''", "a\r\nb", "tab\there", "\x7f\x01", 'say "hi" \\ there', "é\u2028"]
)
def test_texts_that_are_hard_to_quote_survive(text: str) -> None:
    assert tomllib.loads(toml_text({"a": text, "b": [text, "c"]})) == {"a": text, "b": [text, "c"]}


def test_other_values_survive_and_none_is_left_out() -> None:
    data: dict[str, Any] = {
        "n": 3, "f": 0.5, "yes": True, "at": datetime(2026, 3, 1, 12, tzinfo=UTC), "clock": time(16, 0), "none": [],
        "many": [f"entry number {n} of a long list" for n in range(9)],
        "table": {"a b": 1, "deeper": {"c": "d"}}, "list": [{"x": 1, "in": [{"y": 2}]}, {"x": 2}],
    }  # fmt: skip
    assert tomllib.loads(toml_text(data | {"left_out": None})) == data


def test_commands_stand_as_they_were_typed() -> None:
    text = pipeline_text(PipelineSpec(steps=(FULL,)))
    assert "run = '''\nset -e\ncd 'app'\nprintf '%s\\n' \"$A\"\n'''\n" in text
    assert "max_size = 1073741824" in text
    assert 'text = ""' not in text


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a = ", "This is not TOML"),
        ("[" * 5000, "This is not TOML"),
        ("format = 2", "format: this is not a file of format 1."),
        ("pipline = {}", "pipline: this is not known; is it pipeline?"),
        ("pipeline = 3", "pipeline: a table is wanted here."),
        ("[pipeline]\ntrigger = 'noon'", "pipeline: trigger: choose one of tag, hand, main."),
        ("[[pipeline.steps]]\nname = 'A'", "pipeline.steps[1]: kind: choose one of check, manual"),
        ("[[pipeline.steps]]\nkind = 'check'\nrum = 'x'", "pipeline.steps[1]: rum: this is not known; is it run?"),
        ("[[pipeline.steps]]\nkind = 'check'\ntimeout = '9'", "pipeline.steps[1]: timeout: a number is wanted here."),
        ("[[pipeline.steps]]\nkind = 'check'\nretries = true", "pipeline.steps[1]: retries: a whole number is wanted"),
        ("[[pipeline.steps]]\nkind = 'check'\nlanes = [1]", "pipeline.steps[1]: lanes: a list of texts is wanted"),
        ("[[pipeline.steps]]\nkind = 'check'\nenv = {A = 1}", "pipeline.steps[1]: env: each value is a text"),
        ("pipeline = {steps = [1]}", "pipeline: steps: a list of tables"),
        ("secrets = {TOKEN = 'x'}", "secrets: a list of texts is wanted here."),
        ("[[environments]]\napprovals = 1", "environments[1]: name: give it a name."),
        ("[[environments]]\nname = 'a'\n[[environments]]\nname = 'a'", "environments: 2 are called a."),
        ("[[environments]]\nname = 'a'\nkind = 'moon'", "environments[1]: kind: choose one of staging, production."),
        ("[[environments]]\nname = 'a'\npromotes = 1", "environments[1]: promotes: true or false is wanted here."),
        ("[[environments]]\nname = 'a'\n[[environments.freezes]]\nweekdays = ['freitag']", "freitag is no day"),
        ("[[environments]]\nname = 'a'\n[[environments.freezes]]\nfrom = 16", "a time like 16:00:00"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(text: str, says: str) -> None:
    with pytest.raises(NotReadable) as fault:
        shipping_read(text)
    assert says in str(fault.value)


def test_everything_wrong_is_said_at_once() -> None:
    with pytest.raises(NotReadable) as fault:
        shipping_read("secrets = 1\nother = 2\n[[pipeline.steps]]\nkind = 'check'\ncpu = 'much'")
    assert len(fault.value.problems) == 3


def test_a_file_that_says_nothing_wants_nothing() -> None:
    wanted = shipping_read("")
    assert (wanted.pipeline, wanted.environments, wanted.secrets) == (None, None, ())
