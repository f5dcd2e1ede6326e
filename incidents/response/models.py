"""Components and incidents: what is wrong, since when, and what was said about it."""

from __future__ import annotations

import re

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.utils import timezone

from releases.hotfixes.models import Hotfix

PERSON = settings.AUTH_USER_MODEL


Severity = Hotfix.Severity
"""The same four as a hotfix's, so that the one can be opened from the other."""


class Health(models.IntegerChoices):
    """How a component is; the larger, the worse."""

    WORKING = 0, "Working"
    MAINTENANCE = 1, "Being maintained"
    DEGRADED = 2, "Slow or partly failing"
    PARTIAL = 3, "Partly down"
    DOWN = 4, "Down"


class Component(models.Model):
    """A part of the product that people outside know by name."""

    project = models.ForeignKey("releases.Project", models.CASCADE, related_name="components")
    name = models.CharField(max_length=80)
    says = models.CharField(max_length=200, blank=True, help_text="What it does for people, in plain words.")
    order = models.PositiveSmallIntegerField(default=0)
    baseline = models.PositiveSmallIntegerField(
        choices=Health.choices, default=Health.WORKING, help_text="How it is apart from incidents."
    )
    watched_since = models.DateTimeField(
        default=timezone.now, help_text="Nothing is known of the days before, but for incidents that are dated back."
    )
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["project", "order", "name"]
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="component_once")]

    def __str__(self) -> str:
        return self.name


DRILLS_FROM = 1_000_000_000
"""Incidents of drills have numbers from here on."""
_KEY = re.compile(r"(INC|DRILL)-([1-9][0-9]{0,8})\Z", re.ASCII)


class Incident(models.Model):
    """Something that hurts users, from the first sign to its end. Unknown times stay unknown."""

    class State(models.TextChoices):
        INVESTIGATING = "investigating", "Investigating"
        IDENTIFIED = "identified", "Identified"
        MONITORING = "monitoring", "Monitoring"
        RESOLVED = "resolved", "Resolved"

    number = models.PositiveIntegerField(unique=True, help_text="Of INC-58.")
    project = models.ForeignKey("releases.Project", models.CASCADE, related_name="incidents")
    title = models.CharField(max_length=200)
    impact = models.TextField(blank=True, help_text="Who is hurt, and how, for people outside.")
    severity = models.PositiveSmallIntegerField(choices=Severity.choices, default=Severity.SEV2)
    state = models.CharField(max_length=13, choices=State.choices, default=State.INVESTIGATING)
    public = models.BooleanField(default=True, help_text="Shown on the status pages of its components.")

    lead = models.ForeignKey(PERSON, models.SET_NULL, null=True, blank=True, related_name="+")
    communications = models.ForeignKey(PERSON, models.SET_NULL, null=True, blank=True, related_name="+")
    scribe = models.ForeignKey(PERSON, models.SET_NULL, null=True, blank=True, related_name="+")
    chat_url = models.URLField(max_length=500, blank=True)

    declared_at = models.DateTimeField(default=timezone.now)
    declared_by = models.ForeignKey(PERSON, models.SET_NULL, null=True, blank=True, related_name="+")
    started_at = models.DateTimeField(null=True, blank=True)
    detected_at = models.DateTimeField(null=True, blank=True)
    told_at = models.DateTimeField(null=True, blank=True, help_text="First public word.")
    ended_at = models.DateTimeField(null=True, blank=True)
    times_why = models.JSONField(default=dict, blank=True, help_text="Notes of who set a time back, by field.")
    resolved_at = models.DateTimeField(null=True, blank=True)
    calm_at = models.DateTimeField(
        null=True, blank=True, help_text="Since when it works again: monitored, or resolved. What it hurt ended then."
    )
    reminded_at = models.DateTimeField(null=True, blank=True, help_text="When its people were last reminded to speak.")
    afterword = models.TextField(blank=True, help_text="What was learned, for people outside; from its post-mortem.")

    hotfixes = models.ManyToManyField(Hotfix, blank=True, related_name="incidents")
    introduced_by = models.ForeignKey(
        "releases.Release", models.SET_NULL, null=True, blank=True, related_name="+", help_text="The bad release."
    )
    drill = models.ForeignKey("incidents.Drill", models.CASCADE, null=True, blank=True, related_name="incidents")

    class Meta:
        ordering = ["-number"]
        indexes = [models.Index(fields=["project", "state", "-number"], name="incident_listing")]

    def __str__(self) -> str:
        return f"{self.key} {self.title}"

    @property
    def key(self) -> str:
        return self.key_of(self.number)

    @staticmethod
    def key_of(number: int) -> str:
        """INC-58; of drills DRILL-3, which are counted on their own, so that no real number is missing."""
        return f"INC-{number}" if number < DRILLS_FROM else f"DRILL-{number - DRILLS_FROM + 1}"

    @staticmethod
    def number_of(key: str) -> int | None:
        """The number behind what people type as a key; None when it is none."""
        found = _KEY.match(key)
        if found is None:
            return None
        return int(found[2]) + (DRILLS_FROM - 1 if found[1] == "DRILL" else 0)

    @property
    def is_open(self) -> bool:
        return self.state != self.State.RESOLVED


class Impact(models.Model):
    """How an incident hurts one component: a contribution, which never overwrites the component's own state."""

    incident = models.ForeignKey(Incident, models.CASCADE, related_name="impacts")
    component = models.ForeignKey(Component, models.CASCADE, related_name="impacts")
    health = models.PositiveSmallIntegerField(choices=Health.choices, default=Health.PARTIAL)
    since = models.DateTimeField(default=timezone.now)
    until = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["incident", "component"], condition=models.Q(until=None), name="impact_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.component}: {self.get_health_display()}"


class Update(models.Model):
    """What was said; never changed or removed. A correction is an update of its own that names what it corrects."""

    incident = models.ForeignKey(Incident, models.CASCADE, related_name="updates")
    at = models.DateTimeField(default=timezone.now, help_text="When it was said, or is said to have been.")
    written_at = models.DateTimeField(default=timezone.now)
    author = models.ForeignKey(PERSON, models.SET_NULL, null=True, blank=True, related_name="+")
    state = models.CharField(max_length=13, choices=Incident.State.choices, help_text="The state that it leads to.")
    public = models.BooleanField(default=False)
    text = models.TextField()
    corrects = models.OneToOneField("self", models.CASCADE, null=True, blank=True, related_name="corrected_by")

    class Meta:
        ordering = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"{self.incident.key} {self.state}"


class UpdateTemplate(models.Model):
    """Words for the usual updates."""

    project = models.ForeignKey("releases.Project", models.CASCADE, null=True, blank=True, related_name="+")
    name = models.CharField(max_length=80)
    state = models.CharField(max_length=13, choices=Incident.State.choices)
    text = models.TextField()

    class Meta:
        ordering = ["state", "name"]

    def __str__(self) -> str:
        return self.name


class Maintenance(models.Model):
    """Work that was announced before."""

    project = models.ForeignKey("releases.Project", models.CASCADE, related_name="maintenances")
    title = models.CharField(max_length=200)
    text = models.TextField(blank=True)
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    components = models.ManyToManyField(Component, blank=True, related_name="maintenances")
    cancelled_at = models.DateTimeField(null=True, blank=True)
    made_by = models.ForeignKey(PERSON, models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["starts_at"]

    def __str__(self) -> str:
        return self.title


SLUG = RegexValidator(r"^[a-z0-9][a-z0-9-]*\Z", "Lower-case letters, digits and dashes.")
