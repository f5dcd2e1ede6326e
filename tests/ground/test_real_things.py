"""The harness itself: what the other tests build on works."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group
from django.db import connection

from hotfixdash.accounts.roles import Role
from tests.plugins.real import Broker, Pages, Site, Worker


@pytest.mark.broker
def test_broker_starts_again_after_a_kill_with_what_it_held(broker: Broker) -> None:
    broker.client.set("kept", "1")
    broker.client.execute_command("WAITAOF", 1, 0, 5000)
    broker.kill()
    broker.start()
    assert broker.client.get("kept") == b"1"


@pytest.mark.broker
def test_worker_shows_itself_and_readyz_says_so(site: Site, worker: Worker) -> None:
    import json
    import urllib.request

    with urllib.request.urlopen(f"{site.url}/readyz", timeout=5) as answer:
        said = json.load(answer)
    assert answer.status == 200
    assert said["status"] == "ready"
    assert said["worker"]["ok"] is True


@pytest.mark.browser
def test_browser_reaches_the_sign_in_page_without_a_breach_of_the_content_policy(site: Site, open_page: Pages) -> None:
    page = open_page(site.url)
    page.goto("/")
    assert page.locator("input[name=username]").count() == 1


@pytest.mark.postgres
@pytest.mark.django_db
def test_postgres_is_real() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT version()")
        assert cursor.fetchone()[0].startswith("PostgreSQL")


@pytest.mark.django_db
def test_database_holds_the_roles() -> None:
    assert set(Group.objects.values_list("name", flat=True)) >= {role.value for role in Role}
