"""The wordings that are hinted at: documented with their reasons, and as a team wants them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from incidents.postmortems.errors import PostMortemError
from incidents.postmortems.hints import hints_of, languages
from incidents.postmortems.models import PostMortem, WordList
from incidents.postmortems.opening import postmortem_open
from incidents.postmortems.reviewing import open_hints
from incidents.postmortems.wordlists import document, own_words, word_save
from incidents.postmortems.writing import section_write
from releases.ledger.models import Event
from tests.factories import make_project, make_user

OWN = {"name": "just", "words": "just, merely*", "why": "It makes it small.", "ask": "What did it take?"}


def test_the_document_is_what_the_list_says() -> None:
    """Write it anew from `incidents.postmortems.wordlists.document()` when the list was changed."""
    written = Path(settings.BASE_DIR, "docs", "blameless-words.md").read_text(encoding="utf-8")
    assert written == document("en")
    assert all(hint.why in written and hint.ask in written for hint in hints_of("en"))


def test_every_language_is_a_file_whose_wordings_say_why_and_ask() -> None:
    assert "en" in languages()
    for language in languages():
        for hint in hints_of(language):
            assert hint.why
            assert hint.ask.endswith((".", "?"))
            assert hint.instead


@pytest.fixture
def postmortem(db: None) -> PostMortem:
    mira = make_user("mira", "release-manager", all_projects=True)
    row = postmortem_open(make_project("shop"), "Cards failed", severity=2, owner=mira)
    section_write(row, "summary", "It was just obviously wrong.", 0, mira)
    return row


def names(postmortem: PostMortem) -> list[str]:
    return [found.hint.name for places in open_hints(postmortem).values() for found in places]


def test_a_team_adds_changes_leaves_out_and_takes_back(client: Client, postmortem: PostMortem) -> None:
    client.force_login(postmortem.owner)
    assert names(postmortem) == ["obviously"]
    client.post("/postmortems/words/save/", OWN)
    assert names(postmortem) == ["just", "obviously"]
    html = client.get("/postmortems/words/").content.decode()
    assert "What did it take?" in html
    assert "Ask instead" not in html
    client.post("/postmortems/words/save/?name=just", OWN | {"name": "small words"})
    assert [row["name"] for row in own_words()] == ["small words"]
    client.post("/postmortems/words/off/?name=obviously")
    assert names(postmortem) == ["small words"]
    assert "Ask again" in client.get("/postmortems/words/").content.decode()
    client.post("/postmortems/words/on/?name=obviously")
    client.post("/postmortems/words/remove/?name=small words")
    assert names(postmortem) == ["obviously"]
    assert Event.objects.filter(kind="postmortem.words").count() == 5


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"words": "*"}, "a star alone"),
        ({"words": " , ,"}, "a star alone"),
        ({"name": ""}, "required"),
        ({"ask": ""}, "required"),
        ({"words": "x" * 500}, "at most 400"),
        ({"name": "a\u202eb"}, "direction of text"),
    ],
)
def test_what_cannot_be_used_is_refused_in_the_form(
    client: Client, postmortem: PostMortem, wrong: dict[str, str], said: str
) -> None:
    client.force_login(postmortem.owner)
    answer = client.post("/postmortems/words/save/", OWN | wrong)
    assert answer.status_code == 422
    assert said in answer.content.decode()
    assert not WordList.objects.exclude(added=[]).exists()


def test_no_wording_of_a_team_can_run_for_ever(postmortem: PostMortem) -> None:
    word_save(OWN | {"words": "(a+)+$, .*.*.*, [" + "*" * 90}, actor=postmortem.owner)
    section_write(postmortem, "occur", "a" * 40_000 + "!", 0, postmortem.owner)
    assert names(postmortem) == ["obviously"]


def test_names_are_told_apart(postmortem: PostMortem) -> None:
    word_save(OWN)
    with pytest.raises(PostMortemError, match="already"):
        word_save(OWN)


def test_who_may(client: Client, postmortem: PostMortem) -> None:
    client.force_login(make_user("jonas", "engineer", all_projects=True))
    html = client.get("/postmortems/words/").content.decode()
    assert "/save/" not in html
    for path in ("save/", "remove/?name=x", "off/?name=obviously"):
        assert client.post(f"/postmortems/words/{path}", OWN).status_code == 403
    client.force_login(make_user("ada", "viewer", all_projects=True))
    assert client.get("/postmortems/words/").status_code == 403


def test_odd_addresses_do_not_exist(client: Client, postmortem: PostMortem) -> None:
    client.force_login(postmortem.owner)
    assert client.get("/postmortems/words/off/?name=nonsense").status_code == 404
    assert client.get("/postmortems/words/nonsense/?name=obviously").status_code == 404


def test_hostile_wordings_stay_words(client: Client, postmortem: PostMortem) -> None:
    evil: Any = dict.fromkeys(("name", "why", "ask", "instead"), "<script>alert(1)</script>") | {"words": "wrong"}
    client.force_login(postmortem.owner)
    client.post("/postmortems/words/save/", evil)
    for path in ("/postmortems/words/", f"/postmortems/{postmortem.key}/"):
        html = client.get(path).content.decode()
        assert "&lt;script&gt;alert" in html
        assert "<script>alert" not in html
