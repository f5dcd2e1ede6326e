"""Every recipe can be applied, says how it was tried, and is listed."""

from __future__ import annotations

import re

import pytest

from releases.deploys.checking import pipeline_check
from releases.deploys.spec import LANES, StepKind

from .pages import FOLDER, Recipe, recipe, recipes

REALLY = {"symlink", "ci", "ssh"}
"""Those that the tests beside this one really run; the others call a stand-in for the tool that matters."""


@pytest.mark.parametrize("page", recipes(), ids=lambda page: page.name)
def test_a_page_holds_a_file_that_can_be_applied(page: Recipe) -> None:
    wanted = page.wanted()
    assert wanted.pipeline is not None
    assert wanted.environments
    assert pipeline_check(wanted.pipeline) == []
    for lane in LANES:
        for place in wanted.environments:
            kinds = [step.kind for step in wanted.pipeline.environment_steps(lane, place.name)]
            assert StepKind.DEPLOY in kinds
    named = {name for step in wanted.pipeline.steps for name in step.secrets}
    assert named == set(wanted.secrets)


@pytest.mark.parametrize("page", recipes(), ids=lambda page: page.name)
def test_a_page_says_how_it_was_tried_and_so_does_the_list(page: Recipe) -> None:
    index = (FOLDER / "index.md").read_text()
    row = re.search(rf"\| \[(.*?)\]\({page.name}\.md\) \| (.*?) \|", index)
    assert row is not None
    assert page.text.startswith(f"# {row[1]}\n")
    assert page.tried.startswith("really run" if page.name in REALLY else "against stand-ins of")
    assert row[2].startswith("really run" if page.name in REALLY else "stand-in")
    for tool in re.findall(r"`(\w[\w-]*)`", row[2]):
        assert f"`{tool}`" in page.tried


def test_there_is_one_for_each_way_that_was_asked_for() -> None:
    assert {page.name for page in recipes()} == {
        "ansible", "ci", "container", "helm", "kubernetes", "serverless", "ssh", "symlink"
    }  # fmt: skip


def test_recipes_that_build_images_build_them_alike() -> None:
    def image(name: str) -> str:
        pipeline = recipe(name).wanted().pipeline
        assert pipeline is not None
        return next(step.run for step in pipeline.steps if step.name == "Image")

    assert image("helm") == image("kubernetes")
    plain = [line for line in image("container").splitlines() if not line.startswith("docker build")]
    assert plain == [line for line in image("helm").splitlines() if not line.startswith("docker build")]
