"""What people are told when something cannot be done to an incident."""

from __future__ import annotations

from releases.policies.typed import Refused


class IncidentError(Refused):
    """`field` is the part of the form it is about (empty: none), `code` is stable, the text a sentence for people."""
