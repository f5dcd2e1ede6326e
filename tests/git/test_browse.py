"""Single objects are read through GitPython, bounded, and nothing of it stays open."""

from __future__ import annotations

import time

import pytest

from releases.git.browse import browse
from releases.git.errors import GitError, InvalidValue, MissingObject, NoSuchRef, NotARepository, TooLarge
from tests.gitrepos import Entry, make_flow

from .processes import children, descriptors

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:" + "a" * 64 + "\nsize 12345\n"


@pytest.fixture
def origin(tmp_path):
    origin = make_flow(tmp_path)
    origin.commit(
        {
            "run.sh": Entry("#!/bin/sh\n", 0o100755),
            "data.bin": b"\0\1\2",
            "latin.txt": b"caf\xe9\n",
            "big.psd": POINTER,
            "link": Entry("/etc/passwd", 0o120000),
            "vendored": Entry("1" * 40, 0o160000),
            "folder/<b>.txt": "x",
        },
        "All sorts",
    )
    return origin


def test_files_are_read_as_they_are(origin):
    with browse(origin.path) as browser:
        assert browser.file("main", "run.sh").executable
        assert browser.file("main", "data.bin").binary
        assert browser.file("main", "latin.txt").text == "caf\ufffd\n"
        assert browser.file("main", "folder/<b>.txt").data == b"x"
        assert browser.file("v1.0.0", "README.md").text.startswith("A small")


def test_a_pointer_to_large_file_storage_is_told_from_a_file(origin):
    with browse(origin.path) as browser:
        assert browser.file("main", "big.psd").lfs
        assert not browser.file("main", "run.sh").lfs


def test_a_link_is_not_followed(origin):
    with browse(origin.path) as browser:
        assert browser.file("main", "link").data == b"/etc/passwd"


def test_folders_list_files_folders_and_submodules(origin):
    with browse(origin.path) as browser:
        kinds = {entry.name: entry.kind for entry in browser.folder("main")}
    assert kinds["folder"] == "tree"
    assert kinds["run.sh"] == "blob"
    assert kinds["vendored"] == "commit"


def test_tag_objects_are_read(origin):
    with browse(origin.path) as browser:
        tag = browser.tag(origin.git("rev-parse", "refs/tags/v1.0.0"))
        assert (tag.name, tag.tagger, tag.target, tag.target_kind) == (
            "v1.0.0", "Morgan", origin.sha("v1.0.0"), "commit",
        )  # fmt: skip
        assert tag.message.strip() == "Version 1.0.0"
        with pytest.raises(NoSuchRef):
            browser.tag(origin.sha("main"))


@pytest.mark.parametrize(
    ("path", "kind"),
    [("nope.txt", NoSuchRef), ("folder", NoSuchRef), ("vendored", NoSuchRef), ("/etc/passwd", InvalidValue),
     ("../x", InvalidValue), ("--help", InvalidValue), ("a\0b", InvalidValue), ("run.sh/x", GitError)],
)  # fmt: skip
def test_paths_that_lead_nowhere_have_a_sentence(origin, path, kind):
    with pytest.raises(kind), browse(origin.path) as browser:
        browser.file("main", path)


def test_a_large_file_is_refused_before_it_is_read(origin):
    origin.commit({"large.bin": b"x" * (50 << 20)}, "50 MB")
    start = time.monotonic()
    with pytest.raises(TooLarge, match="52,428,800"), browse(origin.path) as browser:
        browser.file("main", "large.bin")
    assert time.monotonic() - start < 10


def test_a_missing_object_is_named(origin):
    blob = origin.git("rev-parse", "main:run.sh")
    (origin.path / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(MissingObject), browse(origin.path) as browser:
        browser.file("main", "run.sh")


def test_what_is_no_repository_is_named(tmp_path):
    with pytest.raises(NotARepository), browse(tmp_path):
        pass


def test_no_process_and_no_descriptor_is_left(origin):
    with browse(origin.path) as browser:
        browser.file("main", "run.sh")
    before = descriptors()
    for _ in range(10):
        with browse(origin.path) as browser:
            browser.folder("main")
            browser.file("main", "run.sh")
        with pytest.raises(NoSuchRef), browse(origin.path) as browser:
            browser.file("main", "nope")
    assert not children()
    assert descriptors() == before
