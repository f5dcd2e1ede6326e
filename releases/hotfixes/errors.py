"""Why something cannot be done to a hotfix."""

from __future__ import annotations

from releases.policies.typed import Refused


class HotfixError(Refused):
    """`field` is the part of the form it is about (empty: none), `code` is stable, the text a sentence for people."""
