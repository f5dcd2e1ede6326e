"""What the first visit costs over the wire, measured in the browser."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from playwright.sync_api import Page

from .conftest import Visit

pytestmark = [pytest.mark.browser, pytest.mark.broker]

WHOLE = 120_000
"""Bytes of everything but fonts."""
SCRIPT = 30_000


def transferred(page: Page, path: str) -> Counter[str]:
    """Bytes as they came over the wire, headers included, by kind; nothing comes from the browser's cache."""
    session = page.context.new_cdp_session(page)
    kinds: dict[str, str] = {}
    sizes: Counter[str] = Counter()

    def received(event: dict[str, Any]) -> None:
        kinds[event["requestId"]] = event["type"]

    def finished(event: dict[str, Any]) -> None:
        sizes[kinds.get(event["requestId"], "Other")] += int(event["encodedDataLength"])

    session.on("Network.responseReceived", received)
    session.on("Network.loadingFinished", finished)
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    page.goto(path, wait_until="load")
    page.wait_for_timeout(500)
    return sizes


@pytest.mark.parametrize("path", ["/", "/projects/checkout-api/merge-back/"])
def test_the_first_visit_is_light(visit: Visit, path: str) -> None:
    sizes = transferred(visit(), path)
    print(f"{path}: {dict(sizes)}")
    assert sizes["Document"] > 0
    assert sizes["Stylesheet"] > 0
    assert 0 < sizes["Script"] <= SCRIPT
    assert sum(sizes.values()) - sizes["Font"] <= WHOLE
