"""Markdown of people does no harm, on the page, in the preview and in what is downloaded; and reads as it was meant."""

from __future__ import annotations

import re
import time
from html.parser import HTMLParser
from typing import Any

import pytest
from django.test import Client

from incidents.postmortems.actions import action_add
from incidents.postmortems.editing import factor_save, measure_save
from incidents.postmortems.export import as_markdown
from incidents.postmortems.markdown import ATTRIBUTES, TAGS, render
from incidents.postmortems.models import PostMortem
from incidents.postmortems.opening import postmortem_open
from incidents.postmortems.outline import PARTS
from incidents.postmortems.timeline import line_add
from incidents.postmortems.writing import section_write
from tests.factories import NOW, make_project, make_user

HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg/onload=alert(1)>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<a href='javascript:alert(1)'>x</a>",
    "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))",
    "[x](java\tscript:alert(1))",
    "[x](&#106;avascript:alert(1))",
    "[x](javascript&colon;alert(1))",
    "[x](\x01javascript:alert(1))",
    "[x](data:text/html,<script>alert(1)</script>)",
    "[x](data:image/svg+xml;base64,PHN2Zy8+)",
    "[x](vbscript:msgbox(1))",
    "[x](file:///etc/passwd)",
    "[x](//evil.example.org)",
    "[x](\\\\evil.example.org)",
    "[x](/\\evil.example.org)",
    '[x](https://a.example.org/"onmouseover="alert(1))',
    "[x](https://a.example.org 'a\" onclick=\"alert(1)')",
    '<https://a.example.org/"onclick=alert(1)>',
    "<javascript:alert(1)>",
    "![x](https://evil.example.org/pixel.gif)",
    '![x" onload="alert(1)](https://evil.example.org/pixel.gif)',
    "![x](javascript:alert(1))",
    "[r]: javascript:alert(1)\n\n[x][r]",
    "# <b onclick=alert(1)>x</b>",
    "> <style>*{display:none}</style>",
    "- <form action=https://evil.example.org><input name=password>",
    "`<script>`\n\n```\n<script>alert(1)</script>\n```",
    '```"><script>alert(1)</script>\nx\n```',
    "|a|\n|:-:|\n|<script>alert(1)</script>|",
    "<!-- --><script>alert(1)</script>",
    "<math><mtext></p><script>alert(1)</script>",
    "</p></div></main><h1>Taken over</h1>",
    "a\u202egnp.exe",
    "<p style='position:fixed;inset:0'>x</p>",
    "<base href=https://evil.example.org><meta http-equiv=refresh content=0>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "<scr<script>ipt>alert(1)</scr</script>ipt>",
]


