"""Which lane a release takes without anybody saying so, and why: above all a hotfix that no ticket knows."""

from __future__ import annotations

from pathlib import Path

import pytest

from releases.deploys.lanes import is_hotfix_branch, lane_of
from releases.deploys.models import Environment, Run
from releases.deploys.requesting import build_request, deploy_request
from releases.deploys.spec import Trigger
from releases.policies.flow import PRESETS, FlowPolicy, Preset
from releases.policies.models import Fix
from releases.tasks.deploys import shipping_look

from .shop import Shop, carried, make_shop

pytestmark = pytest.mark.django_db


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """GitFlow: v1.0.1 is in production, develop is ahead of it."""
    return make_shop(tmp_path, "hotfix-staging", "staging", "production")


def trunk(shop: Shop) -> None:
    """Version tags are production, main is what comes next."""
    shop.project.policy = PRESETS[Preset.TRUNK].as_data()
    shop.project.save()
    shop.look()


def lane(shop: Shop, tag: str) -> tuple[str, str]:
    shop.look()
    found = lane_of(shop.release(tag))
    return found.lane, found.why


def cut(shop: Shop, branch: str, at: str = "v1.0.1", text: str = "mended") -> str:
    """A branch cut there with one commit."""
    shop.repo.branch(branch, at=at)
    return shop.repo.commit({f"{branch.replace('/', '-')}.py": text}, f"Mend {branch}", branch=branch)


def test_a_patch_tagged_on_its_branch_before_any_merge_is_a_hotfix(shop: Shop) -> None:
    shop.repo.tag("v1.0.2", at=cut(shop, "night-work"), message="Version 1.0.2")
    assert lane(shop, "v1.0.2") == ("hotfix", "It is a patch that was cut from v1.0.1, past develop.")
    assert not Fix.objects.filter(project=shop.project, shipped_in="v1.0.2").exists()


def test_its_runs_go_that_way_and_say_why(shop: Shop) -> None:
    shop.pipeline(trigger=Trigger.TAG)
    Environment.objects.filter(name="hotfix-staging").update(hotfixes="only")
    Environment.objects.filter(name="staging").update(hotfixes="skip")
    shop.repo.tag("v1.0.2", at=cut(shop, "hotfix/late-fee"), message="Version 1.0.2")
    shop.look()
    shipping_look(shop.project)
    build = Run.objects.get(tag="v1.0.2")
    why = "It is a patch that was cut from v1.0.1, past develop."
    assert (build.lane, build.lane_why) == ("hotfix", why)
    # By the time it goes on, the fix has been merged back: what was chosen stays.
    shop.repo.merge("hotfix/late-fee", into="develop", message="Merge it back")
    shop.look()
    assert carried(build).state == "done"
    first = Run.objects.get(kind="deploy")
    assert first.environment is not None
    assert (first.environment.name, first.lane, first.lane_why) == ("hotfix-staging", "hotfix", why)


def test_a_patch_made_from_the_next_release_is_none(shop: Shop) -> None:
    shop.repo.branch("release/1.0.2", at="develop")
    shop.repo.commit({"VERSION": "1.0.2\n"}, "Version 1.0.2", branch="release/1.0.2")
    shop.repo.tag("v1.0.2", at="release/1.0.2", message="Version 1.0.2")
    assert lane(shop, "v1.0.2") == (
        "release",
        "It is a patch without a ticket or a fix that was made like every release.",
    )


def test_a_minor_release_is_none_wherever_it_was_cut(shop: Shop) -> None:
    shop.repo.tag("v1.1.0", at=cut(shop, "hotfix/large"), message="Version 1.1.0")
    assert lane(shop, "v1.1.0") == ("release", "It is no patch (minor), and no hotfix ticket has it.")


def test_on_a_trunk_the_branch_says_it(shop: Shop) -> None:
    trunk(shop)
    cut(shop, "hotfix/late-fee", at="main")
    shop.repo.tag(
        "v1.0.2", at=shop.repo.merge("hotfix/late-fee", into="main", message="Merge branch 'hotfix/late-fee'")
    )
    said = "It is a patch, and all that is new in it came from hotfix/late-fee."
    assert lane(shop, "v1.0.2") == ("hotfix", said)


def test_a_merge_that_names_no_branch_is_known_by_where_the_branch_stood(shop: Shop) -> None:
    trunk(shop)
    cut(shop, "hotfix/late-fee", at="main")
    shop.look()
    shop.repo.tag("v1.0.2", at=shop.repo.merge("hotfix/late-fee", into="main", message="Late fees are right again"))
    shop.repo.git("branch", "-D", "hotfix/late-fee")
    assert lane(shop, "v1.0.2")[0] == "hotfix"


@pytest.mark.parametrize("branch", ["fix/late-fee", "feature/fees"])
def test_everyday_branches_on_a_trunk_take_all_checks(shop: Shop, branch: str) -> None:
    trunk(shop)
    cut(shop, branch, at="main")
    shop.repo.tag("v1.0.2", at=shop.repo.merge(branch, into="main", message=f"Merge branch '{branch}'"))
    assert lane(shop, "v1.0.2")[0] == "release"


def test_a_hotfix_branch_among_other_work_takes_all_checks(shop: Shop) -> None:
    trunk(shop)
    shop.repo.commit({"other.py": "other\n"}, "Something else", branch="main")
    cut(shop, "hotfix/late-fee", at="main")
    shop.repo.tag(
        "v1.0.2", at=shop.repo.merge("hotfix/late-fee", into="main", message="Merge branch 'hotfix/late-fee'")
    )
    assert lane(shop, "v1.0.2")[0] == "release"


def test_what_somebody_asks_for_is_taken_and_said(shop: Shop) -> None:
    shop.repo.tag("v1.0.2", at=cut(shop, "hotfix/late-fee"), message="Version 1.0.2")
    shop.look()
    run, _ = deploy_request(shop.place("staging"), shop.release("v1.0.2"), lane="release", trigger="command")
    assert run.lane == "release"
    assert run.lane_why.startswith(
        "It was asked for in this lane. By itself it would take the hotfix lane: It is a patch"
    )
    carried(run)
    assert Run.objects.get(kind="deploy").lane_why == run.lane_why


def test_a_ticket_and_a_fix_are_named(shop: Shop) -> None:
    shop.hotfix("v1.0.2")
    assert build_request(shop.project, shop.release("v1.0.2"), trigger="person")[0].lane_why == (
        "Ticket TICKET-7 is shipped with it."
    )
    shop.tag("v1.0.3")
    assert lane(shop, "v1.0.3") == ("hotfix", "It is a patch that carries a fix: “Version v1.0.3”.")


@pytest.mark.parametrize(
    ("name", "template", "expected"),
    [
        ("hotfix/a", "hotfix/{ticket}", True),
        ("hotfix-a", "hotfix/{ticket}", True),
        ("fix/a", "hotfix/{ticket}", False),
        ("urgent/a", "urgent/{ticket}", True),
        ("urgent/a", "hotfix/{ticket}", False),
        ("not-a-hotfix", "{ticket}", False),
    ],
)
def test_what_is_called_like_a_hotfix(name: str, template: str, expected: bool) -> None:
    assert is_hotfix_branch(name, FlowPolicy(hotfix_branch=template)) is expected
