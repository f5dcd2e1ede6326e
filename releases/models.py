"""Every model of this app; each lives in the room that owns it."""

from .hotfixes.models import Debt, Hotfix, Review, Untracked
from .ledger.models import Event
from .operations.models import Operation
from .policies.models import Fix, Settlement, Target, Verdict
from .projects.models import Credential, FetchRun, Project, ProjectAccess, Ref, Release

__all__ = [
    "Credential", "Debt", "Event", "FetchRun", "Fix", "Hotfix", "Operation", "Project", "ProjectAccess", "Ref",
    "Release", "Review", "Settlement", "Target", "Untracked", "Verdict",
]  # fmt: skip
