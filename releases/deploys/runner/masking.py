"""Taking secrets out of what a command prints, in the forms in which tools print them."""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Iterator, Mapping
from urllib.parse import quote, quote_plus

STARS = b"***"
SHORTEST = 4
"""Characters; shorter values are words of every log, and are not masked."""
SHORTEST_PIECE = 8
"""Characters of a part of a secret (a line of a key, a piece of its base64 form) that is masked by itself."""
WRAPS = (64, 76)
"""Where common tools break lines of base64."""


class Mask:
    """Replaces every known form of every secret. Works on bytes, since output need not be text."""

    def __init__(self, secrets: Mapping[str, str] | None = None) -> None:
        found = {form for value in (secrets or {}).values() for form in _forms(value)}
        self.needles = sorted(found, key=lambda form: (-len(form), form))
        """Longest first, so that no part of one is replaced before the whole."""
        self.longest = len(self.needles[0]) if self.needles else 0
        self._begins = {needle[:2] for needle in self.needles} | {needle[:1] for needle in self.needles}

    def __bool__(self) -> bool:
        return bool(self.needles)

    def masked(self, data: bytes) -> bytes:
        for needle in self.needles:
            if needle in data:
                data = data.replace(needle, STARS)
        return data

    def text(self, text: str) -> str:
        """Of text that is decoded already."""
        if not self.needles:
            return text
        return self.masked(text.encode("utf-8", "surrogateescape")).decode("utf-8", "replace")

    def held(self, data: bytes) -> int:
        """How many bytes at the end of `data` could be the beginning of a secret whose rest is still to come."""
        for at in range(max(0, len(data) - self.longest + 1), len(data)):
            if data[at : at + 2] in self._begins:
                tail = data[at:]
                if any(len(needle) > len(tail) and needle.startswith(tail) for needle in self.needles):
                    return len(tail)
        return 0

    def whole(self, data: bytes, cut: int) -> int:
        """The place at or before `cut` where `data` can be cut without cutting a secret in two."""
        moved = True
        while moved and cut:
            moved = False
            for needle in self.needles:
                at = data.find(needle, max(0, cut - len(needle) + 1), cut + len(needle) - 1)
                if 0 <= at < cut:
                    cut, moved = at, True
        return cut


def _forms(value: str) -> Iterator[bytes]:
    """As it is and as tools write it: quoted for a URL, JSON or a shell, in base64 and in hexadecimal digits."""
    whole = value.strip()
    if len(whole) < SHORTEST:
        return
    for part in {whole, *(line.strip() for line in whole.splitlines() if len(line.strip()) >= SHORTEST_PIECE)}:
        raw = part.encode("utf-8", "surrogateescape")
        yield raw
        yield raw.replace(b"\n", b"\r\n")
        escaped = (
            json.dumps(part)[1:-1], json.dumps(part, ensure_ascii=False)[1:-1],
            shlex.quote(part).strip("'"), part.replace("'", "'\\''"),
        )  # fmt: skip
        quoted = quote(raw, safe=""), quote(raw), quote_plus(raw)
        for form in (*escaped, *quoted, *(text.lower() for text in quoted)):
            yield form.encode("utf-8", "surrogateescape")
        if len(raw) >= SHORTEST_PIECE:
            yield raw.hex().encode()
            yield raw.hex().upper().encode()
        yield from _base64(raw)


def _base64(raw: bytes) -> Iterator[bytes]:
    """What of it stands fast in base64, wherever in a longer text it began; and its lines when a tool breaks them."""
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for shift in range(3):
            coded = encode(b"\0" * shift + raw)
            # The first and last digits also depend on the bytes beside.
            first = (0, 2, 3)[shift]
            last = (len(raw) + shift) // 3 * 4
            piece = coded[first:last] if last - first >= SHORTEST_PIECE else b""
            if piece:
                yield piece
        whole = encode(raw)
        yield whole.rstrip(b"=") if len(whole) >= SHORTEST_PIECE else raw
        for width in WRAPS:
            lines = [whole[at : at + width].rstrip(b"=") for at in range(0, len(whole), width)]
            yield from (line for line in lines if len(line) >= 2 * SHORTEST_PIECE and len(lines) > 1)
