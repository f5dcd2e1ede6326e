"""Addresses of the release rooms (namespace `releases`)."""

from django.urls import URLPattern, path

from . import webhooks
from .views import fixes, matrix, overview, project_settings, projects, releases, search, snapshots

app_name = "releases"
urlpatterns: list[URLPattern] = [
    path("", overview.overview, name="overview"),
    path("check/", overview.check_all, name="check-all"),
    path("search/", search.search, name="search"),
    path("projects/", projects.projects, name="projects"),
    path("projects/add/", projects.project_add_view, name="project-add"),
    path("projects/<str:slug>/", overview.project_overview, name="project-overview"),
    path("projects/<str:slug>/check/", overview.project_check, name="project-check"),
    path("projects/<str:slug>/settings/", project_settings.project_settings, name="project-settings"),
    path("projects/<str:slug>/health/", projects.project_health, name="project-health"),
    path("merge-back/", matrix.matrix_all, name="matrix-all"),
    path("projects/<str:slug>/merge-back/", matrix.matrix_page, name="matrix"),
    path("projects/<str:slug>/fixes/<str:sha>/", fixes.fix, name="fix"),
    path("projects/<str:slug>/fixes/<str:sha>/in/<path:branch>/", fixes.evidence, name="evidence"),
    path("releases/", releases.releases_all, name="releases-all"),
    path("projects/<str:slug>/releases/", releases.releases, name="releases"),
    path("projects/<str:slug>/releases/<path:tag>/", releases.release, name="release"),
    path("projects/<str:slug>/snapshots/<path:tag>.tar.gz", snapshots.snapshot, name="snapshot"),
    path("projects/<str:slug>/snapshots/<path:tag>.tar.gz.sha256", snapshots.checksum, name="snapshot-checksum"),
    path("projects/<str:slug>/compare/", releases.compare, name="compare"),
    path("hooks/<str:project>", webhooks.hook, name="hook"),
]
