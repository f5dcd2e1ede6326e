"""Forms of drills: they parse and check, nothing more."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings

from incidents.drills.models import LONGEST_INTERVAL
from incidents.drills.scenarios import Offer
from incidents.drills.services import LONGEST_NOTES
from releases.forms import DashForm
from releases.policies.models import Fix
from releases.views.words import visible


class StartForm(DashForm):
    """What is drilled: a scenario, and the past fix to do again."""

    scenario = forms.ChoiceField(label="What happens", widget=forms.RadioSelect)
    fix = forms.ChoiceField(
        label="Which hotfix",
        help_text="The copy goes back to the release before it. Take one whose code still matters.",
    )

    def __init__(self, offers: list[Offer], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = [offer for offer in offers if offer.offered]
        self.known: dict[str, Fix] = {str(fix.pk): fix for offer in offered for fix in offer.fixes}
        scenario, fix = self.fields["scenario"], self.fields["fix"]
        assert isinstance(scenario, forms.ChoiceField)  # noqa: S101 - for the type checker
        assert isinstance(fix, forms.ChoiceField)  # noqa: S101 - for the type checker
        scenario.choices = [(offer.key, offer.title) for offer in offered]
        scenario.initial = offered[0].key if offered else None
        fix.choices = [(key, _named(row)) for key, row in self.known.items()]

    @property
    def chosen(self) -> Fix | None:
        return self.known.get(self.cleaned_data["fix"])


class EndForm(DashForm):
    """What people noticed."""

    notes = forms.CharField(
        label="What did you notice?", required=False, max_length=LONGEST_NOTES,
        widget=forms.Textarea(attrs={"rows": 5}),
        help_text="What went well, what was in the way, what nobody knew. It goes into the draft post-mortem.",
    )  # fmt: skip


class IntervalForm(DashForm):
    """How often a project is drilled."""

    every_days = forms.IntegerField(label="Days from one drill to the next", required=False, min_value=0,
                                    max_value=LONGEST_INTERVAL)  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        every = settings.DRILL_EVERY_DAYS
        usual = f"every {every} days" if every else "none is due"
        self.fields["every_days"].help_text = f"Empty: as for all projects ({usual}). 0: none is ever due here."


def _named(fix: Fix) -> str:
    ticket = f"{visible(fix.ticket)}: " if fix.ticket else ""
    return f"{ticket}{visible(fix.subject)[:90]} ({visible(fix.shipped_in)})"
