"""Addresses of incidents (namespace `incidents`)."""

from django.urls import URLPattern, path

from .views import acts, incidents, settings, status

app_name = "incidents"
urlpatterns: list[URLPattern] = [
    path("incidents/", incidents.incidents_all, name="incidents-all"),
    path("incidents/new/", incidents.declare_anywhere, name="declare-anywhere"),
    path("incidents/<str:key>/", incidents.incident, name="incident"),
    path("incidents/<str:key>/<str:verb>/", acts.act, name="incident-act"),
    path("projects/<str:slug>/incidents/", incidents.incidents, name="incidents"),
    path("projects/<str:slug>/incidents/new/", incidents.declare, name="declare"),
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
