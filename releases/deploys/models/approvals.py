"""What people say about a run, and what they must still look at."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


class Approval(models.Model):
    """One person's yes or no to a run, bound to exact facts; it can be withdrawn until the run starts."""

    class Says(models.TextChoices):
        APPROVE = "approve", "Approved"
        REJECT = "reject", "Rejected"

    run = models.ForeignKey("releases.Run", models.CASCADE, related_name="approvals")
    person = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    says = models.CharField(max_length=7, choices=Says.choices)
    comment = models.TextField(blank=True)
    binding = models.JSONField(help_text="What was approved; see binding.py.")
    at = models.DateTimeField(default=timezone.now)
    carried_from = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="+",
        help_text="Given to an earlier request of exactly the same.",
    )  # fmt: skip
    withdrawn_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["run", "person"], condition=models.Q(withdrawn_at=None), name="one_voice_per_person"
            )
        ]

    def __str__(self) -> str:
        return f"{self.person} {self.says} {self.run_id}"


class FollowUp(models.Model):
    """The glass was broken: a second person has to look at it afterwards."""

    run = models.OneToOneField("releases.Run", models.CASCADE, related_name="follow_up")
    opened_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True, blank=True)
    closed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    note = models.TextField(blank=True, help_text="What the second person found.")

    class Meta:
        ordering = ["opened_at"]

    def __str__(self) -> str:
        return f"follow-up of run {self.run_id}"


class BadRelease(models.Model):
    """A release that was taken back: it is not promoted again without a reason."""

    project = models.ForeignKey("releases.Project", models.CASCADE, related_name="bad_releases")
    tag = models.CharField(max_length=250)
    commit = models.CharField(max_length=64)
    why = models.TextField()
    run = models.ForeignKey("releases.Run", models.SET_NULL, null=True, blank=True, related_name="+")
    marked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    marked_at = models.DateTimeField(default=timezone.now)
    fixed_by = models.CharField(max_length=64, blank=True, help_text="The commit that mends it, once known.")
    lifted_at = models.DateTimeField(null=True, blank=True)
    lifted_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    lifted_why = models.TextField(blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "tag"], condition=models.Q(lifted_at=None), name="bad_release_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.tag} is bad"
