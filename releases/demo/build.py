"""Build every repository of the demo under one folder. Needs git and nothing else."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from releases.git.fast_import import FastImport

from .history import History
from .source import App
from .stories import checkout_api
from .story import Story


@dataclass(frozen=True, slots=True)
class Entry:
    """One repository of the demo."""

    app: App
    plan: Callable[[Story], None]


CATALOGUE: tuple[Entry, ...] = (Entry(checkout_api.APP, checkout_api.plan),)


def build(entry: Entry, folder: Path, now: int) -> Path:
    """Build one repository as `folder/<name>.git`; it appears whole or not at all. `now` in Unix seconds."""
    folder.mkdir(parents=True, exist_ok=True)
    final, draft = folder / f"{entry.app.name}.git", folder / f".{entry.app.name}.draft"
    shutil.rmtree(draft, ignore_errors=True)
    with FastImport(draft) as writer:
        story = Story(entry.app, History(writer), now)
        entry.plan(story)
        story.tell()
    draft.rename(final)
    return final
