"""People's yes and no to a run. Each is one transaction that holds the run's row, so that of two at once one is second.

asked → queued by the last approval that it takes, or by broken glass; → rejected by one no. An approval is taken back
until the run starts, and a run that lacks it then is asked again. What was approved is named in each approval (see
`binding`): when one of those facts changes the run is void, and a new request of exactly the same takes the approvals
over that were given.

Ledger kinds, all with the subject run:<pk>: approval.given, approval.rejected, approval.withdrawn, approval.carried,
run.approved, run.rejected, run.void, run.expired, run.glass-broken.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from .binding import RELATED, binding_of, changed, changed_of, same_binding
from .deciding import picture_of, shown_keep, shown_keep_at_end
from .errors import DeployRefused
from .following import follow, tell
from .models import Approval, BadRelease, FollowUp, Run
from .models.runs import WAITING
from .persons import approving_refused, breaking_refused, may_see
from .voices import lives, needed_of, quorum, quorums

LONGEST = 5000
"""Characters of a comment."""


# --- what people say ------------------------------------------------------------------------------------------------


def approve(run: Run, person: Any, comment: str = "", *, binding: Mapping[str, Any] | str) -> Run:
    """Say yes to exactly what was shown, given as its binding or that one's key. Raises `DeployRefused`.

    The one that completes the quorum queues the run; the caller nudges a task on commit.
    """
    return _say(run, person, Approval.Says.APPROVE, comment, binding)


def reject(run: Run, person: Any, comment: str, *, binding: Mapping[str, Any] | str) -> Run:
    """Say no, and why: the run ends. Raises `DeployRefused`."""
    if not comment.strip():
        raise DeployRefused("comment", "Say why: whoever asked has to know what to change.")
    return _say(run, person, Approval.Says.REJECT, comment, binding)


def _say(run: Run, person: Any, says: str, comment: str, binding: Mapping[str, Any] | str) -> Run:
    refusal = approving_refused(run, person)
    if refusal is not None:
        raise refusal
    now, picture = timezone.now(), picture_of(run)  # before the row is held: git may take a moment
    try:
        with transaction.atomic():
            row = run_hold(run.pk)
            _must_be_open(row, now)
            _must_be_as_shown(row, binding)
            voice = Approval.objects.create(
                run=row, person=person, says=says, comment=comment.strip()[:LONGEST], binding=binding_of(row), at=now
            )
            shown_keep(row, picture, voice)
            yes = says == Approval.Says.APPROVE
            _tell(row, "approval.given" if yes else "approval.rejected", voice.comment, actor=person)
            if yes:
                queue_if_enough(row, now)
            else:
                _end(row, Run.State.REJECTED, "rejected", f"{person.get_username()} said no: {voice.comment}", now)
    except IntegrityError:
        raise DeployRefused("spoken", "You have spoken on this request already.") from None
    return row


def withdraw(run: Run, person: Any, now: datetime | None = None) -> Run:
    """Take one's own approval back, until the run starts. Raises `DeployRefused`."""
    now = now or timezone.now()
    may_see(run, person)
    with transaction.atomic():
        row = run_hold(run.pk)
        if row.state not in WAITING:
            raise DeployRefused("over", f"Too late: it is {row.get_state_display().lower()} already.")
        mine = Approval.objects.filter(run=row, person=person, says=Approval.Says.APPROVE, withdrawn_at=None)
        if not mine.update(withdrawn_at=now):
            raise DeployRefused("silent", "There is no approval of yours to take back.")
        _tell(row, "approval.withdrawn", "", actor=person)
        if row.state == Run.State.QUEUED and row.glass_by_id is None and not quorum(row, now).reached:
            _write(row, state=Run.State.ASKED, approved_at=None, queued_at=None, nudged_at=None)
    return row


