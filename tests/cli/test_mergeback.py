"""`manage.py mergeback` from outside: arguments, formats, exit codes, errors, nothing left behind."""

import json
import re
from pathlib import Path

import pytest

from tests.gitrepos import make_flow, make_repo
from tests.policies.asking import APP, edited

from .running import run_command


@pytest.fixture
def repo(tmp_path):
    """One fix that is owed (shipped in v1.0.1), one that is in develop, one chore."""
    repo = make_flow(tmp_path)
    repo.commit({"VERSION": "1.0.0\n"}, "Version file", branch="main")
    repo.merge("main", into="develop", message="Merge branch 'main' into develop")
    repo.branch("hotfix/TICKET-7-vat", "main")
    repo.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round per line", branch="hotfix/TICKET-7-vat")
    repo.merge("hotfix/TICKET-7-vat", into="main", message="Merge branch 'hotfix/TICKET-7-vat'")
    repo.commit({"VERSION": "1.0.1\n"}, "Bump version to 1.0.1", branch="main")
    repo.tag("v1.0.1", "main", message="1.0.1")
    repo.pick(repo.commit({"tax.py": "table = {}\n"}, "TICKET-8 table", branch="main"), onto="develop")
    return repo


@pytest.fixture
def var(tmp_path) -> Path:
    folder = tmp_path / "var"
    folder.mkdir()
    return folder


def ask(var, repo, *args):
    return run_command(var, "mergeback", str(repo.path), *args)


def test_json_is_what_the_documentation_promises(var, repo):
    done = ask(var, repo, "--production", "main", "--target", "develop", "--format", "json")
    assert (done.code, done.err) == (0, "")
    data = done.data
    assert (data["production"], data["targets"], data["owed"]) == (["main"], ["develop"], 1)
    assert data["git"] == {"main": repo.sha("main"), "develop": repo.sha("develop")}
    by_ticket = {fix["ticket"]: fix for fix in data["fixes"]}
    assert set(by_ticket) == {"TICKET-7", "TICKET-8"}
    owed = by_ticket["TICKET-7"]
    assert owed["id"] == repo.git("rev-parse", "v1.0.1~1^{commit}")
    assert (owed["subject"], owed["shipped_in"], owed["chore"]) == ("TICKET-7 round per line", "v1.0.1", False)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", owed["live_since"])
    verdict = owed["verdicts"]["develop"]
    assert (verdict["verdict"], verdict["settled"], verdict["preview"]["clean"]) == ("missing", False, True)
    assert [part["sha"] for part in verdict["commits"]] == owed["commits"]
    assert verdict["commits"][0] | {"verdict": "missing", "counterparts": [], "evidence": []} == verdict["commits"][0]
    settled = by_ticket["TICKET-8"]["verdicts"]["develop"]
    assert (settled["verdict"], settled["preview"]) == ("equivalent", None)
    assert 0 < data["elapsed_seconds"] < 60


def test_chores_are_listed_when_asked_for_and_never_owed(var, repo):
    plain = ask(var, repo, "--format", "json", "--no-preview").data
    assert not any(fix["chore"] for fix in plain["fixes"])
    with_chores = ask(var, repo, "--format", "json", "--no-preview", "--chores").data
    assert [fix["subject"] for fix in with_chores["fixes"] if fix["chore"]] == ["Bump version to 1.0.1", "Version file"]
    assert with_chores["owed"] == plain["owed"] == 1


def test_production_and_targets_are_guessed(var, repo):
    data = ask(var, repo, "--format", "json").data
    assert (data["production"], data["targets"]) == (["main"], ["develop"])


def test_exit_codes_tell_owed_from_not_owed_and_error(var, repo):
    assert ask(var, repo).code == 0
    assert ask(var, repo, "--exit-code").code == 1
    assert ask(var, repo, "--exit-code", "--target", "main", "--production", "develop").code in (0, 1)
    repo.merge("main", into="develop", message="Merge branch 'main' into develop")
    assert ask(var, repo, "--exit-code").code == 0
    assert ask(var, repo, "--exit-code", "--target", "nowhere").code == 2


