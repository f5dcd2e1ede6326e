"""Game days."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.utils import timezone

PERSON = settings.AUTH_USER_MODEL
LONGEST_INTERVAL = 3650
"""Days."""


class Drill(models.Model):
    """One game day: a scenario played with the real flow on a copy of a project's repository."""

    class Scenario(models.TextChoices):
        REPLAY = "replay", "A past hotfix, done again"
        CONFLICT = "conflict", "A merge-back that conflicts, and a verify that fails"

    class State(models.TextChoices):
        PREPARING = "preparing", "Being prepared"
        RUNNING = "running", "Running"
        ENDED = "ended", "Ended"
        FAILED = "failed", "Could not be prepared"

    project = models.ForeignKey("releases.Project", models.CASCADE, related_name="drills", help_text="What is drilled.")
    copy = models.OneToOneField(
        "releases.Project", models.SET_NULL, null=True, blank=True, related_name="drill",
        help_text="The throw-away project; removed some time after the end.",
    )  # fmt: skip
    scenario = models.CharField(max_length=40, choices=Scenario.choices)
    fix = models.ForeignKey(
        "releases.Fix", models.SET_NULL, null=True, blank=True, related_name="+", help_text="The past fix to do again."
    )
    params = models.JSONField(
        default=dict, blank=True,
        help_text="What was chosen and made: subject, ticket, begins_at (a tag), target, left_out, refs.",
    )  # fmt: skip
    state = models.CharField(max_length=9, choices=State.choices, default=State.PREPARING)
    started_by = models.ForeignKey(PERSON, models.SET_NULL, null=True, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey(PERSON, models.SET_NULL, null=True, blank=True, related_name="+")
    hint_at = models.DateTimeField(null=True, blank=True, help_text="When somebody looked at the original change.")
    hint_by = models.ForeignKey(PERSON, models.SET_NULL, null=True, blank=True, related_name="+")
    notes = models.TextField(blank=True, help_text="What people noticed, in their words.")
    score = models.JSONField(default=dict, blank=True, help_text="From facts; see scoring.py.")
    error = models.TextField(blank=True)
    remove_at = models.DateTimeField(null=True, blank=True, help_text="When the copy goes.")
    removed_at = models.DateTimeField(null=True, blank=True, help_text="When it went, with all its files.")

    # Who prepares it now; see preparing.py.
    step = models.CharField(max_length=60, blank=True, help_text="What is being done, for the page.")
    fence = models.PositiveIntegerField(default=0, help_text="Grows with every claim; a stale worker is refused.")
    worker = models.CharField(max_length=200, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    nudged_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["project"], condition=models.Q(state__in=["preparing", "running"]), name="one_drill_per_project"
            )
        ]

    def __str__(self) -> str:
        return f"drill of {self.project}: {self.scenario}"

    @property
    def is_open(self) -> bool:
        """Being prepared, or running."""
        return self.state in (self.State.PREPARING, self.State.RUNNING)

    @property
    def subject(self) -> str:
        """What is to be mended, as the past fix called it."""
        return str(self.params.get("subject", ""))


class DrillPlan(models.Model):
    """How often a project is drilled, where that differs from what holds for all."""

    project = models.OneToOneField("releases.Project", models.CASCADE, related_name="drill_plan")
    every_days = models.PositiveSmallIntegerField(
        validators=[MaxValueValidator(LONGEST_INTERVAL)], help_text="Days from one drill to the next; 0: none is due."
    )

    def __str__(self) -> str:
        return f"{self.project}: every {self.every_days} days"
