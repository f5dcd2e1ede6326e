"""A secret reaches the step that names it, and nothing else: no log, page, error, export, or process list."""

from __future__ import annotations

import base64
import io
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.test import Client

from releases.deploys.applying import project_export
from releases.deploys.models import Run
from releases.deploys.requesting import deploy_request
from releases.deploys.settings_services import secret_set
from releases.deploys.spec import StepKind, StepSpec
from tests.factories import make_user

from .shop import Shop, again, carried, make_shop

pytestmark = pytest.mark.django_db
VALUE = "Tr0ub4dor&3 is/not=safe"
KEY = "-----BEGIN KEY-----\nbGluZSBvbmUgb2YgaXQ\nbGluZSB0d28gb2YgaXQ\n-----END KEY-----\n"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    shop = make_shop(tmp_path)
    secret_set(shop.project, "TOKEN", VALUE)
    secret_set(shop.project, "KEY", KEY)
    secret_set(shop.project, "OTHER", "never-asked-for")
    return shop


def deployed(shop: Shop, command: str) -> Run:
    """Built, and brought to staging by a step with the secrets."""
    shop.pipeline(
        *shop.steps()[:2], StepSpec("Switch", StepKind.DEPLOY, command, secrets=("TOKEN", "KEY"), silence=30)
    )  # fmt: skip
    run, _made = deploy_request(shop.place("staging"), shop.release("v1.0.1"), trigger="person")
    carried(run)
    return carried(Run.objects.get(environment__name="staging"))


def rows() -> str:
    """Every column of every row that the release rooms keep."""
    found = []
    for model in apps.get_app_config("releases").get_models():
        found += [repr(row) for row in model._default_manager.values_list()]
    return "\n".join(found)


def forms() -> list[str]:
    return [VALUE, "Tr0ub4dor", "bGluZSBvbmUgb2YgaXQ", base64.b64encode(VALUE.encode()).decode(), "Tr0ub4dor%263"]


def test_the_step_gets_what_it_names_and_no_more(shop: Shop, tmp_path: Path) -> None:
    run = deployed(shop, f'printf %s "$TOKEN" > {tmp_path}/token; printf %s "$KEY" > {tmp_path}/key; test -z "$OTHER"')
    assert run.error_text == ""
    assert (tmp_path / "token").read_text() == VALUE
    assert (tmp_path / "key").read_text() == KEY


def test_what_a_step_says_of_it_is_masked_wherever_it_is_kept_and_shown(shop: Shop, client: Client) -> None:
    run = deployed(
        shop,
        'echo "it is $TOKEN"; printf %s "$TOKEN" | base64; echo "$KEY"; echo "job=$TOKEN" >> "$HOTFIXDASH_OUTPUT"; '
        "python3 -c 'import os, urllib.parse as u; print(u.quote(os.environ[\"TOKEN\"]))'; exit 9",
    )
    assert run.state == "failed"
    kept = rows()
    assert "***" in kept
    for form in forms():
        assert form not in kept
    client.force_login(make_user("ada", "administrator", all_projects=True))
    pages = [f"/projects/shop/deploys/{run.pk}/", f"/projects/shop/deploys/{run.pk}/log.txt", "/projects/shop/deploys/"]
    pages += [
        "/projects/shop/settings/shipping/",
        "/projects/shop/settings/shipping/pipeline/",
        "/projects/shop/settings/",
    ]
    for page in pages:
        answer = client.get(page)
        assert answer.status_code == 200, page
        body = b"".join(answer.streaming_content) if answer.streaming else answer.content  # type: ignore[attr-defined]
        for form in forms():
            assert form not in body.decode(), page
    assert "TOKEN" in project_export(shop.project)
    assert not any(form in project_export(shop.project) for form in forms())
    out = io.StringIO()
    with pytest.raises(SystemExit):
        call_command("deploy", "shop", "v1.0.1", "--env", "staging", "--wait", "--format", "json", stdout=out)
    assert not any(form in out.getvalue() for form in forms())


class Onlooker:
    """Reads what every user of a machine may read of its processes, over and over."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Onlooker:
        self._thread.start()
        return self

    def __exit__(self, *error: Any) -> None:
        self._over.set()
        self._thread.join(10)

    def _look(self) -> None:
        while not self._over.wait(0.005):
            for name in os.listdir("/proc"):
                if name.isdecimal():
                    try:
                        with open(f"/proc/{name}/cmdline", "rb") as file:
                            self.seen.add(file.read().replace(b"\0", b" ").decode("utf-8", "replace"))
                    except OSError:
                        continue


@pytest.fixture
def onlooker() -> Iterator[Onlooker]:
    with Onlooker() as onlooker:
        yield onlooker


def test_the_list_of_processes_does_not_show_it(shop: Shop, onlooker: Onlooker) -> None:
    run = deployed(shop, "sleep 0.7; sh -c 'sleep 0.3; test -n \"$TOKEN\"'")
    assert again(run).state == "done"
    assert any("sleep 0.7" in line for line in onlooker.seen)
    assert not any(form in line for line in onlooker.seen for form in forms())


def test_a_secret_that_is_missing_fails_the_step_by_its_name(shop: Shop) -> None:
    shop.project.deploy_secrets.filter(name="KEY").delete()
    run = deployed(shop, "true")
    assert run.state == "failed"
    assert "No value is stored for KEY." in run.error_text
    assert VALUE not in rows()


def test_a_secret_of_another_key_fails_the_step_and_says_what_to_do(shop: Shop, settings: Any) -> None:
    settings.SECRET_KEY = "another one, since the old one was lost"
    run = deployed(shop, "true")
    assert run.state == "failed"
    assert "SECRET_KEY_FALLBACKS" in run.error_text
