"""What was learned from the demo's incident that is over: a post-mortem, written, read by somebody else, published."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from django.utils import timezone

from incidents.postmortems.actions import action_add, actions_observe
from incidents.postmortems.editing import factor_save, measure_save
from incidents.postmortems.models import ActionItem, PostMortem, Reading, Revision
from incidents.postmortems.opening import owner_for, postmortem_open
from incidents.postmortems.reviewing import CHECKS, publish, review_ask, review_give
from incidents.postmortems.timeline import line_add
from incidents.postmortems.writing import section_write
from incidents.response.models import Incident
from releases.demo.tickets import People
from releases.hotfixes.models import Hotfix
from releases.hotfixes.stages import Stage, StageKey, StageState

PARTS = {
    "summary": "Names with markup in them changed how an invoice was printed: parts of the address were missing. We "
    "heard of it from a shop. Version 2.9.3 escapes every name.\n\ndevelop took the fix over and took it back within "
    "a day, because its new font drops escaped characters. **Until it has another one, the next release brings "
    "the bug back.**",
    "impact": "Customers whose name holds characters such as `<` or `&`. Amounts and numbers were right. A name could "
    "carry markup of its own into the file, which is why this was a hotfix and did not wait.",
    "occur": "We assumed that a name is text. Where the document is put together it is markup, and nothing in the "
    "code says where the one becomes the other.",
    "caught": "The tests cover one customer with an ordinary name, but not a name with `<` in it. The reviews of that "
    "time showed the lines that changed; the place where names enter the document was not among them.",
    "change": "Text from outside gets a type of its own, so that it cannot enter a document unescaped. Until then "
    "invoices with unusual names are looked at before each release.",
    "sense": "On the screen stood invoices that looked right: all sample customers have names of letters and spaces.",
    "well": "Support sent the very file that the shop asked about, and it showed the cause at the first look.",
    "badly": "That the fix and develop's new font do not go together was seen only after the fix was merged there.",
    "lucky": "Names are entered by customers who are signed in; we found none that was made to do harm.",
}
"""By part, in words that blame nobody."""
CHAINS = (
    (
        "Names entered the document as they were typed.",
        "Our own texts and text from outside have the same type there.",
        "The document began as a template for our own texts, which need no escaping.",
    ),
    (
        "Nothing printed an invoice for an unusual name before a release.",
        "Test data is made by hand, from names that come to mind.",
    ),
    ("The fix was tried with production's font; develop has another one.",),
)
"""Factors, each with what made it possible, and what made that possible."""
OUTSIDE = (
    "Some characters of a customer's name were read as part of the layout of an invoice. Names are escaped now, and "
    "invoices with unusual names are looked at before each release."
)
TAKEN_OVER, TAKEN_BACK = timedelta(hours=7), timedelta(hours=25)
"""So long after the fix went live develop took it over, and back again; the demo's history says so."""


def reached(hotfix: Hotfix | None, key: StageKey) -> datetime | None:
    """When this hotfix came to a stage, by git; None when it did not."""
    for stage in map(Stage.from_data, hotfix.stages if hotfix else ()):
        if stage.key is key and stage.state is StageState.DONE and stage.at is not None:
            return datetime.fromtimestamp(stage.at, UTC)
    return None


def learn(incident: Incident, hotfix: Hotfix, live: datetime, people: People) -> None:
    """Write it down and publish it, where there is somebody to write it and somebody else to read it."""
    incident.refresh_from_db()
    owner = owner_for(incident.project, incident.lead)
    if owner is None or people.reviewer is None or owner == people.reviewer:
        return
    if PostMortem.objects.filter(hotfix=hotfix).exists():
        return
    postmortem = postmortem_open(
        incident.project, incident.title, severity=incident.severity, owner=owner, incident=incident, hotfix=hotfix,
        since=incident.resolved_at, actor=owner,
    )  # fmt: skip
    _write(postmortem, live, owner)
    _act(postmortem, people)
    review_ask(postmortem, owner)
    said = "The font of develop was not in it; now it is. Ready."
    review_give(postmortem, people.reviewer, Reading.Says.READY, dict.fromkeys(CHECKS, True), said)
    publish(postmortem, owner, OUTSIDE)
    _dated_back(postmortem, live)
    actions_observe(postmortem.project)


def _write(postmortem: PostMortem, live: datetime, owner: Any) -> None:
    for key, text in PARTS.items():
        section_write(postmortem, key, text, 0, owner)
    for chain in CHAINS:
        factor = None
        for text in chain:
            factor = factor_save(postmortem, text, parent=factor)
    measure_save(postmortem, "Shops that asked", "3")
    noticed = postmortem.incident.detected_at if postmortem.incident else None
    if noticed is not None:
        line_add(postmortem, noticed, "A shop asks why parts of its address are missing.", owner)
    line_add(postmortem, live + TAKEN_OVER, "develop takes the fix over.", owner)
    line_add(postmortem, live + TAKEN_BACK, "develop takes it back: the new font drops escaped characters.", owner)


def _act(postmortem: PostMortem, people: People) -> None:
    """The second one is done by a commit that names it, if this is the first post-mortem here."""
    today = timezone.localdate()
    items = (
        ("Bring the escaping to develop in a way that its new font keeps", ActionItem.Kind.PREVENT, people.engineer, 4),
        ("Look at invoices with unusual names before each release", ActionItem.Kind.DETECT, people.lead, -2),
        ("Give text from outside a type of its own", ActionItem.Kind.PREVENT, people.engineer, 19),
    )
    for title, kind, owner, in_days in items:
        owned_by = owner or postmortem.owner
        action_add(
            postmortem, title, kind, owner=owned_by, due_on=today + timedelta(days=in_days), actor=postmortem.owner
        )


def _dated_back(postmortem: PostMortem, live: datetime) -> None:
    """As if it had been written and published in the days after the incident."""
    written, published = live + timedelta(days=2), live + timedelta(days=4)
    Revision.objects.filter(section__postmortem=postmortem).update(at=written)
    Reading.objects.filter(postmortem=postmortem).update(at=published - timedelta(hours=2))
    PostMortem.objects.filter(pk=postmortem.pk).update(published_at=published)
