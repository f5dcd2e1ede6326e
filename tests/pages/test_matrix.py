"""The merge-back matrix: groups, counts, filters, order, pages, and who may see it."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from releases.evidence.verdicts import Code
from releases.policies.matrix_selectors import Group, MatrixQuery, matrix
from releases.policies.settling import settle_waive
from releases.projects.models import Project
from tests.factories import make_fix, make_project, make_target, make_user, make_verdict
from tests.pages.matrixes import make_branches, make_judged, make_large

from .reading import squeezed

pytestmark = pytest.mark.django_db
MISSING, LIKELY, MERGED = Code.MISSING, Code.LIKELY, Code.MERGED


@pytest.fixture(autouse=True)
def _nothing_kept() -> None:
    cache.clear()


@pytest.fixture
def project() -> Project:
    return make_project("checkout-api", judged_at=timezone.now())


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(make_user("reader", "viewer", all_projects=True))
    return client


def subjects(html: str) -> list[str]:
    return re.findall(r'<a class="ow-s" href="[^"]*">([^<]*)</a>', html)


def page(reader: Client, project: Project, **params: str) -> str:
    response = reader.get(f"/projects/{project.slug}/merge-back/", params)
    assert response.status_code == 200
    # Rows are made here without a judgement, which is what makes a kept table stale.
    cache.clear()
    return squeezed(response.content.decode())


def segment(html: str) -> dict[str, int]:
    found = re.findall(r">(All|Owed|To confirm|Settled|Waived|Chores) <span class=\"count\">(\d+)</span>", html)
    return {name: int(count) for name, count in found}


def test_rows_are_grouped_by_what_they_need(project: Project) -> None:
    branches = make_branches(project)
    make_judged(project, "everywhere", branches, [MERGED] * 3)
    make_judged(project, "support only", branches, [MERGED, MERGED, MISSING])
    make_judged(project, "develop", branches, [Code.PARTIAL, MERGED, MERGED])
    make_judged(project, "likely", branches, [LIKELY, MERGED, MERGED])
    found = matrix([project.pk], MatrixQuery())
    assert [(group, [row.subject for row in rows]) for group, _, rows in found.groups] == [
        (Group.FIRST, ["develop"]),
        (Group.ELSEWHERE, ["support only"]),
        (Group.CONFIRM, ["likely"]),
        (Group.SETTLED, ["everywhere"]),
    ]


def test_counts_name_what_their_segment_lists(reader: Client, project: Project) -> None:
    branches = make_branches(project)
    for number in range(4):
        make_judged(project, f"missing {number}", branches, [MISSING, MERGED, MERGED])
    for number in range(3):
        make_judged(project, f"likely {number}", branches, [LIKELY, MERGED, MERGED])
    make_judged(project, "both", branches, [MISSING, LIKELY, MERGED])
    make_judged(project, "done", branches, [MERGED] * 3)
    make_judged(project, "bump", branches, [MISSING] * 3, chore=True)
    html = page(reader, project)
    assert segment(html) == {"All": 9, "Owed": 5, "To confirm": 4, "Settled": 1, "Chores": 1}
    for show, label in [("owed", "Owed"), ("confirm", "To confirm"), ("settled", "Settled"), ("chores", "Chores")]:
        assert len(subjects(page(reader, project, show=show))) == segment(html)[label]


def test_number_above_a_column_links_to_exactly_those_fixes(reader: Client, project: Project) -> None:
    branches = make_branches(project)
    make_judged(project, "one", branches, [MISSING, MISSING, MERGED])
    make_judged(project, "two", branches, [MERGED, MISSING, MERGED])
    make_judged(project, "three", branches, [MISSING, MERGED, LIKELY])
    html = page(reader, project)
    links = re.findall(r'<a class="mx-n(?: bad)?" href="([^"]+)">(\d+) (owed|to confirm)</a>', html)
    assert len(links) == 3
    for url, count, _ in links:
        answer = reader.get(url.replace("&amp;", "&")).content.decode()
        assert len(subjects(answer)) == int(count)


def test_oldest_debt_stands_first(project: Project) -> None:
    branches = make_branches(project)
    for days in (3, 9, 1):
        make_judged(project, f"{days} days", branches, [MISSING, MERGED, MERGED], days=days)
    found = matrix([project.pk], MatrixQuery())
    assert [row.subject for row in found.rows] == ["9 days", "3 days", "1 days"]


@pytest.mark.parametrize(
    ("sort", "order"),
    [("live", ["b", "c", "a"]), ("ticket", ["c", "a", "b"])],
)
def test_order_is_chosen(project: Project, sort: str, order: list[str]) -> None:
    branches = make_branches(project)
    for subject, ticket, days in [("a", "T-2", 9), ("b", "T-3", 1), ("c", "T-1", 5)]:
        make_judged(project, subject, branches, [MISSING, MERGED, MERGED], days=days, ticket=ticket)
    found = matrix([project.pk], MatrixQuery(sort=sort))
    assert [row.subject for row in found.rows] == order


def test_search_finds_ticket_subject_tag_and_object_id(project: Project) -> None:
    branches = make_branches(project)
    wanted = make_judged(
        project, "Round VAT", branches, [MISSING, MERGED, MERGED], ticket="TICKET-7", shipped_in="v1.2.2"
    )
    make_judged(project, "Other", branches, [MERGED] * 3, ticket="TICKET-8", shipped_in="v1.2.3")
    for text in ("ticket-7", "round vat", "v1.2.2", wanted.key[:9]):
        found = matrix([project.pk], MatrixQuery(text=text))
        assert [row.subject for row in found.rows] == ["Round VAT"], text
        assert found.counts["all"] == 1


def test_author_and_period_narrow(project: Project) -> None:
    branches = make_branches(project)
    make_judged(project, "old", branches, [MISSING, MERGED, MERGED], days=200, author_name="Noor")
    make_judged(project, "new", branches, [MISSING, MERGED, MERGED], days=3, author_name="Noor")
    make_judged(project, "hers", branches, [MISSING, MERGED, MERGED], days=3, author_name="Ida")
    assert {row.subject for row in matrix([project.pk], MatrixQuery(days=30)).rows} == {"new", "hers"}
    assert {row.subject for row in matrix([project.pk], MatrixQuery(author="noor")).rows} == {"new", "old"}


def test_one_branch_can_be_looked_at_alone(reader: Client, project: Project) -> None:
    branches = make_branches(project)
    make_judged(project, "elsewhere", branches, [MISSING, MERGED, MERGED])
    make_judged(project, "support", branches, [MERGED, MERGED, MISSING])
    html = page(reader, project, target="support/1.1", show="owed")
    assert subjects(html) == ["support"]
    assert html.count('<th scope="col">') == 2
    assert segment(html)["Owed"] == 1


def test_pages_hold_every_fix_once(reader: Client) -> None:
    project = make_large(83)
    seen: list[str] = []
    for number in range(1, 5):
        seen += subjects(page(reader, project, page=str(number)))
    assert len(seen) == 83
    assert len(set(seen)) == 83
    assert subjects(page(reader, project, page="99")) == subjects(page(reader, project, page="4"))
    assert len(subjects(page(reader, project, per="50"))) == 50


def test_odd_parameters_fall_back(reader: Client, project: Project) -> None:
    make_judged(project, "fix", make_branches(project), [MISSING, MERGED, MERGED])
    odd = {"show": "<x>", "page": "-3", "per": "1e9", "days": "٣", "sort": "id", "cell": "zz:..", "target": "nowhere"}
    assert subjects(page(reader, project, **odd)) == ["fix"]
    assert "No fix fits" in page(reader, project, q="\0'\"%_\\")


def test_settled_and_closed_branches_do_not_count(reader: Client, project: Project) -> None:
    branches = make_branches(project)
    gone = make_target(project, "release/1.2", kind="release", closed_at=timezone.now())
    fix = make_judged(project, "fix", branches, [MERGED] * 3)
    make_verdict(fix, gone, MISSING, owed=True)
    html = page(reader, project)
    assert segment(html)["Owed"] == 0
    assert "release/1.2" not in html


def test_waived_fixes_have_a_view_of_their_own(reader: Client, project: Project) -> None:
    develop, support = make_target(project), make_target(project, "support/1.1", position=1)
    both, one = make_fix(project, "Waived and owed"), make_fix(project, "Waived only")
    make_verdict(both, develop, MISSING)
    make_verdict(one, develop, MERGED)
    for fix in (both, one):
        settle_waive(make_verdict(fix, support, MISSING), "Not affected.", timezone.now() + timedelta(days=30), None)
    make_fix(project, "Neither")
    html = page(reader, project, show="waived")
    assert segment(html)["Waived"] == 2
    assert subjects(html) == ["Waived and owed", "Waived only"]
    assert segment(page(reader, make_project("other", judged_at=timezone.now()))).get("Waived") is None


def test_vanished_fixes_are_not_listed(reader: Client, project: Project) -> None:
    make_judged(project, "rewritten", make_branches(project), [MISSING] * 3, present=False)
    assert subjects(page(reader, project)) == []


def test_a_pair_that_was_not_judged_says_so(reader: Client, project: Project) -> None:
    branches = make_branches(project)
    make_verdict(make_fix(project), branches[0], MERGED)
    assert page(reader, project).count("not judged yet") == 2


def test_a_fix_lives_on_its_own_line_and_older_ones_are_not_asked_about(reader: Client, project: Project) -> None:
    names = ("main", "stable-1.28", "stable-1.30", "stable-1.32")
    branches = [
        make_target(project, name, position=place, kind="support" if place else "main")
        for place, name in enumerate(names)
    ]
    make_verdict(make_fix(project, production_ref="stable-1.30"), branches[0], MERGED)
    html = page(reader, project)
    assert html.count("lives here") == 1
    assert html.count("older line") == 1
    assert html.count("not judged yet") == 1


def test_open_cell_shows_its_evidence_and_is_marked(reader: Client, project: Project) -> None:
    fix = make_judged(project, "Round VAT", make_branches(project), [MISSING, MERGED, MERGED])
    html = page(reader, project, cell=f"{fix.key}:develop")
    assert re.findall(r'class="mx-c is-open" aria-current="true" href="([^"]+)"', html) == [
        f"/projects/{project.slug}/fixes/{fix.key}/in/develop/"
    ]
    assert 'id="dr-t"' in html
    assert "git cherry-pick -x" in html
    assert "?show=" not in re.findall(r'data-drawer-close href="([^"]+)"', html)[0]


@pytest.mark.parametrize(
    ("codes", "show", "words"),
    [
        ([MERGED] * 3, "owed", "Every fix that is live is also in develop, release/1.3 and support/1.1."),
        ([MERGED] * 3, "confirm", "Nothing to confirm."),
        ([MISSING] * 3, "settled", "Nothing is settled yet."),
        ([MISSING] * 3, "chores", "No chores."),
    ],
)
def test_empty_segments_say_what_that_means(
    reader: Client, project: Project, codes: list[Code], show: str, words: str
) -> None:
    make_judged(project, "fix", make_branches(project), codes)
    assert words in re.sub(r"<[^>]+>", "", page(reader, project, show=show))


def test_empty_projects_say_why(reader: Client, project: Project) -> None:
    assert "No branch has to receive fixes." in page(reader, project)
    make_target(project)
    assert "No fix shipped outside a release." in page(reader, project)
    project.judged_at = None
    project.save()
    assert "Not read yet." in page(reader, project)


def test_failing_remote_is_told_with_the_last_answer_still_there(reader: Client, project: Project) -> None:
    make_judged(project, "fix", make_branches(project), [MISSING] * 3)
    Project.objects.update(error_text="The server did not answer.", error_since=timezone.now() - timedelta(hours=1))
    html = page(reader, project)
    assert "Git has not answered since" in html
    assert "The server did not answer." in html
    assert subjects(html) == ["fix"]


def test_only_those_who_may_see_the_project_see_its_matrix(client: Client, project: Project) -> None:
    address = f"/projects/{project.slug}/merge-back/"
    assert client.get(address).status_code == 302
    client.force_login(make_user("stranger"))
    assert client.get(address).status_code == 404
    client.force_login(make_user("member", projects=[project]))
    assert client.get(address).status_code == 200
    client.logout()
    Project.objects.update(visibility=Project.Visibility.PUBLIC)
    assert client.get(address).status_code == 200


def test_check_now_is_offered_to_those_who_may(client: Client, project: Project) -> None:
    for role, offered in (("viewer", False), ("engineer", True)):
        client.force_login(make_user(role, role, projects=[project]))
        assert ("Check now" in client.get(f"/projects/{project.slug}/merge-back/").content.decode()) is offered


def test_all_projects_lists_only_what_the_person_may_see(client: Client, project: Project) -> None:
    make_judged(project, "mine", make_branches(project), [MISSING, MERGED, MERGED])
    other = make_project("secret-api")
    make_judged(other, "hidden", [make_target(other)], [MISSING])
    client.force_login(make_user("member", projects=[project]))
    html = client.get("/merge-back/").content.decode()
    assert subjects(html) == ["mine"]
    assert "secret-api" not in html


def test_all_projects_keep_their_own_branches(reader: Client, project: Project) -> None:
    make_judged(project, "first", make_branches(project), [MISSING, MERGED, MERGED], days=4)
    trunk = make_project("trunk-app")
    make_judged(trunk, "second", [make_target(trunk, "main", kind="main")], [MISSING], days=9)
    html = reader.get("/merge-back/").content.decode()
    assert subjects(html) == ["second", "first"]
    assert html.count('<a class="mx-c"') == 4


def test_live_part_is_the_same_table_alone(reader: Client, project: Project) -> None:
    make_judged(project, "fix", make_branches(project), [MISSING, MERGED, MERGED])
    address = f"/projects/{project.slug}/merge-back/"
    part = reader.get(address, headers={"HX-Request": "true", "HX-Target": "matrix"})
    assert part.content.decode().lstrip().startswith('<div id="matrix"')
    assert subjects(part.content.decode()) == ["fix"]
    assert "HX-Target" in part.headers["Vary"]


def test_hostile_text_is_shown_harmlessly(reader: Client, project: Project) -> None:
    branch = "feature/" + "long-" * 50 + "<b>"
    target = make_target(project, branch[:250])
    make_judged(
        project, "<script>alert(1)</script>\u202eevil\x07" + "x" * 400, [target], [MISSING],
        ticket="<i>T</i>", shipped_in="v1\u2066", author_name="\u202e",
    )  # fmt: skip
    html = page(reader, project)
    assert "<script>alert" not in html
    assert "<i>T" not in html
    assert not set("\u202e\u2066\x07") & set(html)
    assert "⟨U+202E⟩" in html
    assert len(max(subjects(html), key=len)) < 300


def queries_of(client: Client, address: str) -> int:
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    client.get(address)
    cache.clear()
    with CaptureQueriesContext(
        connection,
    ) as captured:
        assert client.get(address).status_code == 200
    return len(captured)


def test_number_of_queries_does_not_grow(reader: Client) -> None:
    small, large = make_large(30, "small"), make_large(1000, "large")
    for params in ("", "?show=owed", "?show=settled&page=2", "?q=TICKET-1", "?sort=ticket"):
        few = queries_of(reader, f"/projects/{small.slug}/merge-back/{params}")
        many = queries_of(reader, f"/projects/{large.slug}/merge-back/{params}")
        assert many <= few <= 20, params
    one = queries_of(reader, "/merge-back/")
    for number in range(48):
        make_project(f"more-{number}")
    assert queries_of(reader, "/merge-back/") == one


def gates(html: str) -> list[str]:
    """What stands of the gate above each column, with the whole sentence behind it."""
    found = re.findall(r'<span class="mx-n mx-gate (\w+)"[^>]*>(.*?)</span> ?</span>', html)
    return [f"{tone}: {' '.join(re.sub(r'<[^>]+>', ' ', said).split())}" for tone, said in found]


def test_each_column_says_whether_its_gate_is_open(reader: Client, project: Project) -> None:
    branches = make_branches(project)
    make_judged(project, "late", branches, [MISSING, MERGED, LIKELY], days=30)
    make_judged(project, "everywhere", branches, [MERGED] * 3)
    closed, opened, unsure = gates(page(reader, project))
    assert closed == "bad: Gate closed . Closed: would reintroduce 1 fixed bug"
    assert opened == "ok: Gate open . Open: brings no bug back"
    assert unsure == "warn: Gate not sure . 1 fix needs a look first"
    assert gates(page(reader, project, show="settled", target="develop")) == [closed]


def test_a_gate_closes_when_what_is_owed_is_late(reader: Client, project: Project) -> None:
    make_judged(project, "fresh", make_branches(project), [MISSING, MERGED, MERGED], days=0)
    assert gates(page(reader, project))[0].startswith("warn: Gate closes in ")
