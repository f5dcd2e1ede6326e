"""Addresses of the release rooms (namespace `releases`)."""

from django.urls import URLPattern, path  # noqa: F401

app_name = "releases"
urlpatterns: list[URLPattern] = []
