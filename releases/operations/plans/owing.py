"""Is anything of this still owed, now? Asked of git anew, with what people decided laid over it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from releases.evidence.engine import Engine
from releases.evidence.history import History
from releases.evidence.store import FactStore
from releases.evidence.verdicts import FixVerdict
from releases.git import objects
from releases.git.ranges import lacking
from releases.policies.chore_reading import chore_commits
from releases.policies.models import Settlement
from releases.policies.refs import NamedTip, Refs, TagRef, production_tips, target_tips

from .planning import Planning


@dataclass(frozen=True, slots=True)
class Owed:
    """A target that lacks some of it, and why git says so."""

    target: str
    why: str


def owed_now(planning: Planning, head: str, commits: Sequence[str], targets: Sequence[str]) -> list[Owed]:
    """The targets that lack any of `commits` (a fix, oldest first): those named, and those of the policy today.

    A target whose branch is gone is none any more. Raises GitError.
    """
    # Plain text: what is judged is kept between runs, and checked values do not last there.
    head, commits = str(head), [str(sha) for sha in commits]
    refs = _refs(planning)
    policy, git_dir = planning.policy, planning.git_dir
    production = production_tips(refs, policy.production, policy, git_dir, strict=False)
    wanted = {name: refs.branches[name] for name in targets if name in refs.branches}
    wanted |= {
        tip.name: tip.tips[0] for tip in target_tips(refs, policy.targets, policy, production, git_dir, strict=False)
    }
    wanted = {name: tip for name, tip in wanted.items() if tip != head or name in targets}
    if not wanted or not commits:
        return []
    # A newer supported line is production itself: the fix alone is held against it, not the whole of production.
    lines = {name: tip for name, tip in wanted.items() if name in {item.name for item in production}}
    others = {name: tip for name, tip in wanted.items() if name not in lines}
    verdicts: dict[str, FixVerdict] = {}
    for part, of in ((others, production), (lines, ())):
        if part:
            judged, chores = _judged(planning, _live(of, head, commits, git_dir), part, commits)
            if chores:
                return []
            verdicts |= judged
    return [
        Owed(name, verdict.why) for name, verdict in verdicts.items()
        if not _settled(planning.project_pk, name, commits, verdict)
    ]  # fmt: skip


def _judged(
    planning: Planning, live: Mapping[str, str], targets: Mapping[str, str], commits: Sequence[str]
) -> tuple[dict[str, FixVerdict], bool]:
    """Verdicts by target, and whether all of it is no more than chores."""
    facts = Path(settings.EVIDENCE_DIR) / f"{planning.project_pk}.sqlite3"
    store = FactStore(facts) if facts.is_file() else None
    try:
        with closing(History(planning.git_dir, live, targets)) as history:
            engine = Engine(history, store)
            chores = chore_commits(history, commits, planning.policy)
            judged = engine.judge([list(commits)], chores)
        return {name: verdicts[0] for name, verdicts in judged.items()}, chores.issuperset(commits)
    finally:
        if store is not None:
            store.close()


def _live(production: Sequence[NamedTip], head: str, commits: Sequence[str], git_dir: Path) -> dict[str, str]:
    """Production as the standing question names it, and the fix itself, which need not be in it.

    Naming the fix as well keeps this judgement apart from the standing one, whose state is kept for the next push.
    """
    live = {
        tip.name if len(tip.tips) == 1 else f"{tip.name}#{number}": sha
        for tip in production
        for number, sha in enumerate(tip.tips)
    }
    outside = [head, *lacking(git_dir, head, commits)]
    return live | {f"hotfix#{number}": sha for number, sha in enumerate(outside) if sha in (head, *commits)}


def _settled(project_pk: int, target: str, commits: Sequence[str], verdict: FixVerdict) -> bool:
    """What a person decided goes before what git says, as long as it holds."""
    holds = Q(until=None) | Q(until__gt=timezone.now())
    rows = Settlement.objects.filter(holds, project=project_pk, target__branch=target, ended_at=None)
    said: dict[str, str] = {}
    for row in rows.select_related("fix"):
        said |= {str(commit.get("sha", "")): row.kind for commit in row.fix.commits}
    kinds = [said.get(sha, "") for sha in commits]
    if Settlement.Kind.DIFFERENT in kinds:
        return False
    open_commits = [part.sha for part in verdict.commits if not part.settled] or list(commits)
    return verdict.settled or all(said.get(sha) for sha in open_commits)


def _refs(planning: Planning) -> Refs:
    tags = planning.tags()
    commits = objects.resolve_many(planning.git_dir, sorted(set(tags.values())))
    known = {name: TagRef(name, commits[sha], 0) for name, sha in tags.items() if sha in commits}
    return Refs(planning.branches(), known, None)
