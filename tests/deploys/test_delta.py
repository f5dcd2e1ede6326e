"""What a deployment would change, measured from what really runs there now."""

from __future__ import annotations

import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from releases.deploys import binding
from releases.deploys.bad_releases import bad_in, release_mark_bad, release_mended
from releases.deploys.delta import Base, delta_of, summary
from releases.deploys.errors import DeployRefused
from releases.deploys.models import Environment, Run
from releases.git import spans
from releases.projects.services.mirrors import mirror_folder
from tests.factories import sha
from tests.gitrepos import make_repo

from .asking import APP, Shop, make_shop

pytestmark = pytest.mark.django_db
PROBE = {"kind": "http-text", "url": "http://127.0.0.1/revision"}


@pytest.fixture
def shop(tmp_path: Path, settings: Any) -> Shop:
    return make_shop(tmp_path, settings)


def seen(shop: Shop, revision: str, **fields: Any) -> None:
    """The probe named this for what runs."""
    Environment.objects.filter(pk=shop.place.pk).update(probe=PROBE, seen=revision, seen_at=timezone.now(), **fields)


def base(run: Run) -> Base:
    return delta_of(Run.objects.select_related(*binding.RELATED).get(pk=run.pk)).base


def test_it_is_measured_from_what_was_brought_there_last(shop: Shop) -> None:
    delta = delta_of(shop.request())
    assert (delta.base.name, delta.base.how) == ("v1.0.0", "run")
    assert delta.base.says == "v1.0.0 was brought there last. No probe says what really runs there."
    assert (delta.ahead, delta.behind, delta.added, delta.removed) == (1, 0, 1, 1)
    assert [info.subject for info in delta.commits] == ["[HOTFIX] TICKET-7: Mend it"]
    assert [file.path for file in delta.files] == ["app.py"]
    assert delta.tickets == ("TICKET-7",)
    assert summary(delta) == "1 commit, 1 file, +1 −1"


def test_what_the_probe_confirms_is_said_so(shop: Shop) -> None:
    run = shop.request()
    seen(shop, "1.0.0")
    assert (base(run).how, base(run).drift) == ("probe", False)
    assert base(run).says == "production says that it runs v1.0.0."


def test_what_really_runs_there_counts_and_not_what_was_brought_there(shop: Shop) -> None:
    shop.repo.switch("side", at="v1.0.0")
    shop.repo.commit({"extra.py": "by hand\n"}, "Put there by hand", author="jonas")
    run = shop.request()
    seen(shop, shop.repo.sha("side")[:9])
    delta = delta_of(Run.objects.select_related(*binding.RELATED).get(pk=run.pk))
    assert (delta.base.commit, delta.base.how, delta.base.drift) == (shop.repo.sha("side"), "probe", True)
    assert "although v1.0.0 was brought there last" in delta.base.says
    assert (delta.ahead, delta.behind) == (1, 1)
    assert {file.path for file in delta.files} == {"app.py", "extra.py"}


@pytest.mark.parametrize("named", ["v1.1.0", "1.1.0"])
def test_a_release_that_the_probe_names_is_found_by_tag_and_version(shop: Shop, named: str) -> None:
    shop.repo.commit({"b.py": "b\n"}, "More", author="jonas")
    shop.repo.tag("v1.1.0", message="Version 1.1.0")
    shop.release("v1.1.0")
    run = shop.request()
    seen(shop, named)
    found = delta_of(Run.objects.select_related(*binding.RELATED).get(pk=run.pk))
    assert (found.base.name, found.ahead, found.behind) == ("v1.1.0", 0, 1)


@pytest.mark.parametrize("named", ["nonsense", "deadbeef", "-rf", "main", "HEAD", "v1.0.0..v1.0.1", "0" * 40])
def test_what_is_nothing_in_the_repository_is_said_and_not_believed(shop: Shop, named: str) -> None:
    run = shop.request()
    seen(shop, named)
    found = base(run)
    assert (found.name, found.how, found.drift) == ("v1.0.0", "run", True)
    assert "nothing in this repository" in found.says


def test_a_probe_that_does_not_answer_is_said(shop: Shop) -> None:
    run = shop.request()
    Environment.objects.filter(pk=shop.place.pk).update(probe=PROBE, probe_error="Nothing listens there.")
    assert base(run).says == "v1.0.0 was brought there last. Nothing listens there."


def test_the_release_before_it_is_the_last_resort_and_named_as_such(shop: Shop) -> None:
    run = shop.request()
    Environment.objects.filter(pk=shop.place.pk).update(live=None)
    assert (base(run).name, base(run).how) == ("v1.0.0", "before")
    assert base(run).says == "Nothing is known to run in production; this is measured from v1.0.0."


def test_without_anything_before_it_all_of_it_is_new(shop: Shop) -> None:
    Environment.objects.filter(pk=shop.place.pk).update(live=None)
    run = shop.request("v1.0.0")
    delta = delta_of(run)
    assert (delta.base.commit, delta.base.how) == ("", "")
    assert (delta.ahead, {file.path for file in delta.files}) == (1, {"app.py", "README.md"})


def test_what_has_begun_is_compared_with_what_it_replaced(shop: Shop) -> None:
    before = shop.place.live
    run = shop.request(state="done", started_at=timezone.now(), replaces=before)
    Environment.objects.filter(pk=shop.place.pk).update(live=run)
    assert (base(run).name, base(run).says) == ("v1.0.0", "It replaced v1.0.0.")


def test_a_step_back_says_what_it_takes_away(shop: Shop) -> None:
    shop.runs("v1.0.1")
    delta = delta_of(shop.request("v1.0.0"))
    assert (delta.ahead, delta.behind, delta.added, delta.removed) == (0, 1, 1, 1)


