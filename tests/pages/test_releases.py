"""The list of releases, one release, and comparing two points of history."""

from __future__ import annotations

import hashlib
import io
import re
import shlex
import tarfile
from dataclasses import dataclass
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from releases.evidence.verdicts import Code
from releases.policies.answer import answer
from releases.policies.flow import FlowPolicy
from releases.policies.question import Question
from releases.projects.models import Project, Release
from releases.projects.services.mirrors import facts_file, mirror_folder
from releases.views.releases import snapshot_commands
from tests.factories import (
    NOW,
    make_fix,
    make_project,
    make_ref,
    make_release,
    make_target,
    make_user,
    make_verdict,
    sha,
)
from tests.gitrepos import Repo, make_flow

from .reading import squeezed

pytestmark = pytest.mark.django_db


@dataclass
class Scene:
    """v1.0.0 and v1.1.0 of a real repository; the second holds a merged feature, a fix and a loose commit."""

    project: Project
    repo: Repo
    first: Release
    second: Release


@pytest.fixture
def scene(settings: Any, tmp_path: Path) -> Scene:
    settings.MIRROR_DIR = tmp_path
    project = make_project("checkout-api")
    repo = make_flow(tmp_path, mirror_folder(project).name)
    first = make_release(project, "v1.0.0", commit=repo.sha("v1.0.0"), tagged_at=NOW - timedelta(days=9))
    repo.branch("feature/TICKET-3", "main")
    repo.commit({"cart.py": "cart\n"}, "Begin the cart", branch="feature/TICKET-3", author="mira")
    repo.commit({"cart.py": "cart\nlock\n"}, "Lock the cart", branch="feature/TICKET-3", author="mira")
    repo.merge("feature/TICKET-3", "main", message="Merge branch 'feature/TICKET-3'")
    repo.commit({"vat.py": "vat\n"}, "Round VAT TICKET-4", author="noor")
    repo.commit({"readme": "text\n"}, "Say more", author="noor")
    repo.tag("v1.1.0", message="Version 1.1.0\n\nCart and VAT.")
    second = make_release(
        project, "v1.1.0", commit=repo.sha("main"), tag_object=repo.git("rev-parse", "v1.1.0"), previous=first,
        message="Version 1.1.0\n\nCart and VAT.", tagger="Morgan", commit_total=5, kind="minor",
    )  # fmt: skip
    for name in ("main", "develop"):
        make_ref(project, f"refs/heads/{name}", sha=repo.sha(name), commit=repo.sha(name))
    return Scene(project, repo, first, second)


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(make_user("reader", all_projects=True))
    return client


def read(client: Client, url: str, **params: str) -> str:
    response = client.get(url, params)
    assert response.status_code == 200
    return squeezed(response.content.decode())


def tags(html: str) -> list[str]:
    return re.findall(r'<th scope="row"><a class="ref" [^>]*>([^<]*)</a>', html)


def test_newest_release_stands_first_and_filters_narrow(reader: Client) -> None:
    one, two = make_project("one"), make_project("two")
    make_release(one, "v1.0.0", tagged_at=NOW - timedelta(days=3), kind="major")
    make_release(one, "v1.1.0-rc.1", tagged_at=NOW - timedelta(days=1), kind="pre", on_production=False)
    make_release(two, "v2.0.1", tagged_at=NOW - timedelta(days=2), kind="patch", subject="Fix the till")
    assert tags(read(reader, "/releases/")) == ["v1.1.0-rc.1", "v2.0.1", "v1.0.0"]
    assert tags(read(reader, "/releases/", kind="patch")) == ["v2.0.1"]
    assert tags(read(reader, "/releases/", production="no")) == ["v1.1.0-rc.1"]
    assert tags(read(reader, "/releases/", project="one")) == ["v1.1.0-rc.1", "v1.0.0"]
    assert tags(read(reader, "/releases/", q="the till")) == ["v2.0.1"]
    assert tags(read(reader, "/projects/two/releases/")) == ["v2.0.1"]
    assert "No release fits." in read(reader, "/releases/", q="nothing\0%")
    assert tags(read(reader, "/releases/", kind="<b>", page="x", project="")) == ["v1.1.0-rc.1", "v2.0.1", "v1.0.0"]


