"""A step works in a throw-away folder with exactly one commit, and a repository that reaches nothing else."""

from __future__ import annotations

import fcntl
import os
import subprocess
import tempfile
import time
from pathlib import Path

import pytest

from releases.deploys.runner import overlay, workspace, workspaces, workspaces_sweep
from releases.git.errors import GitError, InvalidValue, NoSuchRef
from tests.git.processes import children, descriptors
from tests.gitrepos import Entry, make_repo

from .jobs import carry_out


@pytest.fixture
def repo(tmp_path):
    made = make_repo(tmp_path)
    made.commit({"app.py": "one\n", "lib/part.py": "x\n", "run.sh": Entry("#!/bin/sh\n", 0o100755)}, "Start")
    return made


@pytest.fixture
def root(tmp_path):
    return tmp_path / "var" / "work"


def git(folder: Path, *args: str) -> str:
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "GIT_CONFIG_NOSYSTEM": "1"}
    return subprocess.run(
        ["git", *args], cwd=folder, env=env, capture_output=True, check=True, text=True
    ).stdout.strip()


def test_the_exact_commit_is_there_and_a_repository_around_it(repo, root):
    commit = repo.sha("main")
    tag = repo.tag("v1.0.1", message="Version 1.0.1")
    repo.commit({"app.py": "two\n"}, "After the tag")
    with workspace(repo.path, commit, "v1.0.1", root=root, tag_object=tag) as space:
        assert (space.source / "app.py").read_text() == "one\n"
        assert os.access(space.source / "run.sh", os.X_OK)
        assert git(space.source, "rev-parse", "HEAD") == commit
        assert git(space.source, "describe") == "v1.0.1"
        assert git(space.source, "cat-file", "-t", "v1.0.1") == "tag"
        assert git(space.source, "status", "--porcelain") == ""
        assert git(space.source, "log", "--format=%s") == "Start"
        assert git(space.source, "remote") == ""
        assert git(space.source, "for-each-ref", "--format=%(refname)") == "refs/tags/v1.0.1"
        assert space.root.stat().st_mode & 0o077 == 0
    assert list(root.iterdir()) == []
    assert not children()


def test_a_lightweight_tag_names_the_commit(repo, root):
    commit = repo.sha("main")
    with workspace(repo.path, commit, "team/v1.0.1", root=root) as space:
        assert git(space.source, "rev-parse", "team/v1.0.1") == commit
        assert git(space.source, "describe", "--tags") == "team/v1.0.1"


def test_hooks_of_the_repository_do_not_run_in_it(repo, root):
    hook = repo.git_dir / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\ntouch /tmp/never\n")
    hook.chmod(0o755)
    with workspace(repo.path, repo.sha("main"), "", root=root) as space:
        own = space.source / ".git" / "hooks" / "post-checkout"
        own.parent.mkdir()
        own.write_text("#!/bin/sh\ntouch ran\n")
        own.chmod(0o755)
        git(space.source, "checkout", "-q", "HEAD", "--", ".")
        git(space.source, "checkout", "-q", "--detach", "HEAD")
        assert not (space.source / "ran").exists()


def test_commands_of_a_step_commit_there_without_touching_the_mirror(repo, root):
    before = sorted(path for path in repo.git_dir.rglob("*"))
    with workspace(repo.path, repo.sha("main"), "", root=root) as space:
        identity = ["-c", "user.name=Step", "-c", "user.email=step@example.org"]
        git(space.source, *identity, "commit", "-q", "--allow-empty", "-m", "Made in a step")
        assert git(space.source, "log", "-1", "--format=%s") == "Made in a step"
    assert sorted(path for path in repo.git_dir.rglob("*")) == before


def test_what_is_no_commit_is_refused_and_nothing_is_left(repo, root):
    with pytest.raises(GitError), workspace(repo.path, "1" * 40, "v1", root=root):
        pass
    with pytest.raises(InvalidValue), workspace(repo.path, "--help", "v1", root=root):
        pass
    with pytest.raises(NoSuchRef), workspace(repo.path, repo.sha("main"), "../../escape", root=root):
        pass
    assert list(root.iterdir()) == []


def test_a_history_with_other_ids_can_be_checked_out(tmp_path, root):
    folder = tmp_path / "long"
    subprocess.run(["git", "init", "-q", "--object-format=sha256", str(folder)], check=True)
    (folder / "a").write_text("x\n")
    identity = ["-c", "user.name=Mara", "-c", "user.email=mara@example.org"]
    git(folder, "add", "a")
    git(folder, *identity, "commit", "-q", "-m", "Start")
    commit = git(folder, "rev-parse", "HEAD")
    with workspace(folder / ".git", commit, "v1", root=root) as space:
        assert (space.source / "a").read_text() == "x\n"
        assert git(space.source, "rev-parse", "v1") == commit


def test_a_shallow_history_can_be_checked_out(repo, tmp_path, root):
    repo.commit({"app.py": "two\n"}, "Second")
    subprocess.run(
        ["git", "clone", "-q", "--bare", "--depth=1", f"file://{repo.path}", str(tmp_path / "s")], check=True
    )
    with workspace(tmp_path / "s", repo.sha("main"), "v1", root=root) as space:
        assert git(space.source, "log", "--format=%s") == "Second"


def test_links_and_odd_names_are_checked_out_as_they_are(repo, root):
    repo.commit({"up": Entry("../../..", 0o120000), "sp ace/ü\n.txt": "x\n", "-rf": "y\n"}, "Odd")
    with workspace(repo.path, repo.sha("main"), "v1", root=root) as space:
        assert os.readlink(space.source / "up") == "../../.."
        assert (space.source / "sp ace" / "ü\n.txt").read_text() == "x\n"
        assert (space.source / "-rf").read_text() == "y\n"
        assert git(space.source, "status", "--porcelain") == ""


