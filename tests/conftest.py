"""What every test may ask for; see tests/plugins/real.py for the real broker, worker, web server and browser."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from hotfixdash.accounts.roles import Role

pytest_plugins = ["tests.plugins.garbage", "tests.plugins.kinds", "tests.plugins.prepared", "tests.plugins.real"]

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("tests")


@pytest.fixture(autouse=True)
def _roles_exist(request: pytest.FixtureRequest) -> None:
    """Tests that really commit empty every table afterwards, the roles that a migration made included."""
    if "transactional_db" not in request.fixturenames:
        marker = request.node.get_closest_marker("django_db")
        if marker is None or not marker.kwargs.get("transaction"):
            return
    request.getfixturevalue("transactional_db")
    from django.contrib.auth.models import Group

    for role in Role:
        Group.objects.get_or_create(name=role.value)
