"""What keeps a run from going on."""

from __future__ import annotations

from .runner.errors import RunLost

__all__ = ["DeployRefused", "RunLost"]


class DeployRefused(Exception):
    """A person or a program asked for what cannot be done now; `sentence` is for people, `code` for programs."""

    def __init__(self, code: str, sentence: str) -> None:
        super().__init__(sentence)
        self.code = code
        self.sentence = sentence
