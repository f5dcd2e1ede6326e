"""What stands around every page: tabs, theme, sign-in, errors, and nothing inline for the strict policy."""

from __future__ import annotations

import gzip
import re
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.test import Client
from django.utils import timezone

from releases.evidence.verdicts import Code
from releases.policies.models import Target
from tests.factories import make_fix, make_project, make_target, make_user, make_verdict

PAGES = ["/", "/projects/", "/projects/shop/", "/projects/shop/settings/", "/projects/shop/health/", "/projects/add/",
         "/search/?q=fix", "/accounts/", "/postmortems/", "/postmortems/actions/", "/postmortems/words/"]  # fmt: skip
TEMPLATES = Path(settings.BASE_DIR) / "templates"


@pytest.fixture
def filled(client: Client, db: None) -> Client:
    now = timezone.now()
    shop = make_project("shop", fetched_at=now, judged_at=now)
    make_verdict(make_fix(shop), make_target(shop), Code.MISSING)
    make_target(shop, "release/1.3", kind=Target.Kind.RELEASE, position=1)
    client.force_login(make_user("ada", "administrator", all_projects=True))
    return client


@pytest.mark.parametrize("path", PAGES)
def test_no_inline_script_or_style_on_any_page(filled: Client, path: str) -> None:
    body = filled.get(path).content.decode()
    assert not re.search(r"<script(?![^>]*\bsrc=)", body)
    assert "<style" not in body
    assert not re.search(r"<[^>]+\sstyle=", body)
    assert not re.search(r"<[^>]+\son[a-z]+=", body)
    assert "javascript:" not in body
    assert "hx-on" not in body


@pytest.mark.parametrize("path", PAGES)
def test_every_page_has_one_title_one_heading_and_a_way_past_the_header(filled: Client, path: str) -> None:
    body = filled.get(path).content.decode()
    assert len(re.findall(r"<h1\b", body)) == 1
    assert re.search(r"<title>\S[^<]* · HOTFIXDASH</title>", body)
    assert body.index('href="#main"') < body.index("<header")
    assert 'id="main"' in body


@pytest.mark.parametrize("path", PAGES)
def test_ids_are_unique_and_labels_point_at_something(filled: Client, path: str) -> None:
    body = filled.get(path).content.decode()
    ids = re.findall(r'\sid="([^"]+)"', body)
    assert len(ids) == len(set(ids))
    pointed = re.findall(r'\s(?:for|aria-labelledby|aria-describedby)="([^"]+)"', body)
    assert {name for names in pointed for name in names.split()} <= set(ids)


@pytest.mark.parametrize(("cookie", "attribute"), [("dark", 'data-theme="dark"'), ("light", 'data-theme="light"')])
def test_the_theme_comes_from_the_cookie(filled: Client, cookie: str, attribute: str) -> None:
    filled.cookies["theme"] = cookie
    assert attribute in filled.get("/").content.decode()


@pytest.mark.parametrize("cookie", ["auto", '"><script>', ""])
def test_any_other_theme_is_the_system_s(filled: Client, cookie: str) -> None:
    filled.cookies["theme"] = cookie
    assert "data-theme" not in filled.get("/").content.decode()


def test_tabs_follow_the_project_and_count_what_is_owed(filled: Client) -> None:
    body = filled.get("/projects/shop/health/").content.decode()
    assert 'href="/projects/shop/merge-back/"' in body
    assert re.search(r'Merge-back <span class="count count--owed">1</span>', body)
    assert 'href="/merge-back/"' in filled.get("/projects/").content.decode()


def test_the_switcher_offers_the_first_projects_and_a_way_to_the_others(filled: Client) -> None:
    for number in range(20):
        make_project(f"a{number:02}")
    body = filled.get("/search/").content.decode()
    assert body.count('<a href="/projects/a') == 12
    assert "More projects" in body


def test_visitors_see_a_way_to_sign_in(client: Client, db: None) -> None:
    make_project("open", visibility="public")
    body = client.get("/projects/open/").content.decode()
    assert "Sign in" in body
    assert "Sign out" not in body


@pytest.mark.parametrize("url", ["/releases/", "/merge-back/"])
def test_visitors_are_asked_to_sign_in_while_nothing_is_open_to_them(client: Client, db: None, url: str) -> None:
    make_project("closed", visibility="signed-in")
    assert client.get(url)["Location"] == f"/accounts/login/?next={url}"
    make_project("open", visibility="public")
    assert client.get(url).status_code == 200


@pytest.mark.django_db
def test_the_sign_in_page_has_its_fields_and_keeps_the_way_back(client: Client) -> None:
    answer = client.get("/", follow=True)
    body = answer.content.decode()
    assert 'name="username"' in body
    assert 'name="password"' in body
    assert 'name="next" value="/"' in body
    wrong = client.post("/accounts/login/", {"username": "nobody", "password": "x", "next": "/projects/"})
    assert 'role="alert"' in wrong.content.decode()


@pytest.mark.parametrize("code", ["400", "403", "403_csrf", "404", "429", "500"])
def test_error_pages_need_neither_request_nor_database(code: str) -> None:
    body = render_to_string(f"{code}.html")
    assert "Back to the overview" in body
    assert code[:3] in body


def test_a_page_that_is_not_there(filled: Client) -> None:
    answer = filled.get("/nothing/here/")
    assert answer.status_code == 404
    assert "There is nothing here" in answer.content.decode()


def test_every_icon_that_a_template_names_is_in_the_sprite() -> None:
    sprite = (Path(settings.BASE_DIR) / "static/icons/sprite.svg").read_text()
    drawn = set(re.findall(r'id="i-([^"]+)"', sprite))
    named = {code.icon for code in Code}
    for template in TEMPLATES.rglob("*.html"):
        text = template.read_text()
        named |= set(re.findall(r'{% icon "([^"]+)"', text))
        named |= set(re.findall(r'{% state "[a-z]+" "([^"]+)"', text))
    assert named <= drawn


def test_own_scripts_and_styles_stay_small() -> None:
    def weight(*names: str) -> int:
        found = [finders.find(name) for name in names]
        assert all(found)
        return sum(len(gzip.compress(Path(str(path)).read_bytes())) for path in found)

    assert weight("django_htmx/htmx-2.min.js", "vendor/idiomorph-ext.min.js", "js/dash.js") <= 30_000
    assert weight("css/hotfixdash.css") <= 20_000
    assert weight("icons/sprite.svg") <= 5_000


def test_scripts_never_evaluate_text() -> None:
    text = Path(str(finders.find("js/dash.js"))).read_text()
    assert not re.search(r"\beval\(|new Function|innerHTML|document\.write", text)
    assert '"allowEval":false' in (TEMPLATES / "base.html").read_text()


def test_open_pages_ask_for_the_counts_in_their_tabs(filled: Client) -> None:
    body = filled.get("/projects/shop/merge-back/").content.decode()
    asked = re.search(r'<nav class="tabs" id="tabs"[^>]* hx-get="([^"]+)"', body)
    assert asked is not None
    answer = filled.get(asked[1].replace("&amp;", "&")).content.decode()
    assert (
        'href="/projects/shop/merge-back/" aria-current="page">Merge-back <span class="count count--owed">1<' in answer
    )
    assert 'id="tabs-m" class="bn-t" hx-swap-oob="morph"' in answer


def test_counts_of_a_project_are_for_those_who_see_it(filled: Client) -> None:
    filled.force_login(make_user("stranger", "viewer"))
    assert filled.get("/tabs/?project=shop").status_code == 404
    filled.logout()
    assert filled.get("/tabs/?project=shop").status_code == 302
