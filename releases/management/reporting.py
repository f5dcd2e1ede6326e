"""What the commands that answer about one repository share: where it is, progress, errors, exit codes."""

from __future__ import annotations

import gc
import json
import os
import sys
import time
import traceback
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

from django.core.management.base import BaseCommand, CommandParser

from releases.git.errors import GitError
from releases.git.runner import check_version
from releases.policies.places import Place, PlaceError, cache_file, located
from releases.policies.question import QuestionError
from releases.policies.wording import harmless

ERROR = 2
"""Exit code when the question could not be answered."""


class ReportingCommand(BaseCommand):
    """A command that needs neither a migrated database nor a server, and says in JSON what went wrong if asked to."""

    requires_system_checks: list[str] = []
    requires_migrations_checks = False

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        usual = parser.error

        def error(message: str) -> NoReturn:
            if _wants_json(sys.argv):
                self.write(self.json(_error("usage", message, f"See manage.py {subcommand} --help.")))
                sys.exit(ERROR)
            usual(message)
            sys.exit(ERROR)

        parser.error = error  # type: ignore[method-assign]
        return parser

    def add_repository(self, parser: ArgumentParser) -> None:
        parser.add_argument("repository", metavar="REPO", help="a tracked project's name, a path, or a URL")

    def add_cache(self, parser: ArgumentParser) -> None:
        parser.add_argument("--cache-dir", metavar="DIR", type=Path, help="where facts about commits are kept")
        parser.add_argument("--no-cache", action="store_true", help="neither use nor keep facts about commits")

    def handle(self, *args: Any, **options: Any) -> None:
        started = time.monotonic()
        try:
            with seldom_collected():
                code = self.perform(options, started)
        except (QuestionError, PlaceError) as fault:
            code = self.fail(options, fault.code, fault.message, fault.hint)
        except GitError as fault:
            fault = _too_old() or fault
            code = self.fail(options, fault.code, fault.sentence, fault.detail)
        except KeyboardInterrupt:
            code = self.fail(options, "interrupted", "Stopped.", "")
        except BrokenPipeError:
            # The reader went away (`| head`): nothing more to say, and Python must not complain at its end either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 0
        except Exception as fault:
            if old := _too_old():
                code = self.fail(options, old.code, old.sentence, old.detail)
            else:
                # A defect of ours: say so in the form that was asked for, with the trace for whoever mends it.
                traceback.print_exc()
                said = f"{type(fault).__name__}: {fault}"
                code = self.fail(options, "internal", "This should not have happened; the answer was given up.", said)
        if code:
            sys.exit(code)

    def perform(self, options: dict[str, Any], started: float) -> int:
        """Answer and print; the exit code. `started` is when the arguments were parsed (monotonic seconds)."""
        raise NotImplementedError

    @contextmanager
    def place(self, options: dict[str, Any]) -> Iterator[Place]:
        with located(options["repository"], progress=self.progress()) as place:
            place.cache = self.store(options, place)
            yield place

    def store(self, options: dict[str, Any], place: Place) -> Path | None:
        """The file for facts about commits; None to keep none."""
        if options["no_cache"]:
            return None
        folder: Path | None = options["cache_dir"]
        file = cache_file(place.git_dir, folder) if folder else place.cache
        if file is None:
            return None
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
        except OSError:
            return None
        return file

    def progress(self) -> Callable[[str], None] | None:
        """Says on standard error what goes on, when somebody watches; quiet otherwise."""
        if not sys.stderr.isatty():
            return None
        return _show

    def fail(self, options: dict[str, Any], code: str, message: str, hint: str) -> int:
        if options.get("format") == "json":
            self.write(self.json(_error(code, message, hint)))
        else:
            sys.stderr.write(f"{harmless(message)}\n" + (f"{harmless(hint)}\n" if hint else ""))
        return ERROR

    def json(self, data: object) -> str:
        return json.dumps(data, indent=2)

    def write(self, text: str) -> None:
        """To standard output, whatever its encoding can hold, and through to the reader at once."""
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")
        stream = getattr(self.stdout, "_out", self.stdout)
        encoding = getattr(stream, "encoding", None) or "utf-8"
        stream.write(text.encode(encoding, "replace").decode(encoding) + "\n")
        stream.flush()


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Let Python look for garbage in cycles less often: an answer makes many objects and hardly any cycle."""
    usual = gc.get_threshold()
    gc.set_threshold(_OBJECTS, *usual[1:])
    try:
        yield
    finally:
        gc.set_threshold(*usual)


_OBJECTS = 50_000
"""New objects after which it looks nevertheless."""


def _too_old() -> GitError | None:
    """Whether the git at hand is to blame. Asked only when something went wrong: it costs a process."""
    try:
        check_version()
    except GitError as fault:
        return fault
    return None


def _show(said: str) -> None:
    sys.stderr.write(f"\r\x1b[K{harmless(said)[:100]}")
    sys.stderr.flush()


def _error(code: str, message: str, hint: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": harmless(message), "hint": harmless(hint)}}


def _wants_json(argv: list[str]) -> bool:
    return "--format=json" in argv or ("--format", "json") in pairwise(argv)
