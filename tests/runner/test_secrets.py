"""A secret reaches the command through its environment alone: no command line, no log, no fact, no sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from releases.deploys.models import Run
from releases.deploys.runner import LogWriter, execute
from releases.deploys.runner.marks import marked
from tests.factories import make_environment, make_project, make_shipment

from .jobs import make_job, never

SECRET = "hunter2-very-secret-9f3a"


def command_lines() -> bytes:
    """Of every process on this machine."""
    found = []
    for folder in Path("/proc").iterdir():
        try:
            found.append((folder / "cmdline").read_bytes() if folder.name.isdigit() else b"")
        except OSError:
            continue
    return b"\n".join(found)


def test_no_command_line_holds_a_secret_while_it_is_used(tmp_path):
    looks: list[bytes] = []
    guardians: list[bytes] = []

    def look(data: bytes) -> None:
        looks.append(command_lines())
        for stat in marked().get(job.marker, []):
            try:
                environment = Path(f"/proc/{stat.pid}/environ").read_bytes()
                line = Path(f"/proc/{stat.pid}/cmdline").read_bytes()
            except OSError:
                continue
            if b"guardian.main" in line:
                guardians.append(environment)

    command = 'test "$TOKEN" = ' + "$(printf %s hunter2- very-secret-9f3a) && sleep 4 && echo right"
    job = make_job(command, tmp_path, secrets={"TOKEN": SECRET})
    said: list[bytes] = []
    ended = execute(job, lambda data: (said.append(data), look(data))[0], never)
    assert ended.good, ended
    assert b"".join(said) == b"right\n"
    assert len(looks) >= 5
    assert any(b"sleep" in line for line in looks)
    assert not any(SECRET.encode() in line for line in looks)
    assert guardians
    assert not any(SECRET.encode() in environment for environment in guardians)


@pytest.mark.django_db
def test_no_chunk_fact_or_sentence_holds_a_secret_that_the_command_prints(tmp_path):
    run = make_shipment(make_environment(make_project()), state=Run.State.RUNNING, fence=1)
    command = (
        'echo "plain $TOKEN"; printf %s "$TOKEN" | base64; echo "user:$TOKEN" | base64; env; echo "$TOKEN" >&2; '
        'printf %.7s "$TOKEN"; sleep 0.4; printf %s "${TOKEN#???????}"; echo; '
        'echo "fact=$TOKEN" > "$HOTFIXDASH_OUTPUT"; exit 3'
    )
    secrets = {"TOKEN": SECRET}
    job = make_job(command, tmp_path, secrets=secrets, output_file=tmp_path / "output")
    with LogWriter(run.pk, run.fence, 0, secrets) as writer:
        ended = execute(job, writer.write, never)
    text = "".join(run.chunks.values_list("text", flat=True))
    assert "plain ***" in text
    assert "TOKEN=***" in text
    assert text.count("***") >= 6
    assert SECRET not in text
    assert "hunter2" not in text
    assert "secret" not in text
    assert ended.facts == {"fact": "***"}
    assert SECRET not in repr(ended)
    assert SECRET not in repr(job)
