"""Names are judged as git judges them, and what could mislead is refused in new ones."""

from __future__ import annotations

import string
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from releases.git.errors import InvalidValue
from releases.git.values import BranchName, RefName, RemoteUrl, Revision, Sha, TagName, refname_fault, shown

PIECES = st.sampled_from(
    [
        "a",
        "main",
        "/",
        "//",
        ".",
        "..",
        "~",
        "^",
        ":",
        "?",
        "*",
        "[",
        "]",
        "\\",
        " ",
        "@",
        "@{",
        "}",
        "{",
        ".lock",
        "-",
        "lock",
        "é",
        "日本",
        "\x7f",
        "\x01",
        "\t",
        "v1.2",
        "!",
        "$",
        "(",
        "'",
        '"',
        "<b>",
        "\u202e",
        "~1",
        "x",
    ]
)
NAMES = st.one_of(
    st.lists(PIECES, min_size=1, max_size=6).map("".join),
    st.text(string.printable.replace("\n", "").replace("\r", ""), min_size=1, max_size=12),
)


def git_accepts(name: str) -> bool:
    done = subprocess.run(["git", "check-ref-format", f"refs/heads/{name}"], check=False, capture_output=True)
    return done.returncode == 0


@settings(max_examples=250)
@given(NAMES)
def test_names_are_judged_as_git_does(name):
    assert (refname_fault(f"refs/heads/{name}") is None) == git_accepts(name)


@settings(max_examples=200)
@given(NAMES)
def test_what_may_be_made_new_is_always_fine_for_git(name):
    try:
        parsed = BranchName.parse(name)
    except InvalidValue:
        return
    assert git_accepts(parsed)
    assert not parsed.startswith("-")


@pytest.mark.parametrize(
    "name",
    [
        "-x",
        "--output=/tmp/x",
        "HEAD",
        "@",
        "a b",
        "a..b",
        "x.lock",
        "a\u202eb",
        "a\u200bb",
        "",
        "x" * 251,
        "a\nb",
        "refs\x00",
    ],
)
def test_new_branch_and_tag_names_that_mislead_are_refused(name):
    for kind in (BranchName, TagName):
        with pytest.raises(InvalidValue) as refused:
            kind.parse(name)
        assert "\u202e" not in refused.value.sentence
        assert refused.value.code == "invalid-value"


def test_names_that_exist_may_be_odd_but_never_an_option():
    assert BranchName.existing("a\u202eb") == "a\u202eb"
    with pytest.raises(InvalidValue):
        BranchName.existing("-b")


def test_a_name_knows_its_whole_form():
    assert BranchName.parse("release/1.3").full == "refs/heads/release/1.3"
    assert TagName.parse("v1.2.1").full == "refs/tags/v1.2.1"
    assert RefName.parse("refs/tags/v1").short == "v1"
    assert RefName.parse("refs/tags/v1").is_tag
    with pytest.raises(InvalidValue, match="refs/"):
        RefName.parse("heads/main")


@pytest.mark.parametrize("text", ["a" * 40, "A" * 40, "0" * 64, f" {'b' * 40}\n"])
def test_object_ids_are_read(text):
    assert Sha.parse(text) == text.strip().lower()


@pytest.mark.parametrize("text", ["", "abc", "g" * 40, "a" * 41, "--" + "a" * 38, "a" * 39 + "\u0661"])
def test_other_things_are_no_object_ids(text):
    with pytest.raises(InvalidValue):
        Sha.parse(text)


@pytest.mark.parametrize(
    "text", ["main", "v1.2.1", "v1.2~3", "main^2", "release/1.3", "abc1234", "v1^{commit}", "HEAD"]
)
def test_revisions_are_read(text):
    assert Revision.parse(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "-n",
        "--output=x",
        "^main",
        "a..b",
        "a...b",
        ":/text",
        "main:path",
        "main@{1 day ago}",
        "@{-1}",
        "a b",
        "a\nb",
        "x^{/fix}",
        "a\0b",
        "x" * 500,
    ],
)
def test_ranges_searches_paths_and_options_are_no_revisions(text):
    with pytest.raises(InvalidValue):
        Revision.parse(text)


@pytest.mark.parametrize(
    "text", ["", "  ", "-x", "--upload-pack=touch x", "https://a/\u202eb", "https://a/b\n", "a\0b"]
)
def test_addresses_that_mislead_are_refused(text):
    if text.strip() == "https://a/b":
        assert RemoteUrl.parse(text) == "https://a/b"
        return
    with pytest.raises(InvalidValue):
        RemoteUrl.parse(text)


def test_what_is_shown_of_a_value_is_short_and_visible():
    assert shown("a\u202eb") == "“a\\u202eb”"
    assert len(shown("x" * 1000)) < 100
