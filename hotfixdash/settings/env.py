"""The one reader of the environment, shared by every settings module."""

import os
import sys
from pathlib import Path

import environ

BASE_DIR = Path(__file__).resolve().parent.parent.parent

env = environ.Env()


def number(name: str, default: int, *, least: int = 0, most: int = sys.maxsize) -> int:
    """A whole number from the environment; ends the program with a sentence when it is none."""
    given = os.environ.get(name, "").strip()
    if not given:
        return default
    try:
        value = int(given)
    except ValueError:
        sys.exit(f"{name}={given} is not a whole number.")
    if not least <= value <= most:
        sys.exit(f"{name}={given} is out of range: {least} to {most}.")
    return value


DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / "var"))).resolve()
"""Everything the dashboard creates lies under this folder."""

DEBUG = env.bool("DEBUG", default=False)
HOST = env.str("HOST", default="127.0.0.1")
PORT = number("PORT", 8000, least=1, most=65535)
