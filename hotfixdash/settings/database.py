"""SQLite by default, PostgreSQL by DATABASE_URL."""

import sys

from .env import DATA_DIR, env, number

__all__ = ["DATABASES"]

DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{DATA_DIR / 'hotfixdash.sqlite3'}")}
_default = DATABASES["default"]
if not _default.get("ENGINE", "").endswith(("sqlite3", "postgresql")):
    # Not the address itself: it holds a password.
    sys.exit("DATABASE_URL must begin with postgres:// or sqlite:///.")

if _default["ENGINE"].endswith("sqlite3"):
    # IMMEDIATE takes the write lock when a transaction begins, so that two writers queue
    # instead of failing half-way; with WAL, readers never wait for them.
    _default["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 20,
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;",
    }
else:
    _default["CONN_HEALTH_CHECKS"] = True
_default["CONN_MAX_AGE"] = number("DATABASE_CONN_MAX_AGE", 60)
