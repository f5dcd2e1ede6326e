"""The commits of a target that may be counterparts, indexed by what they share with the commits in question. No I/O."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

from .facts import Facts

MANY = 8
"""More commits than this of one author in one second (imports, rebases) are told apart by their subject."""
SUBJECT_HITS = 2
"""A subject (or merge request) that more target commits bear says nothing."""
SOON = 2 * 86400
"""Seconds between two commits of one author that bear a subject which many bear."""
LATE = 180 * 86400
"""Seconds within which commits of one author under nearly the same subject are compared, wherever they are."""
OWN_WORDS = 3
"""Words of a subject from which it tells of the same change in other places, when the author is the same."""


class Pool:
    """Only what some candidate asks for is indexed: a target may have a hundred thousand commits."""

    def __init__(self, candidates: Sequence[Facts], commits: Iterable[Facts]) -> None:
        headers = {c.header for c in candidates} | {c.inverse_header for c in candidates}
        headers.discard(b"")
        authors = {c.author_key for c in candidates}
        keys = {c.key for c in candidates}
        requests = {number for c in candidates for number in c.requests}
        change_ids = {c.change_id for c in candidates if c.change_id}
        self.by_sha: dict[str, Facts] = {}
        self.by_header: dict[bytes, list[Facts]] = defaultdict(list)
        self.by_raw: dict[bytes, list[Facts]] = defaultdict(list)
        self.by_author: dict[tuple[str, int], list[Facts]] = defaultdict(list)
        self.by_subject: dict[str, list[Facts]] = defaultdict(list)
        self.by_request: dict[str, list[Facts]] = defaultdict(list)
        self.by_change_id: dict[str, list[Facts]] = defaultdict(list)
        self.linking: list[Facts] = []
        """Commits that name others as their origin."""
        self.reverting: list[Facts] = []
        """Commits that say they undo others."""
        for commit in commits:
            self.by_sha[commit.sha] = commit
            if commit.header in headers:
                self.by_header[commit.header].append(commit)
                self.by_raw[commit.raw].append(commit)
            if commit.author_key in authors:
                self.by_author[commit.author_key].append(commit)
            if commit.key in keys:
                self.by_subject[commit.key].append(commit)
            if requests and (numbers := commit.requests) and numbers[-1] in requests:
                self.by_request[numbers[-1]].append(commit)
            if commit.change_id in change_ids:
                self.by_change_id[commit.change_id].append(commit)
            if commit.links:
                self.linking.append(commit)
            if commit.reverts:
                self.reverting.append(commit)

    def __contains__(self, sha: str) -> bool:
        return sha in self.by_sha

    def same_raw(self, commit: Facts) -> list[Facts]:
        """Commits that change the same blobs into the same blobs."""
        return self.by_raw.get(commit.raw, []) if commit.raw else []

    def same_header(self, commit: Facts) -> list[Facts]:
        """Commits that change the same paths with the same modes."""
        return self.by_header.get(commit.header, []) if commit.header else []

    def same_author_date(self, commit: Facts) -> list[Facts]:
        """Commits of the same author and author date in related places (anywhere, with the same subject)."""
        found = self.by_author.get(commit.author_key, [])
        if len(found) > MANY:
            return [other for other in found if other.key == commit.key]
        return [other for other in found if other.key == commit.key or related(commit, other)]

    def same_subject(self, commit: Facts) -> list[Facts]:
        """Commits of the same subject in related places, or anywhere by the same author.

        A subject that too many bear says nothing, but for what the author made within two days.
        """
        own = len(commit.key.split()) >= OWN_WORDS
        bearing = self.by_subject.get(commit.key, [])
        found = [o for o in bearing if related(commit, o) or (own and o.author_email == commit.author_email)]
        if len(found) > SUBJECT_HITS:
            found = [
                other
                for other in found
                if other.author_email == commit.author_email and abs(other.authored_at - commit.authored_at) <= SOON
            ]
        return found if len(found) <= SUBJECT_HITS else []

    def same_request(self, commit: Facts) -> list[Facts]:
        """Commits brought by a merge request that the subject of this one names; none when too many were."""
        found = {o.sha: o for number in commit.requests for o in self.by_request.get(number, ())}
        return list(found.values()) if len(found) <= SUBJECT_HITS else []

    def made_by(self, commits: Sequence[Facts]) -> dict[str, list[Facts]]:
        """What the authors of these commits made about the same time, by e-mail address."""
        found: dict[str, list[Facts]] = {commit.author_email: [] for commit in commits}
        for other in self.by_sha.values():
            if other.author_email in found:
                found[other.author_email].append(other)
        return found

    def touching(self, paths: Iterable[str], most: int) -> dict[str, list[Facts]]:
        """Commits by each of these paths, without sweeping ones; a path that more than `most` touch is left out."""
        wanted = set(paths)
        found: dict[str, list[Facts]] = defaultdict(list)
        for commit in self.by_sha.values():
            if commit.wide:
                continue
            for path in commit.paths:
                if path in wanted:
                    found[path].append(commit)
        return {path: commits for path, commits in found.items() if len(commits) <= most}


def share_path(one: Facts, other: Facts) -> bool:
    """Whether both change a path of the same name."""
    if one.header == other.header:
        return bool(one.header)
    if len(one.paths) == 1:
        return one.paths[0] in other.paths
    return not one.path_set.isdisjoint(other.paths)


def related(one: Facts, other: Facts) -> bool:
    """Whether both change a path of the same name, or files that were moved or stand side by side."""
    if share_path(one, other):
        return True
    return not _places(one).isdisjoint(_places(other))


def _places(commit: Facts) -> set[str]:
    places = set()
    for path in commit.paths[:400]:
        folder, _, name = path.rpartition("/")
        places.add("/" + name)
        if folder:
            places.add(folder + "/")
    return places


def agree(one: Facts, other: Facts) -> bool:
    """Whether metadata says that these are the same change: author and date, or the subject."""
    return one.author_key == other.author_key or one.key == other.key


def closeness(commit: Facts, other: Facts) -> tuple[bool, bool, bool, int, int, str]:
    """Orders possible counterparts: the greatest is the best. No two commits are equally close."""
    return (
        commit.author_key == other.author_key,
        commit.key == other.key,
        commit.header == other.header,
        -abs(commit.authored_at - other.authored_at),
        other.committed_at,
        other.sha,
    )
