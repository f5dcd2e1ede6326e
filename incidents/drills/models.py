"""Game days."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


class Drill(models.Model):
    """One game day: a scenario played with the real flow on a copy of a project's repository."""

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
    scenario = models.CharField(max_length=40, help_text="See scenarios.py.")
    params = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=9, choices=State.choices, default=State.PREPARING)
    started_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    score = models.JSONField(default=dict, blank=True, help_text="From facts; see scoring.py.")
    error = models.TextField(blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["project"], condition=models.Q(state__in=["preparing", "running"]), name="one_drill_per_project"
            )
        ]

    def __str__(self) -> str:
        return f"drill of {self.project}: {self.scenario}"
