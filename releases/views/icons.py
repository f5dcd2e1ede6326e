"""Icons out of the sprite, as markup."""

from __future__ import annotations

from functools import lru_cache

from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString


@lru_cache(maxsize=512)
def icon(name: str, css: str = "") -> SafeString:
    """Decoration only: the words stand beside it."""
    classes = f"i {css}" if css else "i"
    return format_html(
        '<svg class="{}" aria-hidden="true"><use href="{}#i-{}"/></svg>', classes, static("icons/sprite.svg"), name
    )