@pytest.mark.sample(4)
@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("{repo}", "--target", "nowhere"), "no-such-ref"),
        (("{repo}", "--production", "-x"), "usage"),
        (("{repo}", "--production=--upload-pack=touch x"), "no-such-ref"),
        (("{repo}", "--since", "yesterday"), "since"),
        (("{repo}", "--ignore-commits", "/nowhere/at/all"), "ignore-file"),
        (("{tmp}",), "not-a-repository"),
        (("no-such-project",), "no-such-repository"),
        (("ext::sh -c touch% /x",), "url-not-allowed"),
        (("https://somebody:secret@localhost/x.git",), "url-not-allowed"),
        (("{repo}", "--no-such-option"), "usage"),
        ((), "usage"),
    ],
)
def test_with_json_every_error_is_json(tmp_path, var, repo, arguments, code):
    words = [word.format(repo=repo.path, tmp=tmp_path) for word in arguments]
    done = run_command(var, "mergeback", *words, "--format", "json")
    assert done.code == 2
    error = done.data["error"]
    assert error["code"] == code
    assert error["message"]
    assert set(error) == {"code", "message", "hint"}
    assert "Traceback" not in done.err
    assert "secret" not in done.out + done.err


def test_without_json_an_error_is_a_sentence_on_standard_error(var, repo):
    done = ask(var, repo, "--target", "develpo")
    assert (done.code, done.out) == (2, "")
    assert "There is no branch, tag or commit “develpo”" in done.err
    assert "Did you mean develop" in done.err


def test_a_repository_without_commits_says_so(tmp_path, var):
    empty = make_repo(tmp_path, "empty.git")
    done = ask(var, empty, "--format", "json")
    assert (done.code, done.data["error"]["code"]) == (2, "empty")


def test_a_repository_without_tags_and_develop_answers(tmp_path, var):
    bare = make_repo(tmp_path, "bare.git")
    bare.commit({"app.py": APP}, "Start", branch="main")
    done = ask(var, bare, "--format", "json")
    assert done.code == 0
    assert done.data["fixes"] == []
    assert done.data["notes"]


@pytest.mark.long
def test_a_detached_and_an_unborn_head_do_not_matter(var, repo):
    repo.detach("main")
    assert ask(var, repo, "--format", "json").data["owed"] == 1
    repo.head("never-born")
    assert ask(var, repo, "--format", "json").data["owed"] == 1


def test_the_table_is_for_people_and_holds_no_control_characters(var, repo):
    evil = "TICKET-66 \x1b[31mred\x1b[0m \u202egnp.exe\u202c <b>|x|</b>"
    repo.commit({"app.py": edited(APP, line9="nine")}, evil, branch="main")
    done = ask(var, repo)
    assert done.code == 0
    assert "live in main" in done.out
    assert "TICKET-66" in done.out
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]", done.out)
    assert max(map(len, done.out.splitlines())) <= 120


def test_markdown_escapes_what_messages_say(var, repo):
    repo.commit({"app.py": edited(APP, line9="nine")}, "TICKET-66 <script>|a|</script> [x](y) @all", branch="main")
    out = ask(var, repo, "--format", "markdown").out
    row = next(line for line in out.splitlines() if "TICKET" in line and "script" in line)
    assert "<script>" not in row
    assert len(re.findall(r"(?<!\\)\|", row)) == 7
    assert r"\[x\]\(y\)" in row
    assert "@all" not in row


def test_several_targets_are_keyed_as_typed(var, repo):
    repo.branch("release/1.1", "develop")
    data = ask(var, repo, "--target", "develop", "--target", "refs/heads/release/1.1", "--format", "json").data
    assert data["targets"] == ["develop", "refs/heads/release/1.1"]
    assert all(set(fix["verdicts"]) == set(data["targets"]) for fix in data["fixes"])


