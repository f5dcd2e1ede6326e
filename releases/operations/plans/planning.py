"""What every planner gets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from releases.git.commits import Person
from releases.policies.flow import FlowPolicy


@dataclass(frozen=True, slots=True)
class Planning:
    """One operation to plan."""

    git_dir: Path
    """The mirror, with every object that `refs` names; its lock is held."""
    refs: Mapping[str, str]
    """Full name → object id of the remote now: `Session.refs`."""
    policy: FlowPolicy
    params: Mapping[str, Any]
    """As asked for; nothing in it is trusted."""
    person: Person
    """Who asked, and when: author or committer of everything that is written."""
    project_pk: int
