"""The tag that a hotfix gets: the next patch version, spelled as the project spells its tags."""

from __future__ import annotations

import pytest

from releases.projects.versions import next_patch


@pytest.mark.parametrize(
    ("tags", "base", "expected"),
    [
        (["v1.2.0"], "", "v1.2.1"),
        (["1.2.0"], "", "1.2.1"),
        (["v1.2"], "", "v1.2.1"),
        (["v1"], "", "v1.0.1"),
        (["v1.9.9", "v1.10.0"], "", "v1.10.1"),
        (["v1.2.9"], "", "v1.2.10"),
        (["v1.2.0", "v1.3.0-rc.1"], "", "v1.2.1"),
        (["v1.2.0", "v1.2.1-rc.1"], "", "v1.2.1"),
        (["v1.2.0", "v1.2.1-beta+exp"], "", "v1.2.1"),
        (["v1.2.0+build.5"], "", "v1.2.1"),
        (["v1.2.0", "v1.2.1+build.5"], "v1.2.0", "v1.2.2"),
        (["v1.2.0", "v1.2.1", "v1.2.2"], "v1.2.0", "v1.2.3"),
        (["v1.2.0", "v2.0.0"], "v1.2.0", "v1.2.1"),
        (["release-1.26.0"], "", "release-1.26.1"),
        (["release/1.26.0"], "", "release/1.26.1"),
        (["app/v1.2.0", "lib/v1.2.1"], "app/v1.2.0", "app/v1.2.1"),
        (["1.2.3.4"], "", "1.2.3.5"),
        (["2026.01.05"], "", "2026.01.06"),
        (["2026.01.9"], "", "2026.01.10"),
        (["v1.2.0", "1.2.1"], "v1.2.0", "v1.2.2"),
        (["v2.0.0-rc.1"], "v2.0.0-rc.1", "v2.0.0"),
        (["v2.0.0-rc.1", "v2.0.0"], "v2.0.0-rc.1", "v2.0.1"),
        (["nightly", "latest", "v1.2.0"], "", "v1.2.1"),
        (["nightly"], "", ""),
        ([], "", ""),
        (["v1.2.0"], "nonsense", ""),
    ],
)
def test_the_next_patch_version(tags: list[str], base: str, expected: str) -> None:
    assert next_patch(tags, base) == expected


def test_it_is_never_one_that_exists() -> None:
    tags = [f"v1.0.{patch}" for patch in range(300)]
    assert next_patch(tags) == "v1.0.300"
    assert next_patch(tags, "v1.0.7") == "v1.0.300"
