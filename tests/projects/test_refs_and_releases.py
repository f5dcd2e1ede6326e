"""Branches and tags as rows: new, moved, forced, deleted, back again; and the releases that version tags make."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

import pytest

from releases.git.repository import RefRow
from releases.ledger.models import Event
from releases.policies.flow import FlowPolicy
from releases.projects.lineage import Step
from releases.projects.models import Project, Ref, Release
from releases.projects.services import refs_record, releases_link, releases_record
from tests.factories import NOW, make_project, sha

pytestmark = pytest.mark.django_db
LATER = NOW + timedelta(hours=1)
PATTERN = FlowPolicy().tag_pattern


def branch(name: str, seed: object = "a") -> RefRow:
    return RefRow(f"refs/heads/{name}", sha(seed), sha(seed), committed_at=int(NOW.timestamp()))


def tag(name: str, seed: object = "", *, annotated: bool = False, **fields: object) -> RefRow:
    commit = sha(seed or name)
    return RefRow(f"refs/tags/{name}", sha(("object", name)) if annotated else commit, commit, **fields)  # type: ignore[arg-type]


def record(project: Project, *tags: RefRow, production: set[str] | None = None) -> int:
    names = {row.short for row in tags} if production is None else production
    return releases_record(project, tags, names, PATTERN, NOW)


def test_the_first_look_writes_all_and_tells_nothing() -> None:
    project = make_project()
    change = refs_record(project, [branch("main"), branch("develop")], set(), NOW)
    assert (change.new, change.total) == (2, 2)
    assert not Event.objects.exists()
    assert Ref.objects.get(name="refs/heads/main").committed_at == NOW


def test_moved_forced_deleted_and_back_again() -> None:
    project = make_project()
    refs_record(project, [branch("main", 1), branch("develop", 1), branch("old", 1)], set(), NOW)
    change = refs_record(project, [branch("main", 2), branch("develop", 2)], {"refs/heads/develop"}, LATER)
    assert (change.moved, change.forced, change.deleted) == (2, 1, 1)
    develop = Ref.objects.get(name="refs/heads/develop")
    assert (develop.sha, develop.forced_at, develop.first_seen_at) == (sha(2), LATER, NOW)
    gone = Ref.objects.get(name="refs/heads/old")
    assert (gone.deleted_at, gone.sha) == (LATER, sha(1))
    assert set(Event.objects.values_list("kind", "subject", "old", "new")) == {
        ("ref.forced", "ref:refs/heads/develop", sha(1), sha(2)),
        ("ref.deleted", "ref:refs/heads/old", sha(1), ""),
    }
    assert refs_record(project, [branch("main", 2), branch("develop", 2), branch("old", 1)], set(), LATER).new == 1
    gone.refresh_from_db()
    assert gone.deleted_at is None


def test_nothing_new_writes_nothing(django_assert_max_num_queries: object) -> None:
    project = make_project()
    rows = [branch(f"topic/{n}") for n in range(50)]
    refs_record(project, rows, set(), NOW)
    with django_assert_max_num_queries(5):  # type: ignore[operator]
        assert refs_record(project, rows, set(), LATER).total == 0


@pytest.mark.long
def test_ten_thousand_refs_take_few_queries_and_do_not_flood_the_ledger(
    django_assert_max_num_queries: Callable[[int], AbstractContextManager[object]],
) -> None:
    project = make_project()
    rows = [branch(f"topic/{n}", n) for n in range(10_000)]
    with django_assert_max_num_queries(300):
        refs_record(project, rows, set(), NOW)
    with django_assert_max_num_queries(5):
        refs_record(project, rows, set(), LATER)
    refs_record(project, [], set(), LATER)
    told = Event.objects.filter(kind="ref.deleted")
    assert told.count() == 101
    assert told.filter(why="And 9,900 more refs likewise.").exists()


def test_version_tags_become_releases_and_others_do_not() -> None:
    project = make_project()
    seen = [
        tag("v1.2.0", annotated=True, tagger="Mira", tagged_at=1000, message="Notes", subject="Work"),
        tag("nightly"),
        tag("v1.3.0-rc1"),
        RefRow("refs/tags/v9.9.9", sha("tree"), ""),
    ]
    assert record(project, *seen, production={"v1.2.0"}) == 2
    release = Release.objects.get(tag="v1.2.0")
    assert (release.kind, release.version, release.tagger, release.message) == ("minor", "1.2.0", "Mira", "Notes")
    assert release.tag_object
    assert release.on_production
    assert not Release.objects.get(tag="v1.3.0-rc1").on_production
    project.refresh_from_db()
    assert project.production_release == release


def test_the_newest_finished_version_on_production_is_live() -> None:
    project = make_project()
    record(
        project,
        tag("v1.9.0"),
        tag("v1.10.0"),
        tag("v2.0.0-rc1"),
        tag("v3.0.0"),
        production={"v1.9.0", "v1.10.0", "v2.0.0-rc1"},
    )
    project.refresh_from_db()
    assert project.production_release is not None
    assert project.production_release.tag == "v1.10.0"


def test_a_new_release_is_told_with_what_was_live_before() -> None:
    project = make_project()
    record(project, tag("v1.0.0"))
    assert not Event.objects.exists()
    project.refresh_from_db()
    record(project, tag("v1.0.0"), tag("v1.0.1"))
    assert list(Event.objects.order_by("pk").values_list("kind", "subject", "old", "new")) == [
        ("release.new", "release:v1.0.1", "", sha("v1.0.1")),
        ("production.changed", "release:v1.0.1", "v1.0.0", "v1.0.1"),
    ]


def test_a_version_tag_that_moves_is_told_and_counted_anew() -> None:
    project = make_project()
    record(project, tag("v1.0.0", 1), tag("v1.0.1"))
    releases_link(project, {"v1.0.0": Step(None, 5), "v1.0.1": Step("v1.0.0", 2)})
    assert Release.objects.get(tag="v1.0.1").previous == Release.objects.get(tag="v1.0.0")
    record(project, tag("v1.0.0", 2), tag("v1.0.1"))
    moved = Release.objects.get(tag="v1.0.0")
    assert (moved.moved_at, moved.commit_total) == (NOW, 0)
    event = Event.objects.get(kind="tag.moved")
    assert (event.old, event.new) == (sha(1), sha(2))


def test_a_deleted_tag_is_kept_and_live_no_more() -> None:
    project = make_project()
    record(project, tag("v1.0.0"), tag("v1.0.1"))
    project.refresh_from_db()
    record(project, tag("v1.0.0"))
    assert Release.objects.get(tag="v1.0.1").deleted_at == NOW
    project.refresh_from_db()
    assert project.production_release is not None
    assert project.production_release.tag == "v1.0.0"


def test_dates_that_no_calendar_has_do_not_stop_anything() -> None:
    project = make_project()
    record(project, tag("v1.0.0", annotated=True, tagged_at=10**18), tag("v1.0.1", committed_at=-(10**15)))
    assert set(Release.objects.values_list("tagged_at", flat=True)) == {None}


@pytest.mark.long
def test_ten_thousand_releases_take_few_queries(
    django_assert_max_num_queries: Callable[[int], AbstractContextManager[object]],
) -> None:
    project = make_project()
    tags = [tag(f"v1.{n}.0") for n in range(10_000)]
    with django_assert_max_num_queries(500):
        record(project, *tags)
        releases_link(project, {f"v1.{n}.0": Step(f"v1.{n - 1}.0" if n else None, 3) for n in range(10_000)})
    with django_assert_max_num_queries(20):
        assert record(project, *tags) == 0
