"""Addresses of the release rooms (namespace `releases`)."""

from django.urls import URLPattern, path

from .views import overview, projects, search

app_name = "releases"
urlpatterns: list[URLPattern] = [
    path("", overview.overview, name="overview"),
    path("check/", overview.check_all, name="check-all"),
    path("search/", search.search, name="search"),
    path("projects/", projects.projects, name="projects"),
    path("projects/add/", projects.project_add, name="project-add"),
    path("projects/<str:slug>/", overview.project_overview, name="project-overview"),
    path("projects/<str:slug>/check/", overview.project_check, name="project-check"),
    path("projects/<str:slug>/settings/", projects.project_settings, name="project-settings"),
    path("projects/<str:slug>/health/", projects.project_health, name="project-health"),
]
