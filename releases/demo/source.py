"""The small web applications whose histories the demo builds: standard library only, they run and test themselves."""

from __future__ import annotations

from dataclasses import dataclass

from .history import Edit, add, append, change

_INIT = '"""{title}."""\n'

_MAIN = '''"""Serve {title} on HOST and PORT."""

import os
from wsgiref.simple_server import make_server

from {package}.web import application


def main():
    host = os.environ.get("HOST", "127.0.0.1")
    port = int(os.environ.get("PORT", "8000"))
    with make_server(host, port, application) as server:
        print(f"{name} on http://{{host}}:{{port}}", flush=True)
        server.serve_forever()


if __name__ == "__main__":
    main()
'''

_WEB = '''"""Requests in, JSON out (text is a page). Handlers register themselves with @route."""

import html
import importlib
import json
import os
import pkgutil
from pathlib import Path
from urllib.parse import parse_qs

import {package}

ROUTES = {{}}
FOLDER = Path(__file__).resolve().parent.parent
PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>{name} %(version)s</title>
<style>body {{ font: 1.1rem/1.5 system-ui, sans-serif; margin: 15vh auto; max-width: 30rem; padding: 0 1rem }}</style>
<h1>{name} %(version)s</h1>
<p>{title}.</p>
<p>%(place)s<br>Built from <code>%(revision)s</code></p>
</html>
"""


class Refused(Exception):
    """A request that cannot be answered; carries the status."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def route(path):
    def register(handler):
        ROUTES[path] = handler
        return handler

    return register


def written(name):
    """What stands in a file beside the code; empty when it is not there."""
    try:
        return (FOLDER / name).read_text().strip()
    except OSError:
        return ""


def version():
    """RELEASE comes with what was built for a release; VERSION is the repository's own."""
    return written("RELEASE") or written("VERSION")


@route("/healthz")
def healthz(query):
    return {{"status": "ok", "service": "{name}", "version": version(), "revision": written("REVISION")}}


@route("/")
def front(query):
    facts = {{
        "version": version(),
        "revision": written("REVISION") or "a work tree",
        "place": os.environ.get("PLACE") or "Somewhere",
    }}
    return PAGE % {{name: html.escape(value) for name, value in facts.items()}}


def load():
    for module in pkgutil.walk_packages({package}.__path__, "{package}."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)


def answer(path, query_string=""):
    load()
    handler = ROUTES.get(path)
    if handler is None:
        raise Refused("404 Not Found", f"nothing at {{path}}")
    query = {{name: values[-1] for name, values in parse_qs(query_string).items()}}
    return handler(query)


def application(environ, start_response):
    try:
        status, body = "200 OK", answer(environ.get("PATH_INFO", "/"), environ.get("QUERY_STRING", ""))
    except Refused as error:
        status, body = error.status, {{"error": str(error)}}
    page = isinstance(body, str)
    payload = (body if page else json.dumps(body)).encode()
    kind = "text/html; charset=utf-8" if page else "application/json"
    start_response(status, [("Content-Type", kind), ("Content-Length", str(len(payload)))])
    return [payload]
'''

_TEST_WEB = """import unittest

from {package}.web import Refused, answer, version


class Web(unittest.TestCase):
    def test_health_names_the_version(self):
        self.assertEqual(answer("/healthz")["version"], version())

    def test_the_first_page_names_the_version(self):
        self.assertIn(version(), answer("/"))

    def test_unknown_path_is_refused(self):
        with self.assertRaises(Refused):
            answer("/nowhere")


if __name__ == "__main__":
    unittest.main()
"""

_README = """# {name}

{title}.

    python -m {package}        # serves on http://127.0.0.1:8000
    python -m unittest         # runs the tests

`/` and `/healthz` name the version.
"""


@dataclass(frozen=True, slots=True)
class App:
    """One application: the project's name, its Python package, and what it is."""

    name: str
    package: str
    title: str

    def skeleton(self, version: str) -> list[Edit]:
        """The first commit's files."""
        files = {
            f"{self.package}/__init__.py": _INIT,
            f"{self.package}/__main__.py": _MAIN,
            f"{self.package}/web.py": _WEB,
            "tests/__init__.py": "",
            "tests/test_web.py": _TEST_WEB,
            "README.md": _README,
        }
        words = {"name": self.name, "package": self.package, "title": self.title}
        edits = [add(path, text.format(**words)) for path, text in files.items()]
        return [
            *edits,
            add("VERSION", f"{version}\n"),
            add("CHANGELOG.md", f"# Changes\n\n## {version}\n\n- First version.\n"),
        ]


def bump(old: str, new: str, note: str) -> list[Edit]:
    """What a version bump changes."""
    return [
        change("VERSION", f"{old}\n", f"{new}\n"),
        change("CHANGELOG.md", "# Changes\n", f"# Changes\n\n## {new}\n\n- {note}\n"),
    ]


@dataclass(frozen=True, slots=True)
class Thing:
    """Something the application keeps: the stuff of everyday commits."""

    one: str
    many: str
    fields: tuple[str, ...]
    states: tuple[str, ...]


