"""A tracked repository, its refs as last seen, its releases, and how its mirror is doing."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.utils import timezone


class ProjectQuerySet(models.QuerySet["Project"]):
    """Whoever lists or counts asks for `real` or `seen_by`; only who was given one project's name asks `open_to`."""

    def real(self) -> ProjectQuerySet:
        """Without the throw-away copies of drills: they belong to no list and no figure."""
        return self.filter(drill_of=None)

    def drills(self) -> ProjectQuerySet:
        """The throw-away copies alone."""
        return self.filter(drill_of__isnull=False)

    def seen_by(self, user: object) -> ProjectQuerySet:
        """The projects this person (or an anonymous visitor) may see, drills left out."""
        return self.real().open_to(user)

    def open_to(self, user: object) -> ProjectQuerySet:
        """The same with the drills of those projects: what this person may open by its address, unless a visitor."""
        if not getattr(user, "is_authenticated", False):
            return self.real().filter(visibility=Project.Visibility.PUBLIC)
        if getattr(user, "is_superuser", False) or getattr(user, "all_projects", False):
            return self
        open_ones = [Project.Visibility.PUBLIC, Project.Visibility.SIGNED_IN]
        return self.filter(
            models.Q(access__user=user)
            | models.Q(visibility__in=open_ones)
            | models.Q(drill_of__access__user=user)
            | models.Q(drill_of__visibility__in=open_ones)
        ).distinct()


class Project(models.Model):
    """One git repository and its flow policy."""

    class Visibility(models.TextChoices):
        MEMBERS = "members", "People with access"
        SIGNED_IN = "signed-in", "Everyone who is signed in"
        PUBLIC = "public", "Everyone, without sign-in"

    name = models.CharField(max_length=80, unique=True)
    slug = models.CharField(
        max_length=80,
        unique=True,
        validators=[RegexValidator(r"^[a-z0-9][a-z0-9._-]*\Z", "Lower-case letters, digits, dots and dashes.")],
    )
    remote_url = models.CharField(max_length=500)
    operator_path = models.BooleanField(
        default=False, help_text="Added at the command line: a local path that lies outside the allowed roots."
    )
    policy = models.JSONField(default=dict, help_text="A FlowPolicy as data; see releases/policies/flow.py.")
    visibility = models.CharField(max_length=12, choices=Visibility.choices, default=Visibility.MEMBERS)
    hook_secret = models.TextField(blank=True, help_text="Encrypted; signs POST /hooks/<project>.")
    fetch_every = models.PositiveIntegerField(
        default=60, validators=[MinValueValidator(5)], help_text="Seconds between polls."
    )
    created_at = models.DateTimeField(default=timezone.now)

    # How the mirror is doing; written by fetch services only.
    fetched_at = models.DateTimeField(null=True, blank=True, help_text="Last fetch that succeeded.")
    judged_at = models.DateTimeField(null=True, blank=True, help_text="Verdicts are as of this moment.")
    judged_key = models.CharField(
        max_length=64, blank=True, help_text="Digest of the refs and the policy that the verdicts stand on."
    )
    next_fetch_at = models.DateTimeField(null=True, blank=True, db_index=True)
    failures = models.PositiveIntegerField(default=0, help_text="Fetches failed in a row.")
    error_code = models.CharField(max_length=32, blank=True)
    error_text = models.TextField(
        blank=True, help_text="The last failure as a sentence; empty when the last fetch went well."
    )
    error_since = models.DateTimeField(null=True, blank=True)
    mirror_bytes = models.BigIntegerField(default=0)
    commit_count = models.PositiveIntegerField(default=0)
    shallow = models.BooleanField(default=False)
    hooks_refused = models.PositiveIntegerField(default=0, help_text="Webhooks with a bad or missing signature.")
    hooks_accepted = models.PositiveIntegerField(default=0)
    production_release = models.ForeignKey(
        "releases.Release", models.SET_NULL, null=True, blank=True, related_name="+",
        help_text="The newest version tag on a production ref.",
    )  # fmt: skip

    # Whether the integration branch may be released, as a person says; empty when nobody says otherwise.
    unreleasable_why = models.TextField(blank=True, help_text="Why what is on it must not ship now.")
    unreleasable_by = models.CharField(max_length=150, blank=True)
    unreleasable_at = models.DateTimeField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True, help_text="When a person settled something by hand last.")
    stages_told = models.JSONField(
        default=list, blank=True, help_text="Steps of a hotfix that this project's pipeline tells of; see deploys/."
    )
    running = models.JSONField(
        default=list, blank=True,
        help_text="What the environments of production run: environment, tag, commit, since; see in_production.py.",
    )  # fmt: skip

    drill_of = models.ForeignKey(
        "self", models.CASCADE, null=True, blank=True, related_name="copies",
        help_text="Of a drill's throw-away copy: what it was copied from. It is in no list and no figure.",
    )  # fmt: skip

    objects = ProjectQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    @property
    def is_drill(self) -> bool:
        """A throw-away copy: its remote lies on this machine, and nothing done to it is real."""
        return self.drill_of_id is not None

    @property
    def in_trouble(self) -> bool:
        """Its last fetch failed, for a reason that has a name."""
        return self.failures > 0 and self.error_code != ""


class Credential(models.Model):
    """What git needs to be let in; the secret is encrypted at rest and never shown again."""

    class Kind(models.TextChoices):
        TOKEN = "token", "User name and token (https)"
        SSH_KEY = "ssh-key", "SSH private key"

    project = models.OneToOneField(Project, models.CASCADE, related_name="credential")
    kind = models.CharField(max_length=8, choices=Kind.choices)
    username = models.CharField(max_length=150, blank=True)
    secret = models.TextField(help_text="Encrypted with a key derived from SECRET_KEY.")
    known_hosts = models.TextField(blank=True, help_text="For SSH: the host keys to accept, one a line.")
    changed_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"credential of {self.project}"


