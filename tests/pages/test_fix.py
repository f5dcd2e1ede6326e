"""The evidence for one fix in one branch, and the fix's whole story, with and without a mirror."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.html import escape

from releases.evidence.verdicts import Code
from releases.ledger.services import event_write
from releases.policies.flow import FlowPolicy
from releases.policies.models import Fix, Target, Verdict
from releases.policies.selectors import fix_in_target, git_commands
from releases.projects.models import Project
from releases.projects.services.mirrors import mirror_folder
from tests.factories import make_fix, make_project, make_target, make_user, make_verdict, sha
from tests.gitrepos import Repo, make_flow

from .reading import squeezed

pytestmark = pytest.mark.django_db


@dataclass
class Scene:
    """A project with its mirror, a fix of two commits on main, and a counterpart of the first on develop."""

    project: Project
    repo: Repo
    fix: Fix
    target: Target
    commits: list[str]
    counterpart: str

    def url(self, branch: str = "develop") -> str:
        return f"/projects/{self.project.slug}/fixes/{self.fix.key}/in/{branch}/"

    @property
    def fix_url(self) -> str:
        return f"/projects/{self.project.slug}/fixes/{self.fix.key}/"

    def judge(self, code: Code, commits: list[dict[str, Any]], **fields: Any) -> Verdict:
        Verdict.objects.all().delete()
        return make_verdict(self.fix, self.target, code, commits=commits, **fields)


@pytest.fixture
def scene(settings: Any, tmp_path: Path) -> Scene:
    settings.MIRROR_DIR = tmp_path
    policy = FlowPolicy(ticket_url="https://tickets.example.com/{ticket}").as_data()
    project = make_project("checkout-api", policy=policy, judged_at=timezone.now())
    repo = make_flow(tmp_path, mirror_folder(project).name)
    commits = [
        repo.commit({"vat.py": "rate = 19\nround = line\n"}, "Round VAT per line"),
        repo.commit({"app.py": "line 1 fixed\n"}, "Use it in the app"),
    ]
    counterpart = repo.commit({"vat.py": "rate = 19\nround = total\n"}, "Round VAT per line", branch="develop")
    target = make_target(project, "develop", tip=repo.sha("develop"))
    fix = make_fix(
        project, "Round VAT", key=commits[-1], ticket="TICKET-7", shipped_in="v1.0.1",
        commits=[{"sha": c, "subject": f"Commit {n}", "author_name": "Mira"} for n, c in enumerate(commits)],
    )  # fmt: skip
    return Scene(project, repo, fix, target, commits, counterpart)


@pytest.fixture
def reader(client: Client) -> Client:
    client.force_login(make_user("reader", all_projects=True))
    return client


def likely(scene: Scene) -> list[dict[str, Any]]:
    return [
        {"sha": scene.commits[0], "verdict": "likely", "settled": False, "counterparts": [scene.counterpart],
         "evidence": ["author-date", "similarity"], "similarity": 0.5},
        {"sha": scene.commits[1], "verdict": "missing", "settled": False, "counterparts": [], "evidence": []},
    ]  # fmt: skip


def read(client: Client, url: str) -> str:
    response = client.get(url)
    assert response.status_code == 200
    return squeezed(response.content.decode())


def test_counterpart_is_named_with_its_evidence_in_words(reader: Client, scene: Scene) -> None:
    scene.judge(Code.LIKELY, likely(scene), why="Perhaps there. Somebody should look.")
    html = read(reader, scene.url())
    assert "<b>Perhaps there.</b> Somebody should look." in html
    assert re.search(rf'as <span class="ref">{scene.counterpart[:7]}</span>, same author and date, 50 % alike', html)
    assert "no counterpart found" in html


def test_difference_between_fix_and_counterpart_is_shown(reader: Client, scene: Scene) -> None:
    scene.judge(Code.LIKELY, likely(scene))
    html = read(reader, scene.url())
    assert "1 changed line in both" in html
    assert re.search(r'<tr class="del">.*?\+round = line', html)
    assert re.search(r'<tr class="add">.*?\+round = total', html)


def test_conflicts_are_shown_with_hunks_tried_now(reader: Client, scene: Scene) -> None:
    scene.repo.commit({"app.py": "line 1 otherwise\n"}, "Other", branch="develop")
    Target.objects.update(tip=scene.repo.sha("develop"))
    commits = [likely(scene)[0] | {"settled": True}, likely(scene)[1]]
    scene.judge(Code.MISSING, commits, preview={"clean": False, "conflicts": ["app.py"]})
    html = read(reader, scene.url())
    assert "If it were picked now: 1 file conflicts" in html
    assert "line 1 otherwise" in html
    assert "line 1 fixed" in html
    assert "# resolve 1 file, then: git cherry-pick --continue" in html


def test_stored_hunks_need_no_git(reader: Client, scene: Scene, settings: Any, tmp_path: Path) -> None:
    settings.MIRROR_DIR = tmp_path / "elsewhere"
    hunk = {"path": "app.py", "line": 4, "ours": ["theirs <b>"], "theirs": ["ours"], "before": ["x"], "after": []}
    scene.judge(Code.MISSING, [], preview={"clean": False, "conflicts": ["app.py"], "hunks": [hunk, {"odd": 1}]})
    html = read(reader, scene.url())
    assert "theirs &lt;b&gt;" in html
    assert "The mirror of this repository is not on this machine." in html


def test_without_a_mirror_the_verdict_still_stands(reader: Client, scene: Scene, settings: Any, tmp_path: Path) -> None:
    settings.MIRROR_DIR = tmp_path / "elsewhere"
    scene.judge(Code.LIKELY, likely(scene), why="Perhaps there.")
    for url in (scene.url(), scene.fix_url):
        html = read(reader, url)
        assert "Perhaps there." in html
        assert "Details from git are missing here." in html


def test_broken_mirror_is_told_calmly(reader: Client, scene: Scene) -> None:
    for pack in (scene.repo.git_dir / "objects").glob("??/*"):
        pack.write_bytes(b"broken")
    scene.judge(Code.LIKELY, likely(scene), why="Perhaps there.")
    html = read(reader, scene.fix_url)
    assert "Perhaps there." in html
    assert "Details from git are missing here." in html


def test_settled_late_says_how_late(reader: Client, scene: Scene) -> None:
    scene.judge(Code.MERGED, [], lag_seconds=12 * 86_400, settled_at=timezone.now() - timedelta(days=1))
    html = read(reader, scene.url())
    assert "Came back 12 d after production had it." in html
    scene.judge(Code.MERGED, [], lag_seconds=0)
    assert "There before it was in production." in read(reader, scene.url())


def test_the_matrix_gets_the_drawer_alone(reader: Client, scene: Scene) -> None:
    scene.judge(Code.MISSING, [])
    response = reader.get(scene.url(), headers={"HX-Request": "true", "HX-Target": "drawer"})
    html = response.content.decode()
    assert html.lstrip().startswith('<section class="drawer" id="drawer"')
    assert f'data-cell="{scene.fix.key}:develop"' in html


@pytest.mark.parametrize(
    "path",
    ["fixes/{key}/in/nowhere/", "fixes/ffffffffffff/in/develop/", "fixes/{key}x/", "fixes/abc/", "fixes/..%2f/"],
)
def test_unknown_fixes_and_branches_are_not_found(reader: Client, scene: Scene, path: str) -> None:
    assert reader.get(f"/projects/{scene.project.slug}/" + path.format(key=scene.fix.key)).status_code == 404


def test_fixes_of_other_projects_stay_theirs(client: Client, scene: Scene) -> None:
    scene.judge(Code.MISSING, [])
    other = make_project("other")
    client.force_login(make_user("member", projects=[other]))
    assert client.get(scene.url()).status_code == 404
    assert client.get(f"/projects/other/fixes/{scene.fix.key}/").status_code == 404


def test_story_shows_commits_verdicts_and_what_happened(reader: Client, scene: Scene) -> None:
    scene.judge(Code.MISSING, likely(scene), why="None of it is there.")
    subject = f"fix:{scene.fix.key}"
    event_write("fix.owed", project_id=scene.project.pk, subject=subject, target="develop", why="Owed since today.")
    html = read(reader, scene.fix_url)
    for words in ("None of it is there.", "Owed since today.", "Commit 0", "round = line", "line 1 fixed"):
        assert words in html
    assert 'href="https://tickets.example.com/TICKET-7"' in html
    assert "None of it is there." in read(reader, f"/projects/{scene.project.slug}/fixes/{scene.fix.key[:8]}/")


def test_raw_data_is_the_documented_shape(reader: Client, scene: Scene) -> None:
    scene.judge(Code.MISSING, likely(scene), why="Not there.", preview={"clean": True, "conflicts": []})
    response = reader.get(scene.fix_url + "?format=json")
    data = json.loads(response.content)
    assert (data["id"], data["ticket"], data["commits"]) == (scene.fix.key, "TICKET-7", scene.commits)
    verdict = data["verdicts"]["develop"]
    assert (verdict["verdict"], verdict["settled"], verdict["why"]) == ("missing", False, "Not there.")
    assert verdict["preview"] == {"clean": True, "conflicts": []}


def test_only_web_addresses_become_ticket_links(reader: Client, scene: Scene) -> None:
    scene.judge(Code.MISSING, [])
    Project.objects.update(policy=FlowPolicy(ticket_url="javascript:alert('{ticket}')").as_data())
    assert "javascript:" not in read(reader, scene.fix_url)


def test_hostile_commits_are_shown_harmlessly(reader: Client, scene: Scene) -> None:
    evil = scene.repo.commit({"<img src=x>.py": "</table><script>alert(1)</script>\u202e\x1b[2J\n"}, "Evil")
    Fix.objects.update(
        subject="</title><script>", ticket="\u202e<b>",
        commits=[{"sha": evil, "subject": "<script>\u2066" + "y" * 10_000, "author_name": "<b>"}],
    )  # fmt: skip
    scene.judge(Code.MISSING, [], why="<script>why</script>")
    for url in (scene.url(), scene.fix_url):
        html = read(reader, url)
        assert "<script>" not in html.replace("<script src", "")
        assert "<img src=x" not in html
        assert not set("\u202e\u2066\x1b") & set(html)
        assert len(html) < 60_000


def shown(scene: Scene) -> list[str]:
    found = fix_in_target(scene.project, scene.fix.key, scene.target.branch)
    assert found is not None
    return git_commands(found)


def test_commands_bring_over_only_what_is_missing(scene: Scene) -> None:
    settled = likely(scene)[0] | {"settled": True, "verdict": "equivalent"}
    scene.judge(Code.PARTIAL, [settled, likely(scene)[1]], preview={"clean": True, "conflicts": []})
    assert shown(scene) == [
        "git fetch origin",
        "git switch -c mergeback/TICKET-7-to-develop origin/develop",
        f"git cherry-pick -x {scene.commits[1][:12]}",
        "git push -u origin mergeback/TICKET-7-to-develop",
    ]


@pytest.mark.parametrize("branch", ["a;reboot", "$(reboot)", "`x`", "it's", "release/1.3", "ü/x", "a&b|c"])
def test_commands_keep_names_whole(scene: Scene, branch: str) -> None:
    Target.objects.update(branch=branch)
    scene.target.refresh_from_db()
    Fix.objects.update(ticket="$(reboot) ..;x.lock")
    scene.judge(Code.MISSING, likely(scene))
    for line in shown(scene):
        words = shlex.split(line)
        assert words[0] == "git"
        assert shlex.join(words) == line
    switch = shlex.split(shown(scene)[1])
    assert switch[-1] == f"origin/{branch}"
    scene.repo.git("check-ref-format", "--branch", switch[3])


def test_copied_commands_are_the_shown_ones(reader: Client, scene: Scene) -> None:
    scene.judge(Code.MISSING, likely(scene))
    html = reader.get(scene.url()).content.decode()
    assert f'data-copy="{escape(chr(10).join(shown(scene)))}"' in html


def test_number_of_queries_does_not_grow_with_branches_and_commits(
    reader: Client, scene: Scene, django_assert_max_num_queries: Any
) -> None:
    scene.judge(Code.MISSING, likely(scene))
    for number in range(40):
        make_verdict(scene.fix, make_target(scene.project, f"release/{number}", kind="release"), Code.MISSING)
        event_write("fix.owed", project_id=scene.project.pk, subject=f"fix:{scene.fix.key}", key=f"k{number}")
    Fix.objects.update(commits=[{"sha": sha(number), "subject": "s"} for number in range(30)])
    for url in (scene.url(), scene.fix_url):
        with django_assert_max_num_queries(17):
            reader.get(url)
