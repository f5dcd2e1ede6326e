"""A command that needs the database says what to run when that is not there."""

from __future__ import annotations

from pathlib import Path

import pytest

from .running import run_command


@pytest.mark.sample(1)
@pytest.mark.parametrize("command", [("hotfix", "list"), ("project", "list"), ("fetch", "shop"), ("clearsessions",)])
def test_an_empty_database_is_told_in_a_sentence(tmp_path: Path, command: tuple[str, ...]) -> None:
    ran = run_command(tmp_path, *command)
    assert ran.code == 1
    assert ran.err == (
        "The database is not prepared yet. Run `make run`, which prepares it, or `manage.py migrate`; then run it "
        "again.\n"
    )
    assert ran.out == ""


@pytest.mark.long
def test_one_of_an_earlier_version_is_told_so(tmp_path: Path) -> None:
    assert run_command(tmp_path, "migrate", "accounts").code == 0
    ran = run_command(tmp_path, "hotfix", "list")
    assert ran.code == 1
    assert ran.err.startswith("The database is from an earlier version. Run `make run`")


def test_one_that_does_not_answer_says_why(tmp_path: Path) -> None:
    ran = run_command(tmp_path, "hotfix", "list", DATABASE_URL="postgres://nobody@127.0.0.1:1/none")
    assert ran.code == 1
    assert ran.err.startswith("The database does not answer: ")
    assert "Traceback" not in ran.err


def test_whoever_asks_for_the_traceback_gets_it(tmp_path: Path) -> None:
    ran = run_command(tmp_path, "hotfix", "--traceback", "list")
    assert ran.code == 1
    assert "Traceback" in ran.err
