"""Build every repository of the demo under one folder. Needs git and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from releases.git.fast_import import FastImport, shallow_write

from .history import History
from .source import App
from .stories import checkout_api, invoice_web, ledger, legacy_batch, trunk
from .story import Story


@dataclass(frozen=True, slots=True)
class Entry:
    """One repository of the demo."""

    app: App
    plan: Callable[[Story], None]
    boundary: Callable[[History, int], list[str]] | None = None
    """Where the history is cut, for a remote that is shallow itself."""


CATALOGUE: tuple[Entry, ...] = (
    Entry(checkout_api.APP, checkout_api.plan),
    Entry(invoice_web.APP, invoice_web.plan),
    Entry(ledger.APP, ledger.plan),
    Entry(trunk.IDENTITY, trunk.plan_identity),
    Entry(trunk.MOBILE, trunk.plan_mobile),
    Entry(legacy_batch.APP, legacy_batch.plan, legacy_batch.boundary),
)


def build(entry: Entry, folder: Path, now: int) -> Path:
    """Build one repository as `folder/<name>.git`; it appears whole or not at all. `now` in Unix seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    final, draft = folder / f"{entry.app.name}.git", folder / f".{entry.app.name}.draft"
    shutil.rmtree(draft, ignore_errors=True)
    with FastImport(draft) as writer:
        story = Story(entry.app, History(writer), now)
        entry.plan(story)
        story.tell()
    if entry.boundary:
        shallow_write(draft, entry.boundary(story.history, now))
    draft.rename(final)
    return final
