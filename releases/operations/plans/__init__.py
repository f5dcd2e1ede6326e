"""The planners: what an operation of each kind would do to a remote, from its refs as they are now.

A planner reads git and writes objects into the mirror, never refs. Same inputs give the same object ids.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from releases.git.errors import InvalidValue
from releases.operations.plan import Conflicted, Nothing, Plan, PlanRefused

from .clean_up import plan_clean_up
from .cut import plan_cut
from .finish import plan_finish
from .merge_back import plan_merge_back
from .planning import Planning
from .tag import plan_tag
from .undo import plan_reapply, plan_revert

Planner = Callable[[Planning], Plan | Nothing | Conflicted]
"""Raises PlanRefused with a sentence when it cannot be done as things stand, and GitError."""


def _named(planner: Planner) -> Planner:
    """The planner, with a value that git would refuse as a refusal of the whole plan."""

    def plan(planning: Planning) -> Plan | Nothing | Conflicted:
        try:
            return planner(planning)
        except InvalidValue as error:
            raise PlanRefused(error.code, error.sentence, retryable=False) from None

    return plan


PLANNERS: Mapping[str, Planner] = {
    "cut": _named(plan_cut),
    "finish": _named(plan_finish),
    "merge-back": _named(plan_merge_back),
    "clean-up": _named(plan_clean_up),
    "tag": _named(plan_tag),
    "revert": _named(plan_revert),
    "re-apply": _named(plan_reapply),
}
"""By `Operation.Kind`."""
