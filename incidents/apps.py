from django.apps import AppConfig


class IncidentsConfig(AppConfig):
    name = "incidents"

    def ready(self) -> None:
        """Take a place among the tabs; releases knows nothing of incidents."""
        from releases.views.tabs import OF_OTHERS

        tab = ("incidents", "Incidents", "siren", "incidents/")
        if tab not in OF_OTHERS:
            OF_OTHERS.append(tab)