def thing_steps(package: str, thing: Thing) -> list[tuple[str, list[Edit]]]:
    """The commits, in order, that bring one thing into the application: subject and edits."""
    module, test = f"{package}/{thing.many}.py", f"tests/test_{thing.many}.py"
    words = {
        "package": package,
        "one": thing.one,
        "many": thing.many,
        "Many": thing.many.capitalize(),
        "One": thing.one.capitalize(),
        "field": thing.fields[0],
        "fields": ", ".join(f'"{name}"' for name in ("number", *thing.fields, "state")),
        "sample": ", ".join(f'"{name}": "{name} 1"' for name in thing.fields),
        "state": thing.states[0],
        "end": thing.states[-1],
        "states": ", ".join(f'"{state}"' for state in thing.states),
    }
    steps: list[tuple[str, list[Edit]]] = []
    for subject, code, check in _STEPS:
        edits = []
        if code:
            edits.append(_first(module, code.format(**words), new=not steps))
        if check:
            edits.append(_first(test, check.format(**words), new=not steps))
        steps.append((subject.format(**words), edits))
    return steps


def _first(path: str, text: str, *, new: bool) -> Edit:
    return add(path, text) if new else append(path, text)


_STEPS: tuple[tuple[str, str, str], ...] = (
    (
        "Keep {many} in memory",
        '"""{Many}: what is kept and how it is shown."""\n\nfrom {package}.web import Refused, route\n\n'
        "FIELDS = ({fields})\nSTATES = ({states},)\n_kept = {{}}\n\n\ndef keep(number, **values):\n"
        '    row = {{"number": number, "state": values.pop("state", "{state}"), **values}}\n'
        "    _kept[number] = row\n    return row\n\n\ndef forget_all():\n    _kept.clear()\n",
        "import unittest\n\nfrom {package} import {many}\n\n\nclass {Many}(unittest.TestCase):\n"
        "    def setUp(self):\n        {many}.forget_all()\n"
        "        self.first = {many}.keep(1, {field}=\"first\")\n\n"
        '    def test_a_kept_{one}_has_its_first_state(self):\n'
        '        self.assertEqual(self.first["state"], "{state}")\n',
    ),
    (
        "List {many} at /{many}",
        '\n\n@route("/{many}")\ndef list_{many}(query):\n    return {{"{many}": list(_kept.values())}}\n',
        "\n    def test_list(self):\n"
        '        self.assertEqual(len({many}.list_{many}({{}})["{many}"]), 1)\n',
    ),
    (
        "Show one {one} by its number",
        '\n\ndef find(number):\n    if number not in _kept:\n'
        '        raise Refused("404 Not Found", f"no {one} {{number}}")\n    return _kept[number]\n',
        "\n    def test_find(self):\n        self.assertIs({many}.find(1), self.first)\n",
    ),
    (
        "Filter {many} by state",
        "\n\ndef in_state(state):\n    return [row for row in _kept.values() if row[\"state\"] == state]\n",
        '\n    def test_filter(self):\n        self.assertEqual({many}.in_state("{end}"), [])\n',
    ),
    (
        "Page {many}, twenty at a time",
        "\n\nPAGE_SIZE = 20\n\n\ndef page(rows, number=1):\n    start = (number - 1) * PAGE_SIZE\n"
        "    return rows[start : start + PAGE_SIZE]\n",
        "\n    def test_page(self):\n        self.assertEqual({many}.page(list(range(25)), 2), [20, 21, 22, 23, 24])\n",
    ),
    (
        "Sort {many}, newest first",
        '\n\ndef newest():\n    return sorted(_kept.values(), key=lambda row: row["number"], reverse=True)\n',
        "\n    def test_newest(self):\n        {many}.keep(2)\n"
        '        self.assertEqual([row["number"] for row in {many}.newest()], [2, 1])\n',
    ),
    (
        "Count {many} by state",
        '\n\n@route("/{many}/count")\ndef count_{many}(query):\n'
        "    return {{state: len(in_state(state)) for state in STATES}}\n",
        '\n    def test_count(self):\n        self.assertEqual({many}.count_{many}({{}})["{state}"], 1)\n',
    ),
    (
        "Move {many} to their next state",
        "\n\ndef advance(number):\n    row = find(number)\n    place = STATES.index(row[\"state\"])\n"
        "    row[\"state\"] = STATES[min(place + 1, len(STATES) - 1)]\n    return row\n",
        '\n    def test_advance(self):\n        self.assertNotEqual({many}.advance(1)["state"], "{state}")\n',
    ),
    (
        "Search {many} by {field}",
        "\n\ndef search(text):\n    wanted = text.casefold()\n"
        '    return [row for row in _kept.values() if wanted in str(row.get("{field}", "")).casefold()]\n',
        '\n    def test_search(self):\n        self.assertEqual({many}.search("FIRST"), [self.first])\n',
    ),
    (
        "Export {many} as lines",
        "\n\ndef as_lines():\n    head = \";\".join(FIELDS)\n"
        '    return [head, *(";".join(str(row.get(name, "")) for name in FIELDS) for row in _kept.values())]\n',
        "\n    def test_export(self):\n        self.assertEqual(len({many}.as_lines()), 2)\n",
    ),
    (
        "Refuse a second {one} with the same number",
        '\n\ndef keep_new(number, **values):\n    if number in _kept:\n'
        '        raise Refused("409 Conflict", f"{one} {{number}} is there already")\n'
        "    return keep(number, **values)\n",
        "\n    def test_second(self):\n        with self.assertRaises({many}.Refused):\n"
        "            {many}.keep_new(1)\n",
    ),
    (
        "Close {many} that are {end}",
        '\n\ndef is_closed(number):\n    return find(number)["state"] == STATES[-1]\n',
        "\n    def test_open(self):\n        self.assertFalse({many}.is_closed(1))\n",
    ),
)  # fmt: skip