def test_list_shows_only_projects_the_person_may_see(client: Client) -> None:
    mine, other = make_project("mine"), make_project("secret")
    make_release(mine, "v1.0.0")
    make_release(other, "v9.9.9")
    client.force_login(make_user("member", projects=[mine]))
    html = read(client, "/releases/")
    assert tags(html) == ["v1.0.0"]
    assert "secret" not in html
    assert tags(read(client, "/releases/", project="secret")) == []
    assert client.get("/projects/secret/releases/v9.9.9/").status_code == 404
    assert client.get("/projects/secret/compare/").status_code == 404


def test_ten_thousand_releases_page_with_the_same_queries(reader: Client) -> None:
    project = make_project("large")
    make_release(project, "v0.0.1")
    cache.clear()
    with CaptureQueriesContext(connection) as few:
        read(reader, "/releases/")
    Release.objects.bulk_create(
        Release(
            project=project, tag=f"v1.{n}.0", commit=sha(n), kind="minor", version=f"1.{n}.0", sort_key=f"{n:09}",
            tagged_at=NOW - timedelta(hours=n), on_production=True,
        )
        for n in range(10_000)
    )  # fmt: skip
    for page in ("1", "100", "200"):
        cache.clear()
        with CaptureQueriesContext(connection) as many:
            html = read(reader, "/releases/", page=page)
        assert len(many) <= len(few) <= 12
        assert len(tags(html)) == 50
    assert tags(read(reader, "/releases/", page="9999")) == ["v1.9999.0"]
    assert tags(read(reader, "/releases/", page="2"))[0] == "v1.50.0"


def test_release_names_its_tag_commit_and_people(reader: Client, scene: Scene) -> None:
    html = read(reader, "/projects/checkout-api/releases/v1.1.0/")
    for words in (scene.second.commit, scene.second.tag_object, "Morgan", "Cart and VAT.", "Minor release"):
        assert words in html
    people = re.findall(r"<li><span>(\w+)</span><span class=\"ink3 n\">(\d) commits?</span></li>", html)
    assert sorted(people) == [("Mira", "2"), ("Morgan", "1"), ("Noor", "2")]


def test_contents_stand_by_ticket_and_a_merge_lends_its_own(reader: Client, scene: Scene) -> None:
    html = read(reader, "/projects/checkout-api/releases/v1.1.0/")
    groups = {
        re.sub("<[^>]*>", " ", head).split()[0]: re.findall(r"</span><span>([^<]*)</span>", body)
        for head, body in re.findall(r'<div class="rl-g"><h3>(.*?)</h3>(.*?)</ul>', html, re.S)
    }
    assert groups["TICKET-4"] == ["Round VAT TICKET-4"]
    assert set(groups["TICKET-3"]) == {
        "Merge branch &#x27;feature/TICKET-3&#x27;", "Lock the cart", "Begin the cart",
    }  # fmt: skip
    assert groups["Without"] == ["Say more"]
    assert list(groups)[-1] == "Without"


def test_release_lists_the_fixes_it_shipped_and_those_it_lacks(reader: Client, scene: Scene) -> None:
    make_fix(scene.project, "Shipped with it", release=scene.second)
    target = make_target(scene.project, "release/1.1", kind="release", tip=scene.second.commit)
    make_verdict(make_fix(scene.project, "Left behind"), target, Code.MISSING)
    make_verdict(make_fix(scene.project, "Brought along"), target, Code.MERGED)
    html = read(reader, "/projects/checkout-api/releases/v1.1.0/")
    shipped, _, lacking = html.partition("Bugs it would bring back")
    assert "Shipped with it" in shipped
    assert "Left behind" in lacking
    assert "Brought along" not in html


def test_first_release_holds_its_whole_history(reader: Client, scene: Scene) -> None:
    html = read(reader, "/projects/checkout-api/releases/v1.0.0/")
    assert "the first release" in html
    assert "Start" in html


def test_without_a_mirror_the_release_is_still_there(
    reader: Client, scene: Scene, settings: Any, tmp_path: Path
) -> None:
    settings.MIRROR_DIR = tmp_path / "elsewhere"
    html = read(reader, "/projects/checkout-api/releases/v1.1.0/")
    assert "Details from git are missing here." in html
    assert scene.second.commit in html
    html = read(reader, "/projects/checkout-api/compare/", **{"from": "v1.0.0", "to": "v1.1.0"})
    assert "Git did not answer this." in html


