import re

from releases.policies.flow import Preset
from releases.policies.guess import guess, guess_policy, is_line


def test_a_develop_branch_means_gitflow():
    found = guess(["refs/heads/main", "refs/heads/develop", "refs/heads/release/1.3"], ["v1.2.0"], "refs/heads/develop")
    assert found.policy.preset == Preset.GITFLOW
    assert found.policy.production == ("main",)
    assert found.policy.targets == ("develop", "release/*")
    assert found.why == "There is a develop branch beside main: GitFlow."


def test_master_and_production_serve_as_production():
    assert guess_policy(["master", "develop"], [], "master").production == ("master",)
    assert guess_policy(["production", "develop"], [], "develop").production == ("production",)


def test_version_lines_mean_maintenance_and_the_newest_are_taken():
    found = guess(["main", "stable/1.8.x", "stable/10.0.x", "stable/9.2.x", "stable/9.10.x", "topic"], [], "main")
    assert found.policy.preset == Preset.MAINTENANCE
    assert found.policy.production == ("stable/10.0.x", "stable/9.10.x", "stable/9.2.x")
    assert found.policy.targets == ("main",)
    assert "the newest 3 of 4" in found.why


def test_lines_are_known_by_many_habits():
    for name in ("stable/3.2.x", "release/1.7", "3.9", "stable-1.28", "REL_15_STABLE", "1.x", "6-1-stable", "v0.2.x"):
        assert is_line(name), name
    for name in ("main", "develop", "release/next", "5.2-prep", "fix-12", "2024"):
        assert not is_line(name), name


def test_neither_means_trunk_with_the_tags_found():
    found = guess(["main", "topic"], ["v1.0.0", "v1.1.0"], "main")
    assert (found.policy.preset, found.policy.production, found.policy.targets) == (
        Preset.TRUNK,
        ("tags:v*",),
        ("main",),
    )
    other = guess_policy(["master"], ["release-1.9.8", "release-1.9.9"], "master")
    assert other.production == ("tags:release-*",)
    assert re.search(other.tag_pattern, "release-1.9.9")


def test_an_empty_repository_has_a_policy_too():
    found = guess([], [], None)
    assert found.policy.preset == Preset.TRUNK
    assert "no version tag yet" in found.why
