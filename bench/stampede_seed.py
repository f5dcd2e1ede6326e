"""Rows for the stampede: `seed` fills an empty database, `say N` adds update N to the open incident.

`say` prints the moment at which the update was committed, by the clock of the machine.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.stampede_settings")

import django

django.setup()

from django.utils import timezone  # noqa: E402

from incidents.response.components import component_save  # noqa: E402
from incidents.response.models import Health, Impact, Incident, Update  # noqa: E402
from incidents.response.services import incident_declare, incident_say  # noqa: E402
from incidents.status.services import page_save  # noqa: E402
from releases.projects.models import Project  # noqa: E402

INCIDENTS, COMPONENTS = 1_000, 12
MARK = "bench-update-"
"""Followed by a number in the text of each update: how a watcher knows which it sees."""


def seed() -> None:
    """A page with 12 components, 1,000 incidents that are over with 3 updates each, and one that is open."""
    project = Project.objects.create(name="shop", slug="shop", remote_url="https://git.example.org/shop.git")
    parts = [component_save(project, f"Part {number:02}", order=number) for number in range(COMPONENTS)]
    now = timezone.now()
    past = Incident.objects.bulk_create(
        Incident(
            number=number + 1, project=project, title=f"Trouble {number}", state=Incident.State.RESOLVED,
            declared_at=now - timedelta(hours=2 * number + 3), started_at=now - timedelta(hours=2 * number + 3),
            ended_at=now - timedelta(hours=2 * number + 2), resolved_at=now - timedelta(hours=2 * number + 2),
        )
        for number in range(INCIDENTS)
    )  # fmt: skip
    Impact.objects.bulk_create(
        Impact(incident=row, component=parts[row.number % COMPONENTS], since=row.declared_at, until=row.ended_at,
               health=Health.PARTIAL)
        for row in past
    )  # fmt: skip
    Update.objects.bulk_create(
        Update(incident=row, at=row.declared_at + timedelta(minutes=20 * turn), state=state, public=True,
               text=f"Word {turn} about trouble {row.number}.")
        for row in past
        for turn, state in enumerate(("investigating", "identified", "resolved"))
    )  # fmt: skip
    incident_declare(project, "Some card payments are declined", text=f"{MARK}0", hurt={parts[0]: Health.PARTIAL})
    page_save("shop", "Shop", "public", [project])


def say(number: int) -> None:
    incident = Incident.objects.exclude(state=Incident.State.RESOLVED).get()
    incident_say(incident, f"{MARK}{number}")
    print(time.time(), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "seed":
        seed()
    else:
        say(int(sys.argv[2]))