def test_moved_and_deleted_tags_say_so(reader: Client, scene: Scene) -> None:
    Release.objects.update(moved_at=timezone.now())
    assert "This tag changed what it names" in read(reader, "/projects/checkout-api/releases/v1.1.0/")
    Release.objects.update(deleted_at=timezone.now())
    assert "This tag was deleted." in read(reader, "/projects/checkout-api/releases/v1.1.0/")
    assert reader.get("/projects/checkout-api/releases/v7/").status_code == 404


@pytest.mark.parametrize("tag", ["v1.0.0+build/x", "ünï/1.2.3", "release 1", "v1.0.0;$(x)", "a'b"])
def test_odd_tags_have_their_page(reader: Client, scene: Scene, tag: str) -> None:
    Release.objects.filter(pk=scene.second.pk).update(tag=tag)
    [url] = [
        u for u in re.findall(r'class="ref" href="([^"]+)"', read(reader, "/releases/")) if "v1.0.0/" not in u[-7:]
    ]
    assert reader.get(url.replace("&#x27;", "'")).status_code == 200
    scene.second.refresh_from_db()
    for line in snapshot_commands(scene.project, scene.second):
        if not line.startswith("#"):
            assert shlex.join(shlex.split(line)) == line


def test_hostile_release_is_shown_harmlessly(reader: Client, scene: Scene) -> None:
    Release.objects.filter(pk=scene.second.pk).update(
        tagger="<b>\u202e", message="<script>x</script>\u2066" + "long " * 5000, subject="<i>\x07"
    )
    for url in ("/projects/checkout-api/releases/v1.1.0/", "/releases/"):
        html = read(reader, url)
        assert "<script>x" not in html
        assert "<i>" not in html
        assert not set("\u202e\u2066\x07") & set(html)
        assert len(html) < 60_000


def test_comparing_counts_commits_files_and_people(reader: Client, scene: Scene) -> None:
    html = read(reader, "/projects/checkout-api/compare/", **{"from": "develop", "to": "v1.1.0"})
    numbers = re.findall(r"<dt>([^<]+)</dt><dd>(.*?)</dd>", html)
    assert dict(numbers)["Commits ahead"] == "5"
    assert dict(numbers)["Commits behind"] == "1"
    assert dict(numbers)["Files"] == "4"
    assert "feature.py" in html
    assert "git log --oneline develop..v1.1.0" in html


def test_object_ids_can_be_compared(reader: Client, scene: Scene) -> None:
    url = "/projects/checkout-api/compare/"
    html = read(reader, url, **{"from": scene.first.commit, "to": scene.second.commit})
    assert "Say more" in html
    html = read(reader, url, **{"from": sha("nowhere"), "to": scene.second.commit})
    assert "Git did not answer this." in html


@pytest.mark.parametrize(
    "name", ["--output=/tmp/x", "nothing", "v1.0.0..v1.1.0", "HEAD~1", "\0", "x" * 900, "<script>"]
)
def test_only_known_names_are_compared(reader: Client, scene: Scene, name: str) -> None:
    html = read(reader, "/projects/checkout-api/compare/", **{"from": name, "to": "v1.1.0"})
    assert "Commits ahead" not in html
    assert "Nothing is called" in html
    assert "<script>" not in html


def test_long_comparisons_page(reader: Client, scene: Scene) -> None:
    for number in range(130):
        scene.repo.commit({"n": f"{number}\n"}, f"Step {number}", branch="develop")
    make_release(scene.project, "v2.0.0", commit=scene.repo.sha("develop"))
    asked = {"from": "v1.0.0", "to": "v2.0.0"}
    first = read(reader, "/projects/checkout-api/compare/", **asked)
    second = read(reader, "/projects/checkout-api/compare/", **asked, page="2")
    assert first.count("<span>Step ") == 100
    assert second.count("<span>Step ") == 30
    assert 'rel="next"' in first
    assert 'rel="next"' not in second


def test_snapshot_holds_the_tagged_files_and_its_checksum_holds(reader: Client, scene: Scene) -> None:
    html = read(reader, "/projects/checkout-api/releases/v1.1.0/")
    [url] = re.findall(r'href="([^"]+\.tar\.gz)"', html)
    first, second = (b"".join(reader.get(url).streaming_content) for _ in range(2))
    assert first == second
    with tarfile.open(fileobj=io.BytesIO(first)) as archive:
        files = {member.name for member in archive if member.isfile()}
    assert files == {f"checkout-api-1.1.0/{name}" for name in ("app.py", "README.md", "cart.py", "vat.py", "readme")}
    assert (
        reader.get(url + ".sha256").content.decode()
        == f"{hashlib.sha256(first).hexdigest()}  checkout-api-1.1.0.tar.gz\n"
    )


