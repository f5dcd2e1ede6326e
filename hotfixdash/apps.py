"""The project itself as an application: start-up checks and the commands that belong to no room."""

from django.apps import AppConfig


class HotfixdashConfig(AppConfig):
    name = "hotfixdash"

    def ready(self) -> None:
        from . import checks  # noqa: F401 - registers them
