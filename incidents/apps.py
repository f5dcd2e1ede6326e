from django.apps import AppConfig


class IncidentsConfig(AppConfig):
    name = "incidents"

    def ready(self) -> None:
        """Take a place among the tabs and on other pages; releases knows nothing of incidents."""
        from releases.demo.others import PUBLIC_PAGES, STORIES
        from releases.views.strips import ON_HOTFIX, ON_OVERVIEW, ON_OVERVIEW_INSIDE
        from releases.views.tabs import COUNTS, OF_DRILLS, OF_OTHERS

        tab = ("incidents", "Incidents", "siren", "incidents/")
        if tab not in OF_OTHERS:
            OF_OTHERS.append(tab)
            OF_OTHERS.append(("postmortems", "Post-mortems", "lightbulb", "postmortems/"))
            OF_OTHERS.append(("drills", "Drills", "flag", "drills/"))
            OF_DRILLS.append("drills/of/")
            COUNTS["incidents"] = "incidents.views.strips.on_tab"
            ON_OVERVIEW.append("incidents.views.strips.on_overview")
            ON_HOTFIX.append("incidents.views.strips.on_hotfix")
            ON_HOTFIX.append("incidents.views.postmortem_strips.on_hotfix")
            ON_OVERVIEW_INSIDE.append("incidents.views.postmortem_strips.on_overview_side")
            ON_OVERVIEW_INSIDE.append("incidents.views.drill_strips.on_overview_side")
            STORIES.append("incidents.demo.story.story_tell")
            PUBLIC_PAGES.append("incidents.demo.story.pages")
