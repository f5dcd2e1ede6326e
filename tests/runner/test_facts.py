"""What a command writes into the file it was told of becomes facts, within bounds and without secrets."""

from __future__ import annotations

import os

import pytest

from releases.deploys.runner.facts import LONGEST_VALUE, MOST_BYTES, MOST_FACTS, read_facts
from releases.deploys.runner.masking import Mask

from .jobs import carry_out


@pytest.fixture
def output(tmp_path):
    return tmp_path / "output"


def facts_of(text: str | bytes, output, **secrets: str):
    output.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_facts(output, Mask(secrets))


def test_a_command_leaves_facts(tmp_path, output):
    command = 'echo "image=registry/app:1.2" >> "$HOTFIXDASH_OUTPUT"; echo digest=sha256:ab >> "$HOTFIXDASH_OUTPUT"'
    ended, _ = carry_out(command, tmp_path, output_file=output)
    assert ended.facts == {"image": "registry/app:1.2", "digest": "sha256:ab"}
    assert ended.notes == ()


def test_a_command_that_failed_leaves_them_too(tmp_path, output):
    ended, _ = carry_out('echo a=1 > "$HOTFIXDASH_OUTPUT"; exit 3', tmp_path, output_file=output)
    assert ended.facts == {"a": "1"}
    assert ended.code == 3


def test_no_file_no_facts(tmp_path, output):
    assert read_facts(output, Mask()) == ({}, [])


def test_values_are_taken_as_they_are_and_the_last_of_a_name_counts(output):
    facts, problems = facts_of("a= one=two \n\na=last\r\n b =x\nempty=\n", output)
    assert facts == {"a": "last", "b": "x", "empty": ""}
    assert problems == []


def test_lines_that_are_no_facts_are_named(output):
    facts, problems = facts_of("fine=1\nno fact\n1a=2\n=x\n", output)
    assert facts == {"fine": "1"}
    assert problems == [f"Line {n} of HOTFIXDASH_OUTPUT is no name=value." for n in (2, 3, 4)]


def test_bytes_that_no_database_takes_are_replaced(output):
    facts, _ = facts_of(b"a=x\x00y\xff\x1bz\n", output)
    assert facts == {"a": "x\ufffdy\ufffd\ufffdz"}


def test_secrets_are_masked(output):
    facts, _ = facts_of("url=https://user:hunter22@host\n", output, P="hunter22")
    assert facts == {"url": "https://user:***@host"}


def test_there_are_bounds(output):
    facts, problems = facts_of("".join(f"n{n}=x\n" for n in range(MOST_FACTS + 5)), output)
    assert len(facts) == MOST_FACTS
    assert len(problems) == 1
    facts, problems = facts_of(f"long={'x' * (LONGEST_VALUE + 1)}\n", output)
    assert len(facts["long"]) == LONGEST_VALUE
    assert "was cut" in problems[0]
    facts, problems = facts_of(f"a=1\nb={'x' * MOST_BYTES}\n", output)
    assert facts == {"a": "1"}
    assert "65,536 bytes" in problems[0]
    _, problems = facts_of("x\n" * 1000, output)
    assert len(problems) == 20


def test_a_link_or_a_pipe_in_its_place_is_not_read(tmp_path, output):
    (tmp_path / "private").write_text("password=x\n")
    output.symlink_to(tmp_path / "private")
    facts, problems = read_facts(output, Mask())
    assert facts == {}
    assert "no plain file" in problems[0]
    output.unlink()
    os.mkfifo(output)
    assert "no plain file" in read_facts(output, Mask())[1][0]
    output.unlink()
    output.mkdir()
    assert "no plain file" in read_facts(output, Mask())[1][0]
