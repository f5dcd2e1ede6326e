"""What happened, when, by whom, with what evidence: rows that are only ever added."""

from __future__ import annotations

from typing import Any, NoReturn

from django.conf import settings
from django.db import models
from django.utils import timezone


class Event(models.Model):
    """One fact, written in the same transaction as the change it tells of."""

    at = models.DateTimeField(default=timezone.now, db_index=True)
    project = models.ForeignKey("releases.Project", models.CASCADE, null=True, blank=True, related_name="events")
    kind = models.CharField(max_length=64, help_text="Dotted, thing first: fix.owed, ref.forced, fetch.failed …")
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    actor_name = models.CharField(max_length=150, help_text="Who or what, as it was called then.")
    subject = models.CharField(max_length=300, blank=True, help_text="Typed: fix:<sha>, ref:<name>, release:<tag>.")
    target = models.CharField(max_length=300, blank=True, help_text="The branch a verdict is about.")
    old = models.CharField(max_length=300, blank=True)
    new = models.CharField(max_length=300, blank=True)
    why = models.TextField(blank=True, help_text="One sentence for people.")
    evidence = models.JSONField(default=dict, blank=True)
    key = models.CharField(
        max_length=200,
        null=True,
        blank=True,
        unique=True,
        help_text="Names a fact that must be written once only.",
    )

    class Meta:
        ordering = ["-at", "-pk"]
        indexes = [
            models.Index(fields=["project", "-at"], name="event_project_at"),
            models.Index(fields=["project", "subject", "-at"], name="event_subject_at"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.subject}".strip()

    def save(self, *args: Any, **kwargs: Any) -> None:
        if self.pk is not None:
            raise TypeError("A ledger row is never changed; write a new one.")
        super().save(*args, **kwargs)

    def delete(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("A ledger row is never removed.")
