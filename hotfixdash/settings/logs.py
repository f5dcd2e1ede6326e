"""What is logged: warnings and worse, one line each, to standard error. LOG_LEVEL asks for more."""

import logging
import sys

from .env import env

__all__ = ["LOGGING", "LOG_LEVEL"]

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR")
LOG_LEVEL = env.str("LOG_LEVEL", default="WARNING").upper()
if LOG_LEVEL not in LEVELS:
    sys.exit(f"LOG_LEVEL={LOG_LEVEL} is none of {', '.join(LEVELS)}.")


def _unplanned(record: logging.LogRecord) -> bool:
    return getattr(record, "status_code", 0) != 503


def _in_a_line(record: logging.LogRecord) -> bool:
    """Beat shows two stacks for each task that it cannot send: a broker that is away is told in a line."""
    from kombu.exceptions import OperationalError

    error = record.exc_info[1] if record.exc_info else None
    if error is None or not str(record.msg).startswith("Message Error"):
        return True
    if isinstance(error.__cause__ or error.__context__, OperationalError):
        record.msg, record.args = "The broker is away, it is sent at its next turn: %s", (error,)
        record.exc_info = record.exc_text = None
    return True


LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{levelname} {name}: {message}", "style": "{"}},
    # 503 is an answer that we give on purpose, with its reason: a probe that asks every second must not fill the log.
    "filters": {
        "unplanned": {"()": "django.utils.log.CallbackFilter", "callback": _unplanned},
        "in_a_line": {"()": "django.utils.log.CallbackFilter", "callback": _in_a_line},
    },
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["stderr"], "level": LOG_LEVEL},
    "loggers": {
        # Django's own handler writes the same line once more.
        "django": {"handlers": [], "level": LOG_LEVEL, "propagate": True},
        # Visitors ask for pages that do not exist: that is no news.
        "django.request": {"level": "ERROR", "filters": ["unplanned"]},
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        "celery.beat": {"filters": ["in_a_line"]},
        "django.server": {"handlers": [], "level": "ERROR", "propagate": True},
    },
}