def break_glass(run: Run, person: Any, why: str, now: datetime | None = None) -> Run:
    """Let it go now, on one person's word: quorum, freeze and lock do not count. Raises `DeployRefused`.

    A second person has to look at it afterwards; until then every page says so.
    """
    now, why = now or timezone.now(), why.strip()
    refusal = breaking_refused(run, person)
    if refusal is not None:
        raise refusal
    if len(why) < 10:
        raise DeployRefused("comment", "Write what makes this an emergency, in a sentence: it is read afterwards.")
    picture = picture_of(run)
    with transaction.atomic():
        row = run_hold(run.pk)
        if row.state not in WAITING:
            raise DeployRefused("over", f"It is {row.get_state_display().lower()}; there is nothing left to override.")
        if row.glass_by_id is not None:
            raise DeployRefused("spoken", "The glass is broken already.")
        stale = changed(row)
        if stale:
            raise DeployRefused("stale", " ".join(stale))
        _write(
            row, state=Run.State.QUEUED, glass_by=person, glass_why=why[:LONGEST], approved_at=now, expires_at=None,
            queued_at=row.queued_at or now, nudged_at=None,
        )  # fmt: skip
        FollowUp.objects.create(run=row, opened_at=now)
        shown_keep(row, picture)
        _tell(row, "run.glass-broken", why, actor=person)
    return row


# --- what follows from rows -----------------------------------------------------------------------------------------


@transaction.atomic
def approvals_open(run: Run, now: datetime | None = None) -> Run:
    """Begin the asking for a run just made as `asked`; in the same transaction. Gives it as it stands then.

    Approvals of an earlier request of exactly the same are taken over. Where nobody has to approve, or those are
    enough, it is queued at once; otherwise it expires when nobody speaks in time.
    """
    now = now or timezone.now()
    row = run_hold(run.pk)
    if not needed_of(row):
        _write(row, state=Run.State.QUEUED, queued_at=now, expires_at=None)
        return row
    _write(row, expires_at=now + lives(row))
    _tell(row, "run.asked", f"{row.tag} waits for {needed_of(row)} to approve.", actor=row.asked_by)
    _carry_over(row, now)
    queue_if_enough(row, now)
    return row


def _carry_over(row: Run, now: datetime) -> None:
    """Take over what was said to an earlier request, person by person: their last word, if it was a standing yes.

    Nothing is taken over past a no to exactly the same, nor what was said before the release was taken back.
    """
    before = Approval.objects.filter(
        run__project=row.project_id, run__environment=row.environment_id, run__tag=row.tag, run__commit=row.commit,
        at__gt=now - lives(row),
    ).exclude(run=row.pk)  # fmt: skip
    marks = BadRelease.objects.filter(project=row.project_id, tag=row.tag).order_by("-marked_at")
    taken_back = marks.values_list("marked_at", flat=True).first()
    last: dict[int, Approval] = {}
    for voice in before.select_related("person").order_by("-at", "-pk"):
        if same_binding(row, voice.binding):
            last.setdefault(voice.person_id, voice)
    if any(voice.says == Approval.Says.REJECT for voice in last.values()):
        return
    for voice in last.values():
        stands = voice.withdrawn_at is None and (taken_back is None or voice.at > taken_back)
        if stands and approving_refused(row, voice.person) is None:
            Approval.objects.create(
                run=row, person=voice.person, says=voice.says, comment=voice.comment, binding=voice.binding,
                at=voice.at, carried_from=voice,
            )  # fmt: skip
            said = f"Exactly the same was approved by {voice.person.get_username()} before."
            _tell(row, "approval.carried", said, actor=voice.person)


def queue_if_enough(row: Run, now: datetime) -> bool:
    """Queue a run whose quorum is reached; the caller holds its row. False while somebody is still missing."""
    found = quorum(row, now)
    if not found.reached or row.state not in WAITING:
        return False
    if row.state == Run.State.ASKED:
        counted = found.given[: found.needed]
        until = min(voice.at for voice in counted) + lives(row) if counted else None
        _write(row, state=Run.State.QUEUED, approved_at=now, queued_at=now, nudged_at=None, expires_at=until)
        names = ", ".join(voice.person.get_username() for voice in found.given)
        said = f"Approved by {names}." if found.needed else "Nobody has to approve it any more."
        _tell(row, "run.approved", said, by="quorum")
    return True


def runs_enough(now: datetime | None = None) -> list[Run]:
    """Queue what has enough voices since the environment asks for fewer; gives those runs."""
    now = now or timezone.now()
    asked = list(Run.objects.filter(state=Run.State.ASKED).select_related(*RELATED))
    said = quorums(asked, now)
    return [run for run in asked if said[run.pk].reached and _queue_now(run.pk, now)]


@transaction.atomic
def _queue_now(pk: int, now: datetime) -> bool:
    row = run_hold(pk)
    late = row.expires_at is not None and row.expires_at <= now
    return row.state == Run.State.ASKED and not late and queue_if_enough(row, now)


def runs_void_stale(project: Any = None) -> list[Run]:
    """End what waits (in one project, or in all) and is not any more what it was asked for with; gives those runs."""
    rows = Run.objects.filter(state__in=WAITING) if project is None else project.runs.filter(state__in=WAITING)
    waiting = list(rows.select_related(*RELATED))
    stale = changed_of(waiting) if waiting else {}
    return [run for run in waiting if stale[run.pk] and _void(run)]


def _void(run: Run) -> bool:
    with transaction.atomic():
        row = run_hold(run.pk)
        said = changed(row)
        if row.state not in WAITING or not said:
            return False
        _end(row, Run.State.VOID, "stale", " ".join(said), timezone.now())
    return True


def runs_expire(now: datetime | None = None) -> list[Run]:
    """End what nobody approved in time, and what was approved and did not start in time; gives those runs."""
    now = now or timezone.now()
    due = Run.objects.filter(state__in=WAITING, expires_at__lte=now).values_list("pk", flat=True)
    return [run for pk in list(due) if (run := _expire(pk, now)) is not None]


def _expire(pk: int, now: datetime) -> Run | None:
    with transaction.atomic():
        row = run_hold(pk)
        if row.state not in WAITING or row.expires_at is None or row.expires_at > now:
            return None
        said = "Nobody approved it in time." if row.state == Run.State.ASKED else "The approval was not used in time."
        _end(row, Run.State.EXPIRED, "expired", said, now)
    return row


# --- shared ---------------------------------------------------------------------------------------------------------


def run_hold(pk: int) -> Run:
    """The run as it is, held against everybody else until the transaction ends."""
    return Run.objects.select_for_update(of=("self",)).select_related(*RELATED, "asked_by").get(pk=pk)


def _must_be_open(row: Run, now: datetime) -> None:
    if row.state not in WAITING or (row.state == Run.State.QUEUED and quorum(row, now).reached):
        raise DeployRefused("over", f"This request is {row.get_state_display().lower()}; nobody is asked any more.")
    if row.expires_at is not None and row.expires_at <= now:
        raise DeployRefused("expired", "This request has expired; it has to be asked for again.")


def _must_be_as_shown(row: Run, binding: Mapping[str, Any] | str) -> None:
    said = changed(row)
    if said:
        raise DeployRefused("stale", " ".join([*said, "What was shown does not count any more."]))
    if not same_binding(row, binding):
        raise DeployRefused("stale", "This is not what the page showed when you opened it. Look at it again.")


def _write(row: Run, **changes: Any) -> None:
    """Change a run that this transaction holds; nobody else can have taken it meanwhile."""
    if Run.objects.filter(pk=row.pk, state=row.state, fence=row.fence).update(**changes) != 1:
        raise DeployRefused("over", "Somebody else was faster; look at it again.")
    for name, value in changes.items():
        setattr(row, name, value)
    follow(row)


def _end(row: Run, state: str, code: str, sentence: str, now: datetime) -> None:
    _write(row, state=state, error_code=code, error_text=sentence, finished_at=now)
    kinds = {Run.State.REJECTED: "run.rejected", Run.State.VOID: "run.void", Run.State.EXPIRED: "run.expired"}
    _tell(row, kinds[Run.State(state)], sentence, by="sweep")
    shown_keep_at_end(row.pk)


def _tell(row: Run, kind: str, why: str, *, actor: Any = None, by: str = "dashboard") -> None:
    tell(row, kind, why, actor=actor, by="" if actor else by, evidence=binding_of(row))
