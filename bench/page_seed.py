"""Fills an empty database: 50 projects, 1,000 fixes with 4 targets each, 10,000 releases; prints a session's key.

Deterministic: the same rows every time. One project has half of the fixes, as the one that everybody looks at would.
"""

from __future__ import annotations

import hashlib
import os
import random
import sys
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bench.page_settings")

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.test import Client  # noqa: E402
from django.utils import timezone  # noqa: E402

from hotfixdash.accounts.roles import Role  # noqa: E402
from hotfixdash.accounts.services import account_create  # noqa: E402
from releases.evidence.verdicts import Code  # noqa: E402
from releases.policies.flow import FlowPolicy  # noqa: E402
from releases.policies.models import Fix, Target, Verdict  # noqa: E402
from releases.projects.models import Project, Release  # noqa: E402
from releases.projects.versions import tag_version  # noqa: E402

PROJECTS, FIXES, RELEASES = 50, 1_000, 10_000
BRANCHES = (("develop", "develop"), ("release/3.0", "release"), ("support/2.0", "support"), ("support/1.0", "support"))
MIX = [Code.MERGED] * 45 + [Code.EQUIVALENT] * 35 + [Code.NOTHING_OWED] * 5 + [Code.MISSING] * 8 + [
    Code.PARTIAL, Code.REVERTED, Code.LIKELY, Code.LIKELY, Code.DECLARED, Code.UNKNOWN, Code.UNKNOWN,
]  # fmt: skip
SETTLED = {Code.MERGED, Code.EQUIVALENT, Code.NOTHING_OWED}


def sha(*parts: object) -> str:
    return hashlib.sha1("/".join(map(str, parts)).encode()).hexdigest()


def seed_projects() -> list[Project]:
    now = timezone.now()
    policy = FlowPolicy(targets=tuple(branch for branch, _ in BRANCHES)).as_data()
    return Project.objects.bulk_create(
        Project(
            name=f"service-{n:02}", slug=f"service-{n:02}", remote_url=f"https://git.example.org/service-{n:02}.git",
            policy=policy, fetched_at=now, judged_at=now, commit_count=8_000, mirror_bytes=40_000_000,
        )
        for n in range(PROJECTS)
    )  # fmt: skip


def seed_releases(projects: list[Project]) -> None:
    now = timezone.now()
    each = RELEASES // PROJECTS
    rows = []
    for project in projects:
        for n in range(each):
            tag = f"v{n // 50 + 1}.{n // 5 % 10}.{n % 5}"
            version = tag_version(tag)
            assert version is not None
            rows.append(
                Release(
                    project=project, tag=tag, commit=sha(project.name, tag), kind=version.kind, version=version.version,
                    sort_key=version.sort_key, tagger="Release bot", subject=f"Release {tag}",
                    tagged_at=now - timedelta(days=(each - n) * 3, minutes=project.pk), on_production=True,
                    commit_total=n % 40,
                )
            )  # fmt: skip
    Release.objects.bulk_create(rows, batch_size=1000)
    for project in projects:
        project.production_release = Release.objects.filter(project=project).order_by("-sort_key").first()
        project.save(update_fields=["production_release"])


def seed_fixes(projects: list[Project], dice: random.Random) -> list[Fix]:
    now = timezone.now()
    by_project = {project.pk: list(project.releases.order_by("-tagged_at")[:40]) for project in projects}
    rows = []
    for n in range(FIXES):
        project = projects[0] if n < FIXES // 2 else projects[1 + n % (PROJECTS - 1)]
        release = dice.choice(by_project[project.pk])
        key, live = sha("fix", n), release.tagged_at
        subject = f"Guard the {dice.choice(['cart', 'invoice', 'session', 'ledger'])} against late answer {n}"
        commits = [
            {"sha": sha(key, c), "subject": subject, "author_name": "Priya", "author_email": "priya@example.org",
             "authored_at": int(live.timestamp()) - 3600}
            for c in range(1 + n % 3)
        ]  # fmt: skip
        rows.append(
            Fix(
                project=project, key=key, kind=Fix.Kind.MERGE, subject=subject, ticket=f"TICKET-{1000 + n}",
                author_name="Priya", authored_at=live - timedelta(hours=1), production_ref="main",
                shipped_in=release.tag, release=release, live_since=min(live, now), live_since_source="tag",
                commits=commits, chore=n % 25 == 24, security=n % 40 == 0,
            )
        )  # fmt: skip
    return Fix.objects.bulk_create(rows, batch_size=500)


def seed_verdicts(projects: list[Project], fixes: list[Fix], dice: random.Random) -> None:
    targets: dict[int, list[Target]] = {}
    for project in projects:
        targets[project.pk] = [
            Target.objects.create(
                project=project, branch=branch, kind=kind, tip=sha(project.name, branch), position=n,
                planned_version="v3.0.0" if kind == "release" else "",
            )
            for n, (branch, kind) in enumerate(BRANCHES)
        ]  # fmt: skip
    rows = []
    for fix in fixes:
        for target in targets[fix.project_id]:
            code = dice.choice(MIX)
            settled = code in SETTLED
            owed = not settled and not fix.chore
            rows.append(
                Verdict(
                    fix=fix, target=target, project_id=fix.project_id, code=code.value, settled=settled, owed=owed,
                    why="Each commit has a counterpart with the same patch." if settled else "Nothing of it is there.",
                    detail=sha(fix.key, target.pk)[:9] if settled else "merges cleanly",
                    commits=[
                        {"sha": commit["sha"], "verdict": code.value, "settled": settled, "counterparts": [],
                         "evidence": []}
                        for commit in fix.commits
                    ],
                    preview=None if settled else {"clean": True, "conflicts": []},
                    owed_since=fix.live_since if owed else None, lag_seconds=86_400 if settled else None,
                )
            )  # fmt: skip
    Verdict.objects.bulk_create(rows, batch_size=500)


def main() -> None:
    call_command("migrate", interactive=False, verbosity=0)
    call_command("collectstatic", interactive=False, verbosity=0)
    dice = random.Random(7)
    projects = seed_projects()
    seed_releases(projects)
    seed_verdicts(projects, seed_fixes(projects, dice), dice)
    user = account_create("bench", Role.RELEASE_MANAGER, "correct horse battery", all_projects=True)
    client = Client()
    client.force_login(user)
    print(client.cookies["sessionid"].value)


if __name__ == "__main__":
    main()
