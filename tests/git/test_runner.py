"""Git is started clean, within bounds, and nothing of it stays behind."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from releases.git import runner
from releases.git.errors import DiskFull, GitTooOld, NoSuchRef, NotARepository, TimedOut, TooLarge
from tests.gitrepos import make_repo

from .processes import children, command_line, descriptors, pids_with, wait_for


@pytest.fixture
def repo(tmp_path):
    made = make_repo(tmp_path)
    made.commit({"a.txt": "one\n"}, "Start")
    return made


@pytest.fixture
def slow_git(tmp_path, monkeypatch):
    """A program in git's place that runs a shell line given as its last argument."""
    program = tmp_path / "bin" / "git"
    program.parent.mkdir()
    program.write_text('#!/bin/sh\nfor last; do :; done\neval "$last"\n')
    program.chmod(0o755)
    monkeypatch.setattr(runner, "executable", lambda: str(program))
    return program


def test_an_answer_is_collected(repo):
    done = runner.run(["rev-parse", "HEAD"], git_dir=repo.path)
    assert done.line == repo.sha("main")
    assert done.code == 0


def test_input_goes_in_as_bytes_of_any_size_or_as_a_file(repo, tmp_path):
    sha = repo.sha("main")
    for count in (1, 50_000):
        done = runner.run(["cat-file", "--batch-check"], git_dir=repo.path, stdin=f"{sha}\n".encode() * count)
        assert done.stdout.count(b"\n") == count
    listed = tmp_path / "list"
    listed.write_text(f"{sha}\n" * 3)
    assert runner.run(["cat-file", "--batch-check"], git_dir=repo.path, stdin=listed).stdout.count(b"\n") == 3


def test_a_bad_exit_code_is_a_named_error_unless_it_is_accepted(repo, tmp_path):
    with pytest.raises(NoSuchRef):
        runner.run(["rev-parse", "--verify", "nothing"], git_dir=repo.path)
    assert runner.run(["rev-parse", "--verify", "-q", "nothing"], git_dir=repo.path, ok_codes=None).code == 1
    with pytest.raises(NotARepository):
        runner.run(["rev-parse", "HEAD"], git_dir=tmp_path / "nothing")


def test_a_nul_in_an_argument_is_refused(repo):
    with pytest.raises(ValueError, match="NUL"):
        runner.run(["rev-parse", "a\0b"], git_dir=repo.path)


def test_more_output_than_allowed_is_an_error_and_ends_git(slow_git):
    start = time.monotonic()
    with pytest.raises(TooLarge):
        runner.run(["yes; sleep 60"], max_output=1000)
    assert time.monotonic() - start < 5
    assert not children()


def test_endless_words_on_standard_error_neither_block_nor_fill_memory(slow_git):
    done = runner.run(["head -c 3000000 /dev/zero | tr '\\0' x >&2; echo fine"])
    assert done.line == "fine"
    assert len(done.stderr) <= runner.MAX_STDERR


def test_git_that_hangs_is_ended_with_everything_it_started(slow_git):
    mark = f"3{os.getpid()}.25"
    start = time.monotonic()
    with pytest.raises(TimedOut):
        runner.run([f"sleep {mark} & sleep {mark}; wait"], timeout=0.3)
    assert time.monotonic() - start < 5
    assert wait_for(lambda: not pids_with(f"sleep {mark}"))
    assert not children()


def test_git_that_closes_its_output_but_does_not_end_is_ended_too(slow_git):
    with pytest.raises(TimedOut):
        runner.run(["exec >&- 2>&-; exec sleep 60"], timeout=0.3)
    assert not children()


class TestStream:
    def test_lines_come_as_they_are_written(self, repo):
        for number in range(20):
            repo.commit({"a.txt": f"{number}\n"}, f"change {number}")
        with runner.stream(["log", "--format=%s"], git_dir=repo.path) as flow:
            assert sum(1 for _ in flow.stdout) == 21

    def test_leaving_early_ends_git_quietly(self, slow_git):
        with runner.stream(["yes"]) as flow:
            assert flow.stdout.readline() == b"y\n"
        assert not children()

    def test_a_failure_shows_on_leaving(self, repo):
        with pytest.raises(NoSuchRef), runner.stream(["log", "nothing", "--"], git_dir=repo.path) as flow:
            assert flow.read() == b""

    def test_a_failure_after_good_output_shows_on_leaving(self, slow_git):
        with (
            pytest.raises(DiskFull),
            runner.stream(["echo fine; echo 'fatal: No space left on device' >&2; exit 128"]) as flow,
        ):
            assert flow.read() == b"fine\n"

    def test_an_error_inside_the_block_ends_git_and_passes_on(self, slow_git):
        with pytest.raises(KeyError), runner.stream(["yes"]):
            raise KeyError("mine")
        assert not children()

    def test_git_that_hangs_is_ended_and_named(self, slow_git):
        start = time.monotonic()
        with pytest.raises(TimedOut), runner.stream(["echo one; sleep 60"], timeout=0.3) as flow:
            assert flow.read() == b"one\n"
        assert time.monotonic() - start < 5
        assert not children()

    def test_much_on_standard_error_does_not_block(self, slow_git):
        with runner.stream(["head -c 1000000 /dev/zero | tr '\\0' x >&2; echo fine"]) as flow:
            assert flow.read() == b"fine\n"
        assert len(flow.stderr() if not flow._said.closed else "") <= runner.MAX_STDERR


