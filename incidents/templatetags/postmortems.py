"""Small parts of post-mortems."""

from __future__ import annotations

from datetime import datetime
from urllib.parse import urlsplit

from django import template
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from incidents.postmortems.hints import Found
from incidents.postmortems.outline import BY_KEY
from releases.views import words

register = template.Library()


@register.filter
def part_title(key: str) -> str:
    """How a part of the document is called."""
    return BY_KEY[key].title if key in BY_KEY else ""


@register.filter
def safe_lines(text: str) -> str:
    """As `safe_text`, with line breaks left as they are."""
    return "\n".join(words.visible(line) for line in text.split("\n"))


@register.filter
def hinted(found: Found) -> SafeString:
    """The sentence with the wording marked in it; only the wording where it is not in the sentence as shown."""
    before, wording, after = found.sentence.partition(found.quote)
    if not wording:
        return format_html("<mark>{}</mark>", words.visible(found.quote))
    return format_html("{}<mark>{}</mark>{}", words.visible(before), words.visible(wording), words.visible(after))


@register.filter
def host_of(url: str) -> str:
    """The host of an address, for showing."""
    try:
        return words.visible(urlsplit(url).hostname or url[:60])
    except ValueError:
        return words.visible(url[:60])


@register.filter
def day_and_time(moment: datetime) -> str:
    """4 Nov, 14:31."""
    return f"{timezone.localtime(moment):%-d %b, %H:%M}"


@register.filter
def just_time(moment: datetime) -> str:
    """14:31."""
    return f"{timezone.localtime(moment):%H:%M}"
