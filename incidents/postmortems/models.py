"""The post-mortem: a guided document, its history, its timeline, and what is to be done."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.utils import timezone

PERSON = settings.AUTH_USER_MODEL


class PostMortem(models.Model):
    """What happened, how it became possible, and what changes: without blame."""

    class State(models.TextChoices):
        DRAFT = "draft", "Draft"
        REVIEW = "review", "In review"
        PUBLISHED = "published", "Published"
        ACTED = "acted", "Acted upon"

    number = models.PositiveIntegerField(unique=True, help_text="Of PM-12.")
    project = models.ForeignKey("releases.Project", models.CASCADE, related_name="postmortems")
    incident = models.OneToOneField(
        "incidents.Incident", models.SET_NULL, null=True, blank=True, related_name="postmortem"
    )
    hotfix = models.OneToOneField("releases.Hotfix", models.SET_NULL, null=True, blank=True, related_name="postmortem")
    title = models.CharField(max_length=200)
    severity = models.PositiveSmallIntegerField(default=2)
    state = models.CharField(max_length=9, choices=State.choices, default=State.DRAFT)
    owner = models.ForeignKey(PERSON, models.PROTECT, related_name="postmortems")
    opened_at = models.DateTimeField(default=timezone.now)
    due_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True, blank=True)
    published_by = models.ForeignKey(PERSON, models.SET_NULL, null=True, blank=True, related_name="+")
    public_summary = models.TextField(blank=True, help_text="Shown on status pages once published; empty: nothing.")
    names_people = models.BooleanField(default=False, help_text="Names instead of roles in its timeline.")
    reminded_at = models.DateTimeField(null=True, blank=True)
    drill = models.ForeignKey("incidents.Drill", models.CASCADE, null=True, blank=True, related_name="postmortems")

    class Meta:
        ordering = ["-number"]

    def __str__(self) -> str:
        return f"{self.key} {self.title}"

    @property
    def key(self) -> str:
        return f"PM-{self.number}"


class Section(models.Model):
    """One part of the document as it stands; every former text is a Revision."""

    postmortem = models.ForeignKey(PostMortem, models.CASCADE, related_name="sections")
    key = models.CharField(max_length=20, help_text="See outline.py.")
    text = models.TextField(blank=True)
    version = models.PositiveIntegerField(default=0, help_text="A writer names the version that was changed.")
    kept_hints = models.JSONField(default=list, blank=True, help_text="Wordings that the writers chose to keep.")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["postmortem", "key"], name="section_once")]

    def __str__(self) -> str:
        return f"{self.postmortem.key} {self.key}"


class Revision(models.Model):
    """A section's text at one version."""

    section = models.ForeignKey(Section, models.CASCADE, related_name="revisions")
    version = models.PositiveIntegerField()
    text = models.TextField(blank=True)
    author = models.ForeignKey(PERSON, models.SET_NULL, null=True, blank=True, related_name="+")
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-version"]
        constraints = [models.UniqueConstraint(fields=["section", "version"], name="revision_once")]

    def __str__(self) -> str:
        return f"{self.section} version {self.version}"


class Draft(models.Model):
    """What somebody wrote while somebody else was faster: kept until its writer decides what becomes of it."""

    section = models.ForeignKey(Section, models.CASCADE, related_name="drafts")
    author = models.ForeignKey(PERSON, models.CASCADE, related_name="+")
    base = models.PositiveIntegerField(help_text="The version that it was written on.")
    text = models.TextField(blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["section", "author"], name="draft_once")]

    def __str__(self) -> str:
        return f"{self.author} on {self.section}"


