"""Runs, their steps and their logs. Rows are the truth about who does what and how far it came."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

HOLDING = ("running", "paused", "lost")
"""States in which a run holds its environment."""
WAITING = ("asked", "queued")
"""States before anything has happened."""


class Run(models.Model):
    """One build of a release, or one attempt to bring its artifact to one environment."""

    class Kind(models.TextChoices):
        BUILD = "build", "Build"
        DEPLOY = "deploy", "Deployment"
        ROLLBACK = "rollback", "Rollback"

    class Lane(models.TextChoices):
        RELEASE = "release", "Release"
        HOTFIX = "hotfix", "Hotfix"

    class State(models.TextChoices):
        ASKED = "asked", "Waiting for approval"
        QUEUED = "queued", "Queued"
        RUNNING = "running", "Running"
        PAUSED = "paused", "Waiting for an answer"
        LOST = "lost", "Worker lost"
        WATCHING = "watching", "Live, being watched"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        ABORTED = "aborted", "Aborted"
        ABANDONED = "abandoned", "Abandoned"
        REJECTED = "rejected", "Rejected"
        VOID = "void", "Void"
        EXPIRED = "expired", "Expired"
        CANCELLED = "cancelled", "Taken back"

    project = models.ForeignKey("releases.Project", models.CASCADE, related_name="runs")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    environment = models.ForeignKey(
        "releases.Environment", models.CASCADE, null=True, blank=True, related_name="runs",
        help_text="Empty for a build only.",
    )  # fmt: skip
    lane = models.CharField(max_length=7, choices=Lane.choices, default=Lane.RELEASE)
    lane_why = models.CharField(max_length=500, blank=True, help_text="Why it takes this lane; see lanes.py.")
    state = models.CharField(max_length=9, choices=State.choices)

    # What it is bound to: an approval names exactly these (see binding.py).
    release = models.ForeignKey("releases.Release", models.SET_NULL, null=True, blank=True, related_name="runs")
    tag = models.CharField(max_length=250)
    tag_object = models.CharField(max_length=64, blank=True, help_text="Empty for a lightweight tag.")
    commit = models.CharField(max_length=64)
    pipeline = models.ForeignKey(
        "releases.Pipeline", models.RESTRICT, related_name="runs", help_text="The version it was asked for with."
    )
    build = models.ForeignKey(
        "self", models.RESTRICT, null=True, blank=True, related_name="deployments",
        help_text="Whose artifact it brings.",
    )  # fmt: skip
    artifact = models.CharField(max_length=500, blank=True, help_text="Where it lies, as the build said.")
    digest = models.CharField(max_length=100, blank=True, help_text="sha256:…; of the build's artifact.")

    artifact_gone_at = models.DateTimeField(
        null=True, blank=True, help_text="When the file was removed; see retention.py. The digest stays."
    )

    trigger = models.CharField(max_length=12, help_text="tag, main, person, command, promotion, rollback, verify")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    asked_at = models.DateTimeField(default=timezone.now)
    why = models.TextField(blank=True, help_text="Of a rollback, and of a bad release that is shipped again.")
    expires_at = models.DateTimeField(null=True, blank=True, help_text="An approval that is not used by then is void.")
    approved_at = models.DateTimeField(null=True, blank=True, help_text="When the quorum was reached.")
    glass_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    glass_why = models.TextField(blank=True, help_text="Why quorum and freeze were overridden.")
    mailed_at = models.DateTimeField(
        null=True, blank=True, help_text="When it was written down who is told by e-mail; see mailing.py."
    )

    queued_at = models.DateTimeField(null=True, blank=True)
    rank = models.IntegerField(default=0, help_text="In its environment's queue: lower first, then queued_at.")
    nudged_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0, help_text="Grows with every claim; a stale worker is refused.")
    worker = models.CharField(max_length=200, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    started_at = models.DateTimeField(null=True, blank=True)
    abort_asked_at = models.DateTimeField(null=True, blank=True)
    abort_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    finished_at = models.DateTimeField(null=True, blank=True, help_text="When its last step ended, whichever way.")

    replaces = models.ForeignKey(
        "self", models.SET_NULL, null=True, blank=True, related_name="+", help_text="What was live when it started."
    )
    live_at = models.DateTimeField(null=True, blank=True)
    watch_until = models.DateTimeField(null=True, blank=True)
    verified_at = models.DateTimeField(null=True, blank=True)

    then = models.JSONField(
        default=list, blank=True,
        help_text="Of a build: deployments that wait for it, each an environment, lane, trigger, actor, why, only.",
    )  # fmt: skip
    followed_at = models.DateTimeField(
        null=True, blank=True, help_text="When what follows from its end was asked for: the next place, or a rollback."
    )

    facts = models.JSONField(default=dict, blank=True, help_text="name=value, as the steps said.")
    error_code = models.CharField(max_length=32, blank=True)
    error_text = models.TextField(blank=True, help_text="Why it ended as it did: a sentence for people.")

    log_chunks = models.PositiveIntegerField(default=0, help_text="Sequence of the next chunk.")
    log_lines = models.PositiveIntegerField(default=0)
    log_bytes = models.BigIntegerField(default=0, help_text="Kept; what was cut away is not counted.")

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["environment"], condition=models.Q(state__in=HOLDING), name="one_active_run_per_environment"
            ),
            models.UniqueConstraint(
                fields=["project", "tag"],
                condition=models.Q(kind="build", state__in=[*WAITING, *HOLDING]),
                name="one_active_build_per_tag",
            ),
            models.UniqueConstraint(
                fields=["environment", "tag", "kind"],
                condition=models.Q(state__in=WAITING, environment__isnull=False),
                name="one_waiting_run_per_tag",
            ),
            models.CheckConstraint(
                condition=models.Q(kind="build", environment__isnull=True)
                | (~models.Q(kind="build") & models.Q(environment__isnull=False)),
                name="deployments_have_environments",
            ),
        ]
        indexes = [
            models.Index(fields=["state", "heartbeat_at"], name="run_state_beat"),
            models.Index(fields=["project", "-id"], name="run_project"),
            models.Index(fields=["environment", "-id"], name="run_environment"),
            models.Index(fields=["project", "tag", "-id"], name="run_tag"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.tag} ({self.state})"

    @property
    def is_over(self) -> bool:
        return self.state not in (*WAITING, *HOLDING, self.State.WATCHING)


class Step(models.Model):
    """One step of a run. A step that is done is never begun again."""

    class State(models.TextChoices):
        TODO = "todo", "Not begun"
        RUNNING = "running", "Running"
        WAITING = "waiting", "Waits"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        SKIPPED = "skipped", "Not needed"

    run = models.ForeignKey(Run, models.CASCADE, related_name="steps")
    index = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=80)
    kind = models.CharField(max_length=8, help_text="A StepKind; see spec.py.")
    spec = models.JSONField(help_text="A StepSpec as data, as it was in the run's pipeline.")
    state = models.CharField(max_length=8, choices=State.choices, default=State.TODO)
    attempts = models.PositiveSmallIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0, help_text="Of the claim that began it last.")
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    ended = models.CharField(
        max_length=10, blank=True, help_text="exited, signal, timeout, silent, size, cpu, aborted, lost, answered"
    )
    exit_code = models.SmallIntegerField(null=True, blank=True)
    signal = models.PositiveSmallIntegerField(null=True, blank=True)
    facts = models.JSONField(default=dict, blank=True)
    why = models.TextField(blank=True, help_text="Why it failed, or what the person who confirmed it noted.")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    answer_by = models.DateTimeField(null=True, blank=True, help_text="A callback must come by then.")
    answer = models.JSONField(null=True, blank=True, help_text="A callback that came before its command ended.")
    answer_digest = models.CharField(max_length=64, blank=True, help_text="SHA-256 of the callback's one-time token.")
    first_line = models.PositiveIntegerField(default=0, help_text="Its first line in the run's log; 0: none.")

    class Meta:
        ordering = ["index"]
        constraints = [models.UniqueConstraint(fields=["run", "index"], name="step_once")]

    def __str__(self) -> str:
        return f"{self.index} {self.name} ({self.state})"


class LogChunk(models.Model):
    """Whole lines of a run's log, in the order they came."""

    run = models.ForeignKey(Run, models.CASCADE, related_name="chunks")
    sequence = models.PositiveIntegerField()
    step = models.PositiveSmallIntegerField(help_text="Index of the step that printed it.")
    at = models.DateTimeField(default=timezone.now)
    first_line = models.PositiveIntegerField(help_text="Number of its first line, from 1.")
    lines = models.PositiveIntegerField()
    text = models.TextField(help_text="Lines end with a line feed; secrets are masked, colours are kept.")

    class Meta:
        ordering = ["sequence"]
        constraints = [models.UniqueConstraint(fields=["run", "sequence"], name="log_chunk_once")]
        indexes = [models.Index(fields=["run", "first_line"], name="log_chunk_line")]

    def __str__(self) -> str:
        return f"chunk {self.sequence} of run {self.run_id}"
