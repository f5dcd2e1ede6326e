"""What people are told when a post-mortem cannot be as they want it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from releases.policies.typed import Refused

if TYPE_CHECKING:
    from .models import Draft, Section


class PostMortemError(Refused):
    """`field` is the part of the form it is about (empty: none), `code` is stable, the text a sentence for people."""


class SomebodyWasFaster(Exception):
    """The section was changed since it was read. Nothing was stored over it; `draft` keeps what was written."""

    def __init__(self, section: Section, draft: Draft) -> None:
        super().__init__("Somebody wrote here in the meantime. Both texts are below; nothing is lost.")
        self.section, self.draft = section, draft
