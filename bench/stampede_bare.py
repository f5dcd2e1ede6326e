"""The framework's ceiling: Django without middleware, with one view that renders an empty template (for gunicorn)."""

import os

os.environ["DJANGO_SETTINGS_MODULE"] = "bench.stampede_bare"

SECRET_KEY = "measured and thrown away"
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "bench.stampede_bare"
MIDDLEWARE: list[str] = []
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates"}]
USE_TZ = True

from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.http import HttpRequest, HttpResponse  # noqa: E402
from django.template import Context, Engine  # noqa: E402
from django.urls import path  # noqa: E402

EMPTY = Engine().from_string("<!doctype html><html lang=en><title>Empty</title></html>\n")


def empty(request: HttpRequest) -> HttpResponse:
    page = EMPTY.render(Context())
    return HttpResponse(page, headers={"Content-Length": str(len(page))})


urlpatterns = [path("bench/empty/", empty)]
if __name__ != "__main__":
    application = get_wsgi_application()
