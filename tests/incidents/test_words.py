"""The usual words of updates: ours at first, a team's own in their place, one press to begin with them."""

from __future__ import annotations

import pytest
from django.test import Client

from incidents.response.errors import IncidentError
from incidents.response.models import UpdateTemplate
from incidents.response.services import incident_declare
from incidents.response.words import words_for, words_save
from releases.ledger.models import Event
from releases.projects.models import Project
from tests.factories import make_project, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def project() -> Project:
    return make_project("shop")


def names(project: Project | None) -> list[tuple[str, str]]:
    return [(words.state, words.name) for words in words_for(project)]


def test_each_state_has_ours_until_a_team_writes_its_own(project: Project) -> None:
    ours = names(project)
    assert [state for state, _ in ours] == ["investigating", "identified", "monitoring", "resolved"]
    other = make_project("other")
    words_save("Wir suchen", "investigating", "{title}. Wir suchen.", project=project)
    assert names(project) == [("investigating", "Wir suchen"), *ours[1:]]
    assert names(other) == ours
    words_save("For all", "investigating", "Hello.")
    assert names(project)[:2] == [("investigating", "For all"), ("investigating", "Wir suchen")]
    assert names(other)[0] == ("investigating", "For all")


@pytest.mark.parametrize(
    ("fields", "field"),
    [({"name": " "}, "name"), ({"state": "x"}, "state"), ({"text": ""}, "text"), ({"text": "a\u202eb"}, "text")],
)
def test_words_that_cannot_be_are_refused_beside_their_field(fields: dict[str, str], field: str) -> None:
    with pytest.raises(IncidentError) as refused:
        words_save(**({"name": "N", "state": "resolved", "text": "T"} | fields))
    assert refused.value.field == field
    assert not UpdateTemplate.objects.exists()


def test_an_update_begins_with_them_by_one_press(client: Client, project: Project) -> None:
    client.force_login(make_user("mira", "engineer", projects=[project]))
    incident = incident_declare(project, "Cards fail")
    url = f"/incidents/{incident.key}/say/"
    html = client.get(url).content.decode()
    assert f'href="{url}?words=identified"' in html
    assert "We found the cause" not in html
    html = client.get(f"{url}?words=investigating").content.decode()
    assert "Cards fail. We are looking into it" in html
    row = words_save("Ours", "monitoring", "It runs: {title}.", project=project)
    html = client.get(f"{url}?words={row.pk}").content.decode()
    assert "It runs: Cards fail." in html
    assert '<option value="monitoring" selected>' in html
    assert "It runs: Cards fail." in client.get(f"{url}?state=monitoring").content.decode()
    assert client.get(f"{url}?words=nonsense").status_code == 200


def test_administrators_manage_them(client: Client, project: Project) -> None:
    client.force_login(make_user("admin", "administrator", all_projects=True))
    assert "as shipped" in client.get("/status-pages/").content.decode()
    assert "We found the cause" in client.get("/incident-settings/words/identified/").content.decode()
    told = {"name": "Found", "state": "identified", "text": "Found it.", "project": project.pk}
    client.post("/incident-settings/words/identified/", told)
    row = UpdateTemplate.objects.get()
    assert (row.name, row.project) == ("Found", project)
    client.post(f"/incident-settings/words/{row.pk}/", told | {"text": "Found it at last.", "project": ""})
    row.refresh_from_db()
    assert (row.text, row.project) == ("Found it at last.", None)
    client.post(f"/incident-settings/words-remove/{row.pk}/")
    assert not UpdateTemplate.objects.exists()
    assert Event.objects.filter(kind__startswith="words.").count() == 3
    assert client.get("/incident-settings/words/nonsense/").status_code == 404
    client.force_login(make_user("mira", "engineer", projects=[project]))
    assert client.get("/incident-settings/words/").status_code == 403


def test_a_project_is_chosen_for_what_is_new(client: Client, project: Project) -> None:
    client.force_login(make_user("admin", "administrator", all_projects=True))
    for kind in ("component", "planned"):
        assert client.get(f"/incident-settings/{kind}/?project=shop").status_code == 200
        assert client.get(f"/incident-settings/{kind}/").status_code == 404
    client.post("/incident-settings/component/?project=shop", {"name": "Cards", "order": "0", "baseline": "0"})
    assert project.components.get().name == "Cards"


@pytest.mark.parametrize(("severity", "soon"), [(1, "30 minutes"), (2, "an hour"), (3, "4 hours"), (4, "24 hours")])
def test_they_promise_what_the_severity_asks_for(project: Project, severity: int, soon: str) -> None:
    incident = incident_declare(project, "Cards {within} fail", severity=severity)
    said = words_for(project)[0].about(incident)
    assert said == f"Cards {{within}} fail. We are looking into it, and will write again within {soon}."
