"""Forms of post-mortems: they parse and check, nothing more."""

from __future__ import annotations

from datetime import datetime, time
from typing import Any

from django import forms
from django.utils import timezone

from incidents.forms import MomentField
from incidents.postmortems.models import ActionItem, Factor, Measure, PostMortem, Reading
from incidents.postmortems.reviewing import CHECKS
from incidents.response.models import Incident, Severity
from releases.forms import DashForm
from releases.hotfix_forms import OwnerField, ReasonForm, owners
from releases.hotfixes.models import Hotfix
from releases.projects.models import Project


def _people(form: forms.Form, name: str, project: Project) -> None:
    field = form.fields[name]
    assert isinstance(field, OwnerField)  # noqa: S101 - for the type checker
    field.queryset = owners(project)


def _day_widget() -> forms.DateInput:
    return forms.DateInput(format="%Y-%m-%d", attrs={"type": "date"})


class OpenForm(DashForm):
    """A new post-mortem."""

    title = forms.CharField(label="What happened, as users saw it", max_length=200)
    severity = forms.TypedChoiceField(label="Severity", coerce=int, choices=Severity.choices, initial=2)
    owner = OwnerField(label="Owner", help_text="One person who sees to it that it is written. Others write too.")
    incident = forms.ModelChoiceField(Incident.objects.none(), required=False, empty_label="None")
    hotfix = forms.ModelChoiceField(Hotfix.objects.none(), required=False, empty_label="None")

    def __init__(self, project: Project, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _people(self, "owner", project)
        self.fields["owner"].required = True
        for name, rows in (
            ("incident", Incident.objects.filter(project=project, postmortem=None)),
            ("hotfix", Hotfix.objects.filter(project=project, postmortem=None)),
        ):
            field = self.fields[name]
            assert isinstance(field, forms.ModelChoiceField)  # noqa: S101 - for the type checker
            field.queryset = rows


class AboutForm(DashForm):
    """What it is called, who owns it, until when, and whether it names people."""

    title = forms.CharField(max_length=200)
    severity = forms.TypedChoiceField(label="Severity", coerce=int, choices=Severity.choices)
    owner = OwnerField(label="Owner")
    due_on = forms.DateField(label="To be published by", widget=_day_widget())
    names_people = forms.BooleanField(
        label="Name people in the timeline", required=False,
        help_text="Roles keep the question open: not who, but what made it possible.",
    )  # fmt: skip

    def __init__(self, row: PostMortem, *args: Any, **kwargs: Any) -> None:
        initial = {
            "title": row.title, "severity": row.severity, "owner": row.owner, "names_people": row.names_people,
            "due_on": timezone.localdate(row.due_at),
        }  # fmt: skip
        super().__init__(*args, initial=initial, **kwargs)
        _people(self, "owner", row.project)
        self.fields["owner"].required = True

    @property
    def changes(self) -> dict[str, Any]:
        """For the service: what the form has that is not as it was."""
        data = {name: value for name, value in self.cleaned_data.items() if name in self.changed_data}
        if "due_on" in data:
            last = datetime.combine(data.pop("due_on"), time(23, 59))
            data["due_at"] = timezone.make_aware(last)
        return data


class LineForm(DashForm):
    """A line of the timeline."""

    at = MomentField(label="When")
    text = forms.CharField(label="What happened", max_length=500)
    link = forms.URLField(label="Evidence", required=False, max_length=500, assume_scheme="https")


class NumberForm(DashForm):
    """A number of the impact."""

    name = forms.CharField(max_length=60, help_text="Orders, Paid back, Support calls …")
    value = forms.CharField(max_length=60, help_text="1,204 or € 26.18. What is not known is better left out.")
    remove = forms.BooleanField(label="Take it away", required=False)

    def __init__(self, row: Measure | None, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, initial={"name": row.name, "value": row.value} if row else None, **kwargs)
        if row is None:
            del self.fields["remove"]


class FactorForm(DashForm):
    """Something that made it possible."""

    text = forms.CharField(label="It became possible because", max_length=500, widget=forms.Textarea(attrs={"rows": 2}))
    remove = forms.BooleanField(label="Take it away, with what hangs below it", required=False)

    def __init__(self, row: Factor | None, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, initial={"text": row.text} if row else None, **kwargs)
        if row is None:
            del self.fields["remove"]


class ActionForm(DashForm):
    """An action item."""

    title = forms.CharField(label="What is done", max_length=200)
    kind = forms.ChoiceField(
        label="What it does",
        choices=[
            ("prevent", "Prevent: it cannot happen again"),
            ("detect", "Detect: we notice sooner"),
            ("mitigate", "Mitigate: it hurts less"),
            ("process", "Process: how we work changes"),
        ],
    )
    owner = OwnerField(label="Owner")
    due_on = forms.DateField(label="Due", required=False, widget=_day_widget())
    link = forms.URLField(label="Ticket or page", required=False, max_length=500, assume_scheme="https")

    def __init__(self, row: ActionItem | None, project: Project, *args: Any, **kwargs: Any) -> None:
        names = ("title", "kind", "owner", "due_on", "link")
        super().__init__(*args, initial={name: getattr(row, name) for name in names} if row else None, **kwargs)
        _people(self, "owner", project)


class CloseForm(ReasonForm):
    """Why an item is closed by hand, and how."""

    how = forms.ChoiceField(
        label="It", choices=[("done", "is done"), ("dropped", "will not be done")], initial="done",
        widget=forms.RadioSelect,
    )  # fmt: skip
    field_order = ["how", "why"]


class ReviewForm(DashForm):
    """What a reviewer found: four checks, and a word."""

    checks = forms.MultipleChoiceField(
        label="What holds", required=False, choices=list(CHECKS.items()),
        widget=forms.CheckboxSelectMultiple(attrs={"class": "checks"}),
    )  # fmt: skip
    says = forms.ChoiceField(
        label="What you say", choices=[(Reading.Says.READY, "It is ready"), (Reading.Says.CHANGES, "It needs changes")],
        widget=forms.RadioSelect,
    )  # fmt: skip
    text = forms.CharField(
        label="In words", required=False, max_length=5000, widget=forms.Textarea(attrs={"rows": 3}),
        help_text="What is missing, when you ask for changes.",
    )  # fmt: skip


class PublishForm(DashForm):
    """The summary for people outside."""

    summary = forms.CharField(
        label="Summary for people outside", required=False, max_length=5000, widget=forms.Textarea(attrs={"rows": 5}),
        help_text="Plain words, no names, no internals. Empty: nothing is shown outside.",
    )  # fmt: skip


class WordForm(DashForm):
    """A wording that the team wants to be asked about."""

    name = forms.CharField(max_length=60, help_text="How it is called in the list.")
    words = forms.CharField(
        label="Words to look for", max_length=400, help_text="Separated by commas; a star stands for any letters."
    )
    why = forms.CharField(label="Why it is in the way", required=False, max_length=300)
    ask = forms.CharField(label="A question to ask instead", max_length=300)
    instead = forms.CharField(label="A sentence as an example", required=False, max_length=300)
