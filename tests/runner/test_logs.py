"""What a step prints is written down as it comes: masked, in lines, within bounds, and only by who holds the run."""

from __future__ import annotations

import random
import re
import time

import pytest
from django.db import DatabaseError, OperationalError, transaction

from releases import live
from releases.deploys.models import LogChunk, Run
from releases.deploys.runner import LogWriter, RunLost, execute, logs
from releases.deploys.runner.lines import CHUNK, LONGEST_LINE
from tests.factories import make_environment, make_project, make_shipment

from .jobs import make_job, never

pytestmark = pytest.mark.django_db


@pytest.fixture
def run():
    return make_shipment(make_environment(make_project()), state=Run.State.RUNNING, fence=4)


def writer_of(run: Run, **options) -> LogWriter:
    return LogWriter(run.pk, run.fence, options.pop("step", 2), options.pop("secrets", None), **options)


def text_of(run: Run) -> str:
    return "".join(run.chunks.values_list("text", flat=True))


def consistent(run: Run) -> list[LogChunk]:
    """Chunks follow each other without a gap, and the row's counters say what they hold."""
    run.refresh_from_db()
    rows = list(run.chunks.all())
    line = 1
    for number, chunk in enumerate(rows):
        assert (chunk.sequence, chunk.first_line) == (number, line)
        assert chunk.text.endswith("\n")
        assert chunk.lines == chunk.text.count("\n")
        line += chunk.lines
    assert (run.log_chunks, run.log_lines) == (len(rows), line - 1)
    assert run.log_bytes == sum(len(chunk.text.encode()) for chunk in rows)
    return rows


def test_lines_are_committed_as_they_come(run):
    with writer_of(run) as writer:
        writer.write(b"first\n")
        assert text_of(run) == "first\n"
        writer.write(b"second\nthi")
        assert text_of(run) == "first\n"
        time.sleep(logs.EVERY)
        writer.write(b"")
        assert text_of(run) == "first\nsecond\n"
        writer.write(b"rd")
    assert text_of(run) == "first\nsecond\nthird\n"
    rows = consistent(run)
    assert {chunk.step for chunk in rows} == {2}


def test_the_next_step_goes_on_where_the_one_before_ended(run):
    for step in (0, 1, 2):
        with writer_of(run, step=step) as writer:
            writer.write(f"of {step}\nand more".encode())
    rows = consistent(run)
    assert [(chunk.step, chunk.first_line) for chunk in rows] == [(0, 1), (0, 2), (1, 3), (1, 4), (2, 5), (2, 6)]


def test_lines_of_our_own_stand_by_themselves(run):
    with writer_of(run) as writer:
        writer.write(b"no end")
        writer.line("── again ──")
        writer.write(b"more\n")
    assert text_of(run) == "no end\n── again ──\nmore\n"


def test_nothing_printed_leaves_no_chunk(run):
    with writer_of(run) as writer:
        writer.write(b"")
    assert consistent(run) == []


def test_secrets_never_reach_a_chunk_however_they_are_cut(run, monkeypatch):
    monkeypatch.setattr(logs, "EVERY", 0.0)
    secret = "correct-horse-battery"
    data = b"".join(f"{n} token={secret} and {n * 'x'}\n".encode() for n in range(200)) + f"end {secret}".encode()
    chance = random.Random(3)
    with writer_of(run, secrets={"TOKEN": secret}) as writer:
        at = 0
        while at < len(data):
            size = chance.randint(1, 40)
            writer.write(data[at : at + size])
            at += size
    text = text_of(run)
    assert text.count("***") == 201
    assert "horse" not in text
    assert "batt" not in text
    assert text.count("\n") == 201
    consistent(run)


@pytest.mark.parametrize("piece", [1000, 8191, 30_011])
def test_a_secret_in_an_endless_line_is_not_cut_in_two(run, monkeypatch, piece):
    monkeypatch.setattr(logs, "EVERY", 0.0)
    secret = "correct-horse-battery"
    data = (("é" * 997 + secret) * 300).encode()
    with writer_of(run, secrets={"TOKEN": secret}) as writer:
        for at in range(0, len(data), piece):
            writer.write(data[at : at + piece])
    joined = text_of(run).replace("\n", "")
    assert joined == ("é" * 997 + "***") * 300
    consistent(run)


def test_a_secret_of_several_lines_is_masked_across_them(run, monkeypatch):
    monkeypatch.setattr(logs, "EVERY", 0.0)
    key = "begin-of-key\n" + "0123456789abcdef\n" * 3 + "end-of-key"
    with writer_of(run, secrets={"KEY": key}) as writer:
        for line in f"before\n{key}\nafter\n".splitlines(keepends=True):
            writer.write(line.encode())
    assert text_of(run) == "before\n***\nafter\n"


