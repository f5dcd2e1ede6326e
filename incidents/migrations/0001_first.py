import django.core.validators
import django.db.models.deletion
import django.utils.timezone
import hotfixdash.tables
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):

    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ('releases', '0001_initial'),
    ]

    operations = [
        hotfixdash.tables.CreateModels(
            models=[
                migrations.CreateModel(
                    name='Channel',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('name', models.CharField(max_length=80, unique=True)),
                        ('kind', models.CharField(choices=[('email', 'E-mail'), ('slack', 'Slack-compatible webhook'), ('teams', 'Teams webhook'), ('webhook', 'Signed webhook'), ('subscribers', 'Subscribers of a status page')], max_length=11)),
                        ('target', models.TextField(help_text="Encrypted: addresses, or the webhook's address.")),
                        ('secret', models.TextField(blank=True, help_text='Encrypted: signs what is sent.')),
                        ('page', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='channels', to='incidents.statuspage')),
                        ('kinds', models.JSONField(default=list, help_text='Kinds of ledger rows that are announced; see topics.py.')),
                        ('worst', models.PositiveSmallIntegerField(default=4, help_text='Up to this severity number: 1 is the worst only.')),
                        ('internal', models.BooleanField(default=False, help_text='May carry what is not public.')),
                        ('paused_at', models.DateTimeField(blank=True, null=True)),
                        ('made_at', models.DateTimeField(default=django.utils.timezone.now)),
                        ('made_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                        ('projects', models.ManyToManyField(blank=True, help_text='Empty: every project.', related_name='+', to='releases.project')),
                    ],
                    options={
                        'ordering': ['name'],
                    },
                ),
                migrations.CreateModel(
                    name='Message',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('event', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to='releases.event')),
                        ('channel', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='messages', to='incidents.channel')),
                        ('recipient', models.CharField(blank=True, help_text='An address, where the channel has many.', max_length=254)),
                        ('subject', models.CharField(max_length=250)),
                        ('body', models.TextField()),
                        ('data', models.JSONField(default=dict, help_text='For webhooks: the fact as data.')),
                        ('state', models.CharField(choices=[('waiting', 'Waiting'), ('sending', 'Being sent'), ('sent', 'Sent'), ('failed', 'Given up')], default='waiting', max_length=7)),
                        ('made_at', models.DateTimeField(default=django.utils.timezone.now)),
                        ('due_at', models.DateTimeField(default=django.utils.timezone.now, help_text='Not tried before.')),
                        ('attempts', models.PositiveSmallIntegerField(default=0)),
                        ('fence', models.PositiveIntegerField(default=0)),
                        ('worker', models.CharField(blank=True, max_length=200)),
                        ('heartbeat_at', models.DateTimeField(blank=True, null=True)),
                        ('sent_at', models.DateTimeField(blank=True, null=True)),
                        ('error', models.TextField(blank=True, help_text='Why the last try failed, as a sentence.')),
                    ],
                    options={
                        'ordering': ['pk'],
                        'indexes': [models.Index(fields=['state', 'due_at'], name='message_due')],
                        'constraints': [models.UniqueConstraint(fields=('event', 'channel', 'recipient'), name='announced_once')],
                    },
                ),
                migrations.CreateModel(
                    name='Cursor',
                    fields=[
                        ('name', models.CharField(max_length=40, primary_key=True, serialize=False)),
                        ('position', models.BigIntegerField(default=0)),
                    ],
                ),
                migrations.CreateModel(
                    name='Drill',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('project', models.ForeignKey(help_text='What is drilled.', on_delete=django.db.models.deletion.CASCADE, related_name='drills', to='releases.project')),
                        ('copy', models.OneToOneField(blank=True, help_text='The throw-away project; removed some time after the end.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='drill', to='releases.project')),
                        ('scenario', models.CharField(choices=[('replay', 'A past hotfix, done again'), ('conflict', 'A merge-back that conflicts, and a verify that fails')], max_length=40)),
                        ('fix', models.ForeignKey(blank=True, help_text='The past fix to do again.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='releases.fix')),
                        ('params', models.JSONField(blank=True, default=dict, help_text='What was chosen and made: subject, ticket, begins_at (a tag), target, left_out, refs.')),
                        ('state', models.CharField(choices=[('preparing', 'Being prepared'), ('running', 'Running'), ('ended', 'Ended'), ('failed', 'Could not be prepared')], default='preparing', max_length=9)),
                        ('started_by', models.ForeignKey(null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                        ('asked_at', models.DateTimeField(default=django.utils.timezone.now)),
                        ('started_at', models.DateTimeField(blank=True, null=True)),
                        ('ended_at', models.DateTimeField(blank=True, null=True)),
                        ('ended_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                        ('hint_at', models.DateTimeField(blank=True, help_text='When somebody looked at the original change.', null=True)),
                        ('hint_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                        ('notes', models.TextField(blank=True, help_text='What people noticed, in their words.')),
                        ('score', models.JSONField(blank=True, default=dict, help_text='From facts; see scoring.py.')),
                        ('error', models.TextField(blank=True)),
                        ('remove_at', models.DateTimeField(blank=True, help_text='When the copy goes.', null=True)),
                        ('removed_at', models.DateTimeField(blank=True, help_text='When it went, with all its files.', null=True)),
                        ('step', models.CharField(blank=True, help_text='What is being done, for the page.', max_length=60)),
                        ('fence', models.PositiveIntegerField(default=0, help_text='Grows with every claim; a stale worker is refused.')),
                        ('worker', models.CharField(blank=True, max_length=200)),
                        ('heartbeat_at', models.DateTimeField(blank=True, null=True)),
                        ('nudged_at', models.DateTimeField(blank=True, null=True)),
                    ],
                    options={
                        'ordering': ['-pk'],
                        'constraints': [models.UniqueConstraint(condition=models.Q(('state__in', ['preparing', 'running'])), fields=('project',), name='one_drill_per_project')],
                    },
                ),
                migrations.CreateModel(
                    name='DrillPlan',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('project', models.OneToOneField(on_delete=django.db.models.deletion.CASCADE, related_name='drill_plan', to='releases.project')),
                        ('every_days', models.PositiveSmallIntegerField(help_text='Days from one drill to the next; 0: none is due.', validators=[django.core.validators.MaxValueValidator(3650)])),
                    ],
                ),
                migrations.CreateModel(
                    name='PostMortem',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('number', models.PositiveIntegerField(help_text='Of PM-12.', unique=True)),
                        ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='postmortems', to='releases.project')),
                        ('incident', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='postmortem', to='incidents.incident')),
                        ('hotfix', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='postmortem', to='releases.hotfix')),
                        ('title', models.CharField(max_length=200)),
                        ('severity', models.PositiveSmallIntegerField(default=2)),
                        ('state', models.CharField(choices=[('draft', 'Draft'), ('review', 'In review'), ('published', 'Published'), ('acted', 'Acted upon')], default='draft', max_length=9)),
                        ('owner', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='postmortems', to=settings.AUTH_USER_MODEL)),
                        ('opened_at', models.DateTimeField(default=django.utils.timezone.now)),
                        ('due_at', models.DateTimeField()),
                        ('published_at', models.DateTimeField(blank=True, null=True)),
                        ('published_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                        ('public_summary', models.TextField(blank=True, help_text='Shown on status pages once published; empty: nothing.')),
                        ('names_people', models.BooleanField(default=False, help_text='Names instead of roles in its timeline.')),
                        ('reminded_at', models.DateTimeField(blank=True, null=True)),
                        ('drill', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='postmortems', to='incidents.drill')),
                    ],
                    options={
                        'ordering': ['-number'],
                    },
                ),
                migrations.CreateModel(
                    name='Section',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('postmortem', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='sections', to='incidents.postmortem')),
                        ('key', models.CharField(help_text='See outline.py.', max_length=20)),
                        ('text', models.TextField(blank=True)),
                        ('version', models.PositiveIntegerField(default=0, help_text='A writer names the version that was changed.')),
                        ('kept_hints', models.JSONField(blank=True, default=list, help_text='Wordings that the writers chose to keep.')),
                    ],
                    options={
                        'constraints': [models.UniqueConstraint(fields=('postmortem', 'key'), name='section_once')],
                    },
                ),
                migrations.CreateModel(
                    name='Revision',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('section', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='revisions', to='incidents.section')),
                        ('version', models.PositiveIntegerField()),
                        ('text', models.TextField(blank=True)),
                        ('author', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                        ('at', models.DateTimeField(default=django.utils.timezone.now)),
                    ],
                    options={
                        'ordering': ['-version'],
                        'constraints': [models.UniqueConstraint(fields=('section', 'version'), name='revision_once')],
                    },
                ),
                migrations.CreateModel(
                    name='Draft',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('section', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='drafts', to='incidents.section')),
                        ('author', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='+', to=settings.AUTH_USER_MODEL)),
                        ('base', models.PositiveIntegerField(help_text='The version that it was written on.')),
                        ('text', models.TextField(blank=True)),
                        ('at', models.DateTimeField(default=django.utils.timezone.now)),
                    ],
                    options={
                        'constraints': [models.UniqueConstraint(fields=('section', 'author'), name='draft_once')],
                    },
                ),
                migrations.CreateModel(
                    name='Line',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('postmortem', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='lines', to='incidents.postmortem')),
                        ('event', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='releases.event')),
                        ('hidden', models.BooleanField(default=False)),
                        ('at', models.DateTimeField()),
                        ('text', models.TextField(blank=True)),
                        ('link', models.URLField(blank=True, max_length=500)),
                        ('author', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                    ],
                    options={
                        'ordering': ['at', 'pk'],
                        'constraints': [models.UniqueConstraint(fields=('postmortem', 'event'), name='line_of_event_once')],
                    },
                ),
                migrations.CreateModel(
                    name='Factor',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('postmortem', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='factors', to='incidents.postmortem')),
                        ('parent', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='because', to='incidents.factor')),
                        ('order', models.PositiveSmallIntegerField(default=0)),
                        ('text', models.TextField()),
                    ],
                    options={
                        'ordering': ['order', 'pk'],
                    },
                ),
                migrations.CreateModel(
                    name='Measure',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('postmortem', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='measures', to='incidents.postmortem')),
                        ('name', models.CharField(max_length=60)),
                        ('value', models.CharField(max_length=60)),
                        ('order', models.PositiveSmallIntegerField(default=0)),
                    ],
                    options={
                        'ordering': ['order', 'pk'],
                    },
                ),
                migrations.CreateModel(
                    name='ActionItem',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('postmortem', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='actions', to='incidents.postmortem')),
                        ('number', models.PositiveSmallIntegerField(help_text='Of PM-12-3.')),
                        ('kind', models.CharField(choices=[('prevent', 'Prevent'), ('detect', 'Detect'), ('mitigate', 'Mitigate'), ('process', 'Process')], max_length=8)),
                        ('title', models.CharField(max_length=200)),
                        ('owner', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                        ('due_on', models.DateField(blank=True, null=True)),
                        ('link', models.URLField(blank=True, max_length=500)),
                        ('state', models.CharField(choices=[('open', 'Open'), ('done', 'Done'), ('dropped', 'Dropped')], default='open', max_length=7)),
                        ('done_by', models.CharField(blank=True, help_text='The commit whose trailer closed it.', max_length=64)),
                        ('undone_by', models.CharField(blank=True, help_text='The commit that took it back, and reopened it.', max_length=64)),
                        ('done_at', models.DateTimeField(blank=True, null=True)),
                        ('why', models.TextField(blank=True, help_text='Of a person who closed, dropped or reopened it.')),
                        ('reminded_at', models.DateTimeField(blank=True, null=True)),
                    ],
                    options={
                        'ordering': ['number'],
                        'constraints': [models.UniqueConstraint(fields=('postmortem', 'number'), name='action_once')],
                    },
                ),
                migrations.CreateModel(
                    name='Reading',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('postmortem', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='readings', to='incidents.postmortem')),
                        ('person', models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name='+', to=settings.AUTH_USER_MODEL)),
                        ('says', models.CharField(choices=[('ready', 'Ready'), ('changes', 'Asks for changes')], max_length=7)),
                        ('checks', models.JSONField(default=dict, help_text='The four checks, by key.')),
                        ('text', models.TextField(blank=True)),
                        ('at', models.DateTimeField(default=django.utils.timezone.now)),
                    ],
                    options={
                        'ordering': ['-pk'],
                    },
                ),
                migrations.CreateModel(
                    name='WordList',
                    fields=[
                        ('language', models.CharField(default='en', max_length=12, primary_key=True, serialize=False)),
                        ('added', models.JSONField(default=list, help_text='Hints as in docs/hints.')),
                        ('removed', models.JSONField(default=list, help_text='Names of hints that this team does not want.')),
                    ],
                ),
                migrations.CreateModel(
                    name='Component',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='components', to='releases.project')),
                        ('name', models.CharField(max_length=80)),
                        ('says', models.CharField(blank=True, help_text='What it does for people, in plain words.', max_length=200)),
                        ('order', models.PositiveSmallIntegerField(default=0)),
                        ('baseline', models.PositiveSmallIntegerField(choices=[(0, 'Working'), (1, 'Being maintained'), (2, 'Slow or partly failing'), (3, 'Partly down'), (4, 'Down')], default=0, help_text='How it is apart from incidents.')),
                        ('retired_at', models.DateTimeField(blank=True, null=True)),
                    ],
                    options={
                        'ordering': ['project', 'order', 'name'],
                        'constraints': [models.UniqueConstraint(fields=('project', 'name'), name='component_once')],
                    },
                ),
                migrations.CreateModel(
                    name='Incident',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('number', models.PositiveIntegerField(help_text='Of INC-58.', unique=True)),
                        ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='incidents', to='releases.project')),
                        ('title', models.CharField(max_length=200)),
                        ('impact', models.TextField(blank=True, help_text='Who is hurt, and how, for people outside.')),
                        ('severity', models.PositiveSmallIntegerField(choices=[(1, 'SEV1'), (2, 'SEV2'), (3, 'SEV3'), (4, 'SEV4')], default=2)),
                        ('state', models.CharField(choices=[('investigating', 'Investigating'), ('identified', 'Identified'), ('monitoring', 'Monitoring'), ('resolved', 'Resolved')], default='investigating', max_length=13)),
                        ('public', models.BooleanField(default=True, help_text='Shown on the status pages of its components.')),
                        ('lead', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                        ('communications', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                        ('scribe', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                        ('chat_url', models.URLField(blank=True, max_length=500)),
                        ('declared_at', models.DateTimeField(default=django.utils.timezone.now)),
                        ('declared_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                        ('started_at', models.DateTimeField(blank=True, null=True)),
                        ('detected_at', models.DateTimeField(blank=True, null=True)),
                        ('told_at', models.DateTimeField(blank=True, help_text='First public word.', null=True)),
                        ('ended_at', models.DateTimeField(blank=True, null=True)),
                        ('times_why', models.JSONField(blank=True, default=dict, help_text='Notes of who set a time back, by field.')),
                        ('resolved_at', models.DateTimeField(blank=True, null=True)),
                        ('calm_at', models.DateTimeField(blank=True, help_text='Since when it works again: monitored, or resolved. What it hurt ended then.', null=True)),
                        ('reminded_at', models.DateTimeField(blank=True, help_text='When its people were last reminded to speak.', null=True)),
                        ('afterword', models.TextField(blank=True, help_text='What was learned, for people outside; from its post-mortem.')),
                        ('introduced_by', models.ForeignKey(blank=True, help_text='The bad release.', null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to='releases.release')),
                        ('drill', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='incidents', to='incidents.drill')),
                        ('hotfixes', models.ManyToManyField(blank=True, related_name='incidents', to='releases.hotfix')),
                    ],
                    options={
                        'ordering': ['-number'],
                        'indexes': [models.Index(fields=['project', 'state', '-number'], name='incident_listing')],
                    },
                ),
                migrations.CreateModel(
                    name='Impact',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('incident', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='impacts', to='incidents.incident')),
                        ('component', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='impacts', to='incidents.component')),
                        ('health', models.PositiveSmallIntegerField(choices=[(0, 'Working'), (1, 'Being maintained'), (2, 'Slow or partly failing'), (3, 'Partly down'), (4, 'Down')], default=3)),
                        ('since', models.DateTimeField(default=django.utils.timezone.now)),
                        ('until', models.DateTimeField(blank=True, null=True)),
                    ],
                    options={
                        'constraints': [models.UniqueConstraint(condition=models.Q(('until', None)), fields=('incident', 'component'), name='impact_once')],
                    },
                ),
                migrations.CreateModel(
                    name='Update',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('incident', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='updates', to='incidents.incident')),
                        ('at', models.DateTimeField(default=django.utils.timezone.now, help_text='When it was said, or is said to have been.')),
                        ('written_at', models.DateTimeField(default=django.utils.timezone.now)),
                        ('author', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                        ('state', models.CharField(choices=[('investigating', 'Investigating'), ('identified', 'Identified'), ('monitoring', 'Monitoring'), ('resolved', 'Resolved')], help_text='The state that it leads to.', max_length=13)),
                        ('public', models.BooleanField(default=False)),
                        ('text', models.TextField()),
                        ('corrects', models.OneToOneField(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='corrected_by', to='incidents.update')),
                    ],
                    options={
                        'ordering': ['-at', '-pk'],
                    },
                ),
                migrations.CreateModel(
                    name='UpdateTemplate',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('project', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='releases.project')),
                        ('name', models.CharField(max_length=80)),
                        ('state', models.CharField(choices=[('investigating', 'Investigating'), ('identified', 'Identified'), ('monitoring', 'Monitoring'), ('resolved', 'Resolved')], max_length=13)),
                        ('text', models.TextField()),
                    ],
                    options={
                        'ordering': ['state', 'name'],
                    },
                ),
                migrations.CreateModel(
                    name='Maintenance',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('project', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='maintenances', to='releases.project')),
                        ('title', models.CharField(max_length=200)),
                        ('text', models.TextField(blank=True)),
                        ('starts_at', models.DateTimeField()),
                        ('ends_at', models.DateTimeField()),
                        ('cancelled_at', models.DateTimeField(blank=True, null=True)),
                        ('made_by', models.ForeignKey(blank=True, null=True, on_delete=django.db.models.deletion.SET_NULL, related_name='+', to=settings.AUTH_USER_MODEL)),
                        ('components', models.ManyToManyField(blank=True, related_name='maintenances', to='incidents.component')),
                    ],
                    options={
                        'ordering': ['starts_at'],
                    },
                ),
                migrations.CreateModel(
                    name='StatusPage',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('slug', models.CharField(max_length=60, unique=True, validators=[django.core.validators.RegexValidator('^[a-z0-9][a-z0-9-]*\\Z', 'Lower-case letters, digits and dashes.')])),
                        ('title', models.CharField(max_length=120)),
                        ('says', models.TextField(blank=True, help_text='A line below the title.')),
                        ('visibility', models.CharField(choices=[('public', 'Everyone'), ('signed-in', 'People who are signed in and see its projects'), ('hidden', 'Nobody yet')], default='hidden', max_length=9)),
                        ('made_at', models.DateTimeField(default=django.utils.timezone.now)),
                        ('dirty_at', models.DateTimeField(default=django.utils.timezone.now, help_text='Something on it changed then.')),
                        ('rendered_at', models.DateTimeField(blank=True, null=True)),
                        ('projects', models.ManyToManyField(related_name='status_pages', to='releases.project')),
                        ('components', models.ManyToManyField(blank=True, help_text='Empty: all of its projects.', related_name='status_pages', to='incidents.component')),
                    ],
                    options={
                        'ordering': ['title'],
                    },
                ),
                migrations.CreateModel(
                    name='Subscriber',
                    fields=[
                        ('id', models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name='ID')),
                        ('page', models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name='subscribers', to='incidents.statuspage')),
                        ('email', models.EmailField(max_length=254)),
                        ('incident', models.ForeignKey(blank=True, help_text='For this one only.', null=True, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='incidents.incident')),
                        ('asked_at', models.DateTimeField(default=django.utils.timezone.now)),
                        ('confirmed_at', models.DateTimeField(blank=True, null=True)),
                        ('left_at', models.DateTimeField(blank=True, null=True)),
                        ('components', models.ManyToManyField(blank=True, help_text='Empty: everything.', related_name='+', to='incidents.component')),
                    ],
                    options={
                        'constraints': [models.UniqueConstraint(condition=models.Q(('incident', None), ('left_at', None)), fields=('page', 'email'), name='subscriber_once'), models.UniqueConstraint(condition=models.Q(('left_at', None)), fields=('page', 'email', 'incident'), name='subscriber_incident_once')],
                    },
                ),
            ],
        ),
    ]