def test_a_command_works_in_it_with_a_home_and_a_place_for_facts(repo, root):
    with workspace(repo.path, repo.sha("main"), "v1", root=root) as space:
        command = 'cat app.py; echo "$HOME" "$TMPDIR"; mktemp > /dev/null; echo made=1 > "$HOTFIXDASH_OUTPUT"'
        ended, output = carry_out(command, space.source, env=space.env, output_file=space.output_file)
        assert ended.facts == {"made": "1"}
        assert output.text.split() == ["one", str(space.home), str(space.temp)]
        assert len(list(space.temp.iterdir())) == 1
        space.renew()
        assert space.output_file.read_text() == ""


@pytest.fixture
def unprivileged():
    """As the account of no rights, for whom a folder without rights is closed."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    yield
    os.seteuid(0)


def test_it_is_removed_whatever_a_step_left_in_it(repo, root):
    with workspace(repo.path, repo.sha("main"), "v1", root=root) as space:
        carry_out("mkdir a; ln -s /etc a/out; mkfifo pipe", space.source)
        space.output_file.unlink()
        space.output_file.mkdir()
        space.renew()
        assert space.output_file.read_text() == ""
    assert list(root.iterdir()) == []
    assert Path("/etc/passwd").exists()


def test_read_only_folders_are_removed_and_nothing_that_a_link_leads_to(unprivileged):
    with tempfile.TemporaryDirectory() as folder:
        outside, inside = Path(folder) / "outside", Path(folder) / "run-1"
        outside.mkdir(mode=0o500)
        (inside / "a" / "b" / "c").mkdir(parents=True)
        (inside / "a" / "b" / "c" / "f").touch()
        (inside / "a" / "out").symlink_to(outside)
        for path, mode in (("a/b/c", 0o500), ("a/b", 0), ("a", 0o500)):
            (inside / path).chmod(mode)
        workspaces._remove(inside)
        assert not inside.exists()
        assert outside.stat().st_mode & 0o777 == 0o500


def test_it_is_removed_after_an_error(repo, root):
    before = descriptors()
    with pytest.raises(LookupError), workspace(repo.path, repo.sha("main"), "v1", root=root):
        raise LookupError
    assert list(root.iterdir()) == []
    assert descriptors() == before


def test_folders_of_workers_that_died_are_swept_others_stay(repo, root, monkeypatch):
    with workspace(repo.path, repo.sha("main"), "v1", root=root) as space:
        dead = root / "run-dead"
        (dead / "source").mkdir(parents=True)
        (dead / "lock").touch()
        old = time.time() - 2 * workspaces.SWEEP_AFTER
        for folder in (dead, space.root):
            os.utime(folder, (old, old))
        young = root / "run-young"
        young.mkdir()
        assert workspaces_sweep(root) == 1
        assert not dead.exists()
        assert young.exists()
        assert (space.source / "app.py").exists()
    assert workspaces_sweep(root / "nothing") == 0


def test_a_command_that_outlives_its_worker_does_not_hold_the_folder(repo, root):
    with workspace(repo.path, repo.sha("main"), "v1", root=root) as space:
        other = subprocess.Popen(["sleep", "60"], close_fds=False)
        lock = os.open(space.root / "lock", os.O_RDWR)
        try:
            with pytest.raises(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            held = [os.readlink(f"/proc/{other.pid}/fd/{fd}") for fd in os.listdir(f"/proc/{other.pid}/fd")]
            assert str(space.root / "lock") not in held
        finally:
            os.close(lock)
            other.kill()
            other.wait()


def test_the_tests_of_a_fix_are_laid_over_the_release_it_was_cut_from(repo, root):
    repo.commit({"tests/test_old.py": "old\n", "tests/unit/test_gone.py": "gone\n", "docs/a.md": "a\n"}, "Tests")
    base = repo.sha("main")
    repo.commit(
        {
            "app.py": "fixed\n", "tests/test_old.py": "changed\n", "tests/unit/test_new.py": "new\n",
            "tests/unit/test_gone.py": None, "docs/a.md": "b\n", "tests/we[ir]d *.py": "w\n",
        },
        "The fix",
    )  # fmt: skip
    with workspace(repo.path, base, "v1.0.0", root=root) as space:
        paths = overlay(space, repo.sha("main"), ["tests/**"])
        assert paths == ["tests/test_old.py", "tests/unit/test_gone.py", "tests/unit/test_new.py", "tests/we[ir]d *.py"]
        assert (space.source / "app.py").read_text() == "one\n"
        assert (space.source / "docs/a.md").read_text() == "a\n"
        assert (space.source / "tests/test_old.py").read_text() == "changed\n"
        assert (space.source / "tests/unit/test_new.py").read_text() == "new\n"
        assert (space.source / "tests/we[ir]d *.py").read_text() == "w\n"
        assert not (space.source / "tests/unit/test_gone.py").exists()
        assert git(space.source, "rev-parse", "HEAD") == base


def test_globs_without_a_slash_are_about_names(repo, root):
    base = repo.sha("main")
    repo.commit({"a/b/test_x.py": "x\n", "test_y.py": "y\n", "c/other.py": "z\n", "d/spec/e.py": "e\n"}, "The fix")
    with workspace(repo.path, base, "", root=root) as space:
        assert overlay(space, repo.sha("main"), ["test_*.py", "**/spec/*"]) == [
            "a/b/test_x.py",
            "d/spec/e.py",
            "test_y.py",
        ]
        assert overlay(space, repo.sha("main"), ["nothing/*"]) == []
        assert overlay(space, base, ["*"]) == []
