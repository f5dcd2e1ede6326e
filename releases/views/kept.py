"""Parts of pages that are kept for a moment, because many people look at the same numbers.

The key holds everything that the part depends on, so a change shows at once; only the ages in it may lag behind by
`SECONDS` (the script lets them tick). Nothing personal goes in: the anti-forgery token is put in afterwards.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from django.core.cache import cache
from django.http import HttpRequest
from django.middleware.csrf import get_token
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe

SECONDS = 10
_TOKEN = "put-the-token-here"  # noqa: S105 - a place-holder


def kept(
    request: HttpRequest, template: str, key: object, context: Callable[[], dict[str, Any]], fact: str = "fact"
) -> tuple[SafeString, Any]:
    """The rendered `template`, and the plain value that stands under `fact` in its context.

    `context` is asked for only when no copy with this `key` (its repr) is at hand.
    """
    digest = hashlib.blake2b(f"{template}\n{key!r}".encode(), digest_size=20).hexdigest()
    found = cache.get(f"part:{digest}")
    if found is None:
        data = context()
        found = str(render_to_string(template, data | {"csrf_token": _TOKEN}, request)), data.get(fact)
        cache.set(f"part:{digest}", found, SECONDS)
    html, value = found
    return mark_safe(html.replace(_TOKEN, get_token(request))), value  # noqa: S308 - made by the template engine
