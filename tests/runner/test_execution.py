"""A command runs in its folder, with its variables, and how it ended is told exactly."""

from __future__ import annotations

import os
import threading
import time

import pytest

from releases.deploys.runner import Job, execute
from tests.git.processes import children, descriptors

from .jobs import Output, carry_out, make_job, never


def test_output_of_both_streams_comes_in_order_and_the_status_is_told(tmp_path):
    ended, output = carry_out("echo one; echo two >&2; echo three; exit 7", tmp_path)
    assert output.text == "one\ntwo\nthree\n"
    assert (ended.how, ended.code, ended.signal) == ("exited", 7, None)
    assert ended.why == "It ended with status 7."
    assert not ended.good


def test_a_good_command_needs_no_sentence(tmp_path):
    ended, output = carry_out("pwd", tmp_path)
    assert ended.good
    assert ended.why == ""
    assert ended.notes == ()
    assert output.text == f"{tmp_path}\n"


def test_a_signal_is_told_by_number_and_name(tmp_path):
    ended, _ = carry_out("kill -SEGV $$", tmp_path)
    assert (ended.how, ended.code, ended.signal) == ("signal", None, 11)
    assert "SIGSEGV" in ended.why


def test_the_first_line_that_fails_ends_it(tmp_path):
    ended, output = carry_out("echo before\nfalse\necho after", tmp_path)
    assert ended.code == 1
    assert output.text == "before\n"


def test_a_command_that_cannot_be_started_says_why(tmp_path):
    ended, _ = carry_out("true", tmp_path / "nothing")
    assert (ended.how, ended.code) == ("exited", 127)
    assert "No such file or directory" in ended.why
    ended, _ = carry_out(f"true {'x' * 200_000}", tmp_path)
    assert "Argument list too long" in ended.why


def test_a_zero_byte_is_refused_before_anything_starts(tmp_path):
    with pytest.raises(ValueError, match="NUL"):
        carry_out("echo a\0b", tmp_path)
    with pytest.raises(ValueError, match="NUL"):
        carry_out("true", tmp_path, secrets={"TOKEN": "a\0b"})
    assert not children()


