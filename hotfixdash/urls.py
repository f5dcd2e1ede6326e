"""Every address of the dashboard."""

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include("hotfixdash.accounts.urls")),
    path("", include("releases.urls")),
    path("", include("incidents.urls")),
]
