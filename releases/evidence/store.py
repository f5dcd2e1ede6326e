"""Facts and judgements kept between runs, in one SQLite file per repository.

Facts follow from object ids alone and never grow old. A judgement is kept per target and way of asking, with the tips
it was made for, so that the next run looks only at what was pushed since. Losing the file costs only time: a broken
or outdated one is thrown away.

Rows are read with `marshal`, which trusts what it reads. The checksums find damage, not malice: the file must lie
where only this program writes, below the data folder or in a folder that the operator of the command line names. It
is never taken from a repository, a request, or anything else that comes from outside.
"""

from __future__ import annotations

import marshal
import sqlite3
import sys
import zlib
from collections.abc import Callable, Iterable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

from .facts import FINGERPRINTS, Facts
from .keys import keys_of

VERSION = f"{FINGERPRINTS}.6.{sys.version_info.major}.{sys.version_info.minor}"
"""Changes whenever facts, rules or their encoding change; what another version wrote is not read."""
_TABLES = """
CREATE TABLE IF NOT EXISTS about (version TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS facts (sha BLOB PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS keys (key INTEGER NOT NULL, sha BLOB NOT NULL, PRIMARY KEY (key, sha)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS judgements (key BLOB PRIMARY KEY, data BLOB NOT NULL) WITHOUT ROWID;
"""
PATIENCE = 10.0
"""Seconds that are waited for another process that writes; after that this run keeps nothing."""
_CHUNK = 500
_BAD = (sqlite3.Error, ValueError, TypeError, EOFError, zlib.error)
_PACKED_FROM = 512
"""Bytes of one row from which it is compressed."""


