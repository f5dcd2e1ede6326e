"""Forms of incidents: they parse and check, nothing more."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils import timezone

from incidents.announcements.models import Channel
from incidents.announcements.topics import TOPICS, USUAL
from incidents.response.models import Component, Health, Incident, Severity
from incidents.response.states import TIME_NAMES
from incidents.status.models import StatusPage
from releases.forms import DashForm
from releases.hotfix_forms import OwnerField, owners
from releases.hotfixes.models import Hotfix
from releases.projects.models import Project, Release

_AREA = {"rows": 4}
RELEASES = 200
"""Releases among which the one that brought the bug is chosen: the newest."""
_SEEN = "In plain words, without names: it stands on the status page, too."
MOST_PARTS = 6
"""Components that stand in the form of a new incident; more of them are folded away."""


class MomentField(forms.DateTimeField):
    """A date and time in the dashboard's time zone; empty: not known."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.DateTimeInput(format="%Y-%m-%dT%H:%M", attrs={"type": "datetime-local"})
        formats = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"]
        super().__init__(widget=widget, input_formats=formats, **kwargs)


class DeclareForm(DashForm):
    """A new incident, asking as little as possible."""

    title = forms.CharField(label="What is wrong, as users see it", max_length=200, help_text=_SEEN)
    severity = forms.TypedChoiceField(
        label="Severity", coerce=int, choices=Severity.choices, initial=Severity.SEV2.value,
        help_text="SEV1: everybody, or money or data. SEV4: a few, with a way round it.",
    )  # fmt: skip
    text = forms.CharField(
        label="First public word", required=False, max_length=10_000, widget=forms.Textarea(attrs=_AREA),
        help_text="What you would tell a customer. It can wait a few minutes, not longer.",
    )  # fmt: skip
    public = forms.BooleanField(label="Show it on the status page", required=False, initial=True)
    impact = forms.CharField(
        label="Who is hurt, and how", required=False, max_length=10_000, widget=forms.Textarea(attrs={"rows": 2}),
        help_text=_SEEN,
    )  # fmt: skip
    started_at = MomentField(label="Began", required=False, help_text="Leave it empty when it is not known.")
    detected_at = MomentField(label="Noticed", required=False)
    lead = OwnerField(label="Incident lead")

    def __init__(self, project: Project, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.project = project
        lead = self.fields["lead"]
        assert isinstance(lead, OwnerField)  # noqa: S101 - for the type checker
        lead.queryset = owners(project)
        self.components = list(Component.objects.filter(project=project, retired_at=None))
        for component in self.components:
            self.fields[f"component-{component.pk}"] = _health(component.name)
        parts = [f"component-{row.pk}" for row in self.components]
        self.order_fields(["title", "severity", "text", "public", *parts])
        # Of many parts few are hurt: they wait with what is seldom known at once.
        self.folded = ["impact", "started_at", "detected_at", "lead", *(parts if len(parts) > MOST_PARTS else [])]
        self.folded_label = "Who is hurt, since when, who leads" + (", what is hurt" if len(parts) > MOST_PARTS else "")

    @property
    def folded_open(self) -> bool:
        """Something in there wants to be seen."""
        return any(name in self.errors for name in self.folded) if self.is_bound else bool(self.initial.get("impact"))

    @property
    def hurt(self) -> dict[Component, int]:
        """How each component fares, but for those that work."""
        chosen = {row: int(self.cleaned_data.get(f"component-{row.pk}") or 0) for row in self.components}
        return {row: health for row, health in chosen.items() if health}


class ProjectForm(DashForm):
    """Which project it is about."""

    project = forms.ModelChoiceField(Project.objects.none(), to_field_name="slug", empty_label="Choose one")

    def __init__(self, projects: Any, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen = self.fields["project"]
        assert isinstance(chosen, forms.ModelChoiceField)  # noqa: S101 - for the type checker
        chosen.queryset = projects


class UpdateForm(DashForm):
    """What is said, to whom, and to which state it leads."""

    text = forms.CharField(label="Update", max_length=10_000, widget=forms.Textarea(attrs=_AREA))
    state = forms.ChoiceField(label="State", choices=Incident.State.choices)
    public = forms.BooleanField(label="Public: shown on the status page and sent to subscribers", required=False)
    why = forms.CharField(
        label="Why it is open again", required=False, max_length=2000, help_text="Only when it was resolved."
    )
    at = MomentField(label="Said at", required=False, help_text="Only when it was said before now.")

    def __init__(self, incident: Incident, *args: Any, beginnings: Any = "", **kwargs: Any) -> None:
        """`beginnings` are links to the usual words."""
        initial = {"state": incident.state, "public": incident.public} | kwargs.pop("initial", {})
        super().__init__(*args, initial=initial, **kwargs)
        self.fields["text"].help_text = beginnings
        if not incident.public:
            del self.fields["public"]
        if incident.is_open:
            del self.fields["why"]


class CorrectForm(DashForm):
    """The same, said right."""

    text = forms.CharField(label="It should say", max_length=10_000, widget=forms.Textarea(attrs=_AREA))


class ReleaseField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """A release by its tag."""

    def label_from_instance(self, release: Any) -> str:
        return str(release.tag)


class EditForm(DashForm):
    """What can be changed about an incident at any time."""

    title = forms.CharField(label="What is wrong, as users see it", max_length=200, help_text=_SEEN)
    severity = forms.TypedChoiceField(label="Severity", coerce=int, choices=Severity.choices)
    impact = forms.CharField(
        label="Who is hurt, and how", required=False, max_length=10_000, widget=forms.Textarea(attrs=_AREA),
        help_text=_SEEN,
    )  # fmt: skip
    public = forms.BooleanField(label="Show it on the status page", required=False)
    lead = OwnerField(label="Incident lead")
    communications = OwnerField(label="Communications")
    scribe = OwnerField(label="Scribe")
    chat_url = forms.URLField(label="Chat channel", required=False, max_length=500, assume_scheme="https")
    introduced_by = ReleaseField(
        Release.objects.none(), label="Release that brought it", required=False, empty_label="Not known"
    )

    def __init__(self, incident: Incident, *args: Any, **kwargs: Any) -> None:
        names = (
            "title",
            "severity",
            "impact",
            "public",
            "chat_url",
            "lead",
            "communications",
            "scribe",
            "introduced_by",
        )
        super().__init__(*args, initial={name: getattr(incident, name) for name in names}, **kwargs)
        for name in ("lead", "communications", "scribe"):
            role = self.fields[name]
            assert isinstance(role, OwnerField)  # noqa: S101 - for the type checker
            role.queryset = owners(incident.project)
        release = self.fields["introduced_by"]
        assert isinstance(release, forms.ModelChoiceField)  # noqa: S101 - for the type checker
        there = Release.objects.filter(project=incident.project, deleted_at=None).order_by("-sort_key")
        # A queryset that is cut off cannot be asked for the one that was chosen.
        release.queryset = there.filter(pk__in=list(there.values_list("pk", flat=True)[:RELEASES]))


class TimesForm(DashForm):
    """One of the four times, with how it is known."""

    field = forms.ChoiceField(
        label="Which", choices=[(name, text.capitalize()) for name, text in TIME_NAMES.items() if name != "told_at"]
    )
    at = MomentField(label="When", required=False, help_text="Leave it empty when it is not known.")
    note = forms.CharField(label="How it is known", max_length=2000)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["at"].help_text = f"In {timezone.get_default_timezone()}. Leave it empty when it is not known."


class HurtsForm(DashForm):
    """How each component fares."""

    def __init__(self, incident: Incident, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        now = {row.component_id: row.health for row in incident.impacts.filter(until=None)}
        self.components = list(Component.objects.filter(project=incident.project, retired_at=None))
        for row in self.components:
            self.fields[f"component-{row.pk}"] = _health(row.name, now.get(row.pk, 0))

    @property
    def healths(self) -> dict[Component, int]:
        return {row: int(self.cleaned_data[f"component-{row.pk}"] or 0) for row in self.components}


class LinkForm(DashForm):
    """A hotfix of the same project."""

    hotfix = forms.ModelChoiceField(Hotfix.objects.none(), empty_label="Choose one")

    def __init__(self, incident: Incident, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen = self.fields["hotfix"]
        assert isinstance(chosen, forms.ModelChoiceField)  # noqa: S101 - for the type checker
        rows = Hotfix.objects.filter(project=incident.project).exclude(incidents=incident)
        chosen.queryset = rows.order_by("-created_at")


def _health(name: str, initial: int = 0) -> forms.TypedChoiceField:
    field = forms.TypedChoiceField(
        label=name, coerce=int, choices=Health.choices, initial=initial, required=False, empty_value="0"
    )
    field.widget.attrs["class"] = "input health"
    return field


class ComponentForm(DashForm):
    """A part of the product that people outside know by name."""

    name = forms.CharField(max_length=80)
    says = forms.CharField(label="What it does for people", required=False, max_length=200)
    order = forms.IntegerField(label="Place in the list", initial=0, min_value=0, max_value=999)
    baseline = forms.TypedChoiceField(label="How it is, apart from incidents", coerce=int, choices=Health.choices)


class MaintenanceForm(DashForm):
    """Work that is announced before it begins."""

    title = forms.CharField(label="What is done", max_length=200)
    text = forms.CharField(label="What people notice", required=False, widget=forms.Textarea(attrs={"rows": 2}))
    starts_at = MomentField(label="Begins")
    ends_at = MomentField(label="Ends")
    components = forms.ModelMultipleChoiceField(
        Component.objects.none(), label="What it touches", required=False, widget=forms.CheckboxSelectMultiple
    )

    def __init__(self, project: Project, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _choices(self, "components", Component.objects.filter(project=project, retired_at=None))


class WordsForm(DashForm):
    """With what a usual update begins."""

    name = forms.CharField(max_length=80)
    state = forms.ChoiceField(label="For the state", choices=Incident.State.choices)
    text = forms.CharField(
        label="Words", max_length=2000, widget=forms.Textarea(attrs=_AREA),
        help_text="{title} stands for what the incident is called, {within} for how soon the next public word is due.",
    )  # fmt: skip
    project = forms.ModelChoiceField(Project.objects.none(), required=False, empty_label="All projects")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        chosen = self.fields["project"]
        assert isinstance(chosen, forms.ModelChoiceField)  # noqa: S101 - for the type checker
        chosen.queryset = Project.objects.real().order_by("name")


class StatusPageForm(DashForm):
    """What stakeholders see, and who they are."""

    title = forms.CharField(max_length=120, help_text="The product's name, as people outside know it.")
    slug = forms.CharField(label="Address", max_length=60, help_text="/status/ and then this.")
    says = forms.CharField(label="A line below it", required=False, max_length=1000)
    visibility = forms.ChoiceField(label="Who sees it", choices=StatusPage.Visibility.choices)
    projects = forms.ModelMultipleChoiceField(Project.objects.none(), widget=forms.CheckboxSelectMultiple)
    components = forms.ModelMultipleChoiceField(
        Component.objects.none(), label="Components", required=False, widget=forms.CheckboxSelectMultiple,
        help_text="None: all of these projects.",
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _choices(self, "projects", Project.objects.real().order_by("name"))
        _choices(self, "components", Component.objects.filter(retired_at=None).select_related("project"))

    def clean_components(self) -> Any:
        """What belongs to a project that is not on the page would never be shown."""
        chosen, projects = self.cleaned_data["components"], self.cleaned_data.get("projects") or []
        for row in chosen:
            if projects and row.project not in projects:
                raise forms.ValidationError(f"{row.name} belongs to {row.project.name}: choose that project, too.")
        return chosen


class ChannelForm(DashForm):
    """Where announcements go, and which."""

    name = forms.CharField(max_length=80)
    kind = forms.ChoiceField(choices=[row for row in Channel.Kind.choices if row[0] != Channel.Kind.SUBSCRIBERS])
    target = forms.CharField(
        label="Address", required=False, max_length=4000,
        widget=forms.Textarea(attrs={"rows": 2, "spellcheck": "false"}),
        help_text="Mail addresses, one a line; or the webhook's address. Never shown again. Empty: as it is.",
    )  # fmt: skip
    topics = forms.MultipleChoiceField(
        label="What is announced", choices=[(topic.key, topic.label) for topic in TOPICS], initial=list(USUAL),
        widget=forms.CheckboxSelectMultiple,
    )  # fmt: skip
    worst = forms.TypedChoiceField(
        label="Down to", coerce=int, choices=Severity.choices, initial=Severity.SEV4.value,
        help_text="What is less severe is not announced there.",
    )  # fmt: skip
    internal = forms.BooleanField(label="Colleagues only: may carry what is not public", required=False, initial=True)
    projects = forms.ModelMultipleChoiceField(
        Project.objects.none(), required=False, widget=forms.CheckboxSelectMultiple, help_text="None: every project."
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _choices(self, "projects", Project.objects.real().order_by("name"))


def _choices(form: forms.Form, name: str, rows: Any) -> None:
    field = form.fields[name]
    assert isinstance(field, forms.ModelChoiceField)  # noqa: S101 - for the type checker
    field.queryset = rows
    field.widget.attrs["class"] = "checks"
