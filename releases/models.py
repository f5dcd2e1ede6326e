"""Every model of this app; each lives in the room that owns it."""

from .deploys.models import (
    Approval,
    ApprovalMail,
    BadRelease,
    DeploySecret,
    Environment,
    FollowUp,
    Freeze,
    LogChunk,
    Pipeline,
    PipelineDraft,
    Run,
    Shown,
    Step,
)
from .hotfixes.models import Debt, Hotfix, Review, Untracked
from .ledger.models import Event
from .operations.models import Operation
from .policies.models import Fix, Settlement, Target, Verdict
from .projects.models import Credential, FetchRun, Project, ProjectAccess, Ref, Release, SigningKey

__all__ = [
    "Approval", "ApprovalMail", "BadRelease", "Credential", "Debt", "DeploySecret", "Environment", "Event", "FetchRun",
    "Fix", "FollowUp", "Freeze", "Hotfix", "LogChunk", "Operation", "Pipeline", "PipelineDraft", "Project",
    "ProjectAccess", "Ref", "Release", "Review", "Run", "Settlement", "Shown", "SigningKey", "Step", "Target",
    "Untracked", "Verdict",
]  # fmt: skip