class FactStore:
    """Opens (or makes) the file. Nothing here raises for a bad file: it is then as if nothing had been kept."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(path)
        self._pending: dict[str, Facts] = {}
        self._pending_keys: dict[int, list[str]] = {}
        self._keyed: set[str] = set()
        self._judgements: dict[bytes, Callable[[], Any]] = {}
        self._connection = self._open()

    def _open(self) -> sqlite3.Connection | None:
        for _attempt in range(2):
            try:
                return self._connected()
            except (sqlite3.Error, OSError) as fault:
                if _busy(fault) or not self._discard():
                    return None
        return None

    def _connected(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(self.path, timeout=PATIENCE, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=NORMAL")
            row = None
            if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'about'").fetchone():
                row = connection.execute("SELECT version FROM about").fetchone()
            if row is None or row[0] != VERSION:
                connection.execute("BEGIN IMMEDIATE")
                for table in ("about", "facts", "keys", "judgements"):
                    connection.execute(f"DROP TABLE IF EXISTS {table}")
                for statement in _TABLES.strip().split("\n"):
                    connection.execute(statement)
                connection.execute("INSERT INTO about VALUES (?)", (VERSION,))
                connection.execute("COMMIT")
        except BaseException:
            connection.close()
            raise
        return connection

    def _discard(self) -> bool:
        """Remove the file; whether that worked."""
        try:
            for suffix in ("", "-wal", "-shm"):
                Path(f"{self.path}{suffix}").unlink(missing_ok=True)
        except OSError:
            return False
        return True

    def _fail(self, fault: Exception) -> None:
        """Something in the file cannot be read: start over with an empty one next time, unless it is merely in use."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        if not _busy(fault):
            self._discard()

    def facts(self, shas: Sequence[str]) -> dict[str, Facts]:
        """What is known of these commits."""
        found: dict[str, Facts] = {}
        if self._connection is None:
            return found
        try:
            for start in range(0, len(shas), _CHUNK):
                part = [bytes.fromhex(sha) for sha in shas[start : start + _CHUNK]]
                marks = ",".join("?" * len(part))
                rows = self._connection.execute(f"SELECT data FROM facts WHERE sha IN ({marks})", part)  # noqa: S608
                for (data,) in rows:
                    facts = decode_facts(unpacked(data))
                    found[facts.sha] = facts
        except _BAD as fault:
            self._fail(fault)
        return found

    def sharing(self, keys: Iterable[int]) -> dict[int, list[str]]:
        """Commits whose facts are known, by the keys (see the module `keys`) that they have."""
        found: dict[int, list[str]] = {}
        wanted = list(dict.fromkeys(keys))
        if self._connection is None:
            return found
        try:
            for start in range(0, len(wanted), _CHUNK):
                part = wanted[start : start + _CHUNK]
                marks = ",".join("?" * len(part))
                rows = self._connection.execute(f"SELECT key, sha FROM keys WHERE key IN ({marks})", part)  # noqa: S608
                for key, sha in rows:
                    found.setdefault(key, []).append(sha.hex())
        except sqlite3.Error as fault:
            self._fail(fault)
        self._key_pending()
        for key in wanted:
            if key in self._pending_keys:
                known = found.setdefault(key, [])
                known += [sha for sha in self._pending_keys[key] if sha not in known]
        return found

    def _key_pending(self) -> None:
        """Let commits that are not written yet be found, too."""
        for sha in self._pending.keys() - self._keyed:
            self._keyed.add(sha)
            for key in keys_of(self._pending[sha]):
                self._pending_keys.setdefault(key, []).append(sha)

    @property
    def usable(self) -> bool:
        """Whether the file can be read; facts that were seen there before cannot be relied on otherwise."""
        return self._connection is not None

    def keep_facts(self, facts: Iterable[Facts]) -> None:
        """Remember these when the store is closed."""
        self._pending.update((item.sha, item) for item in facts)

    def judgement(self, key: bytes) -> Any:
        """What was kept under this key; None when nothing was."""
        if self._connection is None:
            return None
        try:
            row = self._connection.execute("SELECT data FROM judgements WHERE key = ?", (key,)).fetchone()
            return None if row is None else unpacked(row[0])
        except _BAD as fault:
            self._fail(fault)
            return None

    def keep_judgement(self, key: bytes, value: Callable[[], Any]) -> None:
        """Remember this when the store is closed, instead of what was kept under the key before."""
        self._judgements[key] = value

    def close(self) -> None:
        """Write what is to be remembered, all or nothing, and let go of the file."""
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            if self._pending or self._judgements:
                connection.execute("BEGIN IMMEDIATE")
                connection.executemany(
                    "INSERT OR REPLACE INTO facts VALUES (?, ?)",
                    ((bytes.fromhex(sha), packed(encode_facts(item))) for sha, item in self._pending.items()),
                )
                connection.executemany(
                    "INSERT OR IGNORE INTO keys VALUES (?, ?)",
                    sorted((key, bytes.fromhex(sha)) for sha, item in self._pending.items() for key in keys_of(item)),
                )
                connection.executemany(
                    "INSERT OR REPLACE INTO judgements VALUES (?, ?)",
                    ((key, packed(value())) for key, value in self._judgements.items()),
                )
                connection.execute("COMMIT")
        except sqlite3.Error as fault:
            if not _busy(fault):
                self._discard()
        finally:
            connection.close()
            self._pending.clear()
            self._judgements.clear()


def _busy(fault: Exception) -> bool:
    """Whether another process holds the file, or it may only be read: no reason to remove it."""
    name = getattr(fault, "sqlite_errorname", "") or ""
    return name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED", "SQLITE_READONLY", "SQLITE_FULL", "SQLITE_CANTOPEN"))


def packed(value: Any) -> bytes:
    """Plain data as bytes with a checksum, so that damage is noticed before it is read."""
    data = marshal.dumps(value)
    data = b"z" + zlib.compress(data, 1) if len(data) >= _PACKED_FROM else b"m" + data
    return blake2b(data, digest_size=8).digest() + data


def unpacked(data: bytes) -> Any:
    """The value again. Raises ValueError when the bytes are damaged."""
    if blake2b(data[8:], digest_size=8).digest() != data[:8]:
        raise ValueError("damaged row")
    body = zlib.decompress(data[9:]) if data[8:9] == b"z" else data[9:]
    return marshal.loads(body)  # noqa: S302 - written by this module, checked above


def encode_facts(facts: Facts) -> tuple[Any, ...]:
    """Facts as plain data."""
    return (
        facts.sha, facts.parents, facts.author_name, facts.author_email, facts.authored_at, facts.committed_at,
        facts.subject, facts.key, facts.header, facts.changes, facts.said, facts.body,
    )  # fmt: skip


def decode_facts(data: tuple[Any, ...]) -> Facts:
    """Facts from plain data."""
    return Facts(*data)