def test_commits_masks_and_ignored_ids_reach_the_answer(tmp_path, var, repo):
    every = ask(var, repo, "--commits", "--format", "json", "--no-preview").data
    assert {len(fix["commits"]) for fix in every["fixes"]} == {1}
    assert all(fix["id"] == fix["commits"][0] for fix in every["fixes"])
    assert [fix["subject"] for fix in every["fixes"] if fix["chore"]] == ["Bump version to 1.0.1"]
    copy = next(fix for fix in every["fixes"] if fix["ticket"] == "TICKET-8")["verdicts"]["develop"]
    (ignored,) = copy["commits"][0]["counterparts"]
    file = tmp_path / "ignored.txt"
    file.write_text(f"# not these\n{ignored}\n\n")
    data = ask(var, repo, "--commits", "--mask", "trailers", "--ignore-commits", str(file), "--format", "json").data
    assert (
        next(fix for fix in data["fixes"] if fix["ticket"] == "TICKET-8")["verdicts"]["develop"]["verdict"] == "missing"
    )


@pytest.mark.long
def test_a_work_tree_and_a_folder_inside_it_are_repositories_too(tmp_path, var):
    tree = make_repo(tmp_path, "tree", bare=False)
    tree.commit({"app.py": APP}, "Start")
    tree.branch("develop")
    tree.commit({"app.py": edited(APP, line5="five")}, "TICKET-7 round", branch="main")
    inside = tree.path / "src"
    inside.mkdir()
    for place in (tree.path, inside):
        assert run_command(var, "mergeback", str(place), "--format", "json").data["owed"] == 1
    assert run_command(var, "mergeback", ".", "--format", "json", cwd=inside).data["owed"] == 1


def test_a_url_is_cloned_once_and_then_fetched(var, repo):
    url = f"file://{repo.path}"
    first = run_command(var, "mergeback", url, "--format", "json")
    assert (first.code, first.data["owed"], first.data["repository"]) == (0, 1, "origin")
    repo.commit({"app.py": edited(APP, line9="nine")}, "TICKET-9 nine", branch="main")
    assert run_command(var, "mergeback", url, "--format", "json").data["owed"] == 2
    assert len(list((var / "mirrors" / "by-url").glob("*.git"))) == 1


def test_the_repository_is_only_read(var, repo):
    def everything():
        return sorted((str(path), path.stat().st_mtime_ns) for path in repo.path.rglob("*") if path.is_file())

    before = everything()
    ask(var, repo)
    assert everything() == before


@pytest.mark.long
def test_facts_are_kept_where_asked_and_not_at_all_without_cache(tmp_path, var, repo):
    cache = tmp_path / "cache"
    first = ask(var, repo, "--cache-dir", str(cache), "--format", "json").data
    again = ask(var, repo, "--cache-dir", str(cache), "--format", "json").data
    assert [fix["verdicts"] for fix in first["fixes"]] == [fix["verdicts"] for fix in again["fixes"]]
    assert not list(var.rglob("local-*.sqlite3"))
    ask(var, repo, "--no-cache")
    assert not list(var.rglob("local-*.sqlite3"))


def test_a_ten_thousand_refs_repository_answers(var, repo):
    repo.many_refs(10_000, at="main")
    repo.many_refs(2_000, at="main", prefix="refs/tags/build-")
    data = ask(var, repo, "--format", "json", "--no-preview").data
    assert data["owed"] == 1
    assert data["elapsed_seconds"] < 20


def test_standard_output_holds_nothing_but_json(var, repo):
    done = ask(var, repo, "--format", "json")
    assert json.loads(done.out)
    assert done.out.startswith("{")
    assert done.err == ""


@pytest.mark.sample(1)
@pytest.mark.parametrize("typed", ["", "  "])
def test_a_repository_without_a_name_is_not_the_folder_at_hand(var, repo, typed):
    done = run_command(var, "mergeback", typed, "--exit-code", "--format", "json", cwd=repo.path)
    assert (done.code, done.data["error"]["code"]) == (2, "no-such-repository")


@pytest.mark.sample(1)
@pytest.mark.parametrize("version", ["git version 2.30.1", "git version 1.9"])
def test_a_git_that_is_too_old_is_named(var, repo, tmp_path, version):
    old = tmp_path / "bin" / "git"
    old.parent.mkdir()
    old.write_text(f"#!/bin/sh\necho {version}\n")
    old.chmod(0o755)
    done = run_command(var, "mergeback", str(repo.path), "--format", "json", PATH=f"{old.parent}:/usr/bin:/bin")
    assert (done.code, done.data["error"]["code"]) == (2, "git-too-old")
    assert version.split()[-1] in done.data["error"]["message"]
    assert "Traceback" not in done.err
