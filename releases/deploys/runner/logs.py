"""Writing down what a step prints: masked, in lines, in chunks that are committed as they come, within bounds."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from django.db import DatabaseError, connection, transaction

from releases import live

from ..models import LogChunk, Run
from .errors import RunLost
from .lines import LONGEST_LINE, char_start, chunks, clean
from .masking import Mask

log = logging.getLogger(__name__)

HEAD = 8 << 20
"""Bytes that are kept of the beginning of a step's output."""
TAIL = 1 << 20
"""Bytes that are kept of its end."""
EVERY = 0.2
"""Seconds between two commits while there is output."""
MOST_HELD = 512 << 10
"""Bytes after which a commit does not wait for its time."""
AGAIN_AFTER = 1.0
"""Seconds after which a commit that failed is tried again."""
CLOSE_TRIES = 15
QUIET = 2.0
"""Seconds without news for open pages after the broker was away."""


class LogWriter:
    """Takes a step's raw output. `write(b"")` now and then lets it bring out what it holds.

    Every commit is refused (RunLost) when the run is not running under this fence any more. A database that is away
    for a moment holds nothing up: what could not be written is written with the next commit.
    """

    def __init__(
        self, run_pk: int, fence: int, step: int, secrets: Mapping[str, str] | None = None, *,
        head: int = HEAD, tail: int = TAIL,
    ) -> None:  # fmt: skip
        self._held = Run.objects.filter(pk=run_pk, fence=fence, state=Run.State.RUNNING)
        counted = self._held.values_list("log_chunks", "log_lines", "log_bytes").first()
        if counted is None:
            raise RunLost(f"run {run_pk} is not running under fence {fence}")
        self.run_pk, self.step = run_pk, step
        self.mask = Mask(secrets)
        self._chunks, self._lines, self._bytes = counted
        self._pending = bytearray()
        self._unsaved = ""
        self._head_left = head
        self._tail: _Tail | None = None
        self._tail_size = tail
        self._due = 0.0
        self._quiet_until = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None or not issubclass(kind, RunLost):
            self.close()

    def write(self, data: bytes) -> None:
        """Take output. Raises RunLost."""
        if self._tail is not None:
            self._tail.add(data)
        else:
            self._pending += data
        if (self._pending or self._unsaved) and (self._is_due() or len(self._pending) > MOST_HELD):
            self._bring_out(self._taken(everything=False))

    def line(self, text: str) -> None:
        """A line of our own between those of the command. Raises RunLost."""
        if self._pending and not self._pending.endswith(b"\n"):
            self.write(b"\n")
        self.write(f"{text}\n".encode())

    def close(self) -> None:
        """Write down the rest; what the database does not take within some seconds is given up. Raises RunLost."""
        text = self._taken(everything=True)
        if self._tail is not None:
            text += self._tail.end(self.mask)
            self._tail = None
        for turn in range(CLOSE_TRIES):
            self._due = 0.0
            if self._bring_out(text):
                return
            text = ""
            if turn + 1 < CLOSE_TRIES:
                time.sleep(AGAIN_AFTER)
        log.error("the end of the log of run %s is lost: the database did not take it", self.run_pk)

    def _is_due(self) -> bool:
        return time.monotonic() >= self._due

    def _taken(self, *, everything: bool) -> str:
        """What is whole by now, as text; the rest stays pending. From the head's end on it goes to the tail."""
        data = bytes(self._pending)
        cut = len(data) if everything else self._cut(data)
        self._pending = bytearray(data[cut:])
        text = clean(self.mask.masked(data[:cut]))
        size = len(text) if text.isascii() else len(text.encode())
        if size <= self._head_left:
            self._head_left -= size
            return text
        return self._over(text)

    def _cut(self, data: bytes) -> int:
        """Where whole lines end, or an endless line may be broken, without cutting a secret or a character in two."""
        limit = len(data) - self.mask.held(data)
        cut = data.rfind(b"\n", 0, limit) + 1
        if limit - cut > 4 * LONGEST_LINE:
            cut = char_start(data, limit)
        return self.mask.whole(data, cut)

    def _over(self, text: str) -> str:
        """The last of the head, with a word on what follows; the rest begins the tail."""
        whole = text.encode()
        cut = whole.rfind(b"\n", 0, self._head_left) + 1
        self._head_left = 0
        self._tail = _Tail(self._tail_size, self.mask.longest)
        self._tail.add(whole[cut:])
        self._tail.add(bytes(self._pending))
        self._pending.clear()
        return f"{whole[:cut].decode()}── Too much output: what follows is left out, but for its end. ──\n"

    def _bring_out(self, text: str) -> bool:
        """Commit; False when the database could not take it now."""
        self._unsaved += text
        if not self._unsaved:
            return True
        self._due = time.monotonic() + EVERY
        try:
            self._commit(self._unsaved)
        except DatabaseError as error:
            log.warning("the log of run %s waits: %s", self.run_pk, error)
            connection.close_if_unusable_or_obsolete()
            self._due = time.monotonic() + AGAIN_AFTER
            return False
        self._unsaved = ""
        return True

    def _commit(self, text: str) -> None:
        rows, sequence, line = [], self._chunks, self._lines + 1
        for piece in chunks(text):
            lines = piece.count("\n")
            rows.append(LogChunk(
                run_id=self.run_pk, sequence=sequence, step=self.step, first_line=line, lines=lines, text=piece
            ))  # fmt: skip
            sequence, line = sequence + 1, line + lines
        size = self._bytes + len(text.encode())
        with transaction.atomic():
            if not self._held.update(log_chunks=sequence, log_lines=line - 1, log_bytes=size):
                raise RunLost(f"run {self.run_pk} was taken away")
            LogChunk.objects.bulk_create(rows)
            transaction.on_commit(self._tell, robust=True)
        self._chunks, self._lines, self._bytes = sequence, line - 1, size

    def _tell(self) -> None:
        """Tell open pages; when the broker is away, not again for a while."""
        if time.monotonic() >= self._quiet_until and not live.publish_now(live.run_topic(self.run_pk)):
            self._quiet_until = time.monotonic() + QUIET


