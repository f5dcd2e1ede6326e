"""What people are told when a channel cannot be as they want it."""

from __future__ import annotations

from releases.policies.typed import Refused


class ChannelError(Refused):
    """`field` is the part of the form it is about, the text a sentence for people."""