def test_snapshots_are_for_those_who_may_see_the_project(client: Client, scene: Scene) -> None:
    url = "/projects/checkout-api/snapshots/v1.1.0.tar.gz"
    assert client.get(url).status_code == 302
    client.force_login(make_user("stranger"))
    assert client.get(url).status_code == 404
    assert client.get(url + ".sha256").status_code == 404


def test_snapshot_without_a_mirror_is_not_found(reader: Client, scene: Scene, settings: Any, tmp_path: Path) -> None:
    settings.MIRROR_DIR = tmp_path / "elsewhere"
    assert reader.get("/projects/checkout-api/snapshots/v1.1.0.tar.gz").status_code == 404
    assert '.tar.gz"' not in read(reader, "/projects/checkout-api/releases/v1.1.0/")


def test_snapshot_given_up_half_way_leaves_no_process(reader: Client, scene: Scene, no_process_left: Any) -> None:
    scene.repo.commit({f"f{n}": str(n) * 200_000 for n in range(20)}, "Large")
    Release.objects.filter(tag="v1.1.0").update(commit=scene.repo.sha("main"))
    answer = reader.get("/projects/checkout-api/snapshots/v1.1.0.tar.gz")
    next(iter(answer.streaming_content))
    answer.close()


def test_snapshot_of_a_damaged_repository_says_so(reader: Client, scene: Scene) -> None:
    lost = scene.repo.git("rev-parse", "v1.1.0:vat.py")
    (scene.repo.path / "objects" / lost[:2] / lost[2:]).unlink()
    answer = reader.get("/projects/checkout-api/snapshots/v1.1.0.tar.gz")
    assert answer.status_code == 503
    assert b"damaged" in answer.content


def judge(scene: Scene) -> None:
    """Leave the facts that a worker leaves, as it does."""
    facts = facts_file(scene.project)
    facts.parent.mkdir(parents=True, exist_ok=True)
    answer(mirror_folder(scene.project), Question.of(FlowPolicy.from_data(scene.project.policy)), store=facts)
    Project.objects.update(judged_at=timezone.now())


def test_gate_names_the_bugs_that_an_old_release_would_bring_back(
    reader: Client, scene: Scene, settings: Any, tmp_path: Path
) -> None:
    settings.EVIDENCE_DIR = tmp_path / "evidence"
    judge(scene)
    old = read(reader, "/projects/checkout-api/releases/v1.0.0/", gate="1")
    assert re.search(r"v1\.0\.0 would bring \d+ fixed bugs? back", old)
    assert "Round VAT TICKET-4" in old.partition("Bugs it would bring back")[2]
    new = read(reader, "/projects/checkout-api/releases/v1.1.0/", gate="1")
    assert "v1.1.0 is safe" in new


def test_every_fix_that_the_gate_names_can_be_followed(
    reader: Client, scene: Scene, settings: Any, tmp_path: Path
) -> None:
    """Some have a page; those that no target lacks were never written down, so they lead to the comparison."""
    settings.EVIDENCE_DIR = tmp_path / "evidence"
    judge(scene)
    written = make_fix(scene.project, key=scene.repo.git("rev-parse", "v1.1.0~1"))
    html = read(reader, "/projects/checkout-api/releases/v1.0.0/", gate="1")
    urls = [unescape(url) for url in re.findall(r'<a class="ow-s" href="([^"]+)"', html.partition('id="gate"')[2])]
    assert any(written.key in url and "/fixes/" in url for url in urls)
    assert any("/compare/" in url for url in urls)
    assert [reader.get(url).status_code for url in urls] == [200] * len(urls)


def test_gate_says_when_it_cannot_know(reader: Client, scene: Scene, settings: Any, tmp_path: Path) -> None:
    settings.EVIDENCE_DIR = tmp_path / "evidence"
    html = read(reader, "/projects/checkout-api/releases/v1.0.0/", gate="1")
    assert "The history was not judged yet on this machine." in html
    settings.MIRROR_DIR = tmp_path / "elsewhere"
    html = read(reader, "/projects/checkout-api/releases/v1.0.0/", gate="1")
    assert "Not known now. The mirror of this repository is not on this machine." in html
