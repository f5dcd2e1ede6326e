"""Forms: they parse and check, nothing more."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator

from releases.git.errors import GitError
from releases.git.remotes import split_remote
from releases.policies.flow import FlowPolicy, Preset
from releases.policies.flow_checks import FINISHES, MERGE_BACKS, pattern_fault, policy_faults
from releases.policies.models import Target
from releases.projects.models import Credential, Project

LONGEST_PATTERN = 300
MOST_LINES = 60


class DashForm(forms.Form):
    """Gives every widget the class that the style sheet knows."""

    folded: Sequence[str] = ()
    """Names of fields that a question folds away."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for field in self.fields.values():
            css = field.widget.attrs.get("class", "")
            field.widget.attrs["class"] = f"input {css}".strip()


class LinesField(forms.CharField):
    """One entry a line; a tuple of them."""

    widget = forms.Textarea

    def __init__(self, *, patterns: bool = False, **kwargs: Any) -> None:
        super().__init__(**{"required": False, **kwargs})
        self.patterns = patterns
        self.widget.attrs |= {"rows": 3, "spellcheck": "false", "class": "mono"}

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list | tuple) else value

    def clean(self, value: Any) -> tuple[str, ...]:
        lines = tuple(line.strip() for line in super().clean(value).splitlines() if line.strip())
        if len(lines) > MOST_LINES:
            raise ValidationError(f"At most {MOST_LINES} lines.")
        for line in lines:
            if len(line) > LONGEST_PATTERN:
                raise ValidationError("One of the lines is too long.")
            if self.patterns:
                check_pattern(line)
        return lines


