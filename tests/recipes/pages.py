"""The recipes as their pages hold them, and stand-ins for tools that are not on this machine."""

from __future__ import annotations

import json
import os
import re
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from releases.deploys.applying import project_apply
from releases.deploys.models import Environment, Run
from releases.deploys.requesting import deploy_request, rollback_request
from releases.deploys.settings_services import secret_set
from releases.deploys.toml_form import Wanted, shipping_read
from releases.projects.models import Release
from releases.tasks import run_carry_out_here
from tests.deploys.shop import Shop, again, make_shop
from tests.gitrepos import Content

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "recipes"
SECRET = "hunter2-{name}-value"
_RECORDER = """#!{python}
import json, os, sys
at = {record!r}
fed = "" if sys.stdin.isatty() else sys.stdin.read() if {reads!r} else ""
with open(at, "a") as file:
    file.write(json.dumps({{"tool": {tool!r}, "args": sys.argv[1:], "stdin": fed, "cwd": os.getcwd(),
                           "env": dict(os.environ)}}) + chr(10))
line = " ".join(sys.argv[1:])
for part, said, code in {answers!r}:
    if part in line:
        print(said)
        sys.exit(code)
"""


@dataclass(frozen=True)
class Recipe:
    """One page."""

    name: str
    text: str

    @property
    def file(self) -> str:
        """The file to apply, as the page has it."""
        found = re.findall(r"^```toml\n(.*?)^```", self.text, re.M | re.S)
        assert len(found) == 1, f"{self.name} holds {len(found)} files"
        return found[0]

    @property
    def script(self) -> str:
        """The commands for somebody else's machine."""
        (found,) = re.findall(r"^```sh\n(.*?)^```", self.text, re.M | re.S)
        return str(found)

    @property
    def tried(self) -> str:
        """What the page says of how it was tried."""
        (found,) = re.findall(r"^\*\*Tried:\*\* (.*?)\n\n", self.text, re.M | re.S)
        return str(found).replace("\n", " ")

    def wanted(self) -> Wanted:
        return shipping_read(self.file)


def recipe(name: str) -> Recipe:
    return Recipe(name, (FOLDER / f"{name}.md").read_text())


def recipes() -> list[Recipe]:
    return [recipe(path.stem) for path in sorted(FOLDER.glob("*.md")) if path.stem != "index"]


class Bench:
    """A shop that is shipped by a recipe, and what the stand-ins on PATH were asked for."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.tools = folder / "tools"
        self.tools.mkdir()
        self.record = folder / "record"
        monkeypatch.setenv("PATH", f"{self.tools}{os.pathsep}{os.environ['PATH']}")
        self.shop: Shop = make_shop(folder)

    def stand_in(self, tool: str, *answers: tuple[str, str, int], reads: bool = False) -> None:
        """A tool that writes down how it was called; what it says, and ends with, by a part of its arguments."""
        self.tool(tool, _RECORDER.format(
            python=sys.executable, record=str(self.record), tool=tool, answers=answers, reads=reads
        ))  # fmt: skip

    def tool(self, name: str, text: str) -> None:
        path = self.tools / name
        path.write_text(text)
        path.chmod(path.stat().st_mode | stat.S_IXUSR)

    def calls(self, tool: str = "") -> list[list[str]]:
        """The arguments of each call, in order."""
        return [call["args"] for call in self.records() if not tool or call["tool"] == tool]

    def records(self) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.record.read_text().splitlines()] if self.record.exists() else []

    def files(self, files: Mapping[str, Content], tag: str) -> None:
        """Commit these with a version tag on main."""
        self.shop.repo.tag(tag, at=self.shop.repo.commit(files, tag, branch="main"), message=tag)

    def apply(self, page: Recipe, **changed: str) -> None:
        """Apply the page's file with these places changed, give its secrets values, and look for new tags."""
        text = page.file
        for old, new in changed.items():
            assert old in text
            text = text.replace(old, new)
        project_apply(self.shop.project, text)
        Environment.objects.filter(project=self.shop.project).update(approvals=0, watch_seconds=0)
        for name in page.wanted().secrets:
            secret_set(self.shop.project, name, SECRET.format(name=name))
        self.shop.look()

    def ship(self, tag: str, *places: str) -> list[Run]:
        """Bring the release to these places, one after the other; the runs, the build among them, as they ended."""
        ended = []
        for place in places:
            run, _made = deploy_request(
                self.shop.place(place),
                Release.objects.get(project=self.shop.project, tag=tag),
                trigger="person",
                why="x",
            )
            ended.append(self.carry(run))
            if run.kind == Run.Kind.BUILD:
                later = Run.objects.filter(environment__name=place, tag=tag).order_by("-pk").first()
                assert later is not None, again(run).error_text
                ended.append(self.carry(later))
        return ended

    def back(self, place: str) -> Run:
        return self.carry(rollback_request(self.shop.place(place), actor=None, why="It hurts", trigger="command"))

    @staticmethod
    def carry(run: Run) -> Run:
        run_carry_out_here(run.pk)
        return again(run)

    def good(self, runs: list[Run]) -> None:
        for run in runs:
            log = "".join(chunk.text for chunk in run.chunks.order_by("sequence"))
            assert run.state == "done", f"{run}: {run.error_text}\n{log}"

    def no_secret_is_seen(self) -> None:
        """In no argument of any tool, and in no log."""
        logs = "".join(chunk.text for run in Run.objects.all() for chunk in run.chunks.all())
        said = json.dumps(self.calls()) + logs
        assert "hunter2" not in said
