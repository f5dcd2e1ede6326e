from typing import Any

from django.db import migrations, models


def fill(apps: Any, schema_editor: Any) -> None:
    """What runs in production already, as `deploys.following.running_keep` writes it from now on."""
    rows = apps.get_model("releases", "Environment").objects.filter(
        kind="production", retired_at=None, live__isnull=False, live_since__isnull=False
    )
    found: dict[int, list[dict[str, str]]] = {}
    for row in rows.select_related("live").order_by("order", "pk"):
        found.setdefault(row.project_id, []).append(
            {
                "environment": row.name,
                "tag": row.live.tag,
                "commit": row.live.commit,
                "since": row.live_since.isoformat(),
            }
        )
    for project, running in found.items():
        apps.get_model("releases", "Project").objects.filter(pk=project).update(running=running)


class Migration(migrations.Migration):
    dependencies = [
        ("releases", "0012_runs_go_with_projects"),
    ]

    operations = [
        migrations.AddField(
            model_name="project",
            name="running",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text=(
                    "What the environments of production run: environment, tag, commit, since; see in_production.py."
                ),
            ),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
