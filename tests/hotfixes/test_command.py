"""`manage.py hotfix`, and the sweep that ends waivers."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from releases.hotfixes.models import Hotfix
from releases.policies.flow import FlowPolicy
from releases.policies.models import Settlement, Verdict
from releases.policies.settling import settle_waive
from releases.tasks import sweep_now
from tests.factories import make_user
from tests.gitrepos import make_flow
from tests.hotfixes.playing import app, look, track

pytestmark = pytest.mark.django_db


def hotfix(*args: str) -> str:
    out = StringIO()
    call_command("hotfix", *args, stdout=out)
    return out.getvalue()


def test_open_list_show_adopt(tmp_path: Path) -> None:
    repo = make_flow(tmp_path)
    project = track(repo, FlowPolicy())
    make_user("mira", "engineer")
    assert hotfix("list") == "No hotfix.\n"
    said = hotfix("open", "shop", "TICKET-7", "Payments fail", "--severity", "1", "--owner", "mira", "--impact", "All.")
    assert said == "TICKET-7 is open; it is at triage.\n"
    repo.branch("hotfix/TICKET-8", "v1.0.0")
    repo.commit({"app.py": app((3, "mended"))}, "[HOTFIX] TICKET-8: mend\x1b[31m", branch="hotfix/TICKET-8")
    look(project)
    listed = hotfix("list", "--project", "shop")
    assert "shop\tTICKET-7\tSEV1\ttriage\t\tmira\tPayments fail\n" in listed
    assert "no ticket: branch hotfix/TICKET-8\tTICKET-8" in listed
    assert "\x1b" not in listed
    assert hotfix("adopt", "shop", "hotfix/TICKET-8").startswith("hotfix/TICKET-8 belongs to TICKET-8 now")
    shown = hotfix("show", "shop", "ticket-8")
    assert "  Branch       done" in shown
    assert "from v1.0.0" in shown
    assert Hotfix.objects.count() == 2


def test_what_cannot_be_is_said(tmp_path: Path) -> None:
    track(make_flow(tmp_path), FlowPolicy())
    for args, said in (
        (("open", "shop", "nothing", "Payments fail"), "key: .*does not look like a ticket"),
        (("open", "shop", "TICKET-1", " "), "title: "),
        (("open", "shop", "TICKET-1", "T", "--owner", "nobody"), "Nobody has the user name"),
        (("open", "elsewhere", "TICKET-1", "T"), "no project called"),
        (("show", "shop", "TICKET-1"), "has no hotfix"),
        (("adopt", "shop", "main2"), "no branch and no version tag"),
    ):
        with pytest.raises(CommandError, match=said):
            hotfix(*args)


def test_the_sweep_ends_a_waiver_and_the_ticket_owes_again(tmp_path: Path) -> None:
    repo = make_flow(tmp_path)
    repo.commit({"app.py": app((3, "mended"))}, "TICKET-7 mend", branch="main")
    repo.tag("v1.0.1", "main", message="1.0.1")
    project = track(repo, FlowPolicy())
    hotfix("adopt", "shop", "v1.0.1")
    ticket = Hotfix.objects.get()
    assert (ticket.key, ticket.owed_count) == ("TICKET-7", 1)
    settle_waive(Verdict.objects.get(), "Later.", timezone.now() + timedelta(days=3))
    look(project)
    ticket.refresh_from_db()
    assert ticket.owed_count == 0
    Settlement.objects.update(until=timezone.now())
    sweep_now()
    ticket.refresh_from_db()
    assert ticket.owed_count == 1
