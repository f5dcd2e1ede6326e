"""Channels, and the outbox: one row for each fact and channel, until it was delivered."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone


class Channel(models.Model):
    """Where announcements go, and which."""

    class Kind(models.TextChoices):
        EMAIL = "email", "E-mail"
        SLACK = "slack", "Slack-compatible webhook"
        TEAMS = "teams", "Teams webhook"
        WEBHOOK = "webhook", "Signed webhook"
        SUBSCRIBERS = "subscribers", "Subscribers of a status page"

    name = models.CharField(max_length=80, unique=True)
    kind = models.CharField(max_length=11, choices=Kind.choices)
    target = models.TextField(help_text="Encrypted: addresses, or the webhook's address.")
    secret = models.TextField(blank=True, help_text="Encrypted: signs what is sent.")
    page = models.ForeignKey("incidents.StatusPage", models.CASCADE, null=True, blank=True, related_name="channels")
    projects = models.ManyToManyField(
        "releases.Project", blank=True, related_name="+", help_text="Empty: every project."
    )
    kinds = models.JSONField(default=list, help_text="Kinds of ledger rows that are announced; see topics.py.")
    worst = models.PositiveSmallIntegerField(default=4, help_text="Up to this severity number: 1 is the worst only.")
    internal = models.BooleanField(default=False, help_text="May carry what is not public.")
    paused_at = models.DateTimeField(null=True, blank=True)
    made_at = models.DateTimeField(default=timezone.now)
    made_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Message(models.Model):
    """One announcement to one channel (and, for subscribers, one address)."""

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        SENDING = "sending", "Being sent"
        SENT = "sent", "Sent"
        FAILED = "failed", "Given up"

    event = models.ForeignKey("releases.Event", models.CASCADE, related_name="+")
    channel = models.ForeignKey(Channel, models.CASCADE, related_name="messages")
    recipient = models.CharField(max_length=254, blank=True, help_text="An address, where the channel has many.")
    subject = models.CharField(max_length=250)
    body = models.TextField()
    data = models.JSONField(default=dict, help_text="For webhooks: the fact as data.")
    state = models.CharField(max_length=7, choices=State.choices, default=State.WAITING)
    made_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField(default=timezone.now, help_text="Not tried before.")
    attempts = models.PositiveSmallIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0)
    worker = models.CharField(max_length=200, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    error = models.TextField(blank=True, help_text="Why the last try failed, as a sentence.")

    class Meta:
        ordering = ["pk"]
        constraints = [
            models.UniqueConstraint(fields=["event", "channel", "recipient"], name="announced_once"),
        ]
        indexes = [models.Index(fields=["state", "due_at"], name="message_due")]

    def __str__(self) -> str:
        return f"{self.subject} to {self.channel}"


class Cursor(models.Model):
    """How far the ledger was read for announcements; one row."""

    name = models.CharField(max_length=40, primary_key=True)
    position = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name} at {self.position}"
