"""What people are told when something cannot be done to an incident."""

from __future__ import annotations


class IncidentError(Exception):
    """A sentence for people; `field` names the part of the form that it is about, `code` the reason for programs."""

    def __init__(self, field: str, sentence: str, code: str = "invalid") -> None:
        super().__init__(sentence)
        self.field, self.sentence, self.code = field, sentence, code