class Markup(HTMLParser):
    """Every element and attribute that a browser would make of it."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.found.append((tag, dict(attrs)))


@pytest.mark.parametrize("text", HOSTILE)
def test_only_what_is_on_the_list_comes_out(text: str) -> None:
    for tag, attributes in Markup(render(text)).found:
        assert tag in TAGS
        assert set(attributes) <= ATTRIBUTES.get(tag, set()) | ({"rel"} if tag == "a" else set())
        if tag == "a":
            href = str(attributes.get("href") or "")
            assert re.match(r"(https?://|mailto:|/(?![/\\])|#)", href), href
            assert attributes["rel"] == "nofollow noopener"
    assert "\u202e" not in render(text)


def test_a_picture_is_a_link_and_nothing_is_loaded() -> None:
    html = render("![the graph](https://images.example.org/a.png)")
    assert html == '<p><a href="https://images.example.org/a.png" rel="nofollow noopener">the graph</a></p>\n'


def test_what_people_write_reads_as_they_meant_it() -> None:
    html = render(
        "# Big\n\nOne **bold** and *slanted* `code`\nsecond line\n\n1. a\n2. b\n\n> said\n\n~~gone~~\n\n"
        "|a|b|\n|-|-|\n|1|2|\n\n"
        "[ours](/incidents/INC-1/) <https://example.org> [mail](mailto:a@example.org)"
    )
    for part in (
        "<h3>Big</h3>", "<strong>bold</strong>", "<em>slanted</em>", "<code>code</code><br>", "<ol>", "<blockquote>",
        "<s>gone</s>", "<td>2</td>", 'href="/incidents/INC-1/"', 'href="https://example.org"',
        'href="mailto:a@example.org"',
    ):  # fmt: skip
        assert part in html


@pytest.mark.parametrize(
    "text",
    ["[" * 50_000, "![" * 25_000, ">" * 50_000, "*a " * 16_000, "`" * 50_000, "[a](b" * 10_000, "<" * 50_000,
     "- " * 20_000, "|a" * 20_000 + "\n" + "|-" * 20_000, "\n".join(" " * n + "- x" for n in range(300))],
)  # fmt: skip
def test_huge_and_nested_texts_take_no_time(text: str) -> None:
    begun = time.monotonic()
    html = render(text)
    assert time.monotonic() - begun < 3
    assert len(html) < 500_000


def test_what_is_too_long_is_cut_and_says_so() -> None:
    assert "too long to be shown" in render("word " * 20_000)


@pytest.fixture
def document(db: None) -> PostMortem:
    mira = make_user("mira", "engineer", all_projects=True)
    return postmortem_open(make_project("shop"), "Cards <b>failed</b> [x](javascript:1)", severity=2, owner=mira)


def fill(document: PostMortem, text: str) -> None:
    for part in PARTS:
        section_write(document, part.key, text, 0, document.owner)
    line_add(document, NOW, " ".join(text.replace("\u202e", "").split())[:400], document.owner)


EVIL = "\n\n".join(text for text in HOSTILE if "\x01" not in text and "\t" not in text)


def test_every_page_of_a_hostile_document_is_harmless(client: Client, document: PostMortem) -> None:
    fill(document, EVIL)
    evil = "<script>alert(1)</script>"
    factor_save(document, evil)
    measure_save(document, evil, evil)
    action_add(document, evil, "prevent")
    client.force_login(document.owner)
    base = f"/postmortems/{document.key}/"
    for path in (
        base,
        f"{base}read/",
        f"{base}parts/summary/history/",
        f"/postmortems/?q={evil}",
        "/postmortems/actions/",
    ):
        html = client.get(path).content.decode()
        assert "<script>alert" not in html, path
        assert "\u202e" not in re.sub(r"<textarea.*?</textarea>", "", html, flags=re.DOTALL), path
        assert not re.search(r"<[^>]+\s(on[a-z]+|style)=", re.sub(r'"[^"]*"', '""', html)), path
        for _, attributes in Markup(html).found:
            for name in ("href", "action", "src", "formaction"):
                assert not str(attributes.get(name) or "").strip().casefold().startswith(("javascript:", "data:")), path
    answer = client.post(f"{base}render/", {"text": EVIL})
    assert "<script>alert" not in answer.content.decode()
    assert {tag for tag, _ in Markup(answer.content.decode()).found} <= TAGS | {"div"}


def test_the_export_is_whole_and_escapes_what_is_not_markdown(client: Client, document: PostMortem) -> None:
    fill(document, "## Mine\n\nWe **saw** it.")
    factor = factor_save(document, "The unit was not written down")
    factor_save(document, "There is no place for it", parent=factor)
    measure_save(document, "Orders", "=1+1")
    action_add(document, "=cmd|' /C calc'!A0", "prevent", owner=document.owner, link="https://tickets.example.org/1")
    client.force_login(document.owner)
    answer = client.get(f"/postmortems/{document.key}/export.md")
    text = answer.content.decode()
    assert answer.headers["Content-Disposition"] == 'attachment; filename="PM-1.md"'
    assert answer.headers["Content-Type"] == "text/markdown; charset=utf-8"
    assert text.startswith("# PM-1: Cards \\<b\\>failed\\</b\\> \\[x\\](javascript:1)\n")
    assert "\n## Summary\n\n#### Mine\n\nWe **saw** it.\n" in text
    assert "- The unit was not written down\n  - There is no place for it\n" in text
    assert "- Orders: =1+1" in text
    assert (
        "\n- [ ] PM-1-1 =cmd\\|' /C calc'!A0 (prevent, mira; `Action: PM-1-1`) <https://tickets.example.org/1>\n"
        in text
    )
    assert "## Timeline" in text
    assert as_markdown(document).count("\n## ") == len(PARTS) + 2
    fill_evil = client.get(f"/postmortems/{document.key}/export.md").content.decode()
    assert "\u202e" not in fill_evil


def test_a_title_cannot_forge_the_name_of_the_download(client: Client, document: PostMortem) -> None:
    PostMortem.objects.update(title='a"\r\nX-Evil: 1')
    client.force_login(document.owner)
    answer = client.get(f"/postmortems/{document.key}/export.md")
    assert "X-Evil" not in answer.headers
