"""The flow policy: which refs are production, which must receive every fix, how things are named."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from datetime import date
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any


class Preset(StrEnum):
    GITFLOW = "gitflow"
    TRUNK = "trunk"
    MAINTENANCE = "maintenance"

    @property
    def label(self) -> str:
        return {"gitflow": "GitFlow", "trunk": "Trunk", "maintenance": "Maintenance lines"}[self.value]

    @property
    def says(self) -> str:
        return {
            "gitflow": "main is production; develop and open release branches must have every fix.",
            "trunk": "Tags are production; main must have every fix.",
            "maintenance": "Release lines are production; main and every newer line must have every fix.",
        }[self.value]


CHORE_PATHS = (
    "CHANGELOG*", "CHANGES*", "HISTORY*", "NEWS*", "RELEASE_NOTES*", "RELEASENOTES*", "releasenotes/**",
    "docs/releases/**", "VERSION", "*.po", "*.pot", "*.mo", ".mailmap", ".hgtags",
)  # fmt: skip
CHORE_SUBJECTS = (
    r"^(chore(\(.*\))?: )?(release|bump(ed)?( the)? version|version bump|post-release)\b",
    r"^(chore(\(.*\))?: )?prepare( for)? (release|development)\b",
    r"^(\[[^]]+\] )?bump(ed)? version\b",
    r"^v?\d+\.\d+(\.\d+)?([-.]?(a|b|rc|alpha|beta)\.?\d*)?( release)?\.?$",
)


@dataclass(frozen=True, slots=True)
class FlowPolicy:
    """Everything that differs between ways of working. Patterns are globs on short branch names unless named regex."""

    preset: Preset = Preset.GITFLOW
    production: tuple[str, ...] = ("main",)
    """Branches (globs) or tags (`tags:v*`) that are production."""
    targets: tuple[str, ...] = ("develop", "release/*")
    """Branches that must contain every fix as long as they exist."""
    hotfix_branches: tuple[str, ...] = ("hotfix/*", "hotfix-*", "fix/*", "bugfix/*")
    release_branches: tuple[str, ...] = ("release/*", "releases/*", "release-*")
    support_branches: tuple[str, ...] = ("support/*", "stable/*", "maint/*", "maintenance/*")
    tag_pattern: str = r"^v?\d+(\.\d+){1,3}.*$"
    """Regex: which tags are versions."""
    ticket_pattern: str = r"\b[A-Z][A-Z0-9]{1,9}-\d+\b"
    """Regex on branch names, subjects and bodies."""
    ticket_url: str = ""
    """Template with {ticket}; empty for no link."""
    chore_paths: tuple[str, ...] = CHORE_PATHS
    chore_subjects: tuple[str, ...] = CHORE_SUBJECTS
    sla_hours: int = 48
    """How long a merge-back may take."""
    hotfix_branch: str = "hotfix/{ticket}"
    """Name of a branch cut here."""
    finish: str = "merge"
    """How a hotfix reaches production's branch: `merge` (always a merge commit), `ff` (where possible) or `squash`."""
    merge_back: str = "merge"
    """How it reaches a target: `merge`, or `pick` commit by commit."""
    version_files: tuple[str, ...] = ("VERSION", "version.txt", "CHANGELOG*", "CHANGES*")
    """Files in which a target keeps its own side: a merge-back must not lower a version."""
    commit_pattern: str = r"^\[HOTFIX\] {ticket}: .+"
    """Regex on the subjects of a hotfix's commits; {ticket} stands for its key. Empty: anything goes."""
    reviewers: int = 1
    """Approving reviews that a hotfix needs, by somebody who did not write it; 0 for none."""
    reviewers_sev1: int = 2
    """The same for SEV1."""
    max_files: int = 5
    max_lines: int = 40
    """Changed files and lines above which a fix is not called minimal."""
    risky_paths: tuple[str, ...] = (
        "migration=**/migrations/**",
        "migration=**/migrate/**",
        "migration=*.sql",
        "dependency=*requirements*.txt",
        "dependency=**/requirements/*.txt",
        "dependency=*.lock",
        "dependency=*lock.json",
        "dependency=package.json",
        "dependency=pyproject.toml",
        "dependency=go.mod",
        "dependency=go.sum",
        "dependency=Gemfile*",
        "dependency=Cargo.toml",
        "dependency=pom.xml",
        "setting=**/settings/**",
        "setting=*settings*.py",
        "setting=*.env*",
        "setting=*.ini",
        "setting=*.toml",
        "setting=*.yml",
        "setting=*.yaml",
    )
    """`kind=glob`: what a minimal fix does not touch, and what it is called."""
    retest: tuple[str, ...] = ()
    """`glob=what to check again` when a fix touches such a path."""
    supported_until: tuple[str, ...] = ()
    """`branch=2027-03-31`: the day a line ends; then it is no target any more."""
    regular_url: str = ""
    """Where what is no hotfix goes: the team's ordinary tracker."""

    def supported(self, branch: str, today: date) -> bool:
        """Whether the line of this branch has not ended yet; a branch without an end is supported.

        The last day belongs to it. What cannot be read as a date ends nothing.
        """
        for line in self.supported_until:
            glob, _, day = (part.strip() for part in line.partition("="))
            if fnmatchcase(branch, glob):
                try:
                    return today <= date.fromisoformat(day)
                except ValueError:
                    continue
        return True

    def as_data(self) -> dict[str, Any]:
        return {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(self).items()}

    @classmethod
    def from_data(cls, data: dict[str, Any]) -> FlowPolicy:
        """Read stored data; unknown keys are ignored, missing ones take the preset's default."""
        base = PRESETS[Preset(data.get("preset", Preset.GITFLOW))].as_data() | data
        known = {f.name for f in fields(cls)}
        clean: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in base.items() if k in known}
        clean["preset"] = Preset(clean["preset"])
        return cls(**clean)


PRESETS: dict[Preset, FlowPolicy] = {
    Preset.GITFLOW: FlowPolicy(),
    Preset.TRUNK: FlowPolicy(preset=Preset.TRUNK, production=("tags:v*",), targets=("main",), merge_back="pick"),
    Preset.MAINTENANCE: FlowPolicy(
        preset=Preset.MAINTENANCE,
        production=("stable/*", "support/*", "maint/*"),
        targets=("main", "stable/*", "support/*", "maint/*"),
        merge_back="pick",
    ),
}
