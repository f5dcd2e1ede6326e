import re
from dataclasses import replace

from releases.policies.flow import PRESETS, Preset
from releases.policies.guess import fitted, guess, guess_policy, is_line
from releases.policies.models import Target
from releases.policies.names import matches
from releases.policies.services import target_kind


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


def test_a_preset_takes_the_names_that_are_there_and_keeps_its_way():
    gitflow = PRESETS[Preset.GITFLOW]
    found = fitted(gitflow, ["master", "develop", "release/1.3"], ["release-1.2.0"], "master")
    assert found is not None
    assert found.policy.production == ("master",)
    assert found.policy.targets == ("develop", "release/*")
    assert re.search(found.policy.tag_pattern, "release-1.2.0")
    trunk = fitted(PRESETS[Preset.TRUNK], ["master", "develop"], ["1.2.0"], "master")
    assert trunk is not None
    assert (trunk.policy.preset, trunk.policy.production, trunk.policy.targets) == (
        Preset.TRUNK,
        ("tags:*",),
        ("master",),
    )
    lines = fitted(PRESETS[Preset.MAINTENANCE], ["master", "stable-1.8", "stable-1.10"], [], "master")
    assert lines is not None
    assert lines.policy.production == ("stable-1.10", "stable-1.8")


def test_a_preset_that_fits_and_a_policy_that_somebody_wrote_stay():
    gitflow = PRESETS[Preset.GITFLOW]
    assert fitted(gitflow, ["main", "develop"], ["v1.2.0"]) is None
    assert fitted(gitflow, ["master"], ["v1.2.0"]) is None
    assert fitted(replace(gitflow, sla_hours=24), ["master", "develop"], []) is None
    supported = ["main", "stable/1.8.x", "stable/1.9.x"]
    assert fitted(PRESETS[Preset.MAINTENANCE], supported, ["v1.9.1"]) is None


def test_lines_are_kept_apart_from_the_next_release():
    """Whatever they are called, they are supported lines, and those still to come as well."""
    habits = {
        "stable-1.30": "stable-1.32", "stable/1.8.x": "stable/2.0.x", "release/2.3": "release/3.0",
        "release-1.x": "release-2.x", "1.x": "2.x", "3.9": "3.10", "support/4.2": "support/5.0",
        "REL_15_STABLE": "REL_16_STABLE", "6-1-stable": "7-0-stable",
    }  # fmt: skip
    for line, following in habits.items():
        policy = guess_policy(["main", line], ["v1.0.0"], "main")
        assert policy.preset == Preset.MAINTENANCE, line
        for name in (line, following):
            assert target_kind(name, policy) == Target.Kind.SUPPORT, name
            assert not matches(name, policy.release_branches), name
        assert target_kind("main", policy) == Target.Kind.MAIN
        assert not matches("3d-view", policy.support_branches), policy.support_branches


def test_a_line_of_production_is_supported_in_policies_written_before():
    policy = replace(
        PRESETS[Preset.MAINTENANCE], production=("stable-1.30", "release/2.3"), targets=("main", "stable-1.30")
    )
    assert target_kind("stable-1.30", policy) == Target.Kind.SUPPORT
    assert target_kind("release/2.3", policy) == Target.Kind.SUPPORT
    assert target_kind("release/2.4", policy) == Target.Kind.RELEASE
