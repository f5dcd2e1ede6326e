"""The matrix in a real browser: the drawer, the keyboard, without script, on a phone, live, and for everybody."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.conf import settings
from django.utils import timezone
from playwright.sync_api import Page, expect

from hotfixdash.accounts.models import User
from releases import live
from releases.evidence.verdicts import Code
from releases.policies.models import Fix, Target, Verdict
from releases.projects.models import Project
from releases.projects.services.mirrors import mirror_folder
from tests.factories import make_project, make_release, make_user
from tests.gitrepos import make_flow
from tests.pages.matrixes import make_branches, make_judged
from tests.plugins.real import Broker, Pages, Site

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
MATRIX = "/projects/checkout-api/merge-back/"


@pytest.fixture
def person() -> User:
    return make_user("reader", "release-manager", all_projects=True)


@pytest.fixture
def fix() -> Fix:
    """A project with its mirror; two fixes, one of them missing from develop with a conflict."""
    project = make_project("checkout-api", judged_at=timezone.now())
    folder = mirror_folder(project)
    Path(settings.MIRROR_DIR).mkdir(parents=True, exist_ok=True)
    repo = make_flow(folder.parent, folder.name)
    commit = repo.commit({"app.py": "line 1 fixed\n"}, "Round VAT")
    repo.tag("v1.0.1", message="Version 1.0.1")
    repo.commit({"app.py": "line 1 otherwise\n"}, "Other", branch="develop")
    branches = make_branches(project)
    Target.objects.filter(branch="develop").update(tip=repo.sha("develop"))
    first = make_release(project, "v1.0.0", commit=repo.sha("v1.0.0"))
    make_release(project, "v1.0.1", commit=commit, previous=first, commit_total=1)
    fix = make_judged(
        project, "Round VAT", branches, [Code.MISSING, Code.LIKELY, Code.MERGED], key=commit, ticket="TICKET-7"
    )
    Verdict.objects.filter(fix=fix, target__branch="develop").update(
        preview={"clean": False, "conflicts": ["app.py"]}, commits=[{"sha": commit, "verdict": "missing"}]
    )
    make_judged(project, "Mask card numbers", branches, [Code.MERGED] * 3)
    return fix


@pytest.fixture
def matrix(open_page: Pages, site: Site, broker: Broker, person: User, fix: Fix) -> Page:
    page = open_page(site.url, person, width=1440)
    page.goto(MATRIX)
    return page


def test_a_cell_opens_its_evidence_beside_the_table(matrix: Page, fix: Fix) -> None:
    cell = matrix.locator("a.mx-c", has_text="Missing")
    cell.click()
    drawer = matrix.locator("#drawer")
    expect(drawer).to_contain_text("If it were picked now: 1 file conflicts")
    expect(drawer).to_contain_text("line 1 otherwise")
    expect(matrix.locator("#dr-t")).to_be_focused()
    expect(cell).to_have_attribute("aria-current", "true")
    assert f"cell={fix.key}%3Adevelop" in matrix.url
    matrix.reload()
    expect(drawer).to_contain_text("line 1 otherwise")
    expect(cell).to_have_attribute("aria-current", "true")


def test_keyboard_alone_opens_and_closes_it(matrix: Page) -> None:
    cell = matrix.locator("a.mx-c", has_text="Likely")
    cell.focus()
    matrix.keyboard.press("Enter")
    expect(matrix.locator("#dr-t")).to_be_focused()
    matrix.keyboard.press("Escape")
    expect(matrix.locator("#drawer")).to_be_hidden()
    expect(cell).to_be_focused()
    expect(cell).not_to_have_attribute("aria-current", "true")
    assert "cell=" not in matrix.url


def test_back_and_forward_follow_the_drawer(matrix: Page) -> None:
    matrix.locator("a.mx-c", has_text="Missing").click()
    expect(matrix.locator("#drawer")).to_contain_text("develop")
    matrix.locator("a.mx-c", has_text="Likely").click()
    expect(matrix.locator("#drawer .dr-k")).to_contain_text("release/1.3")
    matrix.go_back()
    expect(matrix.locator("#drawer .dr-k")).to_contain_text("develop")
    matrix.go_back()
    expect(matrix.locator("#drawer")).to_be_hidden()
    matrix.go_forward()
    expect(matrix.locator("#drawer .dr-k")).to_contain_text("develop")


def test_without_script_a_cell_leads_to_the_same_evidence(open_page: Pages, site: Site, person: User, fix: Fix) -> None:
    page = open_page(site.url, person, width=1440, script=False)
    page.goto(MATRIX)
    page.locator("a.mx-c", has_text="Missing").click()
    assert page.url.endswith(f"/fixes/{fix.key}/in/develop/")
    expect(page.locator("main")).to_contain_text("line 1 otherwise")
    page.get_by_role("link", name="Open in the matrix").click()
    expect(page.locator("#drawer")).to_contain_text("line 1 otherwise")
    page.get_by_role("link", name="Close evidence").click()
    expect(page.locator("#drawer")).to_be_hidden()
    page.locator("#mx-q").fill("mask")
    page.get_by_role("button", name="Find").click()
    expect(page.locator("#matrix .ow-s")).to_have_count(1)


def test_on_a_phone_evidence_is_a_page_of_its_own(
    open_page: Pages, site: Site, broker: Broker, person: User, fix: Fix
) -> None:
    page = open_page(site.url, person, width=390, height=844)
    page.goto(MATRIX)
    cell = page.locator("a.mx-c", has_text="Missing")
    expect(cell).to_contain_text("develop")
    box = cell.bounding_box()
    assert box is not None
    assert box["height"] >= 44
    cell.click()
    page.wait_for_url("**/in/develop/")
    expect(page.locator("h1")).to_have_text("Round VAT")


def test_choosing_a_filter_acts_at_once(matrix: Page) -> None:
    matrix.get_by_text("Filters and order").click()
    matrix.locator("#mx-target").select_option("release/1.3")
    matrix.wait_for_url(re.compile("target=release"))
    expect(matrix.locator('th[scope="col"]')).to_have_count(2)


def test_a_push_changes_the_open_page_and_keeps_the_cell(matrix: Page, fix: Fix) -> None:
    matrix.locator("a.mx-c", has_text="Missing").click()
    expect(matrix.locator("#dr-t")).to_be_visible()
    matrix.wait_for_timeout(700)
    Verdict.objects.filter(fix=fix, target__branch="develop").update(
        code="merged", settled=True, owed=False, why="It arrived."
    )
    Project.objects.update(judged_at=timezone.now())
    live.publish_now(live.project_topic(fix.project_id), live.OVERVIEW)
    expect(matrix.locator("#drawer")).to_contain_text("It arrived.", timeout=20_000)
    row = matrix.locator("tr", has_text="Round VAT")
    expect(row.locator("a.mx-c").first).to_contain_text("Merged")
    expect(row.locator("a.mx-c").first).to_have_attribute("aria-current", "true")


def pages(fix: Fix) -> list[str]:
    """Those with evidence in them; the others are looked at with the demo's rows."""
    return [
        f"{MATRIX}?cell={fix.key}:develop",
        f"/projects/checkout-api/fixes/{fix.key}/",
        f"/projects/checkout-api/fixes/{fix.key}/in/develop/",
    ]


