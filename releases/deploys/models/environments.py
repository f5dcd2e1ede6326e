"""Where releases run, how they get there, and when they must not."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.utils import timezone

from hotfixdash.accounts.roles import Role

ROLES = [(role.value, role.label) for role in Role]


class Environment(models.Model):
    """One place where a project runs, in promotion order, with its rules and what was last seen there."""

    class Kind(models.TextChoices):
        STAGING = "staging", "Staging"
        PRODUCTION = "production", "Production"

    class Hotfixes(models.TextChoices):
        MUST = "must", "Hotfixes go through it"
        SKIP = "skip", "Hotfixes skip it"
        ONLY = "only", "Only hotfixes go through it"

    project = models.ForeignKey("releases.Project", models.CASCADE, related_name="environments")
    name = models.CharField(
        max_length=60,
        validators=[RegexValidator(r"^[a-z0-9][a-z0-9-]*\Z", "Lower-case letters, digits and dashes.")],
    )
    kind = models.CharField(max_length=10, choices=Kind.choices, default=Kind.STAGING)
    order = models.PositiveSmallIntegerField(default=0, help_text="Lower ones come first.")
    url = models.URLField(max_length=500, blank=True, help_text="Where people open it.")
    retired_at = models.DateTimeField(null=True, blank=True, help_text="Taken out of use; its history stays.")

    hotfixes = models.CharField(max_length=4, choices=Hotfixes.choices, default=Hotfixes.MUST)
    promotes = models.BooleanField(
        default=True, help_text="A release that passed the environment before comes here by itself, or asks to."
    )
    approvals = models.PositiveSmallIntegerField(default=0, help_text="How many people must approve.")
    approver_role = models.CharField(max_length=20, choices=ROLES, default=Role.RELEASE_MANAGER.value)
    approvers = models.ManyToManyField(
        settings.AUTH_USER_MODEL, blank=True, related_name="+", help_text="When named, only these may approve."
    )
    approval_hours = models.PositiveSmallIntegerField(
        default=24, validators=[MinValueValidator(1)], help_text="An approval that was not used by then expires."
    )
    breakers_role = models.CharField(
        max_length=20, choices=ROLES, default=Role.ADMINISTRATOR.value, help_text="Who may break the glass."
    )
    time_zone = models.CharField(max_length=60, blank=True, help_text="Of its freeze windows; empty: the dashboard's.")

    locked_at = models.DateTimeField(null=True, blank=True)
    locked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    lock_why = models.TextField(blank=True)
    locked_until = models.DateTimeField(null=True, blank=True, help_text="Empty: until somebody unlocks it.")

    probe = models.JSONField(default=dict, blank=True, help_text="How to ask what runs there; see probing.py.")
    probe_every = models.PositiveIntegerField(default=30, validators=[MinValueValidator(5)], help_text="Seconds.")
    settle_seconds = models.PositiveIntegerField(
        default=60, help_text="After a deployment the probe has this long to name the new commit."
    )
    watch_seconds = models.PositiveIntegerField(
        default=300, help_text="Its health must stay good for this long before a deployment counts as verified."
    )
    rolls_back = models.BooleanField(default=False, help_text="A failed verify rolls back without asking.")

    # What really runs there; written by probing.py and moving.py only.
    live = models.ForeignKey("releases.Run", models.SET_NULL, null=True, blank=True, related_name="+")
    live_since = models.DateTimeField(null=True, blank=True)
    probed_at = models.DateTimeField(null=True, blank=True)
    next_probe_at = models.DateTimeField(null=True, blank=True, db_index=True)
    seen = models.CharField(max_length=250, blank=True, help_text="The revision or version that the probe named.")
    seen_at = models.DateTimeField(null=True, blank=True)
    healthy = models.BooleanField(null=True, blank=True)
    probe_error = models.TextField(blank=True, help_text="Why it could not be asked, or is not well; a sentence.")
    bad_probes = models.PositiveSmallIntegerField(
        default=0, help_text="Answers in a row that were bad: none, not well, or another revision than was deployed."
    )
    unwell_since = models.DateTimeField(null=True, blank=True)
    drift_since = models.DateTimeField(null=True, blank=True, help_text="Runs something else than was deployed.")

    class Meta:
        ordering = ["project", "order", "pk"]
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="environment_once")]

    def __str__(self) -> str:
        return f"{self.name} of {self.project}"

    @property
    def is_production(self) -> bool:
        return self.kind == self.Kind.PRODUCTION


class Freeze(models.Model):
    """A window in which an environment takes no deployments: dated, or every week."""

    environment = models.ForeignKey(Environment, models.CASCADE, related_name="freezes")
    why = models.CharField(max_length=200)
    starts_at = models.DateTimeField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    weekdays = models.JSONField(
        default=list, blank=True, help_text="Of a weekly one: 0 (Monday) to 6, the days on which it begins."
    )
    from_time = models.TimeField(null=True, blank=True, help_text="In the environment's time zone.")
    until_time = models.TimeField(null=True, blank=True, help_text="Not after from_time: on the next day.")
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["starts_at", "pk"]

    def __str__(self) -> str:
        return f"{self.environment}: {self.why}"


class Pipeline(models.Model):
    """One version of how a project is checked, built and deployed; never changed, only followed by the next."""

    project = models.ForeignKey("releases.Project", models.CASCADE, related_name="pipelines")
    version = models.PositiveIntegerField()
    spec = models.JSONField(help_text="A PipelineSpec as data; see spec.py.")
    note = models.CharField(max_length=200, blank=True)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    made_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-version"]
        constraints = [models.UniqueConstraint(fields=["project", "version"], name="pipeline_version_once")]

    def __str__(self) -> str:
        return f"pipeline {self.version} of {self.project}"


class DeploySecret(models.Model):
    """A value that steps may ask for by name; encrypted at rest, never shown again, masked in logs."""

    project = models.ForeignKey("releases.Project", models.CASCADE, related_name="deploy_secrets")
    name = models.CharField(
        max_length=80, validators=[RegexValidator(r"^[A-Z_][A-Z0-9_]*\Z", "Capitals, digits and underscores.")]
    )
    value = models.TextField(help_text="Encrypted with a key derived from SECRET_KEY.")
    changed_at = models.DateTimeField(auto_now=True)
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="deploy_secret_once")]

    def __str__(self) -> str:
        return self.name