class SigningKey(models.Model):
    """The SSH key that signs a project's tags, or did: a retired one keeps its public half, so that its tags verify."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="signing_keys")
    public = models.TextField(help_text="One line, as in authorized_keys, without a comment.")
    fingerprint = models.CharField(max_length=64, help_text="SHA256:…")
    secret = models.TextField(blank=True, help_text="The private key, encrypted; empty once it is retired.")
    set_at = models.DateTimeField(default=timezone.now)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["project"], condition=models.Q(retired_at=None), name="one_signing_key_per_project"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.fingerprint} of {self.project}"


class ProjectAccess(models.Model):
    """This person may see this project; what they may do there is their role's."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="access")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE, related_name="project_access")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["project", "user"], name="access_once")]

    def __str__(self) -> str:
        return f"{self.user} on {self.project}"


class FetchRun(models.Model):
    """One asked-for look at the remote. Rows are the truth: a task only nudges the queued one along."""

    class State(models.TextChoices):
        QUEUED = "queued", "Waiting"
        RUNNING = "running", "Running"
        DONE = "done", "Done"
        FAILED = "failed", "Failed"
        LOST = "lost", "Worker lost"

    project = models.ForeignKey(Project, models.CASCADE, related_name="fetch_runs")
    state = models.CharField(max_length=8, choices=State.choices, default=State.QUEUED)
    trigger = models.CharField(max_length=12, help_text="timer, webhook, person, first, command, retry")
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.SET_NULL, null=True, blank=True, related_name="+")
    queued_at = models.DateTimeField(default=timezone.now)
    nudged_at = models.DateTimeField(
        null=True, blank=True, help_text="When a task was last sent for it; the sweep sends another after a while."
    )
    started_at = models.DateTimeField(null=True, blank=True)
    heartbeat_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    fence = models.PositiveIntegerField(
        default=0, help_text="Grows with every claim; a stale worker's writes are refused."
    )
    worker = models.CharField(max_length=200, blank=True)
    stage = models.CharField(max_length=40, blank=True, help_text="What it is doing now, for the progress line.")
    refs_changed = models.PositiveIntegerField(default=0)
    verdicts_changed = models.PositiveIntegerField(default=0)
    error_code = models.CharField(max_length=32, blank=True)
    error_text = models.TextField(blank=True)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.UniqueConstraint(
                fields=["project"], condition=models.Q(state="queued"), name="one_queued_fetch_per_project"
            ),
            models.UniqueConstraint(
                fields=["project"], condition=models.Q(state="running"), name="one_running_fetch_per_project"
            ),
        ]
        indexes = [models.Index(fields=["state", "heartbeat_at"], name="fetchrun_state_beat")]

    def __str__(self) -> str:
        return f"fetch of {self.project} ({self.state})"


class Ref(models.Model):
    """A branch or tag as last seen on the remote. Deleted ones are kept with their last tip."""

    project = models.ForeignKey(Project, models.CASCADE, related_name="refs")
    name = models.CharField(max_length=300, help_text="Full name: refs/heads/main, refs/tags/v1.2.1.")
    sha = models.CharField(max_length=64, help_text="What it names: a commit, or a tag object.")
    commit = models.CharField(max_length=64, blank=True, help_text="The commit it leads to; empty when there is none.")
    committed_at = models.DateTimeField(null=True, blank=True)
    first_seen_at = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(default=timezone.now)
    forced_at = models.DateTimeField(null=True, blank=True, help_text="Last time it moved other than forward.")
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["name"]
        constraints = [models.UniqueConstraint(fields=["project", "name"], name="ref_once")]

    def __str__(self) -> str:
        return self.name


class Release(models.Model):
    """A version tag."""

    class Kind(models.TextChoices):
        MAJOR = "major", "Major"
        MINOR = "minor", "Minor"
        PATCH = "patch", "Patch"
        PRE = "pre", "Pre-release"

    project = models.ForeignKey(Project, models.CASCADE, related_name="releases")
    tag = models.CharField(max_length=250)
    tag_object = models.CharField(max_length=64, blank=True, help_text="Empty for a lightweight tag.")
    commit = models.CharField(max_length=64)
    kind = models.CharField(max_length=5, choices=Kind.choices)
    version = models.CharField(max_length=120, help_text="Without prefix: 1.2.1.")
    sort_key = models.CharField(max_length=160, help_text="Orders versions by SemVer as text.")
    tagger = models.CharField(max_length=200, blank=True)
    subject = models.CharField(max_length=300, blank=True, help_text="Subject of the tagged commit.")
    message = models.TextField(blank=True, help_text="The annotated tag's message.")
    tagged_at = models.DateTimeField(null=True, blank=True, help_text="Tagger's date, else the commit's.")
    first_seen_at = models.DateTimeField(default=timezone.now)
    on_production = models.BooleanField(default=False, help_text="Reachable from a production ref.")
    previous = models.ForeignKey(
        "self",
        models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text="The release before it in its own history.",
    )
    commit_total = models.PositiveIntegerField(default=0, help_text="Commits since the previous release.")
    moved_at = models.DateTimeField(
        null=True, blank=True, help_text="A tag that changed what it names; must not happen."
    )
    deleted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-tagged_at", "-pk"]
        constraints = [models.UniqueConstraint(fields=["project", "tag"], name="release_once")]
        indexes = [
            models.Index(fields=["project", "-sort_key"], name="release_project_version"),
            models.Index(fields=["project", "-tagged_at"], name="release_project_date"),
            models.Index(fields=["-tagged_at"], name="release_date"),
        ]

    def __str__(self) -> str:
        return f"{self.project} {self.tag}"
