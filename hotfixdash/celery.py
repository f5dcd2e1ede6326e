"""The Celery application: tasks nudge, rows are the truth."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hotfixdash.settings")

app = Celery("hotfixdash")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
