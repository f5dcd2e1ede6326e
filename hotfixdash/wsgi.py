"""WSGI entry point (gunicorn: pages)."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hotfixdash.settings")
application = get_wsgi_application()