class Line(models.Model):
    """A line that people added to the timeline, or a fact of the ledger that they hid from it."""

    postmortem = models.ForeignKey(PostMortem, models.CASCADE, related_name="lines")
    event = models.ForeignKey("releases.Event", models.CASCADE, null=True, blank=True, related_name="+")
    hidden = models.BooleanField(default=False)
    at = models.DateTimeField()
    text = models.TextField(blank=True)
    link = models.URLField(max_length=500, blank=True)
    author = models.ForeignKey(PERSON, models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["at", "pk"]
        constraints = [models.UniqueConstraint(fields=["postmortem", "event"], name="line_of_event_once")]

    def __str__(self) -> str:
        return self.text[:60]


class Factor(models.Model):
    """Something that made it possible; what made that possible hangs below it."""

    postmortem = models.ForeignKey(PostMortem, models.CASCADE, related_name="factors")
    parent = models.ForeignKey("self", models.CASCADE, null=True, blank=True, related_name="because")
    order = models.PositiveSmallIntegerField(default=0)
    text = models.TextField()

    class Meta:
        ordering = ["order", "pk"]

    def __str__(self) -> str:
        return self.text[:60]


class Measure(models.Model):
    """One number of the impact."""

    postmortem = models.ForeignKey(PostMortem, models.CASCADE, related_name="measures")
    name = models.CharField(max_length=60)
    value = models.CharField(max_length=60)
    order = models.PositiveSmallIntegerField(default=0)

    class Meta:
        ordering = ["order", "pk"]

    def __str__(self) -> str:
        return f"{self.name}: {self.value}"


class ActionItem(models.Model):
    """Something to be done; closed by a commit in production that names it, or by a person with a reason."""

    class Kind(models.TextChoices):
        PREVENT = "prevent", "Prevent"
        DETECT = "detect", "Detect"
        MITIGATE = "mitigate", "Mitigate"
        PROCESS = "process", "Process"

    class State(models.TextChoices):
        OPEN = "open", "Open"
        DONE = "done", "Done"
        DROPPED = "dropped", "Dropped"

    postmortem = models.ForeignKey(PostMortem, models.CASCADE, related_name="actions")
    number = models.PositiveSmallIntegerField(help_text="Of PM-12-3.")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    title = models.CharField(max_length=200)
    owner = models.ForeignKey(PERSON, models.PROTECT, null=True, blank=True, related_name="+")
    due_on = models.DateField(null=True, blank=True)
    link = models.URLField(max_length=500, blank=True)
    state = models.CharField(max_length=7, choices=State.choices, default=State.OPEN)
    done_by = models.CharField(max_length=64, blank=True, help_text="The commit whose trailer closed it.")
    undone_by = models.CharField(max_length=64, blank=True, help_text="The commit that took it back, and reopened it.")
    done_at = models.DateTimeField(null=True, blank=True)
    why = models.TextField(blank=True, help_text="Of a person who closed, dropped or reopened it.")
    reminded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["number"]
        constraints = [models.UniqueConstraint(fields=["postmortem", "number"], name="action_once")]

    def __str__(self) -> str:
        return f"{self.key} {self.title}"

    @property
    def key(self) -> str:
        return f"{self.postmortem.key}-{self.number}"


class Reading(models.Model):
    """What a reviewer said about the document."""

    class Says(models.TextChoices):
        READY = "ready", "Ready"
        CHANGES = "changes", "Asks for changes"

    postmortem = models.ForeignKey(PostMortem, models.CASCADE, related_name="readings")
    person = models.ForeignKey(PERSON, models.PROTECT, related_name="+")
    says = models.CharField(max_length=7, choices=Says.choices)
    checks = models.JSONField(default=dict, help_text="The four checks, by key.")
    text = models.TextField(blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-pk"]

    def __str__(self) -> str:
        return f"{self.person} {self.says} {self.postmortem.key}"


class WordList(models.Model):
    """The team's own additions to, and removals from, the language hints."""

    language = models.CharField(max_length=12, primary_key=True, default="en")
    added = models.JSONField(default=list, help_text="Hints as in docs/hints.")
    removed = models.JSONField(default=list, help_text="Names of hints that this team does not want.")

    def __str__(self) -> str:
        return self.language
