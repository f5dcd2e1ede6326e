"""Addresses of incidents (namespace `incidents`)."""

from django.urls import URLPattern, path

from .views import acts, drills, incidents, postmortem, postmortem_acts, postmortem_words, postmortems, settings, status

app_name = "incidents"
urlpatterns: list[URLPattern] = [
    path("incidents/", incidents.incidents_all, name="incidents-all"),
    path("incidents/new/", incidents.declare_anywhere, name="declare-anywhere"),
    path("incidents/<str:key>/", incidents.incident, name="incident"),
    path("incidents/<str:key>/<str:verb>/", acts.act, name="incident-act"),
    path("projects/<str:slug>/incidents/", incidents.incidents, name="incidents"),
    path("projects/<str:slug>/incidents/new/", incidents.declare, name="declare"),
    path("postmortems/", postmortems.library, name="postmortems-all"),
    path("postmortems/actions/", postmortems.actions, name="postmortem-actions"),
    path("postmortems/words/", postmortem_words.words, name="postmortem-words"),
    path("postmortems/words/<str:what>/", postmortem_words.word, name="postmortem-word"),
    path("postmortems/<str:key>/", postmortem.document, name="postmortem"),
    path("postmortems/<str:key>/read/", postmortem.read, name="postmortem-read"),
    path("postmortems/<str:key>/export.md", postmortem.export, name="postmortem-export"),
    path("postmortems/<str:key>/render/", postmortem.preview, name="postmortem-render"),
    path("postmortems/<str:key>/here/", postmortem.present, name="postmortem-here"),
    path("postmortems/<str:key>/parts/<str:part_key>/", postmortem.part, name="postmortem-part"),
    path("postmortems/<str:key>/parts/<str:part_key>/history/", postmortem.part_history, name="postmortem-history"),
    path("postmortems/<str:key>/<str:verb>/", postmortem_acts.act, name="postmortem-act"),
    path("projects/<str:slug>/postmortems/", postmortems.library, name="postmortems"),
    path("projects/<str:slug>/postmortems/new/", postmortems.opening, name="postmortem-new"),
    path("drills/", drills.drills_all, name="drills-all"),
    path("drills/<int:pk>/", drills.drill, name="drill"),
    path("drills/<int:pk>/<str:verb>/", drills.act, name="drill-act"),
    path("drills/of/<str:slug>/", drills.drill_of, name="drill-of"),
    path("projects/<str:slug>/drills/", drills.drills, name="drills"),
    path("projects/<str:slug>/drills/new/", drills.start, name="drill-new"),
    path("projects/<str:slug>/drills/interval/", drills.interval, name="drill-interval"),
    path("status-pages/", settings.status_pages, name="status-pages"),
    path("announcements/", settings.announcements, name="announcements"),
    path("announcements/<int:pk>/again/", settings.again, name="announce-again"),
    path("incident-settings/<str:what>/", settings.set_up, name="set-up"),
    path("incident-settings/<str:what>/<str:pk>/", settings.set_up, name="set-up-one"),
    path("status/<str:slug>.json", status.status_page, {"name": "data.json"}, name="status-json"),
    path("status/<str:slug>/", status.status_page, name="status"),
    path("status/<str:slug>", status.without_slash),
    path("status/<str:slug>/feed.atom", status.status_page, {"name": "feed.atom"}, name="status-feed"),
    path("status/<str:slug>/badge.svg", status.status_page, {"name": "badge.svg"}, name="status-badge"),
    path("status/<str:slug>/subscribe/", status.subscribe, name="status-subscribe"),
    path("status/<str:slug>/confirm/<str:token>/", status.confirm, name="status-confirm"),
    path("status/<str:slug>/leave/<str:token>/", status.leave, name="status-leave"),
]
