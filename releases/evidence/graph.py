"""The whole commit graph, small: commits are numbers, parents stand in two flat arrays."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence


class CommitGraph:
    """Commits as numbers below `len(graph)`; children have smaller numbers than their parents."""

    def __init__(self, lines: Iterable[str]) -> None:
        """`lines` are those of `rev-list --parents --topo-order`."""
        self._shas: list[str] = []
        self._numbers: dict[str, int] = {}
        self._starts = array("I", [0])
        self._links = array("I")
        waiting: list[list[str]] = []
        number = self._number
        for line in lines:
            sha, *parents = line.split(" ")
            number(sha)
            waiting.append(parents)
        known = self._numbers
        for parents in waiting:
            self._links.extend([known[parent] for parent in parents if parent in known])
            self._starts.append(len(self._links))

    def _number(self, sha: str) -> None:
        self._numbers[sha] = len(self._shas)
        self._shas.append(sha)

    def __len__(self) -> int:
        return len(self._shas)

    def __contains__(self, sha: str) -> bool:
        return sha in self._numbers

    def number(self, sha: str) -> int:
        """Raises KeyError for a commit that no tip reaches."""
        return self._numbers[sha]

    def get(self, sha: str) -> int | None:
        return self._numbers.get(sha)

    def sha(self, number: int) -> str:
        return self._shas[number]

    def shas(self, numbers: Iterable[int]) -> list[str]:
        return [self._shas[number] for number in numbers]

    def parents_of(self, number: int) -> Sequence[int]:
        return self._links[self._starts[number] : self._starts[number + 1]]

    def first_parents(self, number: int) -> Iterator[int]:
        """The line of first parents from this commit to its root."""
        while True:
            yield number
            start = self._starts[number]
            if start == self._starts[number + 1]:
                return
            number = self._links[start]