def test_without_a_mirror_it_says_what_is_not_known(shop: Shop) -> None:
    run = shop.request()
    mirror_folder(shop.project).rename(mirror_folder(shop.project).with_suffix(".away"))
    delta = delta_of(run)
    assert not delta.known
    assert delta.problem == summary(delta) == "The mirror of this repository is not on this machine."


def test_a_file_that_the_mirror_lacks_hides_no_path(shop: Shop) -> None:
    shop.repo.commit({"app/migrations/7.sql": "new\n"}, "More", author="jonas")
    shop.repo.tag("v1.0.2", message="Version 1.0.2")
    blob = shop.repo.git("rev-parse", "v1.0.2:app/migrations/7.sql")
    (shop.repo.git_dir / "objects" / blob[:2] / blob[2:]).unlink()
    delta = delta_of(shop.request("v1.0.2"))
    assert (delta.known, delta.counted) == (True, False)
    assert [file.path for file in delta.files] == ["app.py", "app/migrations/7.sql"]
    assert summary(delta) == "2 commits, 2 files, lines not counted"


def test_looking_again_asks_git_nothing(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    run = shop.request()
    first = delta_of(run)

    def never(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("git was started")

    monkeypatch.setattr(subprocess, "Popen", never)
    assert delta_of(run) == first


# --- what git is asked ------------------------------------------------------------------------------------------------


def test_people_and_files_of_a_span_leave_nothing_out(tmp_path: Path) -> None:
    repo = make_repo(tmp_path)
    start = repo.commit({"a.txt": "a\n"}, "Start")
    for number in range(400):
        repo.commit({f"f/{number}.txt": f"{number}\n"}, f"Change {number}", author=f"author{number % 7}")
    tip = repo.sha("main")
    found = spans.people(repo.git_dir, start, tip)
    assert found.commits == 400
    assert {name for name, _ in found.authors} == {f"Author{number}" for number in range(7)}
    for since, number in ((start, 400), ("", 401)):
        files = spans.files(repo.git_dir, since, tip)
        assert spans.paths(repo.git_dir, since, tip) == tuple(file.path for file in files)
        assert len(files) == number
    assert spans.people(repo.git_dir, "", tip).commits == 401
    assert spans.people(repo.git_dir, tip, tip) == spans.People(0, frozenset(), None, found.pusher)


def test_names_that_try_to_look_like_somebody_else_stay_whole(tmp_path: Path) -> None:
    repo = make_repo(tmp_path)
    start = repo.commit({"a.txt": "a\n"}, "Start")
    message = "Change\n\nCo-authored-by: Lena\x1fMira <lena@example.org>\nCo-authored-by: <nobody@example.org>\n"
    repo.commit({"b.txt": "b\n"}, message, author="Jo \u202enas <jonas@example.org>")
    found = spans.people(repo.git_dir, start, repo.sha("main"))
    assert ("Jo \u202enas", "jonas@example.org") in found.authors
    assert ("", "nobody@example.org") in found.authors
    assert any(address == "lena@example.org" for _, address in found.authors)


# --- releases that were taken back -----------------------------------------------------------------------------------


def bad(shop: Shop) -> Any:
    release = shop.project.releases.filter(tag="v1.0.1").first() or shop.release("v1.0.1")
    return release_mark_bad(shop.project, "v1.0.1", release.commit, "It loses orders.")


def test_a_later_release_that_contains_it_is_found(shop: Shop) -> None:
    mark = bad(shop)
    later = shop.repo.commit({"b.py": "b\n"}, "More", author="jonas")
    assert bad_in(shop.project, later) == [mark]
    assert bad_in(shop.project, shop.repo.sha("refs/tags/v1.0.0")) == []
    assert bad_in(shop.project, mark.commit, but="v1.0.1") == []


def test_one_that_picked_its_change_contains_it_too(shop: Shop) -> None:
    mark = bad(shop)
    shop.repo.branch("other", "v1.0.0")
    shop.repo.commit({"b.py": "b\n"}, "More", branch="other", author="jonas")
    assert bad_in(shop.project, shop.repo.sha("other")) == []
    shop.repo.pick(mark.commit, onto="other")
    assert bad_in(shop.project, shop.repo.sha("other")) == [mark]


def test_one_that_reverted_it_does_not(shop: Shop) -> None:
    mark = bad(shop)
    shop.repo.revert(mark.commit, on="main")
    assert bad_in(shop.project, shop.repo.sha("main")) == []


def test_one_with_the_commit_that_mends_it_does_not(shop: Shop) -> None:
    mark = bad(shop)
    before = shop.repo.commit({"b.py": "b\n"}, "More", author="jonas")
    mend = shop.repo.commit({"app.py": APP.replace("line 7\n", "line 7, mended\n")}, "Mend it", author="jonas")
    release_mended(mark, mend[:9])
    assert mark.fixed_by == mend
    assert (bad_in(shop.project, before), bad_in(shop.project, mend)) == ([mark], [])
    for nothing in (sha("nothing"), "no-such-branch", "", "-x", mark.commit, "v1.0.0"):
        with pytest.raises(DeployRefused):
            release_mended(mark, nothing)


def test_when_git_cannot_say_it_counts_as_contained(shop: Shop) -> None:
    mark = bad(shop)
    mirror_folder(shop.project).rename(mirror_folder(shop.project).with_suffix(".away"))
    assert bad_in(shop.project, sha("whatever")) == [mark]


def test_a_lifted_mark_warns_of_nothing(shop: Shop) -> None:
    mark = bad(shop)
    later = shop.repo.commit({"b.py": "b\n"}, "More", author="jonas")
    type(mark).objects.filter(pk=mark.pk).update(lifted_at=timezone.now() - timedelta(minutes=1))
    assert bad_in(shop.project, later) == []
