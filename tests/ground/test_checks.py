"""Start-up checks name what is wrong and what helps."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from django.conf import settings

STRONG = "q8Zr3xLk0VbT5nYw2HsMd7Pc9JfGe4AuRi6oXtBv1KyQ"


def check(tmp_path: Path, *options: str, **environment: str) -> tuple[int, str]:
    """What `manage.py check` says in this environment."""
    clean = {"PATH": "/usr/local/bin:/usr/bin:/bin", "DATA_DIR": str(tmp_path / "data")}
    done = subprocess.run(
        [sys.executable, "manage.py", "check", *options], cwd=settings.BASE_DIR, env=clean | environment,
        capture_output=True, text=True,
    )  # fmt: skip
    return done.returncode, done.stdout + done.stderr


def fake_git(tmp_path: Path, version: str) -> str:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "git").write_text(f"#!/bin/sh\necho git version {version}\n")
    (folder / "git").chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


def test_nothing_to_say_out_of_the_box(tmp_path: Path) -> None:
    code, said = check(tmp_path)
    assert code == 0, said
    assert "no issues" in said


def test_old_git(tmp_path: Path) -> None:
    code, said = check(tmp_path, PATH=fake_git(tmp_path, "2.30.2"))
    assert code == 1
    assert "hotfixdash.E001" in said
    assert "2.30.2 is too old" in said
    assert "HINT: Install git 2.38" in said


def test_missing_git(tmp_path: Path) -> None:
    code, said = check(tmp_path, PATH=str(tmp_path))
    assert code == 1
    assert "hotfixdash.E001" in said


def test_data_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    code, said = check(tmp_path, DATA_DIR=str(tmp_path / "file" / "data"), SECRET_KEY=STRONG)
    assert code == 1
    assert "hotfixdash.E002" in said


def test_data_folder_that_cannot_even_hold_the_secret(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    code, said = check(tmp_path, DATA_DIR=str(tmp_path / "file" / "data"))
    assert code == 1
    assert "cannot be used" in said
    assert "Traceback" not in said


@pytest.mark.sample(1)
@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({"HOST": "0.0.0.0", "REDIS_URL": "redis://r/0"}, "hotfixdash.E004"),
        ({"HOST": "0.0.0.0", "SECRET_KEY": "short"}, "hotfixdash.E005"),
        ({"HTTPS": "1", "SECRET_KEY": "django-insecure-" + STRONG}, "hotfixdash.E005"),
        ({"HOST": "192.0.2.1", "DEBUG": "1", "SECRET_KEY": STRONG}, "hotfixdash.E006"),
    ],
)
def test_errors_stop_the_start(tmp_path: Path, environment: dict[str, str], found: str) -> None:
    code, said = check(tmp_path, **environment)
    assert code == 1
    assert found in said
    assert "HINT" in said


@pytest.mark.sample(1)
@pytest.mark.parametrize(
    ("environment", "found"),
    [
        ({"SECRET_KEY": "short"}, "hotfixdash.W005"),
        ({"HOST": "0.0.0.0", "ALLOWED_HOSTS": "*", "SECRET_KEY": STRONG}, "hotfixdash.W007"),
        ({"HOST": "0.0.0.0", "SECRET_KEY": STRONG}, "hotfixdash.W008"),
        ({"HOST": "0.0.0.0", "SECRET_KEY": STRONG}, "hotfixdash.W009"),
        ({}, "hotfixdash.W010"),
        ({"REDIS_URL": "unix:///nowhere.sock"}, "hotfixdash.W011"),
    ],
)
def test_warnings_do_not(tmp_path: Path, environment: dict[str, str], found: str) -> None:
    code, said = check(tmp_path, "--deploy", **environment)
    assert code == 0, said
    assert found in said


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"PORT": "many"}, "PORT=many is not a whole number."),
        ({"PORT": "70000"}, "PORT=70000 is out of range"),
        ({"LOG_LEVEL": "loud"}, "LOG_LEVEL=LOUD is none of"),
        ({"TRUSTED_PROXIES": "somewhere"}, "TRUSTED_PROXIES:"),
    ],
)
def test_values_that_make_no_sense_are_named_without_a_traceback(
    tmp_path: Path, environment: dict[str, str], words: str
) -> None:
    code, said = check(tmp_path, **environment)
    assert code != 0
    assert words in said
    assert "Traceback" not in said


def test_own_secret_is_private_and_stays(tmp_path: Path) -> None:
    check(tmp_path)
    path = tmp_path / "data" / "secret-key"
    first = path.read_text()
    check(tmp_path)
    assert path.read_text() == first
    assert len(first) >= 50
    assert path.stat().st_mode & 0o777 == 0o600


def test_serve_starts_nothing_while_a_check_fails(tmp_path: Path) -> None:
    environment = {"PATH": fake_git(tmp_path, "2.30.2"), "DATA_DIR": str(tmp_path / "data"), "PORT": "1"}
    done = subprocess.run(
        [sys.executable, "manage.py", "serve"], cwd=settings.BASE_DIR, env=environment, capture_output=True, text=True,
        check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert "hotfixdash.E001" in done.stderr
    assert not (tmp_path / "data" / "run" / "serve.lock").exists()


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("REDIS_URL", "nonsense", "REDIS_URL must begin with redis://"),
        ("DATABASE_URL", "mysql://somebody:hidden@db/x", "DATABASE_URL must begin with postgres://"),
        ("TIME_ZONE", "Mars/Olympus", "TIME_ZONE=Mars/Olympus is no time zone"),
        ("GIT_ALLOW_PRIVATE_HOSTS", "git.example.internal,10.0.0.0/99", "GIT_ALLOW_PRIVATE_HOSTS: '10.0.0.0/99'"),
    ],
)
def test_a_setting_that_cannot_be_is_named_in_one_line(tmp_path: Path, name: str, value: str, says: str) -> None:
    code, said = check(tmp_path, **{name: value})
    assert code == 1
    assert says in said
    assert len(said.strip().splitlines()) == 1
    assert "hidden" not in said
