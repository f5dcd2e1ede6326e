"""Every model of this app; each lives in the room that owns it."""

from .ledger.models import Event
from .policies.models import Fix, Target, Verdict
from .projects.models import Credential, FetchRun, Project, ProjectAccess, Ref, Release

__all__ = [
    "Credential", "Event", "FetchRun", "Fix", "Project", "ProjectAccess", "Ref", "Release", "Target", "Verdict",
]  # fmt: skip
