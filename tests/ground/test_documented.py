"""What people may set or type is written down."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands

ROOT = Path(settings.BASE_DIR)
READ = re.compile(r"""(?:env\.\w+|number)\(\s*"([A-Z][A-Z_]+)"|os\.environ(?:\.get\(|\[)\s*"([A-Z][A-Z_]+)\"""")
OURS = ("hotfixdash", "releases", "incidents")
FOREIGN = {"DJANGO_SETTINGS_MODULE", "NO_COLOR", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR", "PATH", "HOME"}
"""Names that other programs define; what they mean is theirs to say."""
DEMO_SOURCE = ROOT / "releases" / "demo" / "source.py"
"""Holds the text of other applications, which read variables of their own."""


def variables_read() -> set[str]:
    """Every environment variable that the code reads."""
    found: set[str] = set()
    for folder in OURS:
        for path in (ROOT / folder).rglob("*.py"):
            for pair in READ.findall(path.read_text() if path != DEMO_SOURCE else ""):
                found |= {name for name in pair if name}
    return found - FOREIGN


def variables_documented() -> set[str]:
    """Those with a row of their own."""
    rows = (ROOT / "docs" / "configuration.md").read_text().splitlines()
    return {match[1] for row in rows if (match := re.match(r"\| `([A-Z_]+)` \|", row))}


def variables_elsewhere() -> set[str]:
    """Those of the compose file and of the tests."""
    compose = (ROOT / "docker-compose.yml").read_text()
    names = set(re.findall(r"\$\{([A-Z_]+)", compose))
    return names | {"ALLOW_SKIP", "TEST_DATABASE", "CHROMIUM"}


def test_every_variable_that_is_read_is_documented() -> None:
    assert len(variables_read()) > 15
    assert variables_read() - variables_documented() == set()


def test_every_documented_variable_is_used_somewhere() -> None:
    assert variables_documented() - variables_read() - variables_elsewhere() == set()


def test_every_variable_of_the_compose_file_is_documented() -> None:
    assert variables_elsewhere() - variables_documented() == set()


def own_commands() -> list[str]:
    return sorted(name for name, app in get_commands().items() if app.partition(".")[0] in OURS)


@pytest.mark.parametrize("name", own_commands())
def test_command_is_documented(name: str) -> None:
    text = (ROOT / "docs" / "commands.md").read_text()
    assert re.search(rf"^\| `{name}[ `]", text, re.MULTILINE), f"docs/commands.md says nothing of `{name}`"


@pytest.mark.parametrize("name", ["install", "run", "test", "test-full", "check", "bench", "lock", "clean"])
def test_make_target_exists_and_is_explained(name: str) -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(rf"^{name}:", makefile, re.MULTILINE)
    assert re.search(
        rf"make {name}\b", makefile + (ROOT / "README.md").read_text() + (ROOT / "CONTRIBUTING.md").read_text()
    )
