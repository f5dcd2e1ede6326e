#!/usr/bin/env python
"""Hotfixdash's command line: `manage.py help` lists the commands."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hotfixdash.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.exit("Django is not installed for this Python. Run `make install`, then use .venv/bin/python manage.py.")
    from django.db import DatabaseError

    try:
        execute_from_command_line(sys.argv)
        sys.stdout.flush()
    except DatabaseError:
        from hotfixdash.unprepared import why_unprepared

        why = "" if "--traceback" in sys.argv else why_unprepared()
        if not why:
            raise
        sys.exit(why)
    except BrokenPipeError:
        # The reader went away (`| head`): nothing more to say, and Python must not complain at its end either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    main()
