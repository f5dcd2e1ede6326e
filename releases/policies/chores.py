"""Version bumps, changelogs and translations, told from fixes. No git, no I/O.

A commit is a chore only when everything it changes is: a fix that also bumps the version is a fix.
"""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import translate

from .flow import FlowPolicy


@dataclass(frozen=True, slots=True)
class LineChange:
    """The lines one file lost and gained, without context."""

    removed: tuple[str, ...] = ()
    added: tuple[str, ...] = ()


_VERSION_FILES = re.compile(
    r"(?:^|/)(?:VERSION(?:\.\w+)?|_?version(?:info|_info)?\.\w+|__version__\.py|__about__\.py|__init__\.py|"
    r"setup\.(?:py|cfg)|pyproject\.toml|package\.json|package-lock\.json|npm-shrinkwrap\.json|composer\.json|"
    r"Cargo\.(?:toml|lock)|pom\.xml|build\.gradle(?:\.kts)?|gradle\.properties|configure\.(?:ac|in)|CMakeLists\.txt|"
    r"meson\.build|[^/]+\.(?:gemspec|podspec|csproj|spec|nuspec)|patchlevel\.h|version\.\w+|Chart\.yaml|mix\.exs|"
    r"Info\.plist|conf\.py|galaxy\.yml|manifest\.json|.*[Vv]ersion\w*\.(?:h|go|py|rb|java|ts|js|php|cs|rs))$"
)
_SURE = re.compile(
    r"(?:^|/)(?:VERSION(?:\.txt)?|_?version\.\w+|__version__\.py|__about__\.py|[^/]*[Vv]ersion\w*\.(?:h|go|rb))$"
)
"""Files that hold the project's own version and nothing else that looks like one."""
_KEY = re.compile(
    r"version|\brelease\b|\bDevelopment Status ::|^\s*AC_INIT\b|^\s*project\(|<Version>|"
    r"^#define\s+\w*(?:MAJOR|MINOR|MICRO|PATCH|LEVEL|SERIAL)\w*|"
    r"\b\w*(?:MAJOR|MINOR|PATCH)\w*\s*[:=]",
    re.IGNORECASE,
)
_NUMBER = re.compile(
    r"\d+(?:\.\d+)+(?:[-.+]?(?:a|b|c|rc|dev|alpha|beta|post|pre|final|snapshot)[-.]?\d*)*\+?"
    r"|\(\s*\d+\s*,\s*\d+\s*(?:,\s*(?:\d+|['\"]\w+['\"])\s*)*\)|\b0x[0-9a-fA-F]+\b|\b\d+\b",
    re.IGNORECASE,
)
_STATUS = re.compile(r"Development Status :: \d - [\w/ ]+")
_STRICT = re.compile(
    r"^\s*[\"']?(?:__version__|_?version(?:_info|_name|_code)?|\w+\.version|app_?version|release|project_version)[\"']?"
    r"\s*(?:[:=]|\()|^\s*AC_INIT\b|^\s*project\(|<Version>",
    re.IGNORECASE,
)
"""How a version is set in a file that holds other things too, when the subject does not speak of versions."""
_AMBIGUOUS = re.compile(
    r"(?:^|/)(?:pom\.xml|Cargo\.\w+|package-lock\.json|npm-shrinkwrap\.json|build\.gradle(?:\.kts)?)$"
)
"""Files in which dependencies have versions too: there the lines alone say nothing."""
_CODE = re.compile(
    r"\.(?:py|pyi|js|mjs|jsx|ts|tsx|go|rs|c|h|cc|cpp|hpp|java|kt|scala|rb|php|cs|sh|sql|vue|svelte|swift|css|scss|less|"
    r"html?|ex|exs|erl|pl|pm|lua)$"
)
_BRACKETS = re.compile(r"^(?:\[[^\]]{1,40}\]\s*)+")
_FRAGMENTS = re.compile(
    r"^releases/v?\d[^/]*\.(?:toml|md|rst|txt|ya?ml|adoc)$|"
    r"(?:^|/)(?:(?:news|changes|changelog)\.d|newsfragments|changelogs|release-?notes)/.*\.\w+$"
)
"""Folders of changelog pieces."""


@functools.lru_cache(maxsize=32)
def _globs(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(translate(pattern.lower().replace("/**", "/*")) for pattern in patterns) or r"(?!)")


@functools.lru_cache(maxsize=32)
def _subjects(patterns: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{pattern})" for pattern in patterns) or r"(?!)", re.IGNORECASE)


def is_chore_path(path: str, policy: FlowPolicy) -> bool:
    """Is this a changelog, a translation or a version file by its name alone?"""
    low = path.lower()
    # A file in which every branch keeps its own side is none that a fix could be missing from.
    patterns = (*policy.chore_paths, *policy.version_files)
    if _CODE.search(low):
        # `changes.py` is a program, whatever `CHANGES*` says; a pattern that names the ending means it.
        ending = "." + low.rpartition(".")[2]
        globs = _globs(tuple(pattern for pattern in patterns if pattern.lower().endswith(ending)))
        return bool(globs.match(low))
    globs = _globs(patterns)
    return bool(globs.match(low) or globs.match(low.rpartition("/")[2]) or _FRAGMENTS.search(low))


def is_chore_subject(subject: str, policy: FlowPolicy) -> bool:
    """Does the subject speak of a version or a release? A leading `[3.2.x]` does not count."""
    return bool(_subjects(policy.chore_subjects).search(_BRACKETS.sub("", subject.strip())))


def could_be_chore(subject: str, paths: Sequence[str], policy: FlowPolicy) -> bool:
    """Is it worth reading this commit's lines? False settles that it is a fix."""
    if not paths or len(paths) > 60:
        return False
    rest = [path for path in paths if not is_chore_path(path, policy)]
    if not rest or all(_VERSION_FILES.search(path) for path in rest):
        return True
    return is_chore_subject(subject, policy) and len(rest) <= 12


def needs_lines(paths: Sequence[str], policy: FlowPolicy) -> bool:
    """Does the verdict depend on the lines, not on the paths alone?"""
    return any(not is_chore_path(path, policy) for path in paths)


def is_chore(subject: str, changes: Mapping[str, LineChange | None], policy: FlowPolicy) -> bool:
    """Does this commit change nothing but versions, changelogs and translations?

    `changes` holds every path it touches; None stands for lines that are not known (binary, unreadable).
    """
    rest = {path: change for path, change in changes.items() if not is_chore_path(path, policy)}
    if not changes:
        return False
    named = is_chore_subject(subject, policy)
    return all(change is not None and _only_version(path, change, named) for path, change in rest.items())


def _only_version(path: str, change: LineChange, named: bool) -> bool:
    """Do the lost and gained lines of this file differ in version numbers only?"""
    if not change.removed or len(change.removed) != len(change.added) or len(change.removed) > 40:
        return False
    if not named and (_AMBIGUOUS.search(path) or not _VERSION_FILES.search(path)):
        return False
    if Counter(map(_shape, change.removed)) != Counter(map(_shape, change.added)):
        return False
    if _SURE.search(path):
        return True
    key = _KEY if named else _STRICT
    return all(key.search(line) for line in (*change.removed, *change.added))


def _shape(line: str) -> str:
    """The line with every version and number taken out."""
    line = _STATUS.sub("Development Status", line)
    return re.sub(r"\s+", " ", _NUMBER.sub("0", re.sub(r"(?i)(['\"])(final|alpha|beta|rc|dev)\1", '"0"', line))).strip()
