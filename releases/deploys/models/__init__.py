"""Every model of the room; see docs/decisions/0009."""

from .approvals import Approval, BadRelease, FollowUp
from .drafts import PipelineDraft
from .environments import DeploySecret, Environment, Freeze, Pipeline
from .evidence import Shown
from .mails import ApprovalMail
from .runs import LogChunk, Run, Step

__all__ = [
    "Approval", "ApprovalMail", "BadRelease", "DeploySecret", "Environment", "FollowUp", "Freeze", "LogChunk",
    "Pipeline", "PipelineDraft", "Run", "Shown", "Step",
]  # fmt: skip
