"""Forms of the hotfix pages: they parse and check, nothing more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, time, timedelta
from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.utils import timezone

from releases.forms import DashForm
from releases.git.page_reads import CommitInfo
from releases.hotfixes.models import Hotfix, Review
from releases.hotfixes.triage import QUESTIONS, Answer, Track
from releases.policies.settling import LONGEST_WAIVER
from releases.projects.models import Project
from releases.projects.patches import visible

PEOPLE = 500
"""People offered as owners."""
_WHY = 2000


class ReasonForm(DashForm):
    """A reason, in a few words."""

    why = forms.CharField(label="Reason", max_length=_WHY, widget=forms.Textarea(attrs={"rows": 3}))


def owners(project: Project | None) -> Any:
    """Who may own a hotfix: people who may see the project."""
    people = get_user_model().objects.filter(is_active=True)
    if project is not None and project.visibility == Project.Visibility.MEMBERS:
        people = people.filter(pk__in=project.access.values("user")) | people.filter(all_projects=True)
    return people.order_by("username").distinct()


class OwnerField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """Somebody by user name; nobody is an answer too."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(get_user_model().objects.none(), required=False, empty_label="Nobody yet", **kwargs)

    def label_from_instance(self, person: Any) -> str:
        return str(person.get_username())


class HotfixForm(DashForm):
    """A new hotfix, asking as little as possible."""

    key = forms.CharField(label="Ticket", max_length=80)
    title = forms.CharField(label="What is wrong, or what fixes it", max_length=200)
    severity = forms.TypedChoiceField(
        label="Severity", coerce=int, choices=Hotfix.Severity.choices, initial=Hotfix.Severity.SEV2
    )
    impact = forms.CharField(
        label="Who is hurt, and how", required=False, max_length=5000, widget=forms.Textarea(attrs={"rows": 3}),
        help_text="In plain words. It can wait until later.",
    )  # fmt: skip
    owner = OwnerField(label="Owner")

    def __init__(self, project: Project | None, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        owner = self.fields["owner"]
        assert isinstance(owner, OwnerField)  # noqa: S101 - for the type checker
        owner.queryset = owners(project)[:PEOPLE] if not self.is_bound else owners(project)


class NewHotfixForm(HotfixForm):
    """The same where the project is not said by the address."""

    project = forms.ModelChoiceField(Project.objects.none(), to_field_name="slug", empty_label="Choose one")
    field_order = ["project", "key", "title", "severity"]

    def __init__(self, projects: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(None, *args, **kwargs)
        chosen = self.fields["project"]
        assert isinstance(chosen, forms.ModelChoiceField)  # noqa: S101 - for the type checker
        chosen.queryset = projects
        chosen.choices = [("", "Choose one"), *((project.slug, project.name) for project in projects)]


class EditForm(HotfixForm):
    """Everything of a hotfix that a person may change; its key stays."""

    key = None  # type: ignore[assignment]
    people = forms.ModelMultipleChoiceField(
        get_user_model().objects.none(), required=False, label="Takes part",
        widget=forms.SelectMultiple(attrs={"size": 5}), help_text="Hold Ctrl or Cmd to choose several.",
    )  # fmt: skip

    def __init__(self, project: Project, *args: Any, **kwargs: Any) -> None:
        super().__init__(project, *args, **kwargs)
        people = self.fields["people"]
        assert isinstance(people, forms.ModelMultipleChoiceField)  # noqa: S101 - for the type checker
        people.queryset = owners(project)

    @classmethod
    def of(cls, hotfix: Hotfix, data: Any = None) -> EditForm:
        initial = {name: getattr(hotfix, name) for name in ("title", "severity", "impact", "owner")}
        return cls(hotfix.project, data, initial=initial | {"people": hotfix.people.all()})


class TriageForm(DashForm):
    """Three questions, each with yes or no and a short reason."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for question in QUESTIONS:
            self.fields[question.key] = forms.ChoiceField(
                label=question.text, choices=[("yes", "Yes"), ("no", "No")], widget=forms.RadioSelect
            )
            self.fields[f"{question.key}_why"] = forms.CharField(
                label="Because", max_length=1000, widget=forms.TextInput(attrs={"class": "input"})
            )

    @classmethod
    def of(cls, hotfix: Hotfix, data: Any = None) -> TriageForm:
        initial: dict[str, str] = {}
        for answer in (hotfix.triage or {}).get("answers", []):
            initial[answer["key"]] = "yes" if answer["yes"] else "no"
            initial[f"{answer['key']}_why"] = answer["why"]
        return cls(data, initial=initial, prefix="t")

    @property
    def answers(self) -> dict[str, Answer]:
        data = self.cleaned_data
        return {
            question.key: Answer(data[question.key] == "yes", data[f"{question.key}_why"]) for question in QUESTIONS
        }

    @property
    def rows(self) -> list[tuple[Any, Any]]:
        """Question and reason, side by side."""
        return [(self[question.key], self[f"{question.key}_why"]) for question in QUESTIONS]


class DecideForm(ReasonForm):
    """A release manager decides otherwise than triage says."""

    track = forms.ChoiceField(label="It goes", choices=[(track.value, track.label) for track in Track])
    field_order = ["track", "why"]


class WayForm(ReasonForm):
    """Which way out, and why."""

    way = forms.ChoiceField(label="Way out", choices=Hotfix.Way.choices)
    field_order = ["way", "why"]


class ReviewForm(DashForm):
    """What somebody says about the branch as it stands."""

    says = forms.ChoiceField(label="Your review", choices=Review.Says.choices, widget=forms.RadioSelect)
    text = forms.CharField(
        label="Remarks", required=False, max_length=5000, widget=forms.Textarea(attrs={"rows": 3})
    )  # fmt: skip
    head = forms.CharField(widget=forms.HiddenInput, max_length=64)


class CloseForm(ReasonForm):
    """How a hotfix ends without being shipped."""

    how = forms.ChoiceField(label="It is", choices=[(how, label) for how, label in Hotfix.Closed.choices if how])
    by = forms.CharField(
        label="Taken over by", required=False, max_length=80, help_text="When superseded: the other hotfix's ticket.",
        widget=forms.TextInput(attrs={"class": "mono"}),
    )  # fmt: skip
    field_order = ["how", "by", "why"]


class SplitForm(DashForm):
    """A follow-up for what does not belong into this fix."""

    title = forms.CharField(label="What the follow-up is about", max_length=200)
    key = forms.CharField(
        label="Ticket", required=False, max_length=80, help_text="Left empty, the next free one is made.",
        widget=forms.TextInput(attrs={"class": "mono"}),
    )  # fmt: skip


class FinishForm(DashForm):
    """The version and the message of a release, and where the fix is merged back with the same push."""

    tag = forms.CharField(label="Tag", max_length=250, widget=forms.TextInput(attrs={"class": "mono"}))
    message = forms.CharField(
        label="Message of the tag", required=False, max_length=4000, widget=forms.Textarea(attrs={"rows": 3})
    )  # fmt: skip
    also = forms.MultipleChoiceField(
        label="Merge back with the same push, where it is clean", required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, targets: Sequence[str], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        also = self.fields["also"]
        assert isinstance(also, forms.MultipleChoiceField)  # noqa: S101 - for the type checker
        also.choices = [(name, visible(name, 80)) for name in targets]
        if not targets:
            del self.fields["also"]


class CutForm(DashForm):
    """The release to start from."""

    tag = forms.ChoiceField(label="Start from", widget=forms.Select(attrs={"class": "mono"}))

    def __init__(self, tags: Sequence[str], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        tag = self.fields["tag"]
        assert isinstance(tag, forms.ChoiceField)  # noqa: S101 - for the type checker
        tag.choices = [(name, visible(name, 80)) for name in tags]


class RevertForm(DashForm):
    """Which unreleased commits are undone."""

    commits = forms.MultipleChoiceField(label="What is in the way", widget=forms.CheckboxSelectMultiple)

    def __init__(self, commits: Sequence[CommitInfo], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen = self.fields["commits"]
        assert isinstance(chosen, forms.MultipleChoiceField)  # noqa: S101 - for the type checker
        chosen.choices = [(info.sha, f"{info.sha[:7]} {visible(info.subject, 90)}") for info in commits]
        chosen.widget.attrs["class"] = ""
        self._order = [info.sha for info in commits][::-1]

    @property
    def chosen(self) -> list[str]:
        """Oldest first."""
        wanted = set(self.cleaned_data["commits"])
        return [sha for sha in self._order if sha in wanted]


class DecisionForm(DashForm):
    """Why somebody settles a fix in a branch by hand."""

    reason = forms.CharField(label="Reason", max_length=_WHY, widget=forms.Textarea(attrs={"rows": 3}))


class WaiveForm(DecisionForm):
    """Why a target need not have a fix, and until when."""

    until = forms.DateField(
        label="Waive until", widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"),
        help_text=f"At most {LONGEST_WAIVER} days from now. A week before, it shows up again.",
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        today = timezone.localdate()
        self.fields["until"].widget.attrs |= {
            "min": f"{today + timedelta(days=1):%Y-%m-%d}",
            "max": f"{today + timedelta(days=LONGEST_WAIVER):%Y-%m-%d}",
        }
        self.initial.setdefault("until", today + timedelta(days=30))

    def clean_until(self) -> Any:
        day, today = self.cleaned_data["until"], timezone.localdate()
        if not today < day <= today + timedelta(days=LONGEST_WAIVER):
            raise ValidationError(f"Choose a date in the next {LONGEST_WAIVER} days.")
        return day

    @property
    def ends_at(self) -> datetime:
        """The end of the chosen day, where the dashboard lives."""
        return timezone.make_aware(datetime.combine(self.cleaned_data["until"], time(23, 59)))
