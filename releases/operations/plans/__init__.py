"""The planners: what an operation of each kind would do to a remote, from its refs as they are now.

A planner reads git and writes objects into the mirror, never refs. Same inputs give the same object ids.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from releases.operations.plan import Conflicted, Nothing, Plan

from .planning import Planning

Planner = Callable[[Planning], Plan | Nothing | Conflicted]
"""Raises PlanRefused with a sentence when it cannot be done as things stand, and GitError."""

PLANNERS: Mapping[str, Planner] = {}
"""By `Operation.Kind`."""
