"""Changing a remote: all or nothing, only from what is known, and a name for everything that can go wrong."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from releases.git.credentials import Credential
from releases.git.errors import AuthFailed, GitError, InvalidValue, NotARepository, TimedOut, Unreachable
from releases.git.mirror import Mirror
from releases.git.push import (
    HalfAnswered,
    HookRefused,
    LeaseLost,
    NotForward,
    PushRefused,
    RefUpdate,
    parse_porcelain,
    push_arguments,
    push_error,
)
from releases.git.remotes import RemotePolicy
from tests.gitrepos import Repo, make_flow

from .processes import children, descriptors, wait_for
from .servers import free_port, git_server, silent_server

RULE = RemotePolicy(operator=True)
MAIN, DEVELOP = "refs/heads/main", "refs/heads/develop"


@pytest.fixture
def origin(tmp_path: Path) -> Repo:
    return make_flow(tmp_path)


@pytest.fixture
def mirror(tmp_path: Path, origin: Repo) -> Mirror:
    return Mirror(tmp_path / "m" / "1.git", str(origin.path), RULE)


def hook(origin: Repo, name: str, script: str) -> None:
    path = origin.git_dir / "hooks" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def forward(origin: Repo, branch: str = "develop") -> RefUpdate:
    """The branch from main's tip to develop's: a step forward for main, none for develop."""
    return RefUpdate(f"refs/heads/{branch}", origin.sha("main"), origin.sha("develop"))


# --- what a session shows ---------------------------------------------------------------------------------------------


def test_a_session_shows_the_remote_as_it_is_now(mirror: Mirror, origin: Repo) -> None:
    mirror.fetch()
    late = origin.commit({"late.py": "x\n"}, "late", branch="develop")
    with mirror.changing() as session:
        assert session.refs[DEVELOP] == late
        assert session.head == "main"
        assert session.ask([DEVELOP, "refs/heads/none"]) == {DEVELOP: late}
        assert session.ask([]) == {}
        later = origin.commit({"late.py": "y\n"}, "later", branch="develop")
        assert session.ask([DEVELOP]) == {DEVELOP: later}


def test_what_a_session_brought_is_shown_to_readers_by_the_next_fetch(mirror: Mirror, origin: Repo) -> None:
    mirror.fetch()
    late = origin.commit({"late.py": "x\n"}, "late", branch="develop")
    with mirror.changing() as session:
        session.push([RefUpdate("refs/heads/hotfix/1", "", late)])
    changes = {change.name: change.new for change in mirror.fetch().changes}
    assert changes == {DEVELOP: late, "refs/heads/hotfix/1": late}


def test_a_session_makes_the_mirror_when_there_is_none(mirror: Mirror, origin: Repo) -> None:
    with mirror.changing() as session:
        assert session.refs[MAIN] == origin.sha("main")


def test_an_empty_repository_has_no_refs_and_takes_the_first_one(tmp_path: Path) -> None:
    from tests.gitrepos import make_repo

    empty, full = make_repo(tmp_path, "empty.git"), make_flow(tmp_path, "full.git")
    mirror = Mirror(tmp_path / "m" / "1.git", str(empty.path), RULE)
    with mirror.changing() as session:
        assert session.refs == {}
    assert full.sha("main")


# --- pushing ----------------------------------------------------------------------------------------------------------


def test_all_refs_move_or_none(mirror: Mirror, origin: Repo) -> None:
    tip = origin.sha("develop")
    wrong = RefUpdate("refs/tags/v1.0.0", "", tip)
    with mirror.changing() as session, pytest.raises(LeaseLost) as lost:
        session.push([forward(origin, "main"), wrong])
    assert "v1.0.0" in lost.value.detail
    assert origin.sha("main") != tip


def test_a_branch_never_loses_commits(mirror: Mirror, origin: Repo) -> None:
    back = RefUpdate(DEVELOP, origin.sha("develop"), origin.sha("main"))
    with mirror.changing() as session, pytest.raises(NotForward, match="develop"):
        session.push([back])
    assert origin.sha("develop") == back.old


def test_a_lease_is_on_what_was_planned_from(mirror: Mirror, origin: Repo) -> None:
    with mirror.changing() as session:
        update = forward(origin, "main")
        moved = origin.commit({"x.py": "1\n"}, "quicker", branch="main")
        with pytest.raises(LeaseLost):
            session.push([update])
    assert origin.sha("main") == moved


def test_a_branch_that_came_up_in_between_is_not_overwritten(mirror: Mirror, origin: Repo) -> None:
    with mirror.changing() as session:
        origin.branch("hotfix/1", "main")
        with pytest.raises(LeaseLost):
            session.push([RefUpdate("refs/heads/hotfix/1", "", origin.sha("develop"))])
    assert origin.sha("hotfix/1") == origin.sha("main")


def test_pushing_what_is_there_already_is_no_error(mirror: Mirror, origin: Repo) -> None:
    update = forward(origin, "main")
    with mirror.changing() as session:
        session.push([update])
        session.push([update])
    assert origin.sha("main") == update.new


def test_the_next_session_need_not_fetch_what_was_pushed(mirror: Mirror, origin: Repo) -> None:
    with mirror.changing() as session:
        session.push([forward(origin, "main")])
        assert session.refs[MAIN] == origin.sha("develop")
    packs = sorted(mirror.path.glob("objects/pack/*"))
    with mirror.changing() as session:
        assert session.refs[MAIN] == origin.sha("develop")
    assert sorted(mirror.path.glob("objects/pack/*")) == packs


@pytest.mark.parametrize(
    "update",
    [
        RefUpdate("--force", "", "1" * 40), RefUpdate("refs/heads/a..b", "", "1" * 40),
        RefUpdate("refs/notes/x", "", "1" * 40), RefUpdate("main", "", "1" * 40),
        RefUpdate("refs/heads/x", "", "main"), RefUpdate("refs/heads/x", "--all", "1" * 40),
        RefUpdate("refs/heads/x", "", ""), RefUpdate("refs/heads/x", "1" * 40, "1" * 40),
        RefUpdate("refs/heads/x\n", "", "1" * 40), RefUpdate("refs/heads/+x:y", "", "1" * 40),
    ],
    ids=lambda update: update.name.strip() + update.old + update.new[:5],
)  # fmt: skip
def test_nothing_that_git_could_take_for_something_else_reaches_it(update: RefUpdate) -> None:
    with pytest.raises(InvalidValue):
        push_arguments("/somewhere", [update])


def test_nothing_twice_and_nothing_at_all() -> None:
    one = RefUpdate("refs/heads/x", "", "1" * 40)
    for updates in ([], [one, one], [one] * 200):
        with pytest.raises(InvalidValue):
            push_arguments("/somewhere", updates)


# --- remotes that say no ----------------------------------------------------------------------------------------------


def test_a_hook_that_refuses_is_quoted_and_cleaned(mirror: Mirror, origin: Repo) -> None:
    hook(
        origin,
        "pre-receive",
        'printf "closed \\033[31mfor\\007 you\\342\\200\\256\\n" >&2; yes no | head -9999 >&2; exit 1',
    )
    with mirror.changing() as session, pytest.raises(HookRefused) as refused:
        session.push([forward(origin, "main")])
    assert refused.value.detail.startswith("closed ")
    assert not any(bad in refused.value.detail for bad in "\x1b\x07\u202e")
    assert len(refused.value.detail) <= 1500
    assert refused.value.code == "hook"


def test_a_setting_that_forbids_deleting_is_named(mirror: Mirror, origin: Repo) -> None:
    origin.git("config", "receive.denyDeletes", "true")
    with mirror.changing() as session, pytest.raises(PushRefused) as refused:
        session.push([RefUpdate(DEVELOP, origin.sha("develop"), "")])
    assert refused.value.code == "protected"
    assert origin.exists("develop")


def test_a_ref_that_somebody_holds_locked_is_tried_again_later(mirror: Mirror, origin: Repo) -> None:
    lock = origin.git_dir / "refs" / "heads" / "main.lock"
    lock.write_text("")
    with mirror.changing() as session, pytest.raises(LeaseLost):
        session.push([forward(origin, "main")])
    lock.unlink()


def test_a_repository_of_another_account_is_not_pushed_to(mirror: Mirror, origin: Repo) -> None:
    """Its hooks would run as this account."""
    import os
    import shutil

    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    shutil.chown(origin.path, user=12345)
    with mirror.changing() as session, pytest.raises(PushRefused, match="account"):
        session.push([forward(origin, "main")])


@pytest.mark.parametrize("status", [403, 401])
def test_an_account_that_may_only_read(tmp_path: Path, origin: Repo, status: int) -> None:
    with git_server(tmp_path, refuse_push=status) as server:
        mirror = Mirror(tmp_path / "m" / "1.git", f"{server.url}/origin.git", RULE)
        with mirror.changing() as session, pytest.raises(PushRefused if status == 403 else AuthFailed):
            session.push([forward(origin, "main")])


def test_a_credential_is_used_and_shows_up_nowhere(tmp_path: Path, origin: Repo) -> None:
    secret = "t0ken-for-pushing"
    hook(origin, "pre-receive", f'echo "you said {secret}" >&2; exit 1')
    with git_server(tmp_path, user="robin", password=secret) as server:
        credential = Credential("token", secret, "robin")
        mirror = Mirror(tmp_path / "m" / "1.git", f"{server.url}/origin.git", RULE, credential)
        with mirror.changing() as session, pytest.raises(HookRefused) as refused:
            session.push([forward(origin, "main")])
        assert secret not in f"{refused.value} {refused.value.detail}"
        assert "you said ***" in refused.value.detail
        (origin.git_dir / "hooks" / "pre-receive").unlink()
        with mirror.changing() as session:
            session.push([forward(origin, "main")])
    assert origin.sha("main") == origin.sha("develop")


# --- remotes that misbehave -------------------------------------------------------------------------------------------


def test_a_remote_that_never_answers_a_push(tmp_path: Path, origin: Repo) -> None:
    with git_server(tmp_path, hold_push=threading.Event()) as server:
        mirror = Mirror(tmp_path / "m" / "1.git", f"{server.url}/origin.git", RULE, push_timeout=2.0)
        with mirror.changing() as session, pytest.raises(TimedOut):
            session.push([forward(origin, "main")])
        assert wait_for(lambda: not children())
        assert origin.sha("main") != origin.sha("develop")


def test_a_remote_that_accepts_and_says_nothing(tmp_path: Path) -> None:
    with silent_server() as port:
        mirror = Mirror(tmp_path / "m" / "1.git", f"http://127.0.0.1:{port}/x.git", RULE, listing_timeout=0.5)
        with pytest.raises(TimedOut), mirror.changing():
            raise AssertionError("nothing can be changed there")


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_remote_that_breaks_off_in_the_middle(tmp_path: Path, origin: Repo, when: str) -> None:
    update = forward(origin, "main")
    with git_server(tmp_path, cut_push=when) as server:
        mirror = Mirror(tmp_path / "m" / "1.git", f"{server.url}/origin.git", RULE)
        with mirror.changing() as session:
            with pytest.raises(HalfAnswered, match="looked up"):
                session.push([update])
            server.cut_push = ""
            taken = session.ask([MAIN])[MAIN]
    assert taken == (update.new if when == "after" else update.old)


def test_a_local_remote_that_dies_in_the_middle(mirror: Mirror, origin: Repo) -> None:
    hook(origin, "pre-receive", "kill -9 $PPID")
    with mirror.changing() as session, pytest.raises(HalfAnswered):
        session.push([forward(origin, "main")])


def test_a_remote_that_vanishes(tmp_path: Path, mirror: Mirror, origin: Repo) -> None:
    update = forward(origin, "main")
    with mirror.changing() as session:
        origin.path.rename(tmp_path / "elsewhere.git")
        with pytest.raises(NotARepository):
            session.push([update])
    with pytest.raises(NotARepository), mirror.changing():
        raise AssertionError("nothing can be changed there")
    gone = Mirror(tmp_path / "m" / "2.git", f"http://127.0.0.1:{free_port()}/x.git", RULE)
    with pytest.raises(Unreachable), gone.changing():
        raise AssertionError("nothing can be changed there")


def test_a_hook_that_hangs_is_left_behind_without_our_lock(mirror: Mirror, origin: Repo) -> None:
    hook(origin, "post-receive", "exec sleep 30 >/dev/null 2>&1 </dev/null &")
    with mirror.changing() as session:
        session.push([forward(origin, "main")])
    quick = Mirror(mirror.path, str(origin.path), RULE, lock_wait=0.2)
    with quick.changing() as session:
        assert session.refs[MAIN] == origin.sha("develop")


def test_nothing_stays_open_or_running(mirror: Mirror, origin: Repo) -> None:
    hook(origin, "pre-receive", "exit 1")
    mirror.fetch()
    before = descriptors()
    for _ in range(3):
        with mirror.changing() as session, pytest.raises(PushRefused):
            session.push([forward(origin, "main")])
    assert descriptors() == before
    assert not children()


# --- what git says, read ----------------------------------------------------------------------------------------------


def test_the_lines_about_refs_are_read_from_everything_else() -> None:
    text = (
        "To https://git.example.org/shop.git\n"
        "!\tabc:refs/heads/main\t[remote rejected] (protected branch hook declined)\n"
        "=\tdef:refs/tags/v1\t[up to date]\n \tdef:refs/heads/x\tabc..def\n-\t:refs/heads/y\t[deleted]\nDone\n"
    )
    found = parse_porcelain(text)
    assert [(status.flag, status.name) for status in found] == [
        ("!", "refs/heads/main"), ("=", "refs/tags/v1"), (" ", "refs/heads/x"), ("-", "refs/heads/y"),
    ]  # fmt: skip
    assert [status.done for status in found] == [False, True, True, True]


GITHUB = (
    "remote: error: GH006: Protected branch update failed for refs/heads/main.\nremote: error: Changes must be made\n"
)
GITLAB = "remote: GitLab: You are not allowed to push code to protected branches on this project.\n"


@pytest.mark.parametrize(
    ("stdout", "stderr", "kind"),
    [
        ("!\ta:refs/heads/main\t[remote rejected] (protected branch hook declined)\n", GITHUB, HookRefused),
        ("!\ta:refs/heads/main\t[remote rejected] (pre-receive hook declined)\n", GITLAB, HookRefused),
        ("!\ta:refs/heads/main\t[remote rejected] (push declined due to rule violations)\n", "", PushRefused),
        ("!\ta:refs/heads/main\t[remote rejected] (deletion prohibited)\n", "", PushRefused),
        ("!\ta:refs/heads/main\t[rejected] (stale info)\n!\tb:refs/tags/v\t[rejected] (atomic push failed)\n", "",
         LeaseLost),
        ("!\ta:refs/heads/main\t[remote rejected] (incorrect old value provided)\n", "", LeaseLost),
        ("!\ta:refs/tags/v\t[remote rejected] (reference already exists)\n", "", LeaseLost),
        ("!\ta:refs/heads/main\t[remote rejected] (failed to update ref)\n",
         "remote: error: cannot lock ref 'refs/heads/main': is at 1111111111111111111111111111111111111111 but "
         "expected 2222222222222222222222222222222222222222\n", LeaseLost),
        ("!\ta:refs/heads/main\t[remote failure] (remote failed to report status)\n", "", HalfAnswered),
        ("!\ta:refs/heads/main\t[remote rejected] (unpacker error)\n", "remote: fatal: no space\n", PushRefused),
        ("", "ERROR: Permission to a/b.git denied to robin.\nfatal: Could not read from remote repository.\n",
         PushRefused),
        ("", "remote: You are not allowed to push code to this project.\nfatal: unable to access 'https://h/': "
             "The requested URL returned error: 403\n", PushRefused),
        ("", "fatal: the remote end hung up unexpectedly\n", HalfAnswered),
    ],
)  # fmt: skip
def test_every_way_to_be_refused_has_its_name(stdout: str, stderr: str, kind: type[GitError]) -> None:
    from releases.git.errors import classify

    error = push_error(stdout, stderr, classify(1, stderr))
    assert type(error) is kind, (error, error.detail)
    assert error.sentence
