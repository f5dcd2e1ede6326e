"""What people are told when a post-mortem cannot be as they want it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .models import Draft, Section


class PostMortemError(Exception):
    """A sentence for people; `field` names the part of the form that it is about."""

    def __init__(self, field: str, sentence: str, code: str = "invalid") -> None:
        super().__init__(sentence)
        self.field, self.sentence, self.code = field, sentence, code


class SomebodyWasFaster(Exception):
    """The section was changed since it was read. Nothing was stored over it; `draft` keeps what was written."""

    def __init__(self, section: Section, draft: Draft) -> None:
        super().__init__("Somebody wrote here in the meantime. Both texts are below; nothing is lost.")
        self.section, self.draft = section, draft
