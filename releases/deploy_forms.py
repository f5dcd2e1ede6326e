"""Forms of the pages about shipping: they parse and check, nothing more."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils import timezone

from releases.forms import DashForm

LONGEST = 5000


class ConfirmForm(DashForm):
    """A manual step was done."""

    note = forms.CharField(
        label="What was tested, and how it went", max_length=LONGEST, widget=forms.Textarea(attrs={"rows": 3})
    )


class DecisionForm(DashForm):
    """A yes or no to a deployment; `binding` says what the person looked at."""

    comment = forms.CharField(
        label="Comment", required=False, max_length=LONGEST, widget=forms.Textarea(attrs={"rows": 3})
    )
    binding = forms.CharField(widget=forms.HiddenInput, max_length=64)


class RejectForm(DecisionForm):
    """A no says why."""

    comment = forms.CharField(label="Why not", max_length=LONGEST, widget=forms.Textarea(attrs={"rows": 3}))


class GlassForm(DashForm):
    """Overriding quorum and freeze."""

    why = forms.CharField(
        label="What makes this an emergency", min_length=10, max_length=LONGEST,
        widget=forms.Textarea(attrs={"rows": 3}), help_text="It is read on every page until somebody else has looked.",
    )  # fmt: skip


class WhyForm(DashForm):
    """A reason that may be left out."""

    why = forms.CharField(label="Reason", required=False, max_length=LONGEST, widget=forms.Textarea(attrs={"rows": 3}))


class ReasonForm(DashForm):
    """A reason that is needed."""

    why = forms.CharField(label="Why", max_length=LONGEST, widget=forms.Textarea(attrs={"rows": 3}))


class MendForm(DashForm):
    """What mends a release that was taken back, and how that is known."""

    commit = forms.CharField(
        label="Commit, branch or tag", max_length=250, widget=forms.TextInput(attrs={"autocapitalize": "off"}),
        help_text="The change that mends it. Releases with it are not warned about any more.",
    )  # fmt: skip
    why = forms.CharField(
        label="How do you know", max_length=LONGEST, widget=forms.Textarea(attrs={"rows": 2}),
    )  # fmt: skip


class LockForm(DashForm):
    """No deployments for a while."""

    why = forms.CharField(label="Why", max_length=LONGEST, widget=forms.Textarea(attrs={"rows": 2}))
    until = forms.DateTimeField(
        label="Until", required=False, widget=forms.DateTimeInput(attrs={"type": "datetime-local"}),
        help_text="Empty: until somebody unlocks it.",
    )  # fmt: skip

    def clean_until(self) -> datetime | None:
        until: datetime | None = self.cleaned_data["until"]
        if until is not None and until <= timezone.now():
            raise ValidationError("Choose a time in the future.")
        return until


class DeployForm(DashForm):
    """Which release goes to this environment."""

    tag = forms.ChoiceField(label="Release")
    why = forms.CharField(
        label="Reason", required=False, max_length=LONGEST, widget=forms.Textarea(attrs={"rows": 2}),
        help_text="Needed for a release that was taken back before.",
    )  # fmt: skip

    def __init__(self, tags: Iterable[str], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen = self.fields["tag"]
        assert isinstance(chosen, forms.ChoiceField)  # noqa: S101 - for the type checker
        chosen.choices = [(tag, tag) for tag in tags]


class RollbackForm(DashForm):
    """What is brought back, and why."""

    to = forms.TypedChoiceField(label="Bring back", coerce=int)
    why = forms.CharField(label="Why", max_length=LONGEST, widget=forms.Textarea(attrs={"rows": 2}))

    anew = forms.BooleanField(
        label="Build it anew first", required=False,
        help_text="Needed for one whose artifact is kept no longer. It goes back when exactly the same comes out.",
    )  # fmt: skip

    def __init__(self, choices: Iterable[tuple[int, str]], *args: Any, gone: bool = False, **kwargs: Any) -> None:
        """`gone`: the artifact of one of them is kept no longer."""
        super().__init__(*args, **kwargs)
        chosen = self.fields["to"]
        assert isinstance(chosen, forms.TypedChoiceField)  # noqa: S101 - for the type checker
        chosen.choices = list(choices)
        if not gone:
            del self.fields["anew"]


class MoveForm(DashForm):
    """A place in a queue; 0 for its end."""

    before = forms.TypedChoiceField(label="Where to", coerce=int)

    def __init__(self, others: Iterable[tuple[int, str]], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen = self.fields["before"]
        assert isinstance(chosen, forms.TypedChoiceField)  # noqa: S101 - for the type checker
        chosen.choices = [*others, (0, "At the end")]


class ReviewedForm(DashForm):
    """A second person looked at what was shipped through broken glass."""

    note = forms.CharField(label="What you found", max_length=LONGEST, widget=forms.Textarea(attrs={"rows": 3}))
