"""Which lane a release takes, and why: the one for hotfixes, or the one with all checks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Q

from releases.git import objects
from releases.git.errors import MissingObject
from releases.git.page_reads import CommitInfo
from releases.hotfixes.gathering import track_of
from releases.hotfixes.ground import integration
from releases.hotfixes.models import Hotfix
from releases.policies.flow import FlowPolicy
from releases.policies.models import Fix, Target
from releases.policies.names import matches, merge_name
from releases.projects.history import History, reading, remembered
from releases.projects.models import Project, Ref, Release

from .models import Run

HOTFIX, RELEASE = Run.Lane.HOTFIX.value, Run.Lane.RELEASE.value
MOST = 200
"""A release with more commits than this is no hotfix."""
SECONDS = 5.0
HEADS = "refs/heads/"


@dataclass(frozen=True, slots=True)
class Lane:
    """A lane, and a sentence that says why it is this one."""

    lane: str
    why: str


def lane_of(release: Release, asked: str = "") -> Lane:
    """The lane of this release; `asked` is one that somebody named, which is taken whatever speaks for the other.

    It is a hotfix when a ticket has it, or when it is a patch that carries a fix, was cut from production past the
    integration line, or is made of nothing but what came in from hotfix branches. Where git cannot say, it is none: all
    checks are the smaller harm.
    """
    found = _found(release)
    if asked and asked != found.lane:
        return Lane(asked, f"It was asked for in this lane. By itself it would take the {found.lane} lane: {found.why}")
    return found


def _found(release: Release) -> Lane:
    tickets = list(Hotfix.objects.filter(project=release.project_id, tag=release.tag))
    for ticket in tickets:
        if track_of(ticket) != "regular":
            return Lane(HOTFIX, f"Ticket {ticket.key} is shipped with it.")
    if release.kind != Release.Kind.PATCH:
        return Lane(RELEASE, f"It is no patch ({release.get_kind_display().lower()}), and no hotfix ticket has it.")
    fixes = Fix.objects.filter(Q(release=release) | Q(shipped_in=release.tag), project=release.project_id, chore=False)
    fix = fixes.order_by("pk").first()
    if fix is not None:
        return Lane(HOTFIX, f"It is a patch that carries a fix: “{fix.subject[:100]}”.")
    if tickets:
        return Lane(RELEASE, f"Ticket {tickets[0].key} was triaged as regular work.")
    return _by_history(release)


def _by_history(release: Release) -> Lane:
    """Of a patch that neither a ticket nor a fix speaks for."""
    before = release.previous
    if before is None:
        return Lane(RELEASE, "It is a patch without a ticket or a fix, and no release before it is known.")
    with reading(release.project, SECONDS) as history:
        own = _side(history, release.commit, before.commit)
        if own is None:
            return Lane(RELEASE, "Git could not say where it was cut, so nothing is left out.")
        return _past(release, before, own, history) or _by_branches(release, before, own, history) or Lane(
            RELEASE, "It is a patch without a ticket or a fix that was made like every release."
        )  # fmt: skip


def _past(release: Release, before: Release, own: Sequence[str], history: History) -> Lane | None:
    """Cut from what was in production, and nothing of it is on the branch that the next release is made from."""
    targets = Target.objects.filter(project=release.project_id, closed_at=None).exclude(tip="")
    line = integration(list(targets))
    if line is None or not before.on_production or not own or len(own) >= MOST:
        return None
    beside = _side(history, release.commit, before.commit, line.tip)
    if beside is None or len(beside) < len(own):
        return None
    return Lane(HOTFIX, f"It is a patch that was cut from {before.tag}, past {line.branch}.")


def _by_branches(release: Release, before: Release, own: Sequence[str], history: History) -> Lane | None:
    """On a line of production, and made of nothing but what was merged from branches with the prefix of hotfixes."""
    if not release.on_production or not own or len(own) >= MOST:
        return None
    merges = _merges(history, release.commit, before.commit)
    left, names = set(own), []
    for merge in merges or ():
        name = _came_from(merge, release.project)
        brought = _side(history, merge.parents[1], merge.parents[0], before.commit) if name else None
        if brought:
            left -= set(brought)
            names.append(name)
    if left:
        return None
    return Lane(HOTFIX, f"It is a patch, and all that is new in it came from {' and '.join(dict.fromkeys(names))}.")


def _came_from(merge: CommitInfo, project: Project) -> str:
    """The hotfix branch that a merge brought in, by its words or by what the branch named; empty for any other."""
    policy = FlowPolicy.from_data(project.policy)
    known = Ref.objects.filter(project=project, name__startswith=HEADS, commit=merge.parents[1])
    names = [
        merge_name(merge.subject).source,
        *(name.removeprefix(HEADS) for name in known.values_list("name", flat=True)),
    ]
    return next((name for name in names if name and is_hotfix_branch(name, policy)), "")


def is_hotfix_branch(name: str, policy: FlowPolicy) -> bool:
    """Whether a branch is called like a hotfix, and not only like any everyday mending (`fix/…`, `bugfix/…`)."""
    prefix = policy.hotfix_branch.partition("{ticket}")[0]
    named = "hotfix" in name.lower() or bool(prefix and name.startswith(prefix))
    return named and (matches(name, policy.hotfix_branches) or bool(prefix and name.startswith(prefix)))


def _side(history: History, head: str, *excluded: str) -> tuple[str, ...] | None:
    """Commits (no merges) that `head` has and the others have not; at most `MOST`. None when git cannot say."""
    return _walked(history, head, excluded, "--no-merges")


def _merges(history: History, head: str, since: str) -> list[CommitInfo] | None:
    """The merges with two parents since then."""
    shas = _walked(history, head, (since,), "--merges")
    known = history.commits(shas) if shas else {}
    return None if shas is None else [info for sha in shas if (info := known.get(sha)) and len(info.parents) == 2]


def _walked(history: History, head: str, excluded: Sequence[str], option: str) -> tuple[str, ...] | None:
    git_dir = history.git_dir
    if git_dir is None:
        return None
    spans = [head, *(f"^{sha}" for sha in dict.fromkeys(excluded))]

    def look() -> tuple[str, ...]:
        missing = [sha for sha in (head, *excluded) if sha not in history.commits([sha])]
        if missing:
            raise MissingObject(f"{missing[0][:7]} is not here.")
        return tuple(objects.walk(git_dir, spans, option, f"--max-count={MOST}"))

    return history.ask(lambda: remembered(("lane", str(git_dir), option, *spans), look))
