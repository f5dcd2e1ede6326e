"""Going back to a release whose artifact is kept no longer, in a real browser: said so, offered, and done."""

from __future__ import annotations

import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings as django_settings
from django.utils import timezone
from playwright.sync_api import Page, expect

from releases.deploys.models import Run
from tests.deploys.asking import Shop, make_shop
from tests.plugins.real import Broker, Pages, Site

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def shop(broker: Broker, settings: Any) -> Shop:
    """v1.0.1 runs; the file of v1.0.0, the only one to go back to, was removed yesterday."""
    folder = Path(django_settings.DATA_DIR)
    shutil.rmtree(folder / "mirrors", ignore_errors=True)
    shop = make_shop(folder, settings)
    shop.runs("v1.0.1")
    Run.objects.filter(tag="v1.0.0").update(artifact_gone_at=timezone.now() - timedelta(days=1))
    return shop


def asked(page: Page, shop: Shop) -> None:
    page.set_default_timeout(40_000)
    page.goto(f"/projects/{shop.project.slug}/environments/{shop.place.name}/rollback/")


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (390, "dark")])
def test_it_says_so_before_anybody_presses(
    open_page: Pages, site: Site, shop: Shop, width: int, theme: str
) -> None:  # fmt: skip
    page = open_page(site.url, shop.person(), width=width, theme=theme)
    asked(page, shop)
    expect(page.get_by_label("Bring back")).to_contain_text("artifact kept no longer")
    tick = page.get_by_label("Build it anew first")
    expect(tick).not_to_be_checked()
    expect(page.locator("form.ask")).to_contain_text("It goes back when exactly the same comes out.")
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")
    found = Axe().run(page, options={"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa"]}})
    assert found.violations_count == 0, found.generate_report()


def test_without_the_tick_nothing_is_taken_back_and_with_it_a_build_comes_first(
    open_page: Pages, site: Site, shop: Shop
) -> None:  # fmt: skip
    open_page.expected.append("422")
    page = open_page(site.url, shop.person(username="nora"))
    asked(page, shop)
    page.get_by_label("Why").fill("It loses money.")
    page.get_by_role("button", name="Roll back").click()
    expect(page.get_by_role("alert")).to_contain_text("kept no longer")
    expect(page.get_by_label("Why")).to_have_value("It loses money.")
    assert not Run.objects.exclude(kind="deploy").filter(state="queued").exists()
    page.get_by_label("Build it anew first").check()
    page.get_by_role("button", name="Roll back").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Build v1.0.0")
    expect(page.locator("main")).to_contain_text(
        "production goes back to v1.0.0 when exactly the artifact comes out that ran there before. "
        "The reason given: It loses money."
    )
    build = Run.objects.get(kind="build", tag="v1.0.0", state="queued")
    assert build.then[0]["why"] == "It loses money."
