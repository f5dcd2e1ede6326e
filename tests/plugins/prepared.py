"""Every test process starts from a copy of one migrated database: migrating takes each of them seconds otherwise.

For SQLite the copy's source is kept in `.pytest_cache` as long as no migration changes; for PostgreSQL it is migrated
once in each run, as the template from which the processes' databases are made.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db.backends.base.operations import BaseDatabaseOperations

ROOT = Path(__file__).resolve().parent.parent.parent
KEPT = ROOT / ".pytest_cache" / "prepared"
NAME = "prepared"
# Files beside a database in SQLite's way of writing ahead.
_BESIDE = ("-wal", "-shm")
_WRITTEN_BY_MIGRATING = {"django_content_type", "auth_permission"}


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _migrated(**environment: str) -> None:
    clean = {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "DJANGO_SETTINGS_MODULE")}
    done = subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity=0"],
        cwd=ROOT, env=clean | environment, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr


def _fingerprint() -> str:
    """Changes with every migration and with Django."""
    import django

    digest = hashlib.sha256(f"{django.__version__} {sys.version}".encode())
    for path in sorted(ROOT.glob("**/migrations/*.py")):
        if ".venv" not in path.parts:
            digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return digest.hexdigest()[:24]


def sqlite_source() -> Path:
    """A migrated SQLite database that nobody writes to."""
    source = KEPT / f"{_fingerprint()}.sqlite3"
    with _alone(KEPT / "lock"):
        if not source.exists():
            with tempfile.TemporaryDirectory(prefix="hotfixdash-prepared-") as folder:
                _migrated(DATA_DIR=folder)
                made = Path(folder) / "hotfixdash.sqlite3"
                assert not Path(f"{made}-wal").exists(), "the database was left open"
                for old in KEPT.glob("*.sqlite3"):
                    old.unlink()
                shutil.copyfile(made, KEPT / "new")
                (KEPT / "new").rename(source)
    return source


def postgres_template(url: str) -> str:
    """The name of a migrated database in this cluster, made by the first process that asks."""
    import psycopg

    folder = Path(parse_qs(urlsplit(url).query)["host"][0])
    with _alone(folder / f"{NAME}.lock"), psycopg.connect(url, autocommit=True) as to:
        if to.execute("SELECT 1 FROM pg_database WHERE datname = %s", [NAME]).fetchone() is None:
            to.execute(f"CREATE DATABASE {NAME}_unready")
            with tempfile.TemporaryDirectory(prefix="hotfixdash-prepared-") as data:
                _migrated(DATA_DIR=data, DATABASE_URL=url.replace("/postgres?", f"/{NAME}_unready?"))
            to.execute(f"ALTER DATABASE {NAME}_unready RENAME TO {NAME}")
    return NAME


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """The copy is taken as it is, and goes with the folder of its process."""
    from django.conf import settings

    return bool(settings.DATABASES["default"]["ENGINE"].endswith("sqlite3"))


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings_parallel_suffix: None, django_db_keepdb: bool, monkeypatch_session: pytest.MonkeyPatch
) -> None:
    """Put the copy where this process's database will be looked for."""
    from django.db import connection

    test = connection.settings_dict["TEST"]
    if django_db_keepdb:
        for beside in _BESIDE:
            Path(f"{test['NAME']}{beside}").unlink(missing_ok=True)
        shutil.copyfile(sqlite_source(), test["NAME"])
    else:
        test["TEMPLATE"] = postgres_template(os.environ["DATABASE_URL"])
        monkeypatch_session.setattr(type(connection.ops), "sql_flush", _sql_emptying)


def _sql_emptying(ops: BaseDatabaseOperations, style: object, tables: Iterable[str], **options: bool) -> list[str]:
    """What empties the tables after a test that really commits; foreign keys are looked at when it commits itself.

    Truncating some eighty tables, few of which hold a row, makes as many files, and more for their indexes. What a
    migration writes by itself stays: it would be written again.
    """
    return [";".join(f"DELETE FROM {ops.quote_name(table)}" for table in sorted({*tables} - _WRITTEN_BY_MIGRATING))]


@pytest.fixture(scope="session")
def monkeypatch_session() -> Iterator[pytest.MonkeyPatch]:
    with pytest.MonkeyPatch.context() as patch:
        yield patch
