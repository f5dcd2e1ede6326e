from django.apps import AppConfig


class IncidentsConfig(AppConfig):
    name = "incidents"

    def ready(self) -> None:
        """Take a place among the tabs and on other pages; releases knows nothing of incidents."""
        from releases.views.strips import ON_HOTFIX, ON_OVERVIEW
        from releases.views.tabs import COUNTS, OF_DRILLS, OF_OTHERS

        tab = ("incidents", "Incidents", "siren", "incidents/")
        if tab not in OF_OTHERS:
            OF_OTHERS += [tab, ("postmortems", "Post-mortems", "lightbulb", "postmortems/")]
            OF_OTHERS.append(("drills", "Drills", "flag", "drills/"))
            OF_DRILLS.append("drills/of/")
            COUNTS["incidents"] = "incidents.views.strips.on_tab"
            ON_OVERVIEW.append("incidents.views.strips.on_overview")
            ON_HOTFIX.append("incidents.views.strips.on_hotfix")
