"""Artifacts are kept by the digest of their content, whole or not at all."""

from __future__ import annotations

import hashlib
import os
import subprocess
import tarfile
import time
from pathlib import Path

import pytest

from releases.deploys.runner import ArtifactRefused, artifacts


@pytest.fixture(autouse=True)
def store(tmp_path, settings):
    settings.DATA_DIR = tmp_path / "var"
    return tmp_path / "var" / "artifacts"


@pytest.fixture
def built(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    return folder


def files_of(store: Path) -> list[Path]:
    return [path for path in store.rglob("*") if path.is_file()]


def test_a_file_is_kept_by_its_digest(built, store):
    (built / "app.tar.gz").write_bytes(b"x" * 3_000_000)
    kept = artifacts.keep(built / "app.tar.gz", within=built)
    assert kept.digest == f"sha256:{hashlib.sha256(b'x' * 3_000_000).hexdigest()}"
    assert kept.size == 3_000_000
    assert kept.path.name == "app.tar.gz"
    assert kept.path.is_relative_to(store)
    assert kept.path.read_bytes() == b"x" * 3_000_000
    assert kept.path.stat().st_mode & 0o222 == 0
    assert files_of(store) == [kept.path]


def test_the_same_twice_is_one(built, store):
    (built / "app").write_bytes(b"same")
    first, second = artifacts.keep(built / "app"), artifacts.keep(built / "app")
    assert first == second
    assert len(files_of(store)) == 1


def test_it_is_known_whether_it_is_still_the_same(built):
    (built / "app").write_bytes(b"good")
    kept = artifacts.keep(built / "app")
    assert artifacts.check(kept.path, kept.digest)
    assert artifacts.check(str(kept.path), kept.digest)
    assert not artifacts.check(kept.path, "sha256:" + "0" * 64)
    assert not artifacts.check(kept.path, "")
    kept.path.chmod(0o644)
    kept.path.write_bytes(b"evil")
    assert not artifacts.check(kept.path, kept.digest)
    kept.path.unlink()
    assert not artifacts.check(kept.path, kept.digest)


def make_tree(folder: Path) -> Path:
    (folder / "lib").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "run").write_text("#!/bin/sh\n")
    (folder / "run").chmod(0o755)
    (folder / "lib" / "ü.py").write_text("x = 1\n")
    os.link(folder / "lib" / "ü.py", folder / "lib" / "same.py")
    (folder / "current").symlink_to("lib")
    return folder


def test_a_folder_is_packed_the_same_whenever_and_wherever_it_was_made(built, tmp_path):
    first = make_tree(built / "dist")
    second = make_tree(tmp_path / "elsewhere" / "dist")
    os.utime(second / "run", (1, 1))
    (second / "lib").chmod(0o700)
    (second / "lib" / "ü.py").chmod(0o600)
    one, two = artifacts.keep(first), artifacts.keep(second)
    assert one.digest == two.digest
    assert one.path.name == "dist.tar"
    (second / "run").chmod(0o644)
    assert artifacts.keep(second).digest != one.digest


def test_a_packed_folder_comes_out_as_it_went_in(built, tmp_path):
    kept = artifacts.keep(make_tree(built / "dist"))
    out = tmp_path / "out"
    out.mkdir()
    subprocess.run(["tar", "-xf", str(kept.path), "-C", str(out)], check=True)
    assert (out / "lib" / "ü.py").read_text() == (out / "lib" / "same.py").read_text() == "x = 1\n"
    assert os.access(out / "run", os.X_OK)
    assert os.readlink(out / "current") == "lib"
    assert (out / "empty").is_dir()
    with tarfile.open(kept.path) as tar:
        assert {(info.uid, info.gid, info.mtime, info.uname) for info in tar} == {(0, 0, 0, "")}


def test_what_is_not_there_or_leads_out_of_the_folder_is_refused(built, store, tmp_path):
    with pytest.raises(ArtifactRefused, match="did not make it"):
        artifacts.keep(built / "app", within=built)
    (tmp_path / "private").write_text("x")
    (built / "link").symlink_to(tmp_path / "private")
    (built / "up").symlink_to("..")
    for path in (built / "link", built / ".." / "private", built / "up" / "private", built / "up"):
        with pytest.raises(ArtifactRefused, match="outside"):
            artifacts.keep(path, within=built)
    (built / "app").write_text("fine")
    (built / "inner").symlink_to("app")
    assert artifacts.keep(built / "inner", within=built).size == 4


def test_pipes_and_sockets_are_refused_and_leave_nothing(built, store):
    os.mkfifo(built / "pipe")
    with pytest.raises(ArtifactRefused, match="neither"):
        artifacts.keep(built / "pipe")
    (built / "dist").mkdir()
    os.mkfifo(built / "dist" / "pipe")
    with pytest.raises(ArtifactRefused, match="neither"):
        artifacts.keep(built / "dist")
    assert files_of(store) == []


def test_a_link_inside_a_folder_stays_a_link(built, tmp_path):
    (tmp_path / "private").write_text("do not pack me")
    (built / "dist").mkdir()
    (built / "dist" / "link").symlink_to(tmp_path / "private")
    kept = artifacts.keep(built / "dist", within=built)
    assert b"do not pack me" not in kept.path.read_bytes()


def test_what_a_worker_that_died_left_is_removed_what_another_writes_is_not(built, store):
    (built / "app").write_text("x")
    kept = artifacts.keep(built / "app")
    old, young = store / "draft-old", store / "draft-young"
    old.touch()
    young.touch()
    long_ago = time.time() - artifacts.STALE - 60
    os.utime(old, (long_ago, long_ago))
    os.utime(kept.path, (long_ago, long_ago))
    artifacts.keep(built / "app")
    assert not old.exists()
    assert young.exists()
    assert kept.path.exists()
