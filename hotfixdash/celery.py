"""The Celery application: tasks nudge, rows are the truth."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hotfixdash.settings")

app = Celery("hotfixdash")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@app.on_after_configure.connect  # type: ignore[untyped-decorator]
def _add_heartbeat(sender: Celery, **kwargs: object) -> None:
    """Needs the settings, so it cannot be imported before they are known."""
    from .heartbeat import Heartbeat

    sender.steps["worker"].add(Heartbeat)
