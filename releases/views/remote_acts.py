"""What changes the remote on a hotfix's behalf: each is confirmed, then put into the journal for a worker."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from django.contrib import messages

from hotfixdash.accounts.roles import Act
from releases import hotfix_forms as forms
from releases.hotfixes import requests
from releases.hotfixes.errors import HotfixError
from releases.hotfixes.requests import Ask, Standing
from releases.hotfixes.ways import advise, clean_everywhere
from releases.operations.models import Operation
from releases.projects.in_production import release_in_production
from releases.tasks import operation_ask

from . import merge_back, words
from .asking import Done
from .hotfix_acts import Asked, Ticket


def _submit(ticket: Ticket, ask: Ask, doing: str) -> Done:
    """Put it into the journal, or join the one that stands."""
    operation, made = operation_ask(
        ticket.project, ask.kind, ask.key, subject=ask.subject, params=ask.params, actor=ticket.request.user
    )
    if made:
        return Done(f"{doing}. The page follows by itself.", level=messages.INFO)
    return Done(f"{operation.actor_name} asked for the same already; it is under way.", level=messages.INFO)


def _running(standing: Standing, ask: Ask) -> list[str]:
    """A word of warning when the same is under way."""
    row = standing.operations.get(ask.key)
    active = row is not None and row.is_active
    return [f"{row.actor_name} asked for it already; asking again changes nothing."] if row and active else []


def _cut(ticket: Ticket) -> Asked:
    standing = Standing(ticket.hotfix)
    ask = requests.cut_ask(standing)
    live = release_in_production(ticket.project)
    tags = standing.bases
    form = forms.CutForm(tags, ticket.data, initial={"tag": live.tag if live else ""})
    branch = ask.params["branch"]
    question = ticket.question(
        f"Cut {branch}?", "Cut and push", form if tags else None, icon="git-branch",
        says=["The branch starts at exactly the chosen release, never at the tip of the production branch."],
        facts=[("Branch", branch)], warnings=_running(standing, ask),
    )  # fmt: skip

    def do() -> Done:
        chosen = form.cleaned_data["tag"] if tags else ""
        return _submit(ticket, requests.cut_ask(Standing(ticket.hotfix), chosen), f"Cutting {branch}")

    return question, do


def _finish(ticket: Ticket) -> Asked:
    standing = Standing(ticket.hotfix)
    ask = requests.finish_ask(standing)
    production, tag = ask.params["production"], ask.params["tag"]
    targets = [target.branch for target in standing.concerned]
    initial = {"tag": tag, "message": f"{ticket.hotfix.key}: {ticket.hotfix.title}"}
    also = clean_everywhere(ticket.hotfix) if ticket.data is None else []
    form = forms.FinishForm(targets, ticket.data, initial=initial | {"also": also})
    how = {"merge": "a merge commit", "ff": "moving it forward", "squash": "one squashed commit"}
    says = (
        f"{ticket.hotfix.branch} goes into {production} by {how.get(standing.policy.finish, 'a merge')}, and is tagged."
    )
    if not production:
        says = "The branch's tip is tagged; tags are what production runs."
    question = ticket.question(
        f"Merge to {production} and tag {tag}?" if production else f"Tag {tag}?",
        "Merge, tag and push" if production else "Tag and push", form, icon="tag",
        says=[says, "What is tagged differs from what production runs by this fix alone.",
              *(["Both reach the remote together, or not at all."] if production else [])],
        facts=[("Head", ticket.hotfix.head[:12])], warnings=_running(standing, ask),
    )  # fmt: skip

    def do() -> Done:
        data = form.cleaned_data
        asked = requests.finish_ask(Standing(ticket.hotfix), data["tag"].strip(), data["message"])
        asked = replace(asked, params=asked.params | {"also": data.get("also") or []})
        return _submit(ticket, asked, f"Finishing as {asked.params['tag']}")

    return question, do


def _clean_up(ticket: Ticket) -> Asked:
    standing = Standing(ticket.hotfix)
    ask = requests.clean_up_ask(standing)
    branch = ask.params["branch"]
    question = ticket.question(
        f"Delete {branch}?", "Delete it", icon="check", cautious=True,
        says=["No branch is owed the fix any more. The branch is deleted on the remote; its commits stay."],
        facts=[("Tip", ask.params["head"][:12])], warnings=_running(standing, ask),
    )  # fmt: skip
    return question, lambda: _submit(ticket, requests.clean_up_ask(Standing(ticket.hotfix)), f"Deleting {branch}")


def _revert(ticket: Ticket) -> Asked:
    way = next((option for option in advise(ticket.hotfix) if option.way == ticket.hotfix.Way.REVERT), None)
    if way is None or not way.possible:
        raise HotfixError("", way.why_not if way else "There is nothing to revert.", "nothing")
    branch = str(way.params.get("branch", ""))
    requests.revert_ask(Standing(ticket.hotfix), branch, [commit.sha for commit in way.commits[:1]])
    form = forms.RevertForm(way.commits, ticket.data)
    question = ticket.question(
        f"Revert what is in the way on {branch}?", "Revert and push", form, icon="undo-2", cautious=True,
        says=[
            f"One commit on {branch} undoes each chosen commit.",
            "What is undone is owed there until it is re-applied, exactly like a merge-back.",
        ],
    )  # fmt: skip

    def do() -> Done:
        ask = requests.revert_ask(Standing(ticket.hotfix), branch, form.chosen)
        return _submit(ticket, ask, f"Reverting {words.plural(len(form.chosen), 'commit')} on {branch}")

    return question, do


def _reapply(ticket: Ticket) -> Asked:
    standing = Standing(ticket.hotfix)
    if not standing.debts:
        raise HotfixError("", "Nothing has to be re-applied.", "nothing")
    debt = standing.debts[0]
    ask = requests.reapply_ask(standing, debt)
    question = ticket.question(
        f"Re-apply on {debt.branch}?", "Re-apply and push", icon="rotate-ccw",
        says=[f"What was undone comes back: {debt.subject}."], warnings=_running(standing, ask),
    )  # fmt: skip
    return question, lambda: _submit(ticket, ask, f"Re-applying on {debt.branch}")


def _merge_back_all(ticket: Ticket) -> Asked:
    standing = Standing(ticket.hotfix)
    ready = merge_back.ready(standing.verdicts, standing.operations)
    if not ready:
        raise HotfixError("", _under_way(standing) or "No merge-back is clean. Look at each branch.", "nothing")
    names = [verdict.target.branch for verdict in ready]
    question = ticket.question(
        f"Merge back into {words.plural(len(names), 'branch', 'branches')}?", "Merge and push all", icon="git-merge",
        says=["Each branch gets its own merge and its own push; what one does not take leaves the others alone."],
        facts=[(verdict.target.branch, verdict.target.tip[:12]) for verdict in ready],
    )  # fmt: skip

    def do() -> Done:
        asked = [merge_back.ask_for(ticket.project, verdict, ticket.request.user) for verdict in ready]
        mine = [name for name, (_row, made) in zip(names, asked, strict=True) if made]
        says = f"Merging back into {', '.join(mine)}. The page follows by itself. " if mine else ""
        return Done(says + _joined([row for row, made in asked if not made]), level=messages.INFO)

    return question, do


def _under_way(standing: Standing) -> str:
    """Who asked for the merge-backs that wait or run already; empty when none does."""
    keys = {merge_back.key_of(verdict.fix, verdict.target.branch) for verdict in standing.verdicts if verdict.owed}
    return _joined([row for key, row in standing.operations.items() if key in keys and row.is_active])


def _joined(rows: Sequence[Operation]) -> str:
    """One sentence for each person who was first."""
    said = []
    rows = sorted(rows, key=lambda row: row.pk)
    for who in dict.fromkeys(row.actor_name for row in rows):
        names = [str(row.params.get("target", "")) for row in rows if row.actor_name == who]
        said.append(f"{who} asked for the same already; the merge-back into {' and '.join(names)} is under way.")
    return " ".join(said)


VERBS: dict[str, tuple[Act, Callable[[Ticket], Asked]]] = {
    Operation.Kind.CUT.value: (Act.OPERATE, _cut),
    Operation.Kind.FINISH.value: (Act.RELEASE, _finish),
    Operation.Kind.CLEAN_UP.value: (Act.OPERATE, _clean_up),
    Operation.Kind.REVERT.value: (Act.OPERATE, _revert),
    Operation.Kind.REAPPLY.value: (Act.OPERATE, _reapply),
    "merge-back-all": (Act.OPERATE, _merge_back_all),
}
