"""Commands that misbehave end as they should, and leave nothing behind."""

from __future__ import annotations

import os
import resource
import sys
import time

import pytest

from releases.deploys.runner import execute
from tests.git.processes import children, pids_with, wait_for

from .jobs import Output, carry_out, make_job, never

FORKER = """
import os, sys, time
if os.fork():
    os._exit(0)
os.setsid()
if os.fork():
    os._exit(0)
os.chdir("/")
for name in range(3):
    os.close(name)
if "wipe" in sys.argv:
    os.execve("/bin/sleep", ["sleep", sys.argv[1]], {})
os.execv("/bin/sleep", ["sleep", sys.argv[1]])
"""


def unlike_any(number: int) -> str:
    """A number of seconds by which this test's own sleep is found among all processes."""
    return f"{number}{os.getpid()}.5"


def test_a_hundred_million_bytes_come_through(tmp_path):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ended, output = carry_out("yes 0123456789abcdef | head -c 100000000", tmp_path)
    assert ended.good
    assert output.size == 100_000_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kilobytes


def test_endless_output_ends_with_the_time(tmp_path):
    ended, output = carry_out("yes", tmp_path, timeout=0.7)
    assert ended.how == "timeout"
    assert output.size > 1_000_000


def test_bytes_that_are_no_text_come_through_unchanged(tmp_path):
    (tmp_path / "all").write_bytes(bytes(range(256)) * 40)
    ended, output = carry_out("cat all", tmp_path)
    assert ended.good
    assert bytes(output.data) == bytes(range(256)) * 40


def test_closing_the_output_and_sleeping_is_silence(tmp_path):
    began = time.monotonic()
    ended, _ = carry_out("echo begun; exec >&- 2>&-; sleep 60", tmp_path, silence=0.8)
    assert ended.how == "silent"
    assert time.monotonic() - began < 10


def test_closing_the_output_is_no_end(tmp_path):
    ended, _ = carry_out("exec >&- 2>&-; sleep 1; exit 5", tmp_path)
    assert ended.code == 5
    assert ended.seconds >= 1


@pytest.mark.parametrize("how", ["keep", "wipe"])
def test_a_daemon_that_forks_away_is_found_and_ended(tmp_path, how):
    mark = unlike_any(41)
    (tmp_path / "fork.py").write_text(FORKER)
    began = time.monotonic()
    ended, _ = carry_out(f"{sys.executable} -I -S fork.py {mark} {how}; echo over", tmp_path)
    assert ended.good
    # The one in between may still be on its way out when it is counted.
    assert ended.notes in (
        ("A process that it left running was ended.",), ("2 processes that it left running were ended.",)
    )  # fmt: skip
    assert time.monotonic() - began < 10
    assert not pids_with(f"sleep {mark}")
    assert not children()


def test_a_daemon_that_holds_the_output_open_holds_nothing_up(tmp_path):
    ended, output = carry_out("echo a; (sleep 50; echo b) & echo c", tmp_path)
    assert ended.good
    assert sorted(output.text.split()) == ["a", "c"]
    assert ended.seconds < 10


def test_a_daemon_that_ignores_being_asked_is_forced(tmp_path):
    ended, _ = carry_out("nohup sh -c 'trap \"\" TERM HUP; while :; do sleep 1; done' & sleep 0.3", tmp_path)
    assert ended.good
    assert ended.notes
    assert ended.seconds < 10


def test_a_daemon_is_ended_with_a_command_that_takes_too_long(tmp_path):
    mark = unlike_any(42)
    (tmp_path / "fork.py").write_text(FORKER)
    ended, _ = carry_out(f"{sys.executable} -I -S fork.py {mark} wipe; sleep 60", tmp_path, timeout=1.5)
    assert ended.how == "timeout"
    assert not pids_with(f"sleep {mark}")


def test_what_ignores_being_asked_is_forced_with_all_it_started(tmp_path):
    mark = unlike_any(43)
    began = time.monotonic()
    ended, _ = carry_out(
        f"trap '' TERM INT HUP QUIT; setsid sh -c 'trap \"\" TERM; sleep {mark}; sleep {mark}' & "
        f"while :; do sleep {mark}; done",
        tmp_path, timeout=0.6, grace=0.5,
    )  # fmt: skip
    assert ended.how == "timeout"
    # By the signal, or because the shell saw its child ended by it a moment before its own turn.
    assert ended.signal == 9 or ended.code == 128 + 9
    assert time.monotonic() - began < 10
    assert not pids_with(f"sleep {mark}")


def test_what_was_stopped_is_ended_too(tmp_path):
    ended, _ = carry_out("kill -STOP $$", tmp_path, timeout=0.5)
    assert (ended.how, ended.signal) == ("timeout", 15)


def test_one_that_starts_processes_all_the_time_is_ended(tmp_path):
    mark = unlike_any(44)
    ended, _ = carry_out(f"trap '' TERM; while :; do sleep {mark} & sleep 0.01; done", tmp_path, timeout=0.5, grace=0.2)
    assert ended.how == "timeout"
    assert not pids_with(f"sleep {mark}")


def test_a_folder_that_fills_up_ends_it(tmp_path):
    ended, _ = carry_out(
        "while :; do head -c 1000000 /dev/zero > f$((n+=1)) || exit 9; sleep 0.01; done", tmp_path, max_size=20_000_000
    )
    assert ended.how == "size"
    assert "20,000,000 bytes" in ended.why


def test_one_large_file_counts_and_so_do_files_beside_the_folder(tmp_path):
    (tmp_path / "source").mkdir()
    ended, _ = carry_out(
        "head -c 30000000 /dev/zero > ../big; sleep 30", tmp_path / "source", max_size=20_000_000, measured=tmp_path
    )
    assert ended.how == "size"


def test_empty_files_count_too(tmp_path):
    made = f"{sys.executable} -I -S -c \"[open(f'f{{n}}', 'w').close() for n in range(9000)]\"; sleep 30"
    ended, _ = carry_out(made, tmp_path, max_size=1_000_000)
    assert ended.how == "size"


def test_names_of_one_file_count_once_and_holes_not_at_all(tmp_path):
    ended, _ = carry_out(
        "head -c 5000000 /dev/zero > a; for n in 1 2 3 4 5 6; do ln a b$n; done; truncate -s 1G hole; sleep 1.5",
        tmp_path, max_size=9_000_000,
    )  # fmt: skip
    assert ended.good


def test_a_command_that_kills_its_guardian_is_ended_and_told(tmp_path):
    mark = unlike_any(45)
    began = time.monotonic()
    ended, output = carry_out(f"echo hi; setsid sleep {mark} & kill -9 $PPID; sleep 60; echo no", tmp_path)
    assert (ended.how, ended.signal) == ("signal", 9)
    assert "guards the command was killed" in ended.why
    assert output.text == "hi\n"
    assert time.monotonic() - began < 15
    assert wait_for(lambda: not pids_with(f"sleep {mark}"))


def test_a_command_that_stops_its_guardian_is_not_waited_for_for_ever(tmp_path, monkeypatch):
    from releases.deploys.runner import execution
    from releases.deploys.runner.guard import guardian

    monkeypatch.setattr(execution, "REPORT_WAIT", 0.5)
    monkeypatch.setattr(guardian, "UNENDABLE", 0.5)
    mark = unlike_any(46)
    ended = execute(make_job(f"kill -STOP $PPID; sleep {mark}", tmp_path, silence=0.5, grace=0.5), Output(), never)
    assert not ended.good
    assert not pids_with(f"sleep {mark}")
    assert not children()
