"""What commit messages say: normalised subjects, trailers that link commits, Change-Ids, reverts. No I/O."""

from __future__ import annotations

import re
from collections.abc import Callable

_PREFIX = re.compile(
    r"^(?:\s*(?:\[[^\]]{1,40}\]|\((?:back-?port|cherry-?pick(?:ed)?)\)|(?:re-?)?back-?port(?:ed)?(?:\s+of)?\s*:|"
    r"back-?port\s+#?\d+\s+to\s+[\w./-]+\s*:|cherry-?pick(?:ed)?\s*:|v?\d+(?:\.\d+)+(?:\.x)?\s*:|"
    r"hot-?fix\s*:)\s*)+",
    re.IGNORECASE,
)
_SUFFIX = re.compile(
    r"(?:\s*(?:\((?:[a-z]{1,8}-)*#?\d+\)|\[[^\]]{1,30}\]|\((?:back-?port|cherry-?pick)[^)]{0,60}\)))+\s*$",
    re.IGNORECASE,
)
_REQUEST = re.compile(r"\([a-z]{0,8}[ -]?(?:[a-z]{1,8}-)?[#!-]?(\d{2,7})\)[\s.…]*$", re.IGNORECASE)
_SHA = re.compile(r"[0-9a-fA-F]{7,64}\b")
_LINK = re.compile(
    r"(?:cherry[ -]?pick(?:ed)?(?: from)?(?: commit)?:?\s*|back-?port(?:ed)?(?: of| from)?(?: commit)?:?\s*"
    r"|upstream(?:-| )commit:?\s*|\bpicked from(?: commit)?:?\s*"
    r"|forward-?port(?:ed)?(?: of| from)?(?: commit)?:?\s*|origin(?:al)?(?:-| )commit:?\s*)\(?\Z",
    re.IGNORECASE,
)
"""What stands right before the id of an origin."""
_COMMIT = re.compile(r"\bcommit\s+\(?\Z", re.IGNORECASE)
_UPSTREAM = re.compile(r"\s+upstream", re.IGNORECASE)
_MORE = re.compile(r"\s*(?:,|;|\band\b|&)\s*(?:commit\s+)?([0-9a-f]{7,64})\b", re.IGNORECASE)
_REVERT = re.compile(
    r"(?:this\s+reverts\s+(?:commits?\s+)?"
    r"|(?<!partial\s)(?<!partly\s)(?<!partially\s)\brevert(?:s|ing|ed)?:?\s+(?:of\s+)?commits?\s+)\Z",
    re.IGNORECASE,
)
"""The same for what is undone. What undoes a part only undoes nothing that anybody can count on."""
_LAST = ("commit", "commits", "pick", "picked", "from", "port", "ported", "of", "reverts")
"""The last words that all of these can end with."""
_BEFORE = 80
"""Characters before an id that are looked at."""
_CHANGE_ID = re.compile(r"^\s*change-id:\s*(I[0-9a-f]{8,64})\s*$", re.IGNORECASE | re.MULTILINE)
_REVERT_SUBJECT = re.compile(r"^(?:\[[^\]]*\]\s*)*revert(?:ed)?\b[:\s]*", re.IGNORECASE)
_FIRST = frozenset("[(brchv0123456789")


def normal_subject(subject: str) -> str:
    """The subject without what picking adds: branch tags in front, request numbers behind, case, dots, spaces."""
    whole = " ".join(subject.split()).casefold()
    text = whole
    if text[:1] in _FIRST:
        text = _PREFIX.sub("", text)
    while text[-1:] in (")", "]", ".", "…"):
        cut = _SUFFIX.sub("", text).rstrip(".… ")
        if cut == text:
            break
        text = cut
    return text if len(text) >= 4 else whole


def requests(subject: str) -> tuple[str, ...]:
    """Numbers of the merge requests behind a subject, as `(#12)` or `(GH-12)`; the one that brought it last."""
    found: list[str] = []
    text = subject.rstrip()
    while text[-1:] in (")", ".", "…") and (match := _REQUEST.search(text)):
        found.append(match.group(1))
        text = text[: match.start()].rstrip()
    return tuple(reversed(found))


def may_link(message: bytes) -> bool:
    """Whether it is worth looking for links at all; `message` in lower case."""
    return (  # written out: this is asked of every commit there is
        b"pick" in message or (b"port" in message and (b"backport" in message or b"back-port" in message))
        or b"forward" in message or b"upstream" in message or b"revert" in message or b"change-id:" in message
        or b"original" in message
    )  # fmt: skip


def links(message: str) -> tuple[str, ...]:
    """Ids (maybe abbreviated, lower case) of the commits that a message says this one was taken from."""
    return _named(_says_origin, message)


def reverts(message: str) -> tuple[str, ...]:
    """Ids of the commits that a message says this one undoes."""
    return _named(_says_undone, message)


def _says_origin(message: str, begin: int, start: int, end: int) -> bool:
    if _LINK.search(message, begin, start):
        return True
    return bool(_COMMIT.search(message, begin, start) and _UPSTREAM.match(message, end))


def _says_undone(message: str, begin: int, start: int, _end: int) -> bool:
    return _REVERT.search(message, begin, start) is not None


def _named(says: Callable[[str, int, int, int], bool], message: str) -> tuple[str, ...]:
    """Ids that stand behind such words. Looked for from the ids: there are fewer of them than words."""
    found: dict[str, None] = {}
    for match in _SHA.finditer(message):
        start, end = match.span()
        begin = max(0, start - _BEFORE)
        before = message[begin:start].rstrip("(").rstrip().rstrip(":").lower()
        if not before.endswith(_LAST) or not says(message, begin, start, end):
            continue
        found[match[0].lower()] = None
        while more := _MORE.match(message, end):
            found[more[1].lower()] = None
            end = more.end()
    return tuple(found)


def change_id(message: str) -> str:
    """The last Change-Id; empty when there is none."""
    found = _CHANGE_ID.findall(message)
    return found[-1] if found else ""


def says_revert(subject: str) -> bool:
    return _REVERT_SUBJECT.match(subject) is not None
