"""Carrying out commands: processes, limits, folders, artifacts, masking, the log's writer. Knows no state machine."""

from .artifacts import Kept
from .errors import ArtifactRefused, RunLost
from .execution import Ended, Job, execute
from .logs import LogWriter
from .marks import orphans_end
from .workspaces import Workspace, overlay, workspace, workspaces_sweep

__all__ = [
    "ArtifactRefused", "Ended", "Job", "Kept", "LogWriter", "RunLost", "Workspace", "execute", "orphans_end",
    "overlay", "workspace", "workspaces_sweep",
]  # fmt: skip
