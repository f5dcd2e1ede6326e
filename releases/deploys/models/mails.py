"""E-mail that is owed to people, as rows: what was not sent is not forgotten with the worker that was to send it."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


class ApprovalMail(models.Model):
    """One person is to be told that one run waits for their approval."""

    class State(models.TextChoices):
        DUE = "due", "Due"
        SENDING = "sending", "Being sent"
        SENT = "sent", "Sent"
        FAILED = "failed", "Given up"
        DROPPED = "dropped", "Not needed any more"

    run = models.ForeignKey("releases.Run", models.CASCADE, related_name="mails")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="+")
    state = models.CharField(max_length=7, choices=State.choices, default=State.DUE)
    due_at = models.DateTimeField(default=timezone.now, help_text="Not tried before then.")
    attempts = models.PositiveSmallIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0, help_text="Grows with every claim; a stale worker is refused.")
    worker = models.CharField(max_length=200, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True, help_text="Why it was not sent at the last try; a sentence.")

    class Meta:
        ordering = ["pk"]
        constraints = [models.UniqueConstraint(fields=["run", "person"], name="approval_mail_once")]
        indexes = [models.Index(fields=["state", "due_at"], name="approval_mail_due")]

    def __str__(self) -> str:
        return f"mail to {self.person} about run {self.run_id} ({self.state})"
