"""Copies of public pages, in memory and on disk: what every visitor gets, whatever else is down.

A process holds the forms of a page and answers from there. When somebody asks and the last look is older than
`LOOK_EVERY`, a thread asks the database for one row: whether the page is still public, and whether anything on it
changed. Only then, or after `DRAW_EVERY`, it is drawn again, by one process: the others take what that one left on
disk. Who asks after a time in which nobody did waits a moment for that look: the next to ask would come too late to
tell them. Without a database the copies are served as they are.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import re
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, InterfaceError, connection

from releases.ledger.models import Event

from .content import content_of
from .models import StatusPage
from .rendering import FORMS, Form, forms_of
from .taken_back import TakenBack

log = logging.getLogger(__name__)

LOOK_EVERY = 1.0
"""Seconds between two looks of one process at one page's row."""
DRAW_EVERY = 60.0
"""A page is drawn again after this long, even when nothing says that it changed."""
ABOUT = "about.json"
"""Names the forms on disk; whoever takes a page back removes it first, then counts that."""
QUIET, PATIENCE = 3.0, 1.0
"""Seconds without a look after which the one who asks waits for it, and for how long at most."""
AWAY = 5.0
"""Seconds until the database is asked again after it did not answer."""
MOST = 200
"""Pages that one process holds."""
_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,59}\Z")


@dataclass(slots=True)
class Copy:
    """A page as one process holds it."""

    forms: dict[str, Form]
    mark: str
    """What the page's row said when it was drawn; empty when that is not known."""
    drawn: float
    """By the clock of the wall, since another process may have drawn it."""
    looked: float = 0.0
    """By this process's own clock."""
    taken_back: bytes = b""
    """How often any page had been taken back before the database was asked about this one."""


