"""What is owed: fixes, the branches that must have them, and the verdict for each pair."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

from releases.evidence.verdicts import Code


class Target(models.Model):
    """A branch that must contain every fix, for as long as it is open."""

    class Kind(models.TextChoices):
        DEVELOP = "develop", "Next release"
        RELEASE = "release", "Open release"
        SUPPORT = "support", "Supported line"
        MAIN = "main", "Main"

    project = models.ForeignKey("releases.Project", models.CASCADE, related_name="targets")
    branch = models.CharField(max_length=250, help_text="Short name: develop, release/1.3.")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    tip = models.CharField(max_length=64, blank=True)
    planned_version = models.CharField(max_length=120, blank=True, help_text="v1.3.0, when the branch name says so.")
    planned_for = models.DateTimeField(null=True, blank=True, help_text="When it ships, if somebody said so.")
    position = models.PositiveSmallIntegerField(default=0, help_text="Column order in the matrix.")
    opened_at = models.DateTimeField(default=timezone.now)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["position", "branch"]
        constraints = [models.UniqueConstraint(fields=["project", "branch"], name="target_once")]

    def __str__(self) -> str:
        return self.branch


class Fix(models.Model):
    """A change-set that reached production outside the normal release."""

    class Kind(models.TextChoices):
        MERGE = "merge", "Hotfix merge"
        DIRECT = "direct", "Straight onto production"
        PICK = "pick", "Picked onto production"
        REVERT = "revert", "Revert in production"
        EVIL = "evil", "Change inside a merge"

    project = models.ForeignKey("releases.Project", models.CASCADE, related_name="fixes")
    key = models.CharField(max_length=64, help_text="The hotfix merge's object id, or the commit's own.")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    subject = models.CharField(max_length=500)
    ticket = models.CharField(max_length=80, blank=True)
    author_name = models.CharField(max_length=200, blank=True)
    authored_at = models.DateTimeField(null=True, blank=True)
    production_ref = models.CharField(max_length=250)
    shipped_in = models.CharField(max_length=250, blank=True, help_text="The first production tag that contains it.")
    release = models.ForeignKey("releases.Release", models.SET_NULL, null=True, blank=True, related_name="fixes")
    live_since = models.DateTimeField(null=True, blank=True)
    live_since_source = models.CharField(max_length=12, blank=True, help_text="tag, seen or deployment.")
    commits = models.JSONField(default=list, help_text="Its commits, oldest first: sha, subject, author, authored_at.")
    chore = models.BooleanField(default=False, help_text="Version bump or changelog only; never owed.")
    security = models.BooleanField(default=False)
    present = models.BooleanField(default=True, help_text="Still part of production's history.")
    first_seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-live_since", "-pk"]
        constraints = [models.UniqueConstraint(fields=["project", "key"], name="fix_once")]
        indexes = [models.Index(fields=["project", "present", "chore", "-live_since"], name="fix_listing")]

    def __str__(self) -> str:
        return self.subject


class Verdict(models.Model):
    """The answer for one fix and one target, with its evidence."""

    fix = models.ForeignKey(Fix, models.CASCADE, related_name="verdicts")
    target = models.ForeignKey(Target, models.CASCADE, related_name="verdicts")
    project = models.ForeignKey("releases.Project", models.CASCADE, related_name="verdicts")
    code = models.CharField(max_length=12, choices=Code.choices())
    settled = models.BooleanField()
    owed = models.BooleanField(help_text="Not settled, not a chore, fix present and target open.")
    why = models.TextField(help_text="One sentence.")
    detail = models.CharField(max_length=200, blank=True, help_text="The second line of a cell.")
    commits = models.JSONField(default=list, help_text="CommitVerdict as data, one per commit of the fix.")
    preview = models.JSONField(null=True, blank=True, help_text="Preview as data; null when there is none yet.")
    owed_since = models.DateTimeField(
        null=True, blank=True, help_text="Since when production has it and the target not."
    )
    settled_at = models.DateTimeField(null=True, blank=True, help_text="When the target got it.")
    lag_seconds = models.BigIntegerField(
        null=True, blank=True, help_text="How long production had it and the target not."
    )
    judged_at = models.DateTimeField(default=timezone.now)
    settlement = models.ForeignKey(
        "releases.Settlement", models.SET_NULL, null=True, blank=True, related_name="+",
        help_text="What a person decided, while it holds.",
    )  # fmt: skip
    found = models.JSONField(
        null=True, blank=True, help_text="What git says, where a person decided otherwise: code, settled, why, detail."
    )

    class Meta:
        constraints = [models.UniqueConstraint(fields=["fix", "target"], name="verdict_once")]
        indexes = [
            models.Index(fields=["owed", "owed_since"], name="verdict_owed"),
            models.Index(fields=["project", "owed", "owed_since"], name="verdict_project_owed"),
            models.Index(fields=["target", "code"], name="verdict_target_code"),
        ]

    def __str__(self) -> str:
        return f"{self.fix_id} in {self.target_id}: {self.code}"


class Settlement(models.Model):
    """What a person decided about one fix and one target, with a reason; withdrawn or run out, never changed."""

    class Kind(models.TextChoices):
        CONFIRMED = "confirmed", "Confirmed: the target has it"
        DIFFERENT = "different", "Not the same: the target lacks it"
        WAIVED = "waived", "Waived: the target need not have it"

    project = models.ForeignKey("releases.Project", models.CASCADE, related_name="settlements")
    fix = models.ForeignKey(Fix, models.CASCADE, related_name="settlements")
    target = models.ForeignKey(Target, models.CASCADE, related_name="settlements")
    kind = models.CharField(max_length=9, choices=Kind.choices)
    reason = models.TextField()
    until = models.DateTimeField(null=True, blank=True, help_text="A waiver always ends.")
    counterparts = models.JSONField(
        default=list, help_text="Object ids that were shown as evidence; other evidence voids what was said about it."
    )
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    by_name = models.CharField(max_length=150)
    at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    ended_why = models.CharField(max_length=300, blank=True, help_text="withdrawn, ended, or what voided it.")

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["fix", "target"], condition=models.Q(ended_at=None), name="one_settlement_at_a_time"
            )
        ]
        indexes = [models.Index(fields=["ended_at", "until"], name="settlement_until")]

    def __str__(self) -> str:
        return f"{self.kind} by {self.by_name}"
