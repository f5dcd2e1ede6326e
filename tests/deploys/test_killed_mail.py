"""kill -9 between an approval mail's row and the mail: nobody is forgotten, and nobody who was written to is again."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from releases.deploys.mailing import approvers_mail, mails_due, mails_lost
from releases.deploys.models import ApprovalMail
from tests.incidents.receivers import smtp_server
from tests.plugins.real import program_environment

from .asking import make_shop
from .shop import until

pytestmark = pytest.mark.django_db(transaction=True)
HALTS = """
import sys
from pathlib import Path
import django
django.setup()
from django.conf import settings
from django.core.mail.backends.smtp import EmailBackend
from django.db import transaction
from releases.deploys import mailing
from releases.tasks.mail import mail_approvers
from tests.operations.halting import halt
point, flag, run = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])
settings.MIRROR_DIR = Path(sys.argv[4])
send, rows = EmailBackend.send_messages, mailing._rows_make
def second(backend, messages):
    if messages[0].to == ["tomas@example.net"]:
        halt(flag)
    return send(backend, messages)
def unwritten(run, now):
    with transaction.atomic():
        rows(run, now)
        halt(flag)
def written(run, now):
    rows(run, now)
    halt(flag)
if point == "second mail":
    EmailBackend.send_messages = second
else:
    mailing._rows_make = unwritten if point == "within the rows" else written
mail_approvers(run)
"""


@pytest.mark.sample(1)
@pytest.mark.parametrize("point", ["within the rows", "after the rows", "second mail"])
def test_what_a_killed_worker_did_not_send_is_sent_by_the_next(tmp_path: Path, settings: Any, point: str) -> None:
    shop, flag = make_shop(tmp_path, settings), tmp_path / "reached"
    for name in ("aiko", "tomas", "zora"):
        shop.person(username=name, email=f"{name}@example.net", mail_approvals=True)
    run = shop.request()
    with smtp_server() as box:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", box.port, False
        environment = program_environment() | {
            "EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": str(box.port), "EMAIL_TLS": "off",
        }  # fmt: skip
        with open(tmp_path / "log", "wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-W", "ignore", "-c", HALTS, point, str(flag), str(run.pk), str(settings.MIRROR_DIR)],
                env=environment, stdout=log, stderr=log,
            )  # fmt: skip
        try:
            until(lambda: flag.exists() or process.poll() is not None)
            assert flag.exists(), (tmp_path / "log").read_text()
        finally:
            process.kill()
            process.wait()
        begun = 1 if point == "second mail" else 0
        assert len(box.mails) == begun
        assert ApprovalMail.objects.count() == (0 if point == "within the rows" else 3)
        mails_lost()  # as the next sweep does: the worker is gone from this machine
        now = timezone.now() + timedelta(seconds=1)
        assert mails_due(now) == [run.pk]
        assert approvers_mail(run.pk, "https://x/", "https://x/", now) == 3 - begun
        assert sorted(str(mail["To"]) for mail in box.mails) == [
            f"{name}@example.net" for name in ("aiko", "tomas", "zora")
        ]
        assert (mails_due(now), mails_lost()) == ([], 0)
        assert len({mail["Message-ID"] for mail in box.mails}) == 3
