"""Broker, queues and cache. Rows are the truth: a lost broker loses nothing but time."""

import sys

from hotfixdash.supervisor.sockets import broker_socket

from .env import DATA_DIR, env, number

__all__ = [
    "BROKER_EMBEDDED",
    "BROKER_SOCKET",
    "CACHES",
    "CELERY_BEAT_SCHEDULE",
    "CELERY_BEAT_SCHEDULE_FILENAME",
    "CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP",
    "CELERY_BROKER_TRANSPORT_OPTIONS",
    "CELERY_BROKER_URL",
    "CELERY_RESULT_BACKEND",
    "CELERY_TASK_ACKS_LATE",
    "CELERY_TASK_DEFAULT_QUEUE",
    "CELERY_TASK_IGNORE_RESULT",
    "CELERY_TASK_PUBLISH_RETRY_POLICY",
    "CELERY_TASK_REJECT_ON_WORKER_LOST",
    "CELERY_TASK_ROUTES",
    "CELERY_TASK_SOFT_TIME_LIMIT",
    "CELERY_TASK_TIME_LIMIT",
    "CELERY_WORKER_HIJACK_ROOT_LOGGER",
    "CELERY_WORKER_PREFETCH_MULTIPLIER",
    "CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT",
    "DEPLOY_WORKER_PROCESSES",
    "GIT_WORKER_PROCESSES",
    "REDIS_URL",
]  # fmt: skip

BROKER_SOCKET = broker_socket(DATA_DIR)
"""The embedded broker listens on this Unix socket when REDIS_URL is not set."""

_external = env.str("REDIS_URL", default="")
if _external and not _external.startswith(("redis://", "rediss://", "unix://")):
    sys.exit("REDIS_URL must begin with redis://, rediss:// or unix://.")
BROKER_EMBEDDED = not _external
REDIS_URL = _external or f"unix://{BROKER_SOCKET}"
# Celery calls a Unix socket by another name than the client library does.
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1) if REDIS_URL.startswith("unix://") else REDIS_URL
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 2.0
"""Seconds that running tasks get when the supervisor stops; what is not done then goes back to the queue."""
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_TIME_LIMIT = 3600
CELERY_TASK_SOFT_TIME_LIMIT = 3540
# A page that only nudges must not wait for a broker that is away: the sweep nudges again.
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 2, "interval_start": 0, "interval_step": 0.1, "interval_max": 0.2}
GIT_WORKER_PROCESSES = number("GIT_WORKER_PROCESSES", 2, least=1)
"""How many projects `manage.py serve` looks at at the same time."""
DEPLOY_WORKER_PROCESSES = number("DEPLOY_WORKER_PROCESSES", 2, least=1)
"""How many builds and deployments `manage.py serve` carries out at the same time."""
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = {
    "releases.tasks.fetch_project": {"queue": "git"},
    "releases.tasks.run_operation": {"queue": "git"},
    "releases.tasks.run_steps": {"queue": "deploy"},
}
# The visibility timeout stands above the hard limit: below it a slow task would run twice.
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 3900,
    "unacked_restore_interval": 1,
    "unacked_restore_throttle": 1,
    "socket_timeout": 30,
    "socket_connect_timeout": 5,
}
# A sweep that found no worker is soon as good as the next one: those that were missed do not pile up.
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "releases.tasks.sweep", "schedule": 10.0, "options": {"expires": 25}},
    "probes": {"task": "releases.tasks.probe_environments", "schedule": 5.0, "options": {"expires": 10}},
    "announcements": {"task": "incidents.tasks.sweep", "schedule": 5.0, "options": {"expires": 10}},
}
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "run" / "beat-schedule")

CACHES = {
    "default": {"BACKEND": "hotfixdash.cache.ForgivingRedisCache", "LOCATION": REDIS_URL},
}
