"""A tracked repository with a hotfix, played through the pages: buttons are forms, operations are carried out here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any

from django.test import Client

from hotfixdash.accounts.models import User
from releases.hotfixes.models import Hotfix
from releases.operations.models import Operation
from releases.policies.flow import FlowPolicy
from releases.projects.models import Project
from releases.tasks import operation_carry_out_here
from tests.factories import make_user
from tests.gitrepos import Repo, make_flow
from tests.hotfixes.playing import app, look, track

BRANCH = "hotfix/TICKET-7"
ANSWERS = {
    "t-critical": "yes", "t-critical_why": "Payments fail.", "t-production": "yes", "t-production_why": "Live only.",
    "t-no_workaround": "yes", "t-no_workaround_why": "None known.",
}  # fmt: skip


@dataclass
class Scene:
    """One project over one real remote, and people who look at it."""

    project: Project
    repo: Repo
    manager: User
    engineer: User
    reviewer: User

    @property
    def hotfix(self) -> Hotfix:
        return Hotfix.objects.get(project=self.project)

    def as_(self, user: User) -> Client:
        client = Client()
        client.force_login(user)
        return client

    def list_url(self) -> str:
        return f"/projects/{self.project.slug}/hotfixes/"

    def url(self, key: str = "TICKET-7") -> str:
        return f"{self.list_url()}{key}/"

    def act(self, verb: str, key: str = "TICKET-7") -> str:
        return f"/projects/{self.project.slug}/hotfix/{verb}/{key}/"

    def work(self) -> None:
        """What the worker does: every queued operation, then a look at the remote."""
        for pk in Operation.objects.filter(state="queued").order_by("pk").values_list("pk", flat=True):
            operation_carry_out_here(pk)
        look(self.project)

    def fix(self, text: str = "mended", subject: str = "[HOTFIX] TICKET-7: mend payments") -> str:
        return self.repo.commit({"app.py": app((3, text))}, subject, branch=BRANCH, author="jo")

    def opened(self) -> Hotfix:
        """Opened and triaged by buttons."""
        ok(self.as_(self.engineer).post(self.act_new(), {"key": "TICKET-7", "title": "Payments fail", "severity": 2}))
        ok(self.as_(self.engineer).post(self.act("triage"), ANSWERS))
        return self.hotfix

    def act_new(self) -> str:
        return f"/projects/{self.project.slug}/hotfix/new/"


def make_scene(folder: Path, name: str = "shop", policy: FlowPolicy | None = None) -> Scene:
    repo = make_flow(folder, f"{name}.git")
    repo.commit({"app.py": app()}, "The application", branch="main")
    repo.tag("v1.0.1", "main", message="1.0.1")
    repo.merge("main", "develop")
    repo.branch("release/1.1", "develop")
    project = track(repo, policy or FlowPolicy(ticket_url="https://tickets.example.com/{ticket}"), name)
    roles = (("manager", "release-manager"), ("engineer", "engineer"), ("reviewer", "engineer"))
    people = [make_user(f"{name}-{who}", role, all_projects=True) for who, role in roles]
    return Scene(project, repo, *people)


def ok(response: Any) -> Any:
    """A form that was taken leads on."""
    assert response.status_code == 302, f"{response.status_code}: {words_of(response)[:800]}"
    return response


def words_of(response: Any) -> str:
    """The page's words, without markup."""
    text = re.sub(r"<(script|style).*?</\1>", " ", response.content.decode(), flags=re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", text)))


def main_words(response: Any) -> str:
    """The words between header and bottom bar."""
    html = response.content.decode()
    start = html.index("<main")
    body = html[start : html.index("</main>", start)]
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", body)))
