"""Every model of this app; each lives in the room that owns it."""

from .announcements.models import Channel, Cursor, Message
from .drills.models import Drill, DrillPlan
from .postmortems.models import (
    ActionItem,
    Draft,
    Factor,
    Line,
    Measure,
    PostMortem,
    Reading,
    Revision,
    Section,
    WordList,
)
from .response.models import Component, Impact, Incident, Maintenance, Update, UpdateTemplate
from .status.models import StatusPage, Subscriber

__all__ = [
    "ActionItem", "Channel", "Component", "Cursor", "Draft", "Drill", "DrillPlan", "Factor", "Impact", "Incident",
    "Line", "Maintenance", "Measure", "Message", "PostMortem", "Reading", "Revision", "Section", "StatusPage",
    "Subscriber", "Update", "UpdateTemplate", "WordList",
]  # fmt: skip
