"""The ticket that carries an emergency change: what only people know, and what ties it to git."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from .stages import StageKey


class Hotfix(models.Model):
    """One emergency change. Its stages are observed, never set; see stages.py."""

    class Severity(models.IntegerChoices):
        SEV1 = 1, "SEV1"
        SEV2 = 2, "SEV2"
        SEV3 = 3, "SEV3"
        SEV4 = 4, "SEV4"

    class Way(models.TextChoices):
        FORWARD = "forward", "Fix forward through main"
        CUT = "cut", "Cut from the production tag"
        REVERT = "revert", "Revert what is in the way, ship, re-apply"
        ROLL_BACK = "roll-back", "Roll production back"
        WAIT = "wait", "Wait for the next release"

    class Closed(models.TextChoices):
        OPEN = "", "Open"
        DECLINED = "declined", "Declined"
        ABANDONED = "abandoned", "Abandoned"
        SUPERSEDED = "superseded", "Superseded"

    project = models.ForeignKey("releases.Project", models.CASCADE, related_name="hotfixes")
    key = models.CharField(max_length=80, help_text="TICKET-1234; the team's own pattern.")
    title = models.CharField(max_length=200)
    impact = models.TextField(blank=True, help_text="In plain words: who is hurt, and how.")
    severity = models.PositiveSmallIntegerField(choices=Severity.choices, default=Severity.SEV2)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    people = models.ManyToManyField(settings.AUTH_USER_MODEL, blank=True, related_name="hotfixes")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    follows = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="follow_ups",
        help_text="The hotfix that this one was split off from.",
    )  # fmt: skip

    triage = models.JSONField(
        default=dict, blank=True, help_text="Triage as data: three answers with reasons, and what follows."
    )
    triaged_at = models.DateTimeField(null=True, blank=True)
    way = models.CharField(max_length=9, choices=Way.choices, blank=True)
    way_why = models.TextField(blank=True)
    way_at = models.DateTimeField(null=True, blank=True)

    closed = models.CharField(max_length=10, choices=Closed.choices, default=Closed.OPEN, blank=True)
    closed_why = models.TextField(blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    superseded_by = models.ForeignKey("self", models.SET_NULL, null=True, blank=True, related_name="supersedes")

    # What ties it to git; written by hotfixes_observe only, but for the branch adopted by hand.
    branch = models.CharField(max_length=250, blank=True)
    base_tag = models.CharField(max_length=250, blank=True, help_text="The production release it starts from.")
    base_commit = models.CharField(max_length=64, blank=True)
    head = models.CharField(max_length=64, blank=True, help_text="Tip of the branch as last seen.")
    head_at = models.DateTimeField(null=True, blank=True, help_text="When the tip was first seen there.")
    commits = models.JSONField(
        default=list, blank=True,
        help_text="Of the fix, oldest first, as last seen on the branch or, without one, in production: sha, subject, "
        "author_name, author_email, authored_at.",
    )  # fmt: skip
    change = models.JSONField(
        default=dict, blank=True, help_text="ChangeSize as data: files, added, removed, risky paths, faults."
    )
    tag = models.CharField(max_length=250, blank=True, help_text="The first release that contains the fix.")
    fixes = models.ManyToManyField("releases.Fix", blank=True, related_name="hotfixes")

    stages = models.JSONField(default=list, blank=True, help_text="Fourteen Stages as data, as of observed_at.")
    stage = models.CharField(max_length=12, choices=StageKey.choices(), default=StageKey.TRIAGE)
    owed_count = models.PositiveSmallIntegerField(default=0, help_text="Targets that still lack it.")
    observed_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(
        null=True, blank=True, help_text="When its last stage was reached; empty while anything is left to do."
    )

    class Meta:
        ordering = ["-created_at", "-pk"]
        constraints = [
            models.UniqueConstraint("project", Lower("key"), name="hotfix_key_once"),
            models.UniqueConstraint(
                fields=["project", "branch"], condition=~models.Q(branch=""), name="hotfix_branch_once"
            ),
        ]
        indexes = [
            models.Index(fields=["project", "closed", "-created_at"], name="hotfix_listing"),
            models.Index(fields=["closed", "stage"], name="hotfix_stage"),
        ]

    def __str__(self) -> str:
        return f"{self.key} {self.title}"

    @property
    def is_closed(self) -> bool:
        """Declined, abandoned or superseded: a person ended it with a reason."""
        return self.closed != self.Closed.OPEN


class Review(models.Model):
    """What one person said about one exact state of the branch; void as soon as the branch moves."""

    class Says(models.TextChoices):
        APPROVE = "approve", "Approves"
        CHANGES = "changes", "Asks for changes"
        COMMENT = "comment", "Comments"

    hotfix = models.ForeignKey(Hotfix, models.CASCADE, related_name="reviews")
    head = models.CharField(max_length=64, help_text="The tip that was looked at.")
    reviewer = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, related_name="+")
    says = models.CharField(max_length=8, choices=Says.choices)
    text = models.TextField(blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.reviewer} {self.says} {self.head[:9]}"


class Debt(models.Model):
    """A change that was reverted to clear the way and must come back: owed exactly like a merge-back."""

    project = models.ForeignKey("releases.Project", models.CASCADE, related_name="debts")
    hotfix = models.ForeignKey(Hotfix, models.CASCADE, related_name="debts")
    branch = models.CharField(max_length=250, help_text="Where it was undone and must come back.")
    undone = models.JSONField(help_text="Object ids of the commits that were undone, oldest first.")
    subject = models.CharField(max_length=300)
    reverted_by = models.CharField(max_length=64, blank=True, help_text="The commit that undid it, once seen.")
    owed_since = models.DateTimeField(default=timezone.now)
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_by = models.CharField(max_length=64, blank=True, help_text="The commit that brought it back.")

    class Meta:
        ordering = ["owed_since"]

    def __str__(self) -> str:
        return f"{self.subject} owed to {self.branch}"


class Untracked(models.Model):
    """A hotfix branch or a patch tag that nobody opened a ticket for; rewritten by hotfixes_observe."""

    class Kind(models.TextChoices):
        BRANCH = "branch", "Branch"
        TAG = "tag", "Patch tag"

    project = models.ForeignKey("releases.Project", models.CASCADE, related_name="untracked")
    kind = models.CharField(max_length=6, choices=Kind.choices)
    name = models.CharField(max_length=250, help_text="Short name of the branch or tag.")
    commit = models.CharField(max_length=64)
    since = models.DateTimeField(help_text="When it was first seen, or the tag's date.")
    key = models.CharField(max_length=80, blank=True, help_text="The key that its name or commits suggest.")
    title = models.CharField(max_length=200, blank=True, help_text="Subject of its newest commit.")

    class Meta:
        ordering = ["-since", "name"]
        constraints = [models.UniqueConstraint(fields=["project", "kind", "name"], name="untracked_once")]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"
