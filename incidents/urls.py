"""Addresses of incidents (namespace `incidents`)."""

from django.urls import URLPattern, path

from .views import status

app_name = "incidents"
urlpatterns: list[URLPattern] = [
    path("status/<str:slug>.json", status.status_page, {"name": "status.json"}, name="status-json"),
    path("status/<str:slug>/", status.status_page, name="status"),
    path("status/<str:slug>", status.without_slash),
    path("status/<str:slug>/feed.atom", status.status_page, {"name": "feed.atom"}, name="status-feed"),
    path("status/<str:slug>/badge.svg", status.status_page, {"name": "badge.svg"}, name="status-badge"),
    path("status/<str:slug>/subscribe/", status.subscribe, name="status-subscribe"),
    path("status/<str:slug>/confirm/<str:token>/", status.confirm, name="status-confirm"),
    path("status/<str:slug>/leave/<str:token>/", status.leave, name="status-leave"),
]
