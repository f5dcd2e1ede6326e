"""What the runner refuses."""

from __future__ import annotations


class RunLost(Exception):
    """This worker no longer holds the run; it must write nothing more, and its commands must end."""


class ArtifactRefused(Exception):
    """What a step left cannot be kept; `sentence` says why."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence
