"""Two at once: one decision stands, one ticket per key, one ledger row per change."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from releases.evidence.verdicts import Code
from releases.hotfixes.errors import HotfixError
from releases.hotfixes.models import Hotfix
from releases.hotfixes.observing import hotfixes_observe
from releases.hotfixes.services import hotfix_open
from releases.ledger.models import Event
from releases.policies.models import Settlement, Verdict
from releases.policies.settling import settle_waive
from tests.factories import make_fix, make_project, make_target, make_verdict

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(work: Callable[[], Any], count: int = 4) -> list[BaseException]:
    """Run it in several threads that start together; what went wrong."""
    start, failed = threading.Barrier(count), []

    def one() -> None:
        try:
            start.wait(10)
            work()
        except BaseException as error:
            failed.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return failed


def test_one_key_one_ticket() -> None:
    project = make_project()
    failed = at_once(lambda: hotfix_open(project, "TICKET-7", "Payments fail"))
    assert Hotfix.objects.count() == 1
    assert Event.objects.filter(kind="hotfix.opened").count() == 1
    assert len(failed) == 3
    assert all(isinstance(error, HotfixError) for error in failed), failed


def test_one_decision_stands() -> None:
    project = make_project()
    verdict = make_verdict(make_fix(project), make_target(project), Code.MISSING)
    until = timezone.now() + timedelta(days=9)
    assert at_once(lambda: settle_waive(Verdict.objects.get(pk=verdict.pk), "Later.", until)) == []
    standing = Settlement.objects.get(ended_at=None)
    assert Verdict.objects.get().settlement == standing
    assert Settlement.objects.exclude(ended_at=None).count() == 3


def test_two_observers_tell_it_once() -> None:
    project = make_project()
    fix = make_fix(project, ticket="TICKET-7")
    make_verdict(fix, make_target(project), Code.MISSING)
    Hotfix.objects.create(project=project, key="TICKET-7", title="Payments fail")
    assert at_once(lambda: hotfixes_observe(project)) == []
    told = list(Event.objects.filter(kind="hotfix.stage").values_list("target", flat=True))
    assert sorted(told) == ["fix", "merge-back", "production"]
