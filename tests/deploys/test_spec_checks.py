"""What a pipeline must be before it is kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from releases.deploys.checking import pipeline_check
from releases.deploys.presets import skeleton
from releases.deploys.spec import Answer, PipelineSpec, StepKind, StepSpec

FINE = {
    StepKind.CHECK: StepSpec("Tests", StepKind.CHECK, "make test"),
    StepKind.MANUAL: StepSpec("Look", StepKind.MANUAL, text="Pay with a card."),
    StepKind.PROVE: StepSpec("Prove", StepKind.PROVE, "make test", tests=("tests/**",)),
    StepKind.BUILD: StepSpec("Build", StepKind.BUILD, "make build", artifact="dist/app.tar.gz"),
    StepKind.DEPLOY: StepSpec("Deploy", StepKind.DEPLOY, "./deploy", environments=("staging", "prod-*")),
    StepKind.VERIFY: StepSpec("Probe", StepKind.VERIFY),
    StepKind.ROLLBACK: StepSpec("Back", StepKind.ROLLBACK, "./back"),
}
EVERY = PipelineSpec(steps=tuple(FINE.values()))


def said(kind: StepKind, **changes: Any) -> str:
    """What is wrong when the step of this kind is changed so."""
    steps = tuple(replace(step, **changes) if step.kind is kind else step for step in EVERY.steps)
    return " ".join(pipeline_check(replace(EVERY, steps=steps)))


@pytest.mark.parametrize("spec", [EVERY, skeleton(), skeleton(trunk=True)])
def test_what_can_be_run_has_no_faults(spec: PipelineSpec) -> None:
    assert pipeline_check(spec) == []


@pytest.mark.parametrize(
    ("kind", "changes", "sentence"),
    [
        (StepKind.CHECK, {"name": " "}, "Step 1: give it a name."),
        (StepKind.CHECK, {"name": "a\nb"}, "Step 1, a b: its name is one line"),
        (StepKind.CHECK, {"name": "x" * 81}, "more than 80 characters"),
        (StepKind.CHECK, {"name": "Look"}, "2 steps are called Look."),
        (StepKind.CHECK, {"run": " "}, "Step 1, Tests: a check step needs a command."),
        (StepKind.ROLLBACK, {"run": ""}, "a rollback step needs a command"),
        (StepKind.CHECK, {"run": "a\0b"}, "null character"),
        (StepKind.CHECK, {"run": "x" * 20_001}, "more than 20,000 characters"),
        (StepKind.MANUAL, {"run": "true"}, "it runs no command"),
        (StepKind.VERIFY, {"answer": Answer.CALLBACK}, "only a command can start something"),
        (StepKind.PROVE, {"answer": Answer.CALLBACK}, "cannot wait for one"),
        (StepKind.CHECK, {"lanes": ()}, "choose at least one lane"),
        (StepKind.CHECK, {"lanes": ("fast",)}, "there is no lane fast"),
        (StepKind.DEPLOY, {"lanes": ("release",)}, "No deploy step is in the hotfix lane"),
        (StepKind.BUILD, {"environments": ("staging",)}, "built once for all environments"),
        (StepKind.PROVE, {"environments": ("staging",)}, "proved once"),
        (StepKind.DEPLOY, {"environments": ("Prod uction",)}, "“Prod uction” is not the name of an environment"),
        (StepKind.CHECK, {"timeout": 0.5}, "its time limit"),
        (StepKind.CHECK, {"timeout": float("nan")}, "its time limit"),
        (StepKind.CHECK, {"silence": -1}, "its limit without output"),
        (StepKind.CHECK, {"cpu": -1}, "its processor time"),
        (StepKind.CHECK, {"retries": 11}, "at most 10 times"),
        (StepKind.CHECK, {"max_size": 5}, "between 1 MB and 1 TB"),
        (StepKind.CHECK, {"env": {"A-B": "x"}}, "“A-B” cannot name a variable"),
        (StepKind.CHECK, {"env": {"HOME": "/root"}}, "HOME is set by the dashboard"),
        (StepKind.CHECK, {"env": {"HOTFIXDASH_TAG": "v1"}}, "HOTFIXDASH_TAG is set by the dashboard"),
        (StepKind.CHECK, {"env": {"A": "x\0"}}, "holds a null character"),
        (StepKind.CHECK, {"secrets": ("token",)}, "“token” cannot name a secret"),
        (StepKind.CHECK, {"secrets": ("TMPDIR",)}, "TMPDIR is set by the dashboard"),
        (StepKind.CHECK, {"secrets": ("A", "A")}, "the secret “A” stands there 2 times"),
        (StepKind.CHECK, {"secrets": ("A",), "env": {"A": "x"}}, "“A” is a variable and a secret at once"),
        (StepKind.VERIFY, {"secrets": ("A",)}, "nothing reads its variables"),
        (StepKind.PROVE, {"tests": ()}, "say which files of a fix are its tests"),
        (StepKind.PROVE, {"tests": ("../x",)}, "“../x” is not a pattern for files inside"),
        (StepKind.CHECK, {"tests": ("tests/**",)}, "only a prove step has files of tests"),
        (StepKind.CHECK, {"artifact": "x"}, "only a build step leaves an artifact"),
        (StepKind.BUILD, {"artifact": "/etc/passwd"}, "does not lie inside"),
        (StepKind.BUILD, {"artifact": "a/../../b"}, "does not lie inside"),
        (StepKind.BUILD, {"artifact": ".git/config"}, "does not lie inside"),
        (StepKind.CHECK, {"text": "Please"}, "only a manual step asks"),
    ],
)  # fmt: skip
def test_each_fault_is_said_with_its_step(kind: StepKind, changes: dict[str, Any], sentence: str) -> None:
    assert sentence in said(kind, **changes)


def test_a_pipeline_has_steps_but_not_too_many() -> None:
    assert pipeline_check(PipelineSpec()) == ["A pipeline needs at least one step."]
    many = tuple(StepSpec(f"Step {n}", StepKind.CHECK, "true") for n in range(101))
    assert pipeline_check(PipelineSpec(steps=many)) == ["A pipeline has at most 100 steps; this one has 101."]


def test_a_lane_leaves_one_artifact() -> None:
    two = (
        replace(FINE[StepKind.BUILD], lanes=("release",)),
        replace(FINE[StepKind.BUILD], name="Other", lanes=("hotfix",)),
    )
    assert pipeline_check(PipelineSpec(steps=two)) == []
    both = tuple(replace(step, lanes=("release", "hotfix")) for step in two)
    assert pipeline_check(PipelineSpec(steps=both)) == [
        "Build and Other both leave an artifact in the release lane. A release has one.",
        "Build and Other both leave an artifact in the hotfix lane. A release has one.",
    ]
