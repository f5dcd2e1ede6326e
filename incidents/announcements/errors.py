"""What people are told when a channel cannot be as they want it."""

from __future__ import annotations


class ChannelError(Exception):
    """A sentence for people; `field` names the part of the form that it is about."""

    def __init__(self, field: str, sentence: str) -> None:
        super().__init__(sentence)
        self.field, self.sentence = field, sentence
