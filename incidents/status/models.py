"""Status pages and those who subscribed to them."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from incidents.response.models import SLUG, Component, Incident


class StatusPage(models.Model):
    """A named page with chosen projects and components, at /status/<slug>/."""

    class Visibility(models.TextChoices):
        PUBLIC = "public", "Everyone"
        SIGNED_IN = "signed-in", "People who are signed in and see its projects"
        HIDDEN = "hidden", "Nobody yet"

    slug = models.CharField(max_length=60, unique=True, validators=[SLUG])
    title = models.CharField(max_length=120)
    says = models.TextField(blank=True, help_text="A line below the title.")
    visibility = models.CharField(max_length=9, choices=Visibility.choices, default=Visibility.HIDDEN)
    projects = models.ManyToManyField("releases.Project", related_name="status_pages")
    components = models.ManyToManyField(
        Component, blank=True, related_name="status_pages", help_text="Empty: all of its projects."
    )
    made_at = models.DateTimeField(default=timezone.now)
    dirty_at = models.DateTimeField(default=timezone.now, help_text="Something on it changed then.")
    rendered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["title"]

    def __str__(self) -> str:
        return self.title


class Subscriber(models.Model):
    """An address that asked for updates; written to only after it confirmed."""

    page = models.ForeignKey(StatusPage, models.CASCADE, related_name="subscribers")
    email = models.EmailField(max_length=254)
    components = models.ManyToManyField(Component, blank=True, related_name="+", help_text="Empty: everything.")
    incident = models.ForeignKey(
        Incident, models.CASCADE, null=True, blank=True, related_name="+", help_text="For this one only."
    )
    asked_at = models.DateTimeField(default=timezone.now)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    left_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["page", "email"], condition=models.Q(left_at=None, incident=None), name="subscriber_once"
            ),
            models.UniqueConstraint(
                fields=["page", "email", "incident"], condition=models.Q(left_at=None), name="subscriber_incident_once"
            ),
        ]

    def __str__(self) -> str:
        return f"subscriber {self.pk} of {self.page}"
