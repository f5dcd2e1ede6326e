from __future__ import annotations

import pytest
from django.test import RequestFactory

from hotfixdash.accounts.theme import theme_of


@pytest.mark.parametrize(
    ("cookie", "shown"),
    [("light", "light"), ("dark", "dark"), ("auto", "auto"), ('"><script>', "auto"), (None, "auto")],
)
def test_cookie_decides_and_nonsense_means_auto(rf: RequestFactory, cookie: str | None, shown: str) -> None:
    request = rf.get("/")
    if cookie is not None:
        request.COOKIES["theme"] = cookie
    assert theme_of(request) == shown