def test_the_beginning_and_the_end_of_too_much_output_are_kept_and_said_so(run):
    lines = [f"line {n:07} {'x' * 80}\n" for n in range(40_000)]
    with writer_of(run, head=500_000, tail=100_000) as writer:
        for at in range(0, len(lines), 500):
            writer.write("".join(lines[at : at + 500]).encode())
    text = text_of(run)
    assert 590_000 < len(text.encode()) < 601_000
    assert text.startswith(lines[0])
    assert text.endswith(lines[-1])
    kept, notice, rest = text.partition("── Too much output: what follows is left out, but for its end. ──\n")
    assert notice
    said, _, tail = rest.partition(" ──\n")
    dropped_bytes, dropped_lines = (int(number) for number in re.findall(r"\d+", said.replace(",", "")))
    assert kept.count("\n") + dropped_lines + tail.count("\n") == len(lines)
    assert len(kept) + dropped_bytes + len(tail) == len("".join(lines))
    assert kept + tail == "".join(lines[: kept.count("\n")] + lines[-tail.count("\n") :])
    rows = consistent(run)
    assert all(len(chunk.text) <= CHUNK for chunk in rows)


def test_output_just_above_the_bound_loses_nothing_but_is_told(run):
    data = "".join(f"{n:06}\n" for n in range(20_000))
    with writer_of(run, head=100_000, tail=60_000) as writer:
        writer.write(data.encode())
    text = text_of(run)
    assert "left out here" not in text
    assert text.replace("── Too much output: what follows is left out, but for its end. ──\n", "") == data


def test_a_secret_at_the_edge_of_what_is_left_out_is_masked(run):
    secret = "correct-horse-battery"
    for tail in range(5000, 5030):
        run.chunks.all().delete()
        Run.objects.filter(pk=run.pk).update(log_chunks=0, log_lines=0, log_bytes=0)
        with writer_of(run, secrets={"S": secret}, head=1000, tail=tail) as writer:
            for _ in range(30):
                writer.write(secret.encode() * 50)
        text = text_of(run)
        assert "horse" not in text
        assert not text.rstrip("\n").endswith(secret[-8:])
        left = text.replace("***", "").replace("\n", "")
        assert not any(piece in left for piece in ("corr", "orre", "atte", "tery"))


