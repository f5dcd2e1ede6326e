"""Markdown of people, as markup that can do no harm: a parser without HTML, and a cleaner behind it. Pure.

What may stand in a document is on one short list. Links lead to http, https, mail, or to pages of this dashboard;
pictures become links, so that opening a document asks no other server for anything.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping, Sequence
from typing import Any

import nh3
from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token

from releases.policies.typed import straight

LONGEST = 60_000
"""Characters that are rendered; what is longer is cut, and says so."""
MOST_BRACKETS = 1_000
"""With more, finding links would take seconds: such a text is shown as it was typed."""
TAGS = {
    "a", "blockquote", "br", "code", "em", "h3", "h4", "h5", "h6", "hr", "li", "ol", "p", "pre", "s", "strong", "table",
    "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
ATTRIBUTES: dict[str, set[str]] = {"*": set(), "a": {"href"}, "ol": {"start"}}
SCHEMES = {"http", "https", "mailto"}
_HIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u2028\u2029\u2060\ufeff\ufff9-\ufffb]")
_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]*):", re.IGNORECASE)


def render(text: str) -> SafeString:
    """Markup for a page. Headings begin at the third level: the document has its own two."""
    cut = _HIDDEN.sub("", straight(text[:LONGEST]))
    html = _PARSER.render(cut) if cut.count("[") <= MOST_BRACKETS else f"<pre>{nh3.clean_text(cut)}</pre>"
    clean = nh3.clean(html, tags=TAGS, attributes=ATTRIBUTES, url_schemes=SCHEMES, link_rel="nofollow noopener")
    more = "<p><em>The rest is too long to be shown here.</em></p>" if len(text) > LONGEST else ""
    return mark_safe(clean + more)  # noqa: S308 - cleaned by a list of what is allowed


def may_link(url: str) -> bool:
    """Whether a link may lead there: the web, mail, or a page or heading of this dashboard."""
    told = "".join(url.split()).casefold()
    if told.startswith(("//", "/\\")):
        return False
    scheme = _SCHEME.match(told)
    return scheme[1] in SCHEMES if scheme else told.startswith(("/", "#"))


def _heading(
    renderer: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: MutableMapping[str, Any]
) -> str:
    token = tokens[at]
    token.tag = f"h{min(6, int(token.tag[1]) + 2)}"
    return renderer.renderToken(tokens, at, options, env)


def _image(
    renderer: RendererHTML, tokens: Sequence[Token], at: int, options: Any, env: MutableMapping[str, Any]
) -> str:
    """A picture stays where it is; a link says that there is one."""
    token = tokens[at]
    url = nh3.clean_text(str(token.attrs.get("src", "")))
    return f'<a href="{url}">{nh3.clean_text(token.content or "picture")}</a>'


def _parser() -> MarkdownIt:
    parser = MarkdownIt("commonmark", {"html": False, "linkify": False, "breaks": True, "maxNesting": 20})
    parser.enable(["table", "strikethrough"]).disable(["html_block", "html_inline"])
    parser.validateLink = may_link  # type: ignore[method-assign]
    parser.add_render_rule("heading_open", _heading)
    parser.add_render_rule("heading_close", _heading)
    parser.add_render_rule("image", _image)
    return parser


_PARSER = _parser()
