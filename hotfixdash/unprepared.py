"""What to say when a command meets a database that is not prepared, in place of a traceback."""

from __future__ import annotations

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor


def why_unprepared() -> str:
    """What is wrong with the database and what to run, in two sentences; empty when it is as it has to be."""
    try:
        executor = MigrationExecutor(connection)
        missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
        fresh = not executor.loader.applied_migrations
    except DatabaseError as fault:
        first = (str(fault).strip().splitlines() or ["it did not say why"])[0]
        return f"The database does not answer: {first}. Check DATABASE_URL and DATA_DIR, then run it again."
    if not missing:
        return ""
    what = "is not prepared yet" if fresh else "is from an earlier version"
    return f"The database {what}. Run `make run`, which prepares it, or `manage.py migrate`; then run it again."
