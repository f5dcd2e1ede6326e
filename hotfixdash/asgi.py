"""ASGI entry point (uvicorn: pages and the events stream)."""

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hotfixdash.settings")
application = get_asgi_application()
