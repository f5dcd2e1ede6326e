"""Yes, no, taken back, broken glass, looked at afterwards: what people say on a deployment, as questions."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest

from hotfixdash.accounts.roles import Act
from releases import deploy_forms as forms
from releases.deploys import approving, inbox
from releases.deploys.binding import binding_key, binding_of
from releases.deploys.errors import DeployRefused
from releases.deploys.mail_state import mails_again
from releases.deploys.models import Run
from releases.deploys.persons import breaking_refused
from releases.deploys.voices import quorum
from releases.tasks.mail import mails_nudge

from . import approval_mails, words
from .asking import Done
from .deploy_acts import Asked, Doer
from .deploy_words import title_of


def binding_shown(request: HttpRequest, run: Run) -> str:
    """The key of what the person looked at: the page that asked says it; else what is shown now."""
    return request.GET.get("binding", "")[:64] or binding_key(binding_of(run))


def said(run: Run) -> Done:
    """What a yes amounted to."""
    if run.state == Run.State.ASKED:
        missing = quorum(run).missing
        return Done(f"You approved {words.visible(run.tag)}. {words.plural(missing, 'approval')} more.")
    return Done(f"Approved. {title_of(run)} starts as soon as its place is free.")


def _what(doer: Doer) -> str:
    where = doer.run.environment.name if doer.run.environment else ""
    return f"{words.visible(doer.run.tag)} for {where}"


def _approve(doer: Doer) -> Asked:
    form = forms.DecisionForm(doer.data, initial={"binding": binding_shown(doer.request, doer.run)})
    question = doer.question(
        f"Approve {_what(doer)}?", "Approve", form, icon="check",
        says=["It starts as soon as enough people said yes and its place is free."], facts=facts_of(doer.run),
    )  # fmt: skip

    def do() -> Done:
        data = form.cleaned_data
        doer.run = approving.approve(doer.run, doer.request.user, data["comment"], binding=data["binding"])
        return said(doer.run)

    return question, do


def _reject(doer: Doer) -> Asked:
    form = forms.RejectForm(doer.data, initial={"binding": binding_shown(doer.request, doer.run)})
    question = doer.question(
        f"Reject {_what(doer)}?",
        "Reject",
        form,
        icon="x",
        cautious=True,
        says=["It ends here; it can be asked for again."],
    )

    def do() -> Done:
        data = form.cleaned_data
        doer.run = approving.reject(doer.run, doer.request.user, data["comment"], binding=data["binding"])
        return Done("You rejected it.")

    return question, do


def _withdraw(doer: Doer) -> Asked:
    question = doer.question(
        f"Take back your approval of {words.visible(doer.run.tag)}?", "Take it back", icon="undo-2",
        says=["It waits again until enough people said yes."],
    )  # fmt: skip

    def do() -> Done:
        doer.run = approving.withdraw(doer.run, doer.request.user)
        return Done("Your approval is taken back.")

    return question, do


def _glass(doer: Doer) -> Asked:
    refused = breaking_refused(doer.run, doer.request.user)
    if refused is not None:
        raise refused
    form = forms.GlassForm(doer.data)
    where = doer.run.environment.name if doer.run.environment else ""
    question = doer.question(
        f"Break the glass for {_what(doer)}?", "Break the glass", form, icon="siren", cautious=True,
        says=[
            f"It goes to {where} on your word alone: missing approvals, freezes and locks do not count.",
            "Everybody is told on every page, and a second person has to look at it afterwards.",
        ],
        facts=facts_of(doer.run),
    )  # fmt: skip

    def do() -> Done:
        doer.run = approving.break_glass(doer.run, doer.request.user, form.cleaned_data["why"])
        return Done("The glass is broken. It starts now.", level=messages.WARNING)

    return question, do


def _reviewed(doer: Doer) -> Asked:
    found = getattr(doer.run, "follow_up", None)
    if found is None or found.closed_at is not None:
        raise DeployRefused("over", "There is nothing to look at any more.")
    form = forms.ReviewedForm(doer.data)
    question = doer.question(
        f"What did you find about {_what(doer)}?", "Close the follow-up", form, icon="eye",
        says=[f"The glass was broken: “{words.visible(doer.run.glass_why)}”", "Somebody else than who broke it looks."],
    )  # fmt: skip

    def do() -> Done:
        inbox.follow_up_close(found, doer.request.user, form.cleaned_data["note"])
        return Done("Looked at. The notice is gone from the pages.")

    return question, do


def _mail_again(doer: Doer) -> Asked:
    owed = approval_mails.unsent(doer.run)
    if not owed:
        raise DeployRefused("over", "There is no mail that was not taken.")
    question = doer.question(
        f"Try the mail about {_what(doer)} again?", "Try again", icon="rotate-ccw",
        says=["It goes once more to those whose address did not take it. Mend the address first, where it is wrong."],
        facts=[(row.who, row.why) for row in owed],
    )  # fmt: skip

    def do() -> Done:
        found = mails_again(doer.run, doer.request.user)
        mails_nudge(doer.run.pk)
        return Done(f"The mail to {words.plural(found, 'approver')} is tried again.", level=messages.INFO)

    return question, do


def facts_of(run: Run) -> list[tuple[str, str]]:
    """What a yes is a yes to."""
    rows = [("Commit", run.commit[:12]), ("Artifact", run.digest), ("Pipeline", f"version {run.pipeline.version}")]
    return [(name, value) for name, value in rows if value]


VERBS: dict[str, tuple[Act, Callable[[Doer], Asked]]] = {
    "approve": (Act.APPROVE, _approve),
    "reject": (Act.APPROVE, _reject),
    "withdraw": (Act.APPROVE, _withdraw),
    "glass": (Act.SHIP, _glass),
    "reviewed": (Act.APPROVE, _reviewed),
    "mail-again": (Act.DEPLOY, _mail_again),
}
