"""The journal of every change that the dashboard makes to a remote repository."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


class Operation(models.Model):
    """One asked-for change to a remote. The row is the truth about who does it and how far it came."""

    class Kind(models.TextChoices):
        CUT = "cut", "Cut the branch"
        FINISH = "finish", "Finish: merge and tag"
        MERGE_BACK = "merge-back", "Merge back"
        CLEAN_UP = "clean-up", "Delete the branch"
        REVERT = "revert", "Revert"
        REAPPLY = "re-apply", "Re-apply"
        TAG = "tag", "Tag a release"

    class State(models.TextChoices):
        QUEUED = "queued", "Waiting"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        CONFLICT = "conflict", "Conflicts"
        FAILED = "failed", "Not done"

    class Step(models.TextChoices):
        NONE = "", "Not begun"
        PLANNED = "planned", "Planned"
        PUSHED = "pushed", "Pushed"

    project = models.ForeignKey("releases.Project", models.CASCADE, related_name="operations")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    key = models.CharField(
        max_length=400, help_text="Two requests with the same key are one operation while it is active."
    )
    subject = models.CharField(max_length=300, help_text="Typed, as in the ledger: hotfix:<key>, fix:<sha>.")
    params = models.JSONField(default=dict, help_text="What the planner of this kind needs; see operations/plans/.")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    actor_name = models.CharField(max_length=150, help_text="Author of the commits it writes.")
    actor_email = models.CharField(max_length=254)
    asked_at = models.DateTimeField(
        default=timezone.now, help_text="Date of the commits it writes: planning again gives the same ids."
    )

    state = models.CharField(max_length=8, choices=State.choices, default=State.QUEUED)
    step = models.CharField(max_length=8, choices=Step.choices, default=Step.NONE, blank=True)
    plan = models.JSONField(null=True, blank=True, help_text="A Plan as data; see operations/plan.py.")
    replans = models.PositiveSmallIntegerField(default=0, help_text="Planned again because a ref moved in between.")
    outcome = models.JSONField(default=dict, blank=True, help_text="For the page: object ids, conflicts, notes.")
    error_code = models.CharField(max_length=32, blank=True)
    error_text = models.TextField(blank=True, help_text="A sentence for people.")
    retryable = models.BooleanField(default=False, help_text="The same operation may be asked to try again.")

    attempts = models.PositiveIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0, help_text="Grows with every claim; a stale worker is refused.")
    worker = models.CharField(max_length=200, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    nudged_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "key"],
                condition=models.Q(state__in=["queued", "running"]),
                name="one_active_operation_per_key",
            ),
            models.UniqueConstraint(
                fields=["project"], condition=models.Q(state="running"), name="one_running_operation_per_project"
            ),
        ]
        indexes = [
            models.Index(fields=["state", "heartbeat_at"], name="operation_state_beat"),
            models.Index(fields=["project", "subject", "-id"], name="operation_subject"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject} ({self.state})"

    @property
    def is_active(self) -> bool:
        return self.state in (self.State.QUEUED, self.State.RUNNING)
