"""What failed or conflicted and has come true otherwise since: with git, in the forge, or by another button."""

from __future__ import annotations

from collections.abc import Sequence

from releases.operations.models import Operation
from releases.policies.models import Verdict

from .models import Debt, Hotfix
from .stages import Stage, StageKey, StageState


def overtaken(row: Operation, hotfix: Hotfix, verdicts: Sequence[Verdict], debts: Sequence[Debt]) -> bool:
    """Whether nobody need lay hands on this operation any more, because git shows what it was for.

    `verdicts` are of the hotfix's fixes in open targets, `debts` all that it made, settled ones too.
    """
    kind, params = Operation.Kind(row.kind), row.params
    if kind is Operation.Kind.CUT:
        return bool(hotfix.tag) or _done(hotfix, StageKey.BRANCH)
    if kind is Operation.Kind.FINISH:
        return bool(hotfix.tag)
    if kind is Operation.Kind.MERGE_BACK:
        here = [one for one in verdicts if one.target.branch == params.get("target")]
        mine = [one for one in here if one.fix.key == params.get("fix_key")]
        # A target that is closed has no verdict here, and is owed nothing.
        return all(one.settled for one in mine)
    if kind is Operation.Kind.CLEAN_UP:
        return _done(hotfix, StageKey.CLEAN_UP)
    there = [debt for debt in debts if debt.branch == params.get("branch")]
    if kind is Operation.Kind.REVERT:
        return bool(there)
    return kind is Operation.Kind.REAPPLY and bool(there) and all(debt.settled_at is not None for debt in there)


def _done(hotfix: Hotfix, key: StageKey) -> bool:
    return any(Stage.from_data(stage).state is StageState.DONE for stage in hotfix.stages if stage["key"] == key.value)
