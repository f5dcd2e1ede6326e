"""Settings of the test run: a folder of its own, real SQLite in a file, or PostgreSQL with TEST_DATABASE=postgres."""

import atexit
import os
import shutil
import tempfile

# Read by hotfixdash.settings below. Every test process has its own folder; none touches var/.
_folder = tempfile.mkdtemp(prefix="hotfixdash-test-")
atexit.register(shutil.rmtree, _folder, ignore_errors=True)
os.environ["DATA_DIR"] = _folder
for _name in ("REDIS_URL", "SECRET_KEY", "ALLOWED_HOSTS", "HTTPS", "DEBUG", "HOST", "PORT"):
    os.environ.pop(_name, None)
# The processes that tests start keep what they compiled, however pytest was called.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
# Sync Playwright runs an event loop in the test's thread, and Django refuses database access there.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"

if os.environ.get("TEST_DATABASE") == "postgres":
    from tests.plugins.postgres import ensure_cluster

    # The first process starts the cluster; the processes that it starts find it in their environment.
    os.environ["DATABASE_URL"] = ensure_cluster()
else:
    os.environ.pop("DATABASE_URL", None)

from hotfixdash.settings import *  # noqa: E402, F403
from hotfixdash.settings import DATA_DIR, DATABASES, STORAGES  # noqa: E402

if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # A file, so that a Celery worker and a web server of their own see what the test wrote.
    DATABASES["default"]["TEST"] = {"NAME": str(DATA_DIR / "test.sqlite3")}
    DATABASES["default"]["OPTIONS"]["init_command"] = (
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=OFF; PRAGMA foreign_keys=ON;"
    )

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES = STORAGES | {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
WHITENOISE_AUTOREFRESH = True
WHITENOISE_USE_FINDERS = True
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
