"""Announcements in words for people. Pure; no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from releases.policies.typed import straight

_CONTROL = dict.fromkeys([*range(32), 127, 133, 8232, 8233], " ")
LONGEST_SUBJECT = 200


@dataclass(frozen=True, slots=True)
class Words:
    """One announcement. The subject is a single line without control characters."""

    subject: str
    text: str
    link: str
    label: str
    """What the link says."""


@dataclass(frozen=True, slots=True)
class About:
    """What the words are made of."""

    topic: str
    project: str
    thing: str
    """TICKET-1234, INC-58, v1.2.1 …"""
    title: str
    why: str
    severity: str
    tag: str
    who: str
    state: str
    link: str


def line(text: str) -> str:
    """One line that can stand in a header: no control characters, nothing that turns the direction of writing."""
    return " ".join(straight(text).translate(_CONTROL).split())[:LONGEST_SUBJECT]


def words_of(about: About) -> Words:
    """The announcement as it is sent."""
    subject, text, label = _SAID.get(about.topic, _plain)(about)
    return Words(line(subject), text.strip(), about.link, label)


def _plain(about: About) -> tuple[str, str, str]:
    return f"{about.project}: {about.thing}", about.why, "Open it"


def _under_way(about: About) -> tuple[str, str, str]:
    text = (
        f"A hotfix is under way for {about.project}: {about.title}.\n\n"
        f"{about.thing} is {about.severity}. It is cut from what runs in production and holds nothing else. "
        "You will hear when it is live."
    )
    return f"Hotfix under way: {about.title}", text, "Follow the hotfix"


def _live(about: About) -> tuple[str, str, str]:
    tag = f" with {about.tag}" if about.tag else ""
    text = f"{about.title} is live in production{tag}. It is being watched; you will hear when it is verified."
    return f"Hotfix live: {about.title}", text, "Follow the hotfix"


def _verified(about: About) -> tuple[str, str, str]:
    tag = f"{about.tag} is" if about.tag else "The fix is"
    text = f"{tag} deployed and verified: {about.title}.\n\nWhat remains is to merge it back, so that it stays fixed."
    return f"Deployed and verified: {about.title}", text, "See what is left to do"


def _merged_back(about: About) -> tuple[str, str, str]:
    return (
        f"Merged back everywhere: {about.title}",
        f"{about.thing} is in every branch that needs it.",
        "See the hotfix",
    )


def _declared(about: About) -> tuple[str, str, str]:
    text = f"{about.title}.\n\nWe are looking into it. The next word comes as soon as we know more."
    return f"{about.severity} incident: {about.title}", text, "Follow the incident"


def _update(about: About) -> tuple[str, str, str]:
    return f"{about.state.capitalize()}: {about.title}", about.why, "Follow the incident"


def _corrected(about: About) -> tuple[str, str, str]:
    return (
        f"Corrected: {about.title}",
        f"We said something that was not right. It should read:\n\n{about.why}",
        "See all",
    )


def _over(about: About) -> tuple[str, str, str]:
    return f"Resolved: {about.title}", f"{about.title}: this is over.", "See how it went"


def _reopened(about: About) -> tuple[str, str, str]:
    return f"Open again: {about.title}", f"{about.title}: it is back.\n\n{about.why}", "Follow the incident"


def _approval(about: About) -> tuple[str, str, str]:
    return f"Waiting for approval: {about.project} {about.thing}", about.why, "Review and decide"


def _glass(about: About) -> tuple[str, str, str]:
    text = f"{about.who} overrode approvals and freeze: {about.why}\n\nA second person has to look at it."
    return f"The glass was broken: {about.project} {about.thing}", text, "Look at it"


def _yours(about: About) -> tuple[str, str, str]:
    text = (
        f"{about.why}\n\nWhat happened, how it became possible, and what changes. Others write with you; you see to it "
        "that it is there in time."
    )
    return f"Yours to write: {about.title}", text, "Write it"


def _unwritten(about: About) -> tuple[str, str, str]:
    return f"Overdue: {about.thing}, {about.title}", f"{about.why}\n\nYou hear of it daily until it is out.", "Write on"


def _learned(about: About) -> tuple[str, str, str]:
    return f"Learned: {about.title}", about.why, "Read it"


def _undone(about: About) -> tuple[str, str, str]:
    text = f"{about.why}\n\nA commit in production that names it closes it; so can you, with a reason."
    return f"Action item overdue: {about.why.partition(' was due')[0]}", text, "See what is to be done"


_SAID = {
    "hotfix-under-way": _under_way, "hotfix-live": _live, "hotfix-verified": _verified,
    "hotfix-merged-back": _merged_back, "incident-declared": _declared, "incident-update": _update,
    "incident-corrected": _corrected, "incident-over": _over, "incident-reopened": _reopened,
    "approval-wanted": _approval, "glass-broken": _glass, "postmortem-opened": _yours, "postmortem-due": _unwritten,
    "postmortem-published": _learned, "action-overdue": _undone,
}  # fmt: skip


def as_text(words: Words) -> str:
    """The body of a mail."""
    return f"{words.text}\n\n{words.label}: {words.link}\n" if words.link else f"{words.text}\n"


def as_slack(words: Words) -> dict[str, Any]:
    """For Slack and what understands the same: its three special characters are written as entities."""
    head, body = (_slack(text) for text in (words.subject, words.text))
    link = f"\n<{words.link}|{_slack(words.label)}>" if words.link else ""
    return {"text": f"*{head}*\n{body}{link}", "unfurl_links": False}


def as_teams(words: Words) -> dict[str, Any]:
    """An adaptive card; its text blocks read a little Markdown, which is taken out of their hands."""
    blocks: list[dict[str, Any]] = [
        {"type": "TextBlock", "text": _teams(words.subject), "weight": "Bolder", "size": "Medium", "wrap": True},
        {"type": "TextBlock", "text": _teams(words.text), "wrap": True},
    ]
    card: dict[str, Any] = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4",
        "body": blocks,
    }  # fmt: skip
    if words.link:
        card["actions"] = [{"type": "Action.OpenUrl", "title": words.label, "url": words.link}]
    content = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [content]}


def as_data(words: Words, fact: Mapping[str, Any]) -> dict[str, Any]:
    """For a signed webhook: the fact as data, with the words beside it."""
    return {**fact, "subject": words.subject, "text": words.text, "link": words.link}


def _slack(text: str) -> str:
    return straight(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _teams(text: str) -> str:
    out = straight(text)
    for mark in "\\*_[]()#`":
        out = out.replace(mark, "\\" + mark)
    return out.replace("\n", "\n\n")
