"""Numbers that people say aloud (INC-58, PM-12, PM-12-3): the next one, also when two ask at the same moment."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django.db import IntegrityError, transaction
from django.db.models import Max

T = TypeVar("T")
TRIES = 5


def numbered(rows: Any, make: Callable[[int], T], first: int = 1) -> T:
    """What `make` gives for the number after the highest among `rows`, in one transaction; `first` when there is none.

    When somebody else took that number at the same moment, it is asked for again with the next.
    """
    for _ in range(TRIES - 1):
        try:
            return _once(rows, make, first)
        except IntegrityError:
            continue
    return _once(rows, make, first)


def _once(rows: Any, make: Callable[[int], T], first: int) -> T:
    with transaction.atomic():
        highest = rows.aggregate(highest=Max("number"))["highest"]
        return make(first if highest is None else highest + 1)