def test_nothing_of_the_hosts_configuration_takes_part(repo, tmp_path, monkeypatch):
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text("[user]\n\tname = Mallory\n[core]\n\tpager = touch pwned\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("GIT_CONFIG_PARAMETERS", "'user.name=Mallory'")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(home / ".gitconfig"))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "touch pwned")
    listed = runner.run(["config", "--list", "--show-origin"], git_dir=repo.path)
    assert "Mallory" not in listed.text
    assert runner.run(["rev-parse", "HEAD"], git_dir=repo.path).line == repo.sha("main")


def test_what_the_repository_itself_would_run_is_not_run(repo, tmp_path):
    """A hostile repository's configuration: hooks, monitors, external diffs, text conversion, transports."""
    mark = tmp_path / "pwned"
    script = tmp_path / "run.sh"
    script.write_text(f"#!/bin/sh\ntouch {mark}\ncat\n")
    script.chmod(0o755)
    for key in ("core.fsmonitor", "core.sshCommand", "core.pager", "core.askPass", "core.editor", "diff.external",
                "diff.x.command", "diff.x.textconv", "filter.x.smudge", "filter.x.clean", "core.gitProxy"):  # fmt: skip
        repo.git("config", key, str(script))
    repo.git("config", "protocol.ext.allow", "always")
    repo.git("config", "credential.helper", f"!{script}")
    repo.git("config", "remote.origin.url", f"ext::{script}")
    repo.git("config", "core.hooksPath", str(tmp_path))
    (repo.path / "info").mkdir(exist_ok=True)
    (repo.path / "info" / "attributes").write_text("* diff=x filter=x\n")
    repo.commit({"a.txt": "two\n", ".gitattributes": "* diff=x filter=x\n"}, "Change")
    pinned = ["--no-ext-diff", "--no-textconv"]
    runner.run(["log", "-p", *pinned], git_dir=repo.path)
    runner.run(["show", *pinned, "HEAD"], git_dir=repo.path)
    runner.run(["fetch", "origin"], git_dir=repo.path, ok_codes=None)
    runner.run(["ls-remote", f"ext::{script}"], git_dir=repo.path, ok_codes=None)
    assert not mark.exists()


def test_a_repository_of_another_account_can_be_read(repo):
    if os.geteuid() != 0:
        return  # only root can give a folder away
    for root, folders, files in os.walk(repo.path):
        for name in (*folders, *files):
            os.chown(os.path.join(root, name), 12345, 12345)
    os.chown(repo.path, 12345, 12345)
    assert runner.run(["rev-parse", "HEAD"], git_dir=repo.path).line


def test_git_that_is_too_old_is_named_with_its_version(monkeypatch):
    monkeypatch.setattr(runner, "version", lambda: (2, 30, 2))
    with pytest.raises(GitTooOld, match=r"2\.30\.2.*2\.38"):
        runner.check_version()


def test_the_version_is_read():
    assert runner.version() >= runner.MINIMUM
    runner.check_version()


def test_a_writing_git_does_not_outlive_its_killed_worker(tmp_path):
    mark = f"7{os.getpid()}.75"
    code = f"""
        import sys
        sys.path.insert(0, {str(Path.cwd())!r})
        from releases.git import runner
        runner.executable = lambda: "/bin/sh"
        runner._command = lambda args, git_dir, guarded: [*runner._guard(), "/bin/sleep", "{mark}"]
        runner.run([], guarded=True)
    """
    worker = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)])
    try:
        # The wrapper shows up first; only then does it become the program.
        assert wait_for(lambda: [pid for pid in pids_with(mark) if command_line(pid).startswith("/bin/sleep")])
        worker.kill()
        worker.wait()
        assert wait_for(lambda: not pids_with(f"/bin/sleep {mark}"))
    finally:
        worker.kill()
        worker.wait()


def test_git_does_not_begin_when_its_worker_died_before_it_was_tied_to_it(repo, monkeypatch):
    monkeypatch.setattr(os, "getpid", lambda: 1)
    runner.run(["update-ref", "refs/heads/late", "HEAD"], git_dir=repo.path, ok_codes=None, guarded=True)
    assert not repo.exists("late")
    monkeypatch.undo()
    runner.run(["update-ref", "refs/heads/late", "HEAD"], git_dir=repo.path, guarded=True)
    assert repo.exists("late")


def test_after_many_calls_no_process_and_no_descriptor_is_left(repo):
    runner.run(["version"])
    before = descriptors()
    for number in range(30):
        runner.run(["rev-parse", "HEAD"], git_dir=repo.path, stdin=b"x" * number * 5000)
        runner.run(["rev-parse", "--verify", "nope"], git_dir=repo.path, ok_codes=None, guarded=True)
        with runner.stream(["log"], git_dir=repo.path) as flow:
            flow.stdout.readline() if number % 2 else flow.read()
        with pytest.raises(NoSuchRef):
            runner.run(["rev-parse", "--verify", "nope"], git_dir=repo.path)
    assert not children()
    assert descriptors() == before
