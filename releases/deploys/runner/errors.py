"""What the runner refuses."""

from __future__ import annotations


class ArtifactRefused(Exception):
    """What a step left cannot be kept; `sentence` says why."""

    def __init__(self, sentence: str) -> None:
        super().__init__(sentence)
        self.sentence = sentence
