"""Addresses of the release rooms (namespace `releases`)."""

from django.urls import URLPattern, path

from . import webhooks
from .views import (
    fixes,
    hotfix,
    hotfix_doing,
    hotfixes,
    matrix,
    merge_back,
    operations,
    overview,
    project_settings,
    projects,
    releases,
    search,
    settle,
    snapshots,
)

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
    path("projects/<str:slug>/fixes/<str:sha>/merge-back/<path:branch>/", merge_back.merge_back, name="merge-back"),
    path("projects/<str:slug>/fixes/<str:sha>/<str:verb>/<path:branch>/", settle.settle, name="settle"),
    path("hotfixes/", hotfixes.hotfixes_all, name="hotfixes-all"),
    path("hotfixes/new/", hotfixes.new_anywhere, name="hotfix-new-anywhere"),
    path("projects/<str:slug>/hotfixes/", hotfixes.hotfixes, name="hotfixes"),
    path("projects/<str:slug>/hotfix/new/", hotfixes.new, name="hotfix-new"),
    path("projects/<str:slug>/hotfix/adopt/", hotfixes.adopt, name="hotfix-adopt"),
    path("projects/<str:slug>/hotfix/timeline/<path:key>/", hotfix.timeline, name="hotfix-timeline"),
    path("projects/<str:slug>/hotfixes/<path:key>/", hotfix.hotfix, name="hotfix"),
    path("projects/<str:slug>/hotfix/<str:verb>/<path:key>/", hotfix_doing.act, name="hotfix-act"),
    path("projects/<str:slug>/operations/<int:pk>/", operations.operation_page, name="operation"),
    path("projects/<str:slug>/operations/<int:pk>/retry/", operations.retry, name="operation-retry"),
    path("projects/<str:slug>/operations/<int:pk>/cancel/", operations.cancel, name="operation-cancel"),
    path("releases/", releases.releases_all, name="releases-all"),
    path("projects/<str:slug>/releases/", releases.releases, name="releases"),
    path("projects/<str:slug>/releases/<path:tag>/", releases.release, name="release"),
    path("projects/<str:slug>/snapshots/<path:tag>.tar.gz", snapshots.snapshot, name="snapshot"),
    path("projects/<str:slug>/snapshots/<path:tag>.tar.gz.sha256", snapshots.checksum, name="snapshot-checksum"),
    path("projects/<str:slug>/compare/", releases.compare, name="compare"),
    path("hooks/<str:project>", webhooks.hook, name="hook"),
]
