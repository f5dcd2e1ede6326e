"""Which commits of a branch are changes that production has in another shape, as the verdicts found them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from releases.evidence.verdicts import Code, Evidence

from .models import Verdict

_WHOLE = {Evidence.PATCH_ID.value, Evidence.NO_CONTEXT.value, Evidence.TRAILER.value, Evidence.CHANGE_ID.value}
"""Evidence that the counterpart is this change and nothing beside it; a squashed commit may hold more."""
_CONFIRMED = (Code.LIKELY.value, Code.DECLARED.value)


def copies(target_pk: int) -> dict[str, set[str]]:
    """Commits of this target that are fixes of production, picked, rebased or made there first: by the fix's own commit
    in production, its counterparts in the target. One query."""
    found: dict[str, set[str]] = {}
    rows = Verdict.objects.filter(target=target_pk, fix__present=True)
    for code, settled, commits in rows.values_list("code", "settled", "commits").iterator():
        for entry in commits:
            if entry.get("counterparts") and _is_copy(entry, settled=settled and code in _CONFIRMED):
                found.setdefault(str(entry["sha"]), set()).update(map(str, entry["counterparts"]))
    return found


def _is_copy(entry: Mapping[str, Any], *, settled: bool) -> bool:
    """`settled`: a person confirmed what git only found likely."""
    return settled or bool(entry.get("settled") and _WHOLE & set(entry.get("evidence") or ()))
