from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("releases", "0009_tags_and_probes"),
    ]

    operations = [
        migrations.AddField(
            model_name="run",
            name="then",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text="Of a build: deployments that wait for it, each an environment, lane, trigger, actor, why, only.",
            ),
        ),
        migrations.AddField(
            model_name="run",
            name="followed_at",
            field=models.DateTimeField(
                blank=True,
                help_text="When what follows from its end was asked for: the next place, or a rollback.",
                null=True,
            ),
        ),
        migrations.AddField(
            model_name="step",
            name="answer",
            field=models.JSONField(blank=True, help_text="A callback that came before its command ended.", null=True),
        ),
    ]
