"""A pipeline while somebody changes it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


class PipelineDraft(models.Model):
    """Changes that are not in force yet: nothing runs by them until they are saved as the next version."""

    project = models.OneToOneField("releases.Project", models.CASCADE, related_name="pipeline_draft")
    spec = models.JSONField(help_text="A PipelineSpec as data; it may still have faults.")
    base = models.PositiveIntegerField(help_text="The version that it changes; 0 when there was none.")
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    changed_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"draft after pipeline {self.base} of {self.project}"