def test_a_hundred_million_bytes_become_nine(run):
    block = b"".join(b"%09d some words of a log line that is not short\n" % n for n in range(2000))
    began = time.process_time()
    with writer_of(run) as writer:
        for _ in range(100_000_000 // len(block) + 1):
            writer.write(block)
    text = text_of(run)
    assert time.process_time() - began < 10
    assert logs.HEAD + logs.TAIL - 300_000 < len(text) < logs.HEAD + logs.TAIL + 1000
    assert text.endswith("000001999 some words of a log line that is not short\n")
    consistent(run)


@pytest.mark.parametrize("kind", ["binary", "no newline", "invalid", "one long line"])
def test_whatever_is_printed_can_be_stored_and_read(run, kind):
    data = {
        "binary": random.Random(1).randbytes(300_000),
        "no newline": b"x" * 300_000,
        "invalid": b"\xff\xfe\xc3\x28\xe2\x82\n" * 30_000,
        "one long line": b"progress 1%\r" * 30_000 + b"done\n",
    }[kind]
    with writer_of(run, head=200_000, tail=50_000) as writer:
        for at in range(0, len(data), 7777):
            writer.write(data[at : at + 7777])
    for chunk in consistent(run):
        assert max(map(len, chunk.text.split("\n"))) <= LONGEST_LINE
        assert "\0" not in chunk.text
    assert len(text_of(run).encode()) < 300_000


@pytest.mark.parametrize(
    "command",
    [
        "yes 'a line of a hundred million bytes' | head -c 100000000",
        "yes | tr -d '\\n' | head -c 100000000",
        "head -c 30000000 /dev/urandom",
        "yes \"$(printf 'caf\\303 \\377\\376')\" | head -c 30000000; printf end",
    ],
    ids=["lines", "no newline", "binary", "invalid"],
)
def test_a_step_that_prints_far_too_much_ends_well_and_leaves_a_small_log(run, tmp_path, command):
    with writer_of(run, secrets={"TOKEN": "correct-horse-battery"}) as writer:
        ended = execute(make_job(command, tmp_path, silence=30), writer.write, never)
    assert ended.good
    text = text_of(run)
    assert logs.HEAD < len(text.encode()) < logs.HEAD + logs.TAIL + 100_000
    assert "are left out here" in text
    for chunk in consistent(run):
        assert max(map(len, chunk.text.split("\n"))) <= LONGEST_LINE
        assert "\0" not in chunk.text
    if "printf end" in command:
        assert text.endswith("end\n")


def test_only_who_holds_the_run_writes(run):
    with pytest.raises(RunLost):
        LogWriter(run.pk, 3, 0)
    writer = writer_of(run)
    writer.write(b"mine\n")
    Run.objects.filter(pk=run.pk).update(fence=5)
    time.sleep(logs.EVERY)
    with pytest.raises(RunLost):
        writer.write(b"too late\n")
    with pytest.raises(RunLost):
        writer.close()
    assert text_of(run) == "mine\n"


@pytest.mark.parametrize("state", ["lost", "aborted", "done", "queued"])
def test_nothing_is_written_into_a_run_that_does_not_run(run, state):
    writer = writer_of(run)
    Run.objects.filter(pk=run.pk).update(state=state)
    with pytest.raises(RunLost):
        writer.write(b"too late\n")
    with pytest.raises(RunLost):
        LogWriter(run.pk, run.fence, 0)
    assert text_of(run) == ""


def test_a_lost_run_ends_its_command(run, tmp_path):
    writer = writer_of(run)
    Run.objects.filter(pk=run.pk).update(fence=5)
    with pytest.raises(RunLost):
        execute(make_job("while :; do echo x; sleep 0.05; done", tmp_path), writer.write, never)


@pytest.mark.django_db(transaction=True)
def test_a_database_that_is_away_for_a_moment_loses_nothing(run, monkeypatch):
    monkeypatch.setattr(logs, "AGAIN_AFTER", 0.05)
    monkeypatch.setattr(logs, "EVERY", 0.0)
    away = {"times": 3}
    commit = LogWriter._commit

    def unsteady(self: LogWriter, text: str) -> None:
        if away["times"]:
            away["times"] -= 1
            raise OperationalError("database is locked")
        commit(self, text)

    monkeypatch.setattr(LogWriter, "_commit", unsteady)
    with writer_of(run) as writer:
        for number in range(6):
            writer.write(f"{number}\n".encode())
            time.sleep(0.02)
    assert away["times"] == 0
    assert text_of(run) == "0\n1\n2\n3\n4\n5\n"
    consistent(run)


@pytest.mark.django_db(transaction=True)
def test_a_database_that_stays_away_is_given_up_in_the_end(run, monkeypatch, caplog):
    monkeypatch.setattr(logs, "AGAIN_AFTER", 0.01)

    def away(self: LogWriter, text: str) -> None:
        raise DatabaseError("gone")

    monkeypatch.setattr(LogWriter, "_commit", away)
    with writer_of(run) as writer:
        writer.write(b"x\n")
    assert "is lost" in caplog.text


@pytest.mark.broker
@pytest.mark.django_db(transaction=True)
def test_open_pages_are_told_a_few_times_a_second(broker, run, tmp_path):
    topic = live.run_topic(run.pk)
    began = time.monotonic()
    with writer_of(run) as writer:
        execute(make_job("for i in $(seq 100); do echo $i; sleep 0.01; done", tmp_path), writer.write, never)
    seconds = time.monotonic() - began
    assert text_of(run).split() == [str(number) for number in range(1, 101)]
    version = live.versions([topic])[topic]
    assert 3 <= version <= seconds / logs.EVERY + 2


def test_nobody_is_told_of_what_is_not_committed(run, monkeypatch, django_capture_on_commit_callbacks):
    told: list[str] = []
    monkeypatch.setattr(live, "publish_now", lambda *topics: told.extend(topics) or True)
    with django_capture_on_commit_callbacks(execute=True), transaction.atomic():
        writer_of(run).write(b"x\n")
        assert told == []
    assert told == [f"run:{run.pk}"]


def test_a_broker_that_is_away_is_not_asked_with_every_commit(run, monkeypatch, django_capture_on_commit_callbacks):
    monkeypatch.setattr(logs, "EVERY", 0.0)
    asked: list[str] = []
    monkeypatch.setattr(live, "publish_now", lambda *topics: bool(asked.extend(topics)))
    writer = writer_of(run)
    for _ in range(5):
        with django_capture_on_commit_callbacks(execute=True):
            writer.write(b"x\n")
    assert len(asked) == 1
