"""The documents are whole: their links lead somewhere, and no command or option is left out."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import get_commands, load_command_class

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("bench/*.md")])
OURS = {
    name: app
    for name, app in get_commands().items()
    if isinstance(app, str) and app.split(".")[0] in ("releases", "hotfixdash", "incidents")
}
EVERYWHERE = {
    "--help", "--version", "--verbosity", "--settings", "--pythonpath", "--traceback", "--no-color", "--force-color",
    "--skip-checks",
}  # fmt: skip
"""Django's own options."""


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_links_between_documents_lead_somewhere(document: Path) -> None:
    text = re.sub(r"```.*?```", "", document.read_text(), flags=re.DOTALL)
    targets = [target.partition("#")[0] for target in re.findall(r"\]\(([^)\s]+)\)", text) if "://" not in target]
    missing = [target for target in targets if target and not (document.parent / target).exists()]
    assert missing == []


def test_every_document_can_be_reached_from_the_index() -> None:
    index = (ROOT / "docs" / "index.md").read_text()
    left_out = [
        str(path.relative_to(ROOT / "docs"))
        for path in (ROOT / "docs").rglob("*.md")
        if path.name != "index.md" and str(path.relative_to(ROOT / "docs")) not in index
    ]
    assert left_out == []


def options(parser: argparse.ArgumentParser) -> Iterator[str]:
    """Every long option and sub-command that a parser takes."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for name, inner in action.choices.items():
                yield name
                yield from options(inner)
        else:
            yield from (option for option in action.option_strings if option.startswith("--"))


@pytest.mark.parametrize("command", sorted(OURS))
def test_every_command_and_option_is_documented(command: str) -> None:
    told = (ROOT / "docs" / "commands.md").read_text() + (ROOT / "docs" / "ci.md").read_text()
    parser = load_command_class(OURS[command], command).create_parser("manage.py", command)
    wanted = {command, *options(parser)} - EVERYWHERE
    left_out = sorted(name for name in wanted if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", told))
    assert left_out == []


def test_only_documented_names_of_places_and_people() -> None:
    """Examples use example domains only."""
    hosts = set()
    for document in DOCUMENTS:
        hosts |= set(re.findall(r"https?://([A-Za-z0-9.-]+)", document.read_text()))
    known = {"127.0.0.1", "localhost", "HOST", "semver.org", "keepachangelog.com"}
    assert {
        host for host in hosts if host not in known and not host.endswith(("example.org", "example.internal"))
    } == set()
