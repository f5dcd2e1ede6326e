"""Addresses that lists need many of, built once per page instead of resolved per row."""

from __future__ import annotations

from urllib.parse import quote, urlencode

from django.urls import get_script_prefix


def _under(slug: str, rest: str) -> str:
    return f"{get_script_prefix()}projects/{slug}/{rest}"


def fix(slug: str, key: str) -> str:
    return _under(slug, f"fixes/{key}/")


def evidence(slug: str, key: str, branch: str) -> str:
    return _under(slug, f"fixes/{key}/in/{quote(branch)}/")


def release(slug: str, tag: str) -> str:
    return _under(slug, f"releases/{quote(tag)}/")


def matrix(slug: str = "", **query: str) -> str:
    """The matrix of one project, or of all; `show` and `target` narrow it."""
    path = _under(slug, "merge-back/") if slug else f"{get_script_prefix()}merge-back/"
    return f"{path}?{urlencode(query)}" if query else path


def hotfixes(slug: str = "", **query: str) -> str:
    """The list of hotfixes of one project, or of all."""
    path = _under(slug, "hotfixes/") if slug else f"{get_script_prefix()}hotfixes/"
    return f"{path}?{urlencode(query)}" if query else path


def hotfix(slug: str, key: str) -> str:
    return _under(slug, f"hotfixes/{quote(key)}/")


def hotfix_act(slug: str, verb: str, key: str, **query: str) -> str:
    """Where something is done to a hotfix; the verb stands before the key, which may hold slashes."""
    path = _under(slug, f"hotfix/{verb}/{quote(key)}/")
    return f"{path}?{urlencode(query)}" if query else path


def hotfix_new(slug: str = "", **query: str) -> str:
    path = _under(slug, "hotfix/new/") if slug else f"{get_script_prefix()}hotfixes/new/"
    return f"{path}?{urlencode(query)}" if query else path


def settle(slug: str, verb: str, key: str, branch: str, **query: str) -> str:
    """Where a person settles a fix in a branch, or asks for it to be merged back: confirm, different, waive, …"""
    path = _under(slug, f"fixes/{key}/{verb}/{quote(branch)}/")
    return f"{path}?{urlencode(query)}" if query else path


def operation(slug: str, pk: int) -> str:
    return _under(slug, f"operations/{pk}/")


def hotfix_adopt(slug: str) -> str:
    return _under(slug, "hotfix/adopt/")


def deploys(slug: str = "") -> str:
    """The board: what runs where, of one project or of all."""
    return _under(slug, "deploys/") if slug else f"{get_script_prefix()}deploys/"


def deploy_history(slug: str = "", **query: str) -> str:
    path = f"{deploys(slug)}history/"
    return f"{path}?{urlencode(query)}" if query else path


def deploy_compare(slug: str, first: int, second: int) -> str:
    """Two runs beside each other."""
    return f"{deploys(slug)}compare/?{urlencode({'a': first, 'b': second})}"


def run(slug: str, pk: int) -> str:
    """The page of one build, deployment or rollback."""
    return _under(slug, f"deploys/{pk}/")


def run_log(slug: str, pk: int) -> str:
    """The lines of its log after a number, for open pages."""
    return f"{run(slug, pk)}log/"


def run_log_text(slug: str, pk: int) -> str:
    """Its whole log as text."""
    return f"{run(slug, pk)}log.txt"


def run_line(slug: str, pk: int, line: int) -> str:
    """One line of its log."""
    return f"{run(slug, pk)}?line={line}#L{line}"


def compare(slug: str, first: str, second: str) -> str:
    """Two points of history beside each other."""
    return _under(slug, f"compare/?{urlencode({'from': first, 'to': second})}")


def run_act(slug: str, verb: str, pk: int, **query: str) -> str:
    """Where something is done to a run: abort, retry, abandon, roll back, confirm, …"""
    path = f"{run(slug, pk)}{verb}/"
    return f"{path}?{urlencode(query)}" if query else path


def approval(slug: str, pk: int) -> str:
    """Where a person says yes or no to a deployment."""
    return f"{run(slug, pk)}approval/"


def release_mend(slug: str, tag: str) -> str:
    """Where it is said what mends a release that was taken back."""
    return _under(slug, f"mend/{quote(tag)}/")


def release_mark(slug: str, tag: str) -> str:
    """Where a release is marked as bad, or the mark is taken away."""
    return _under(slug, f"mark/{quote(tag)}/")


def environment_act(slug: str, verb: str, name: str, **query: str) -> str:
    """Where something is done to an environment: deploy, roll back, lock, unlock."""
    path = _under(slug, f"environments/{name}/{verb}/")
    return f"{path}?{urlencode(query)}" if query else path


def waiting() -> str:
    """What waits for the person who looks."""
    return f"{get_script_prefix()}waiting/"
