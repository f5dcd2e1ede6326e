"""A history made of names, for tests of shape alone."""

from __future__ import annotations


class NamedGraph:
    """`make_graph(a="", b="a", m="b side")`: names with their parents; `graph["a"]` is the commit's number."""

    def __init__(self, parents: dict[str, str]) -> None:
        self._numbers = {name: number for number, name in enumerate(parents)}
        self._parents = [[self._numbers[p] for p in said.split()] for said in parents.values()]

    def __getitem__(self, name: str) -> int:
        return self._numbers[name]

    def __len__(self) -> int:
        return len(self._parents)

    def parents_of(self, number: int) -> list[int]:
        return self._parents[number]

    def names(self, numbers: list[int] | tuple[int, ...]) -> list[str]:
        by_number = {number: name for name, number in self._numbers.items()}
        return [by_number[number] for number in numbers]


def make_graph(**parents: str) -> NamedGraph:
    return NamedGraph(parents)
