"""Every address of the dashboard."""

from django.urls import URLPattern, URLResolver, include, path

from .admin import site

urlpatterns: list[URLPattern | URLResolver] = [
    path("admin/", site.urls),
    path("", include("hotfixdash.accounts.urls")),
    path("", include("releases.urls")),
    path("", include("incidents.urls")),
]