def test_the_environment_is_minimal_and_of_the_job(tmp_path, monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgres://somebody:secret@host/name")
    _, output = carry_out("env", tmp_path, env={"LANE": "hotfix", "ODD": "a=b\nc \udcff"}, secrets={"TOKEN": "tok"})
    names = {line.partition("=")[0] for line in output.text.splitlines() if "=" in line}
    assert names <= {"PATH", "LANG", "LANE", "ODD", "TOKEN", "HOTFIXDASH_MARK", "PWD", "SHLVL", "_", "OLDPWD"}
    assert b"ODD=a=b\nc \xff\n" in output.data
    assert "TOKEN=tok\n" in output.text


def test_a_job_cannot_give_its_processes_another_mark(tmp_path):
    _, output = carry_out("echo $HOTFIXDASH_MARK", tmp_path, env={"HOTFIXDASH_MARK": "1:1"}, marker="77:3")
    assert output.text.startswith("77:3@")


def test_it_leads_a_session_of_its_own_without_a_terminal_or_an_input(tmp_path):
    _, output = carry_out("cut -d' ' -f5,6 /proc/$$/stat; echo $$; cat; ls -l /proc/$$/fd | wc -l", tmp_path)
    lines = output.text.split()
    assert lines[0] == lines[1] == lines[2]
    assert os.getsid(0) != int(lines[1])


def test_nothing_of_the_worker_is_open_in_the_command(tmp_path):
    with open(tmp_path / "secret", "w") as handle:
        os.set_inheritable(handle.fileno(), True)
        _, output = carry_out("ls /proc/self/fd", tmp_path)
    # Its three streams, and the folder that is being listed.
    assert len(output.text.split()) == 4


def test_signals_mean_to_it_what_they_mean_to_any_program(tmp_path):
    _, output = carry_out("grep -E '^Sig(Ign|Blk)' /proc/self/status", tmp_path)
    masks = [int(line.split()[1], 16) for line in output.text.splitlines()]
    # The C library keeps 32 and 33 to itself: who is started with them ignored cannot change it.
    assert [mask & ~(0b11 << 31) for mask in masks] == [0, 0]


def test_the_total_time_is_bounded(tmp_path):
    began = time.monotonic()
    ended, output = carry_out("while :; do echo x; sleep 0.05; done", tmp_path, timeout=0.6)
    assert ended.how == "timeout"
    assert ended.why == "It took longer than 0.6 seconds and was ended."
    assert (ended.code, ended.signal) in ((None, 15), (143, None))
    assert "x" in output.text
    assert time.monotonic() - began < 10


def test_silence_is_bounded_and_every_output_breaks_it(tmp_path):
    ended, output = carry_out("for i in 1 2 3 4 5 6; do echo $i; sleep 0.6; done; sleep 30", tmp_path, silence=2.5)
    assert ended.how == "silent"
    # A shell that outlives its `sleep` by a moment says that it was terminated.
    assert output.text.removesuffix("Terminated\n") == "1\n2\n3\n4\n5\n6\n"
    assert ended.seconds >= 5.5


def test_a_reader_that_takes_its_time_is_not_silence(tmp_path):
    def slow(data: bytes) -> None:
        if data:
            time.sleep(1.2)

    ended = execute(make_job("echo a; sleep 0.2; echo b", tmp_path, silence=0.9), slow, never)
    assert ended.good


def test_processor_time_counts_over_all_processes(tmp_path):
    burn = "n=0; while [ $n -lt 30000000 ]; do n=$((n+1)); done"
    ended, _ = carry_out(f"({burn}) & ({burn}) & wait", tmp_path, cpu=0.8)
    assert ended.how == "cpu"
    assert ended.cpu >= 0.8


def test_processor_time_of_short_processes_counts_too(tmp_path):
    burn = "(n=0; while [ $n -lt 20000 ]; do n=$((n+1)); done)"
    ended, _ = carry_out(f"while :; do {burn}; done", tmp_path, cpu=0.8)
    assert ended.how == "cpu"


def test_the_processor_time_is_told(tmp_path):
    ended, _ = carry_out("n=0; while [ $n -lt 300000 ]; do n=$((n+1)); done", tmp_path)
    assert ended.cpu > 0.05


def test_it_is_asked_whether_to_stop_and_stops(tmp_path):
    asked: list[float] = []

    def stop() -> str:
        asked.append(time.monotonic())
        return "aborted" if len(asked) == 3 else ""

    ended, _ = carry_out("sleep 30", tmp_path, stop=stop)
    assert ended.how == "aborted"
    # The shell may see its child end by the signal before its own arrives.
    assert (ended.code, ended.signal) in ((None, 15), (143, None))
    assert len(asked) == 3
    assert asked[2] - asked[1] < 0.5


def test_a_command_that_is_asked_to_end_may_tidy_up(tmp_path):
    ended, output = carry_out(
        "trap 'echo bye; exit 4' TERM; while :; do sleep 0.05 || :; done", tmp_path, stop=lambda: "aborted", grace=20.0
    )
    assert (ended.how, ended.code, ended.signal) == ("aborted", 4, None)
    assert output.text.endswith("bye\n")


@pytest.mark.parametrize("where", ["sink", "stop"])
def test_an_error_of_the_caller_ends_everything_and_is_passed_on(tmp_path, where):
    def fail(*_: object) -> str:
        raise LookupError(where)

    job = make_job("echo begun; setsid sleep 321.5 & sleep 321.5", tmp_path)
    began = time.monotonic()
    with pytest.raises(LookupError, match=where):
        execute(job, fail if where == "sink" else Output(), fail if where == "stop" else never)
    assert time.monotonic() - began < 10
    assert not children()


def test_the_sink_hears_now_and_then_even_of_nothing(tmp_path):
    heard: list[bytes] = []
    execute(make_job("sleep 1", tmp_path), heard.append, never)
    assert heard.count(b"") >= 4


def test_output_is_passed_on_as_it_comes(tmp_path):
    came: list[float] = []
    began = time.monotonic()
    execute(
        make_job("echo first; sleep 1.5; echo last", tmp_path),
        lambda data: came.append(time.monotonic() - began) if data else None, never,
    )  # fmt: skip
    assert came[-1] - came[0] > 1.2


def test_two_run_side_by_side_and_end_apart(tmp_path):
    results = {}

    def run(name: str, **fields: float) -> None:
        results[name] = carry_out("sleep 1; echo done", tmp_path, **fields)

    threads = [threading.Thread(target=run, args=("short",), kwargs={"timeout": 0.3})]
    threads.append(threading.Thread(target=run, args=("whole",)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results["short"][0].how == "timeout"
    assert results["whole"][0].good
    assert results["whole"][1].text == "done\n"


def test_no_process_and_no_descriptor_is_left(tmp_path):
    carry_out("true", tmp_path)
    before = descriptors()
    for command in ("true", "sleep 5 & exit 1", "echo x", "kill -9 $$"):
        carry_out(command, tmp_path)
    carry_out("sleep 9", tmp_path, stop=lambda: "aborted")
    assert not children()
    assert descriptors() == before


def test_what_is_secret_is_not_in_the_words_for_a_job(tmp_path):
    job = make_job("true", tmp_path, env={"PLAIN": "plain-value"}, secrets={"TOKEN": "secret-value"})
    assert "value" not in repr(job)
    assert isinstance(job, Job)