class Copies:
    """The pages that this process holds."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._held: dict[str, Copy] = {}
        self._looking: set[str] = set()
        self._guard = threading.Lock()
        self._taken_back = TakenBack(folder / ".taken-back")

    def form(self, slug: str, name: str) -> Form | None:
        """One form of a public page; None when there is no such page, or it is not public."""
        copy = self._held.get(slug)
        if copy is None or copy.taken_back != self._taken_back.count():
            # It may have been taken back, wherever that was done: the database is asked before anything is said.
            self._held.pop(slug, None)
            copy = self._first(slug)
        elif (since := time.monotonic() - copy.looked) > LOOK_EVERY:
            looking = self._look_soon(slug, copy)
            if looking and since > QUIET:
                looking.join(PATIENCE)
                copy = self._held.get(slug)
        return copy.forms.get(name) if copy else None

    def forget(self, slug: str) -> None:
        """It is not public any more: no process that shares this folder serves a copy of it from now on."""
        self._held.pop(slug, None)
        (self.folder / slug / ABOUT).unlink(missing_ok=True)
        shutil.rmtree(self.folder / slug, ignore_errors=True)
        self._taken_back.more()

    def _first(self, slug: str) -> Copy | None:
        """Somebody asks for a page that this process does not hold."""
        if not _SLUG.match(slug):
            return None
        counted = self._taken_back.count()
        try:
            copy = self._fresh(slug, None)
        except (DatabaseError, InterfaceError) as error:
            log.warning("status page %s is served as it was last drawn: %s", slug, error)
            copy = self._stored(slug)
        if copy is not None and len(self._held) < MOST:
            self._hold(slug, copy, counted)
        return copy

    def _hold(self, slug: str, copy: Copy, counted: bytes) -> None:
        copy.looked, copy.taken_back = time.monotonic(), counted
        self._held[slug] = copy

    def _look_soon(self, slug: str, copy: Copy) -> threading.Thread | None:
        """Look in a thread, so that whoever asks can be answered with what there is; None when one is at it."""
        with self._guard:
            if slug in self._looking:
                return None
            self._looking.add(slug)
        copy.looked = time.monotonic()
        looking = threading.Thread(target=self._look, args=(slug, copy), name=f"status-{slug}", daemon=True)
        looking.start()
        return looking

    def _look(self, slug: str, copy: Copy) -> None:
        counted = self._taken_back.count()
        try:
            fresh = self._fresh(slug, copy)
            if fresh is None:
                self.forget(slug)
            elif fresh is not copy:
                self._hold(slug, fresh, counted)
        except (DatabaseError, InterfaceError) as error:
            copy.looked = time.monotonic() + AWAY
            log.warning("status page %s is served as it was last drawn: %s", slug, error)
        except Exception:
            copy.looked = time.monotonic() + AWAY
            log.exception("status page %s could not be drawn", slug)
        finally:
            connection.close()
            with self._guard:
                self._looking.discard(slug)

    def _fresh(self, slug: str, held: Copy | None) -> Copy | None:
        """The page as it is now: what is held when that is still right, what is on disk, or drawn anew."""
        row = StatusPage.objects.filter(slug=slug, visibility=StatusPage.Visibility.PUBLIC).first()
        if row is None:
            return None
        mark = mark_of(row)
        if held is not None and _good(held, mark):
            return held
        stored = self._stored(slug)
        if stored is not None and _good(stored, mark):
            return stored
        with self._drawing(slug) as mine:
            if not mine and (held or stored) is not None:
                # Another process draws it right now; the next look takes what that one leaves.
                return held or stored
            # The mark was read before the content: what changes in between is seen by the next look.
            now, before = time.time(), held or stored
            drawn = forms_of(content_of(row)).items()
            forms = {name: form.after(before.forms.get(name) if before else None, now) for name, form in drawn}
            copy = Copy(forms, mark, now)
            self._store(slug, copy)
            return copy

    @contextmanager
    def _drawing(self, slug: str) -> Iterator[bool]:
        """Whether this process may draw the page: one at a time does."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f".{slug}.lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                yield False
                return
            yield True

    def _store(self, slug: str, copy: Copy) -> None:
        """Leave it on disk for the others, and for a day without a database. A full disk costs only that."""
        where = self.folder / slug
        forms = {name: [form.kind, form.etag, form.changed] for name, form in copy.forms.items()}
        about = {"mark": copy.mark, "drawn": copy.drawn, "forms": forms}
        try:
            where.mkdir(parents=True, exist_ok=True)
            for name, form in copy.forms.items():
                _write(where / f"{_plain(form.etag)}-{name}", form.body)
            _write(where / ABOUT, json.dumps(about).encode())
            kept = {ABOUT, *(f"{_plain(form.etag)}-{name}" for name, form in copy.forms.items())}
            for path in where.iterdir():
                if path.name not in kept and path.stat().st_mtime < time.time() - 60:
                    path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("status page %s is not kept on disk: %s", slug, error)

    def _stored(self, slug: str) -> Copy | None:
        """What is on disk; None when there is nothing whole."""
        where = self.folder / slug
        with suppress(OSError, ValueError, KeyError):
            about = json.loads((where / ABOUT).read_text())
            forms = {}
            for name in FORMS:
                kind, etag, *changed = about["forms"][name]
                forms[name] = Form.of((where / f"{_plain(etag)}-{name}").read_bytes(), kind, etag, *changed)
            return Copy(forms, about["mark"], float(about["drawn"]))
        return None


def mark_of(page: StatusPage) -> str:
    """Differs whenever something may have changed on the page: its own row, or any ledger row of its projects."""
    newest = Event.objects.filter(project__in=page.projects.all()).order_by("-at", "-pk").values_list("pk", flat=True)
    return f"{page.dirty_at.isoformat()} {newest.first() or 0}"


def _good(copy: Copy, mark: str) -> bool:
    return copy.mark == mark and 0 <= time.time() - copy.drawn < DRAW_EVERY


def _plain(etag: str) -> str:
    return etag.removeprefix("W/").strip('"')


def _write(path: Path, body: bytes) -> None:
    """Whole or not at all."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    draft.write_bytes(body)
    draft.replace(path)


_copies: dict[str | Path, Copies] = {}


def copies() -> Copies:
    """Those of this process, under DATA_DIR."""
    where = settings.DATA_DIR
    found = _copies.get(where)
    return found if found is not None else _copies.setdefault(where, Copies(Path(where) / "status"))
