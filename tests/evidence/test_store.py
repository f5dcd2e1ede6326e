"""Whatever becomes of the file that keeps facts and judgements, the answer stays the same; only time is lost."""

from __future__ import annotations

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from releases.evidence import store as store_module
from releases.evidence.store import FactStore, packed, unpacked
from tests.gitrepos import Repo

from .pushes import Story, judge

ROOT = Path(__file__).resolve().parents[2]


def told(folder: Path) -> tuple[Repo, Path]:
    """A repository that was judged once, with the file that was kept of it."""
    story = Story(folder, 7)
    file = folder / "kept" / "facts.sqlite3"
    judge(story.repo, file)
    story.pick()
    story.fix()
    return story.repo, file


def cut(file: Path) -> None:
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def noise(file: Path) -> None:
    file.write_bytes(b"this is no database at all " * 500)


def rotted(file: Path) -> None:
    """Bytes changed in the middle of every page but the first."""
    data = bytearray(file.read_bytes())
    for at in range(4096 + 2000, len(data), 1024):
        data[at] ^= 0xFF
    file.write_bytes(bytes(data))


def rows_changed(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE judgements SET data = zeroblob(length(data))")
        connection.execute("UPDATE facts SET data = substr(data, 1, length(data) - 3)")
    connection.close()


def other_shape(file: Path) -> None:
    """Rows that are whole, but hold something else."""
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE judgements SET data = ?", (packed(("nothing", [1, 2], {})),))
    connection.close()


def other_facts(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE facts SET data = ?", (packed(("short",)),))
        connection.execute("DELETE FROM judgements")
    connection.close()


def no_tables(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("DROP TABLE judgements")
        connection.execute("DROP TABLE keys")
    connection.close()


def foreign_version(file: Path) -> None:
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE about SET version = '0.0'")
    connection.close()


def a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize(
    "damage",
    [cut, emptied, noise, rotted, rows_changed, other_shape, other_facts, no_tables, foreign_version, a_folder],
)
def test_a_damaged_file_changes_no_answer(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    repo, file = told(tmp_path)
    damage(file)
    expected = judge(repo, None)
    assert judge(repo, file) == expected
    assert judge(repo, file) == expected


def test_a_file_that_somebody_else_holds_changes_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "PATIENCE", 0.1)
    repo, file = told(tmp_path)
    holder = sqlite3.connect(file, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    try:
        assert judge(repo, file) == judge(repo, None)
        assert file.is_file(), "a file in use is nobody's to remove"
    finally:
        holder.execute("ROLLBACK")
        holder.close()
    assert judge(repo, file) == judge(repo, None)


def test_a_folder_that_cannot_be_written_changes_no_answer(tmp_path: Path) -> None:
    repo, file = told(tmp_path)
    (tmp_path / "plain").write_text("a file where a folder should be")
    assert judge(repo, tmp_path / "plain" / "facts.sqlite3") == judge(repo, None)
    file.chmod(stat.S_IRUSR)
    file.parent.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        assert judge(repo, file) == judge(repo, None)
    finally:
        file.parent.chmod(stat.S_IRWXU)


def test_a_damaged_row_is_noticed_before_it_is_read() -> None:
    row = packed({"a": list(range(2000))})
    assert unpacked(row) == {"a": list(range(2000))}
    for at in (0, 9, len(row) // 2, len(row) - 1):
        with pytest.raises(ValueError, match="damaged"):
            unpacked(row[:at] + bytes([row[at] ^ 1]) + row[at + 1 :])


_ASK = """
import sys
from pathlib import Path
from tests.evidence.pushes import judge
from tests.gitrepos import Repo
repo = Repo.__new__(Repo)
repo.path = repo.git_dir = Path(sys.argv[1])
print(sorted((*key, repr(verdict)) for key, verdict in judge(repo, Path(sys.argv[2])).items()))
"""


def asking(repo: Repo, file: Path, hash_seed: str = "random") -> subprocess.Popen[bytes]:
    env = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen([sys.executable, "-c", _ASK, str(repo.git_dir), str(file)], env=env, stdout=subprocess.PIPE)


def test_processes_share_the_file_whatever_their_hashes(tmp_path: Path) -> None:
    repo, file = told(tmp_path)
    processes = [asking(repo, file, seed) for seed in ("1", "2", "3")]
    answers = {process.communicate(timeout=60)[0] for process in processes}
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert len(answers) == 1
    assert judge(repo, file) == judge(repo, None)


@pytest.mark.parametrize("delay", [0.0, 0.002, 0.01])
def test_a_process_killed_while_it_writes_loses_only_time(tmp_path: Path, delay: float) -> None:
    repo, file = told(tmp_path)
    ready = tmp_path / "closing"
    program = _ASK.replace(
        "print(",
        "from releases.evidence.store import FactStore\n"
        "close = FactStore.close\n"
        "def closing(self):\n    Path(sys.argv[3]).write_text('now')\n    close(self)\n"
        "FactStore.close = closing\nprint(",
    )
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(repo.git_dir), str(file), str(ready)], env=env, stdout=subprocess.DEVNULL
    )
    until = time.monotonic() + 60
    while not ready.exists() and process.poll() is None and time.monotonic() < until:
        time.sleep(0.0005)
    time.sleep(delay)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert ready.exists()
    assert judge(repo, file) == judge(repo, None)


def test_what_was_not_closed_was_not_kept(tmp_path: Path) -> None:
    kept = FactStore(tmp_path / "facts.sqlite3")
    kept.keep_judgement(b"key", lambda: (1, 2))
    assert kept.judgement(b"key") is None
    kept.close()
    again = FactStore(tmp_path / "facts.sqlite3")
    assert again.judgement(b"key") == (1, 2)
    again.close()
