"""Parts of pages that are kept for a moment, because many people look at the same numbers.

The key holds everything that the part depends on, so a change shows at once; only the ages in it may lag behind by
`SECONDS` (the script lets them tick). Nothing personal goes in: the anti-forgery token is put in afterwards.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from typing import Any

from django.core.cache import cache as shared
from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.template.loader import render_to_string
from django.utils.crypto import salted_hmac
from django.utils.safestring import SafeString, mark_safe

SECONDS = 10


@cache
def _place() -> str:
    """Stands where the token goes; nobody can write it into a commit's subject."""
    return salted_hmac("releases.views.kept", "token").hexdigest()


def kept(
    request: HttpRequest, template: str, key: object, context: Callable[[], dict[str, Any]], fact: str = "fact"
) -> tuple[SafeString, Any]:
    """The rendered `template`, and the plain value that stands under `fact` in its context.

    `context` is asked for only when no copy with this `key` (its repr) is at hand.
    """
    place = _place()
    digest = hashlib.blake2b(f"{template}\n{key!r}".encode(), digest_size=20).hexdigest()
    found = shared.get(f"part:{digest}")
    if found is None:
        data = context()
        found = str(render_to_string(template, data | {"csrf_token": place}, request)), data.get(fact)
        shared.set(f"part:{digest}", found, SECONDS)
    html, value = found
    return mark_safe(html.replace(place, get_token(request))), value  # noqa: S308 - made by the template engine