class PatternField(forms.CharField):
    """A regular expression."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=LONGEST_PATTERN, **kwargs)
        self.widget.attrs |= {"spellcheck": "false", "class": "mono"}

    def clean(self, value: Any) -> str:
        text = str(super().clean(value))
        check_pattern(text)
        return text


def check_pattern(text: str) -> None:
    """Raise when `text` is no regular expression, or one that can take for ever on a long subject."""
    fault = pattern_fault(text)
    if fault:
        raise ValidationError(fault)


class SecretInput(forms.Textarea):
    """Never gives back what was typed: a form that is shown again asks for the secret again."""

    def format_value(self, value: Any) -> str:
        return ""


class CredentialForm(DashForm):
    """A token or an SSH key; the stored one is never shown."""

    kind = forms.ChoiceField(label="Credential", choices=Credential.Kind.choices)
    username = forms.CharField(
        label="User name", max_length=150, required=False, help_text="With a token only; many hosts take any name."
    )
    secret = forms.CharField(
        label="Token or private key", strip=False, max_length=20_000, widget=SecretInput(attrs={"rows": 3}),
        help_text="Kept encrypted and never shown again.",
    )  # fmt: skip
    known_hosts = forms.CharField(
        label="Known hosts", required=False, max_length=20_000, widget=forms.Textarea(attrs={"rows": 2}),
        help_text="With an SSH key: the lines of known_hosts for this server.",
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in ("secret", "known_hosts"):
            self.fields[name].widget.attrs |= {
                "autocomplete": "off", "spellcheck": "false", "class": "input mono"
            }  # fmt: skip

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        check_credential(self, data)
        return data


def check_credential(form: forms.Form, data: dict[str, Any]) -> None:
    """Add an error when the secret cannot be what its kind says."""
    secret, kind = data.get("secret") or "", data.get("kind")
    if kind == Credential.Kind.SSH_KEY:
        if secret and "PRIVATE KEY-----" not in secret:
            form.add_error("secret", "A private key starts with -----BEGIN … PRIVATE KEY-----.")
        data["secret"] = secret.replace("\r\n", "\n").strip() + "\n"
    elif kind == Credential.Kind.TOKEN:
        if any(ord(char) < 32 for char in secret.strip()):
            form.add_error("secret", "A token is a single line.")
        data["secret"] = secret.strip()


class SigningKeyForm(DashForm):
    """A private key that signs tags; the stored one is never shown."""

    secret = forms.CharField(
        label="Private key", strip=False, max_length=20_000, widget=SecretInput(attrs={"rows": 3}),
        help_text="An SSH key (Ed25519 or RSA) without a passphrase, made for this project alone. "
        "Kept encrypted and never shown again.",
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"auto_id": "signing_%s"} | kwargs)
        self.fields["secret"].widget.attrs |= {"autocomplete": "off", "spellcheck": "false", "class": "input mono"}


class ProjectAddForm(DashForm):
    """A new repository."""

    url = forms.CharField(
        label="Repository", max_length=500, strip=True,
        help_text="https://…, ssh://… or git@host:path. Credentials go below, not into the address.",
    )  # fmt: skip
    name = forms.CharField(
        label="Name", max_length=80, required=False, help_text="Left empty, it is the last part of the address."
    )
    visibility = forms.ChoiceField(
        label="Who sees it", choices=Project.Visibility.choices, initial=Project.Visibility.MEMBERS
    )
    kind = forms.ChoiceField(
        label="Credential", required=False, choices=[("", "None: anyone may read it"), *Credential.Kind.choices]
    )
    username = forms.CharField(label="User name", max_length=150, required=False, help_text="With a token only.")
    secret = forms.CharField(
        label="Token or private key", required=False, strip=False, max_length=20_000,
        widget=SecretInput(attrs={"rows": 3, "autocomplete": "off", "spellcheck": "false", "class": "mono"}),
        help_text="Kept encrypted and never shown again.",
    )  # fmt: skip
    known_hosts = forms.CharField(
        label="Known hosts", required=False, max_length=20_000,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false", "class": "mono"}),
        help_text="With an SSH key: the lines of known_hosts for this server.",
    )  # fmt: skip

    def clean_url(self) -> str:
        """What is wrong with the address alone is said at once; whether it may be fetched from, when it is added."""
        url = str(self.cleaned_data["url"])
        try:
            split_remote(url)
        except GitError as problem:
            raise ValidationError(problem.sentence) from None
        return url

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if not data.get("name") and data.get("url"):
            data["name"] = name_of(data["url"])
        if data.get("kind") and not (data.get("secret") or "").strip():
            self.add_error("secret", "Fill in the token or the key, or choose no credential.")
        elif (data.get("secret") or "").strip() and not data.get("kind"):
            self.add_error("kind", "Say what the secret below is.")
        elif data.get("kind"):
            check_credential(self, data)
        return data


def name_of(url: str) -> str:
    """The last part of an address, without .git."""
    return re.split(r"[/:]", url.rstrip("/"))[-1].removesuffix(".git")[:80]


class GeneralForm(DashForm):
    """Name, address, who sees it, how often it is looked at."""

    name = forms.CharField(label="Name", max_length=80)
    remote_url = forms.CharField(label="Repository", max_length=500)
    visibility = forms.ChoiceField(label="Who sees it", choices=Project.Visibility.choices)
    fetch_every = forms.IntegerField(
        label="Seconds between two looks", min_value=5, max_value=86_400,
        help_text="A webhook makes it immediate; this is the fallback.",
    )  # fmt: skip


class PolicyForm(DashForm):
    """A flow policy, every part of it."""

    preset = forms.ChoiceField(label="Way of working", choices=[(preset.value, preset.label) for preset in Preset])
    production = LinesField(
        label="Production", required=True, help_text="Branches (globs) or tags (tags:v*) that are production."
    )
    targets = LinesField(label="Must have every fix", required=True, help_text="Branches, globs allowed, one a line.")
    sla_hours = forms.IntegerField(
        label="Limit for a merge-back, in hours", min_value=1, max_value=8760,
    )  # fmt: skip
    hotfix_branches = LinesField(label="Hotfix branches", help_text="Whose merges into production are fixes.")
    release_branches = LinesField(label="Release branches", help_text="Whose merges into production are releases.")
    support_branches = LinesField(label="Supported lines")
    tag_pattern = PatternField(label="Version tags", help_text="A regular expression.")
    ticket_pattern = PatternField(
        label="Tickets", help_text="A regular expression, looked for in branch names, subjects and bodies."
    )
    ticket_url = forms.CharField(
        label="Address of a ticket", required=False, max_length=300,
        help_text="With {ticket} where its name goes: https://tickets.example.org/{ticket}",
    )  # fmt: skip
    chore_paths = LinesField(label="Files that make a commit a chore", help_text="When it touches nothing else.")
    chore_subjects = LinesField(
        label="Subjects that make a commit a chore", patterns=True, help_text="Regular expressions."
    )

    hotfix_branch = forms.CharField(
        label="Name of a hotfix branch", required=False, max_length=200,
        help_text="With {ticket} where the key goes; branches cut here are named so.",
    )  # fmt: skip
    finish = forms.ChoiceField(label="Finish a hotfix by", required=False, choices=list(FINISHES.items()))
    merge_back = forms.ChoiceField(label="Merge back by", required=False, choices=list(MERGE_BACKS.items()))
    version_files = LinesField(
        label="Version files", help_text="In these the target keeps its own side when a fix is merged back."
    )
    commit_pattern = forms.CharField(
        label="Subjects of a hotfix's commits", required=False, max_length=LONGEST_PATTERN,
        help_text="A regular expression with {ticket} where the key goes; empty: anything goes.",
    )  # fmt: skip
    reviewers = forms.IntegerField(label="Reviewers", required=False, help_text="By somebody who did not write it.")
    reviewers_sev1 = forms.IntegerField(label="Reviewers for SEV1", required=False)
    max_files = forms.IntegerField(label="Files that a minimal fix may change", required=False)
    max_lines = forms.IntegerField(label="Lines that a minimal fix may change", required=False)
    risky_paths = LinesField(
        label="Files that a minimal fix leaves alone", help_text="One a line: migration=**/migrations/**"
    )
    retest = LinesField(label="What to test again", help_text="One a line: src/payments/**=Pay with every card")
    supported_until = LinesField(
        label="Ends of supported lines", help_text="One a line: stable/1.2=2027-03-31; after that day it is no target."
    )
    regular_url = forms.CharField(
        label="Address of the ordinary tracker", required=False, max_length=300,
        help_text="Where people go with what is no hotfix.",
    )  # fmt: skip

    @classmethod
    def of(cls, policy: FlowPolicy) -> PolicyForm:
        """The form as it stands for `policy`."""
        return cls(initial=policy.as_data())

    def clean_ticket_url(self) -> str:
        url = str(self.cleaned_data["ticket_url"]).strip()
        if url:
            if "{ticket}" not in url:
                raise ValidationError("Write {ticket} where the name of the ticket goes.")
            URLValidator(schemes=["http", "https"])(url.replace("{ticket}", "T-1"))
        return url

    def clean(self) -> dict[str, Any]:
        """The fields fit together, by the same rules as a policy from a file."""
        data = super().clean() or {}
        filled = {name: value for name, value in data.items() if name in self._sent() and value is not None}
        for name, said in policy_faults(FlowPolicy.from_data(filled)).items():
            if name in data:
                self.add_error(name, said)
        return data

    def _sent(self) -> set[str]:
        """Fields that the page had: what it does not show is not emptied by saving it."""
        return {name for name in self.fields if name in self.data}

    def policy(self, old: dict[str, Any]) -> dict[str, Any]:
        """The data to store: what the form holds, over what it does not know."""
        sent = self._sent()
        filled = {name: value for name, value in self.cleaned_data.items() if name in sent and value is not None}
        fresh = {name: list(value) if isinstance(value, tuple) else value for name, value in filled.items()}
        kept = {name: value for name, value in old.items() if name not in ("guessed", "why")}
        return FlowPolicy.from_data(kept | fresh).as_data()


class PlanForm(DashForm):
    """When the release of one open branch ships."""

    planned_for = forms.DateTimeField(
        label="Ships on", required=False,
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d"],
    )  # fmt: skip

    @classmethod
    def of(cls, target: Target, data: Any = None) -> PlanForm:
        return cls(data, prefix=f"t{target.pk}", initial={"planned_for": target.planned_for})

    @property
    def when(self) -> datetime | None:
        value: datetime | None = self.cleaned_data["planned_for"]
        return value


class AccessForm(DashForm):
    """Somebody who may see the project."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        # The page holds another form with a field of this name.
        super().__init__(*args, **{"auto_id": "access_%s", **kwargs})

    username = forms.CharField(label="User name", max_length=150)