@pytest.mark.sample(2)
@pytest.mark.parametrize(("theme", "width"), [("light", 1440), ("dark", 390), ("dark", 1440), ("light", 390)])
def test_nothing_stands_in_anybodys_way(
    open_page: Pages, site: Site, broker: Broker, person: User, fix: Fix, theme: str, width: int
) -> None:
    page = open_page(site.url, person, theme=theme, width=width)
    found: list[Any] = []
    for address in pages(fix):
        page.goto(address)
        for rule in Axe().run(page).response["violations"]:
            if rule["impact"] in ("serious", "critical"):
                found.append((address, rule["id"], [node["html"][:160] for node in rule["nodes"]][:3]))
        over = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if over > 0:
            found.append((address, "scrolls sideways", over))
    assert not found


def test_hostile_names_keep_the_layout(open_page: Pages, site: Site, broker: Broker, person: User, fix: Fix) -> None:
    Target.objects.filter(branch="develop").update(branch="feature/" + "long-segment/" * 18 + "<b>\u202e")
    Fix.objects.filter(pk=fix.pk).update(subject="x" * 500, ticket="T-" + "9" * 70, shipped_in="v" + "1" * 200)
    for width in (1440, 390, 320):
        page = open_page(site.url, person, width=width)
        for address in [MATRIX, "/merge-back/", f"/projects/checkout-api/fixes/{fix.key}/"]:
            page.goto(address)
            assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, (width, address)


def test_a_refused_waiver_keeps_the_field_as_large_as_it_was_made(matrix: Page, fix: Fix, open_page: Pages) -> None:
    """The browser writes the size as a style of its own, which must not be written anew: the policy forbids it."""
    open_page.expected.append("422")
    matrix.goto(f"/projects/checkout-api/fixes/{fix.key}/in/develop/")
    matrix.locator("#ev-waive").click()
    reason = matrix.locator("#dialog textarea")
    reason.evaluate("el => { el.style.height = '180px'; el.form.noValidate = true; }")
    reason.fill("Not affected")
    matrix.locator("#dialog input[type=date]").fill("2090-01-01")
    matrix.locator("#dialog button[type=submit]").click()
    expect(matrix.locator("#dialog .err")).to_have_text("Choose a date in the next 90 days.")
    expect(reason).to_have_value("Not affected")
    expect(reason).to_have_css("height", "180px")


def test_the_buttons_of_an_evidence_page_change_with_what_was_decided(matrix: Page, fix: Fix) -> None:
    matrix.goto(f"/projects/checkout-api/fixes/{fix.key}/in/develop/")
    matrix.locator("#ev-waive").click()
    matrix.locator("#dialog textarea").fill("Not affected")
    matrix.locator("#dialog button[type=submit]").click()
    expect(matrix.locator("#evidence .dr-verdict")).to_contain_text("Waived")
    matrix.locator("#ev-withdraw").click()
    matrix.locator("#dialog textarea").fill("We looked again")
    matrix.locator("#dialog button[type=submit]").click()
    expect(matrix.locator("#evidence .dr-verdict")).to_contain_text("Missing")
    expect(matrix.locator("#ev-withdraw")).to_have_count(0)
    expect(matrix.locator("#ev-waive")).to_be_visible()
