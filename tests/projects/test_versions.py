"""Version tags are read as people write them, and ordered as SemVer says."""

from __future__ import annotations

import pytest
import semver
from hypothesis import given
from hypothesis import strategies as st

from releases.projects.versions import tag_version


@pytest.mark.parametrize(
    ("tag", "version", "kind"),
    [
        ("v1.2.1", "1.2.1", "patch"),
        ("1.3.0", "1.3.0", "minor"),
        ("v2.0.0", "2.0.0", "major"),
        ("3.9", "3.9", "minor"),
        ("v4", "4", "major"),
        ("1.2.3.4", "1.2.3.4", "patch"),
        ("2.0.0.1", "2.0.0.1", "patch"),
        ("release-1.26.0", "1.26.0", "minor"),
        ("containerd/v1.7.2", "1.7.2", "patch"),
        ("v3.9.0rc1", "3.9.0rc1", "pre"),
        ("3.12.0a7", "3.12.0a7", "pre"),
        ("1.0.0-beta.2+build.5", "1.0.0-beta.2+build.5", "pre"),
        ("v1.2.0-hotfix.1", "1.2.0-hotfix.1", "patch"),
        ("1.2.0.Final", "1.2.0.Final", "minor"),
    ],
)
def test_tags_as_people_write_them(tag: str, version: str, kind: str) -> None:
    read = tag_version(tag)
    assert read is not None
    assert (read.version, read.kind) == (version, kind)


@pytest.mark.parametrize("tag", ["develop", "", "v", "latest", "٣.١", "1" * 30, "/", "v\u202e"])
def test_what_is_no_version(tag: str) -> None:
    assert tag_version(tag) is None


def test_order_of_what_semver_does_not_know() -> None:
    ordered = ["v1.2", "1.2.0.1", "v1.2.1-rc1", "v1.2.1-rc2", "v1.2.1-rc10", "1.2.1", "1.2.1-hotfix.1", "v1.10.0",
               "3.9.0.dev1", "3.9.0a1", "3.9.0b1", "3.9.0rc1", "3.9.0"]  # fmt: skip
    keys = [version.sort_key for tag in ordered if (version := tag_version(tag))]
    assert keys == sorted(keys)
    assert len(set(keys)) == len(ordered)


def test_the_sort_key_sorts_alike_in_every_collation() -> None:
    version = tag_version("v1.2.3-Beta.2-x_y~z")
    assert version is not None
    assert version.sort_key.isalnum()
    assert version.sort_key == version.sort_key.lower()


numbers = st.integers(0, 9999)
identifier = st.one_of(numbers.map(str), st.sampled_from(["alpha", "beta", "rc", "x", "next"]))
semvers = st.builds(
    lambda core, pre: semver.Version(*core, prerelease=".".join(pre) or None),
    st.tuples(numbers, numbers, numbers),
    st.lists(identifier, max_size=4),
)


@given(semvers, semvers)
def test_the_sort_key_orders_as_semver_does(one: semver.Version, two: semver.Version) -> None:
    keys = [version.sort_key for text in (one, two) if (version := tag_version(f"v{text}"))]
    assert (keys[0] > keys[1]) - (keys[0] < keys[1]) == one.compare(two)
