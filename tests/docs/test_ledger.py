"""Every kind of row that the code writes into the ledger is explained in docs/ledger.md, and no other."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
THINGS = (
    "access", "action", "announcement", "approval", "channel", "check", "component", "credential", "debt",
    "environment", "fetch", "fix", "hook", "hotfix", "incident", "main", "maintenance", "operation", "pipeline",
    "policy", "postmortem", "production", "project", "ref", "release", "run", "secret", "settlement", "status", "tag",
    "target",
)  # fmt: skip
KIND = re.compile(rf"""(?<![\w.])["'`]((?:{"|".join(THINGS)})\.[a-z][a-z-]*)["'`]""")
MADE_UP = {"hotfix": ("declined", "abandoned", "superseded"), "settlement": ("confirmed", "different", "waived")}
"""Kinds that the code puts together from a choice."""


def written() -> set[str]:
    """Kinds that stand in the rooms and in the webhooks; pages only read them."""
    found = {f"{thing}.{how}" for thing, choices in MADE_UP.items() for how in choices}
    for app in ("releases", "incidents"):
        for path in (ROOT / app).rglob("*.py"):
            parts = path.relative_to(ROOT / app).parts
            if parts[0] not in ("views", "templatetags", "migrations", "git", "demo", "urls.py"):
                found |= set(KIND.findall(path.read_text()))
    return found


def documented() -> set[str]:
    rows = [row for row in (ROOT / "docs" / "ledger.md").read_text().splitlines() if row.startswith("| `")]
    return {kind for row in rows for kind in KIND.findall(row.split("|")[1])}


def test_every_kind_that_is_written_is_documented() -> None:
    assert len(written()) > 40
    assert written() - documented() == set()


def test_every_documented_kind_is_written() -> None:
    assert documented() - written() == set()
