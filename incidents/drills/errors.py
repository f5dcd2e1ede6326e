"""What people are told when a drill cannot be had."""

from __future__ import annotations

from releases.policies.typed import Refused


class DrillError(Refused):
    """`field` is the part of the form it is about (empty: none), `code` is stable, the text a sentence for people."""
