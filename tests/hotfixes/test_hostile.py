"""Names and texts that mean harm are refused with a sentence at their field, or kept as plain text."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from releases.hotfixes.adopting import hotfix_adopt
from releases.hotfixes.errors import HotfixError
from releases.hotfixes.keys import holds_key, key_checked, key_in
from releases.hotfixes.listing import HotfixQuery, hotfix_list, untracked
from releases.hotfixes.models import Hotfix
from releases.hotfixes.services import hotfix_edit, hotfix_open
from releases.policies.flow import FlowPolicy
from tests.factories import make_project, make_user
from tests.gitrepos import make_flow
from tests.hotfixes.playing import app, look, track

ANYTHING = replace(FlowPolicy(), ticket_pattern=r".+")
NASTY = [
    "--upload-pack=x", "-T-1", "T-1..T-2", "T-1\nT-2", "T-1\x00", "T-1\x1b[31m", "T 1", "T-1; rm -rf .", "$(id)",
    "`id`", "T-1|cat", "T-1&&id", "<b>T-1</b>", "T-1'\"", "T-\u202e1", "T-1.lock", "T-1/", "/T-1", "T//1", "T-1~1",
    "T^1", "T:1", "T?1", "T*1", "T[1", "T\\1", "@{1}", "T-1" * 3500, "", "   ", "T-1.", "../../T-1",
]  # fmt: skip


@pytest.mark.parametrize("key", NASTY)
def test_keys_that_no_branch_or_shell_should_see(key: str) -> None:
    with pytest.raises(HotfixError) as refused:
        key_checked(key, ANYTHING, free=True)
    assert refused.value.field == "key"
    assert len(str(refused.value)) < 400
    assert "\x00" not in str(refused.value)


@pytest.mark.parametrize("key", ["TICKET-1", "#12", "JIRA_2-3", "1.2.1", "Ünï-1"])
def test_ordinary_keys_pass(key: str) -> None:
    assert key_checked(key, ANYTHING) == key


@pytest.mark.parametrize(
    ("pattern", "key", "fine"),
    [
        (r"\b[A-Z][A-Z0-9]{1,9}-\d+\b", "SHOP-7", True), (r"\b[A-Z][A-Z0-9]{1,9}-\d+\b", "shop-7", False),
        (r"(?i:\bfix(?:es)?\b:?,? )(#\d+)", "#12", True), (r"#\d+", "12", False), ("", "whatever", True),
    ],
)  # fmt: skip
def test_a_key_follows_the_projects_pattern(pattern: str, key: str, fine: bool) -> None:
    policy = replace(FlowPolicy(), ticket_pattern=pattern)
    if fine:
        assert key_checked(key, policy) == key
    else:
        with pytest.raises(HotfixError, match="does not look like"):
            key_checked(key, policy)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        (FlowPolicy().ticket_pattern, "capital letters, a dash and a number, such as TICKET-1234"),
        (r"(?i:\bfix(?:es)?\b:?,? )(#\d+)", "# and a number, such as #1234"),
        (r"\b\d{4}\b", "a number, such as 1234"),
        (r"\bincident/[a-f]{3}\b", r"written by this pattern: \bincident/[a-f]{3}\b"),
    ],
)  # fmt: skip
def test_a_refused_key_is_told_in_words_what_a_ticket_looks_like(pattern: str, said: str) -> None:
    with pytest.raises(HotfixError) as refused:
        key_checked("nothing", replace(FlowPolicy(), ticket_pattern=pattern))
    assert refused.value.sentence == f"“nothing” does not look like a ticket of this project, which is {said}."


def test_a_key_is_a_word_of_its_own() -> None:
    assert holds_key("hotfix/ticket-7-mend", "TICKET-7")
    assert not holds_key("hotfix/TICKET-71", "TICKET-7")
    assert not holds_key("hotfix/XTICKET-7", "TICKET-7")
    assert not holds_key("hotfix/TICKET-7", ".*")


@pytest.mark.parametrize("branch", ["hotfix/-x", "hotfix/<b>", "hotfix/$(id)", "hotfix/a;b", "hotfix/ü"])
def test_the_key_that_an_odd_branch_suggests_is_plain(branch: str) -> None:
    assert not set(key_in(FlowPolicy(), branch)) & set("<>$();&|'\"` ")


@pytest.mark.django_db
@pytest.mark.parametrize("title", ["x" * 10_000, "a\nb", "a\x00b", "a\u2066b", " "])
def test_titles_are_one_plain_line(title: str) -> None:
    with pytest.raises(HotfixError) as refused:
        hotfix_open(make_project(), "TICKET-1", title)
    assert refused.value.field == "title"
    assert not Hotfix.objects.exists()


@pytest.mark.django_db
def test_html_stays_text_and_long_impacts_are_refused() -> None:
    hotfix = hotfix_open(make_project(), "TICKET-1", "<script>alert(1)</script>", impact="<b>all</b>\nof them")
    assert (hotfix.title, hotfix.impact) == ("<script>alert(1)</script>", "<b>all</b>\nof them")
    with pytest.raises(HotfixError) as refused:
        hotfix_edit(hotfix, impact="x" * 10_000)
    assert refused.value.field == "impact"


@pytest.mark.django_db
def test_hostile_branches_and_messages_are_observed_and_adopted(tmp_path: Path) -> None:
    repo = make_flow(tmp_path)
    project = track(repo, FlowPolicy())
    names = ["hotfix/$(id)", "hotfix/a;b", "hotfix/<b>x</b>", "hotfix/\u202egnp", "hotfix/" + "y" * 190]
    for number, name in enumerate(names):
        repo.branch(name, "v1.0.0")
        subject = f"<img src=x onerror=alert({number})> \u202e backwards" + "z" * 10_000
        repo.commit({"app.py": app((number + 1, "mended"))}, subject, branch=name)
    look(project)
    found = {row.name: row for row in untracked(project)}
    assert set(found) == set(names)
    assert all(len(row.title) <= 200 for row in found.values())
    for name in names[:3]:
        hotfix = hotfix_adopt(project, name)
        assert (hotfix.branch, len(hotfix.commits)) == (name, 1)
    with pytest.raises(HotfixError, match="no branch"):
        hotfix_adopt(project, "--force")
    with pytest.raises(HotfixError, match="no branch"):
        hotfix_adopt(project, "x" * 10_000)


@pytest.mark.django_db
def test_odd_filters_fall_back() -> None:
    odd: dict[str, Any] = {"show": "<b>", "stage": "--", "severity": "9", "page": "-1", "sort": ";", "q": "\x00'" * 9}
    query = HotfixQuery.from_params(odd)
    assert (query.show, query.stage, query.severity, query.page, query.sort) == ("open", "", 0, 1, "age")
    assert hotfix_list(None, make_user(), query).rows == []
