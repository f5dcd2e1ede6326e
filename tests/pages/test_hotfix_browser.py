"""Hotfixes in a real browser: nothing overlaps, on the overview and on a phone."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect

from hotfixdash.accounts.models import User
from releases import live
from releases.evidence.verdicts import Code
from releases.hotfixes.models import Hotfix
from releases.hotfixes.stages import Stage, StageKey, StageState
from releases.ledger.services import event_write
from releases.projects.models import Project
from tests.factories import make_fix, make_project, make_target, make_user, make_verdict
from tests.plugins.real import Broker, Pages, Site

APART = 3
"""Pixels at least between two words that stand side by side."""
pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def person() -> User:
    return make_user("reader", "release-manager", all_projects=True)


@pytest.fixture
def project(broker: Broker) -> Project:
    return make_project("shop", judged_at=timezone.now())


def make_hotfix(project: Project) -> Hotfix:
    """Owed to two branches; every step before was reached on another day than today, the same for neighbours."""
    at = (timezone.now() - timedelta(days=10)).timestamp()
    done = (StageKey.TRIAGE, StageKey.BRANCH, StageKey.FIX, StageKey.REVIEW, StageKey.TAG, StageKey.PRODUCTION)
    stages = [Stage(key, StageState.DONE, at, 60.0) for key in done]
    stages += [Stage(StageKey.MERGE_BACK, StageState.OWED), Stage(StageKey.CLEAN_UP, StageState.TODO)]
    found = Hotfix.objects.create(
        project=project, key="TICKET-7", title="Payments fail", stage=StageKey.MERGE_BACK.value, owed_count=2,
        tag="v1.0.1", head="a" * 40, branch="hotfix/TICKET-7", stages=[stage.as_data() for stage in stages],
        triage={"track": "hotfix", "follows": "", "answers": []},
    )  # fmt: skip
    fix = make_fix(project, ticket="TICKET-7")
    found.fixes.add(fix)
    for position, branch in enumerate(("develop", "release/1.1")):
        target = make_target(project, branch, position=position)
        make_verdict(fix, target, Code.MISSING, preview={"clean": True, "conflicts": []})
    return found


def test_days_of_neighbouring_steps_keep_apart(open_page: Pages, site: Site, person: User, project: Project) -> None:
    make_hotfix(project)
    for width in (1440, 1024):
        page = open_page(site.url, person, width=width)
        page.goto("/")
        spans = words_in_a_row(page)
        assert len(spans) >= 6
        for (_, right, left_text), (left, _, right_text) in pairwise(spans):
            assert right + APART <= left, f"{left_text!r} runs into {right_text!r} at {width}"


def words_in_a_row(page: Page) -> list[tuple[float, float, str]]:
    """Left and right edge of what stands below each node of the first hotfix, as drawn, and the words."""
    script = """() => [...document.querySelectorAll(".fly tbody tr:first-child .fly-t")].map((el) => {
      const text = [...el.childNodes].find((node) => node.nodeType === 3 && node.data.trim());
      if (!text) return null;
      const range = document.createRange();
      range.selectNodeContents(text);
      const box = range.getBoundingClientRect();
      return [box.left, box.right, text.data.trim()];
    }).filter(Boolean)"""
    return [tuple(row) for row in page.evaluate(script)]


def test_buttons_of_the_next_step_are_equally_wide_on_a_phone(
    open_page: Pages, site: Site, person: User, project: Project
) -> None:
    found = make_hotfix(project)
    page = open_page(site.url, person, width=390)
    page.goto(f"/projects/shop/hotfixes/{found.key}/")
    buttons = page.locator(".act-b .btn")
    assert buttons.count() >= 3
    widths = {round(box["width"]) for button in buttons.all() if (box := button.bounding_box())}
    assert len(widths) == 1, widths


def test_long_titles_and_keys_keep_the_layout_on_phones(
    open_page: Pages, site: Site, person: User, project: Project
) -> None:
    found = make_hotfix(project)
    key = "TICKET-" + "9" * 70
    branch = f"hotfix/{key}"
    Hotfix.objects.filter(pk=found.pk).update(
        key=key, title="Ü" + "averylongword" * 15, branch=branch, tag="v" + "1" * 80
    )
    event_write("hotfix.opened", project_id=project.pk, subject=f"hotfix:{key}", why=f"{key} was opened.")
    addresses = [
        "/", "/projects/shop/", "/hotfixes/", "/projects/shop/hotfixes/", f"/projects/shop/hotfixes/{key}/",
        f"/projects/shop/hotfix/timeline/{key}/", f"/projects/shop/hotfix/edit/{key}/",
    ]  # fmt: skip
    for width in (390, 320):
        page = open_page(site.url, person, width=width, height=844)
        for address in addresses:
            answer = page.goto(address)
            assert answer is not None
            assert answer.status == 200, address
            over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
            assert over <= 0, (width, address, over)


def test_the_bar_of_a_phone_stays_one_row_when_its_counts_change(
    open_page: Pages, site: Site, person: User, project: Project
) -> None:
    make_hotfix(project)
    page = open_page(site.url, person, width=390, height=844)
    page.goto("/projects/shop/hotfixes/")
    expect(page.locator("#tabs-m .count").last).to_have_text("1")
    before = page.locator("nav.bottom-nav").bounding_box()
    for number in (2, 3):
        Hotfix.objects.create(project=project, key=f"TICKET-{number}0", title="Another", stages=[])
        live.publish_now(live.project_topic(project.pk), live.OVERVIEW)
        expect(page.locator("#tabs-m .count").last).to_have_text(str(number))
    assert page.locator("nav.bottom-nav").bounding_box() == before
    for part in ("tabs-m", "bell", "glass"):
        assert page.locator(f"#{part}").count() == 1, part