class _Tail:
    """The end of an output, however long it gets: raw, in memory, until the step ends."""

    def __init__(self, size: int, longest_secret: int) -> None:
        self.size = size
        self.margin = longest_secret
        """Before the kept end, so that a secret that begins before it is known."""
        self._parts: deque[bytes] = deque()
        self._held = 0
        self.dropped_bytes = self.dropped_lines = 0

    def add(self, data: bytes) -> None:
        if not data:
            return
        self._parts.append(data)
        self._held += len(data)
        while self._held - len(self._parts[0]) >= self.size + self.margin:
            self._drop(self._parts.popleft())

    def _drop(self, part: bytes) -> None:
        self._held -= len(part)
        self.dropped_bytes += len(part)
        self.dropped_lines += part.count(b"\n")

    def end(self, mask: Mask) -> str:
        """What is kept, as text, led in by how much is not."""
        data = b"".join(self._parts)
        cut = 0
        if len(data) > self.size:
            cut = len(data) - self.size
            newline = data.find(b"\n", cut, cut + LONGEST_LINE)
            cut = newline + 1 if newline >= 0 else char_start(data, cut)
            cut = mask.whole(data, cut)
        self._drop(data[:cut])
        text = clean(mask.masked(data[cut:]))
        whole = text.encode()
        if len(whole) > self.size + LONGEST_LINE:
            # Bytes that are no text take three each: cut again, now what will be stored.
            cut = whole.find(b"\n", len(whole) - self.size) + 1
            self.dropped_bytes += cut
            self.dropped_lines += whole.count(b"\n", 0, cut)
            text = whole[cut:].decode()
        if not self.dropped_bytes:
            return text
        return f"── {self.dropped_bytes:,} bytes ({self.dropped_lines:,} lines) are left out here. ──\n{text}"
