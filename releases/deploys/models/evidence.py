"""What people were shown when they decided about a run."""

from __future__ import annotations

from django.db import models
from django.utils import timezone


class Shown(models.Model):
    """What a run would have changed, as it stood when somebody decided or when it ended undecided; never changed."""

    run = models.ForeignKey("releases.Run", models.CASCADE, related_name="shown")
    approval = models.OneToOneField(
        "releases.Approval", models.CASCADE, null=True, blank=True, related_name="shown",
        help_text="The yes or no; empty for broken glass and for an end that nobody decided.",
    )  # fmt: skip
    at = models.DateTimeField(default=timezone.now)
    data = models.JSONField(help_text="Change, risk signals, rollback plan, what is owed; see deciding.py.")

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"shown of run {self.run_id} at {self.at}"
