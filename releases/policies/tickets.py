"""Which ticket a fix belongs to, and whether it is about security. No git, no I/O."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterable

_NOT_TICKETS = re.compile(
    r"^(?:UTF|SHA|ISO|RFC|CVE|HTTP|HTTPS|TLS|SSL|AES|RSA|MD|PEP|IPV|GHSA|OSV|CWE|EC|ES|WCAG|IEEE|BASE|CP|KOI|COVID|"
    r"X|ED|P|T|TCP|UDP|USB|ARM|I|PY)-\d", re.IGNORECASE
)  # fmt: skip
"""Standards and encodings that look like a ticket's key."""
_SECURITY = re.compile(
    r"\bCVE-\d{4}-\d{4,}\b|\bGHSA(?:-[23456789cfghjmpqrvwx]{4}){3}\b|^\[?security\b|\bsecurity (?:fix|issue|hole|patch|"
    r"release|update|advisory)\b|^sec(?:urity)?(?:\(.+\))?!?:|\bvulnerabilit(?:y|ies)\b",
    re.IGNORECASE,
)
_ADVISORY = re.compile(
    r"\bCVE-\d{4}-\d{4,}\b|\bGHSA(?:-[23456789cfghjmpqrvwx]{4}){3}\b|^security(?:impact|-impact)?:",
    re.IGNORECASE | re.MULTILINE,
)
_HINTS = ("cve-", "ghsa-", "sec", "vulnerab")
"""One of these, without regard to case, is in whatever those two find: most texts need no closer look."""
_CANDIDATES = (
    r"\b(?!GH-)[A-Z][A-Z0-9]{1,9}-\d+\b",
    r"(?i:\b(?:fix(?:e[sd])?|close[sd]?|resolve[sd]?|refs?|bug|issue|ticket)\b:?,? )(#\d+)",
    r"\b(?:bpo|gh)-\d+\b",
    r"(?i:\b(?:closes-bug|related-bug|partial-bug): ?)(#\d+)",
    r"(#\d+)\b",
)
"""Ways of naming tickets, most telling first; the first group, if there is one, is the ticket."""
_ENOUGH = 0.2
"""Share of messages that must name a ticket before a way of naming counts as the project's."""


@functools.lru_cache(maxsize=64)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def ticket_in(pattern: str, texts: Iterable[str]) -> str | None:
    """The first ticket named in these texts (branch name, subject, body …, in order of trust)."""
    if not pattern:
        return None
    expression = _compiled(pattern)
    for text in texts:
        for found in expression.finditer(text):
            ticket = next((group for group in found.groups() if group), found[0])
            if not _NOT_TICKETS.match(ticket):
                return str(ticket)
    return None


def guess_ticket_pattern(texts: Iterable[str], default: str) -> str:
    """The way of naming tickets that these messages use most; the default when none is common."""
    sample = list(texts)[:2000]
    best, best_share = default, _ENOUGH
    for index, pattern in enumerate(_CANDIDATES):
        share = sum(ticket_in(pattern, (text,)) is not None for text in sample) / max(1, len(sample))
        # A later way of naming is vaguer, so it must be clearly more common to win.
        if share > best_share + (0.15 if index > 1 and best_share > _ENOUGH else 0):
            best, best_share = pattern, share
    return best


def is_security(titles: Iterable[str], bodies: Iterable[str] = ()) -> bool:
    """Is this a security fix? Titles may say so in words, bodies by naming an advisory or by a `Security:` line."""
    return any(_says(_SECURITY, text) for text in titles) or any(_says(_ADVISORY, text) for text in bodies)


def _says(expression: re.Pattern[str], text: str) -> bool:
    folded = text.casefold()
    return any(hint in folded for hint in _HINTS) and expression.search(text) is not None
