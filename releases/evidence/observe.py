"""Observes the commits in question against one target, cheapest evidence first, patches only where they can decide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from releases.git import objects
from releases.git.standing import Gits

from .content import Content, contained, similarity
from .facts import Facts
from .gather import Lanes
from .patches import Patches
from .pool import Pool, agree, closeness, related, share_path
from .rules import HALF, Match, Observed, is_part
from .verdicts import Evidence

TELLING = 40
"""Letters and digits in the changed lines from which equal lines settle although nobody's name or date agrees."""
TELLING_LINES = 3
PART_LINES = 6
"""Changed lines below which nothing is called a part of a fix."""
BLANKS = 400
"""Bytes by which blanks alone may make the growth of a path differ between equal patches."""
LEFT_OUT = 400
"""Paths left out by a counterpart above which nobody asks whether the target has them."""
FAINT = 0.05
"""Share of common lines below which another commit with a name in common is the better guess."""


class Identity:
    """Finds equal patches: by blobs first, then by content where names agree, then where sizes allow."""

    def __init__(self, pool: Pool, patches: Patches, observed: Mapping[str, Observed]) -> None:
        self.pool = pool
        self.patches = patches
        self.observed = observed
        self._left: list[Facts] = []
        self._hits: dict[str, list[Facts]] = {}
        self._parts = patches.reader.patches()

    def begin(self, commits: Sequence[Facts]) -> None:
        """Settle what blobs alone tell, and begin to read the patches that names agree on."""
        left = [commit for commit in commits if self.pool.same_header(commit) and not self._same_blobs(commit)]
        hits = {commit.sha: self._agreeing(commit) for commit in left}
        self.patches.measure({c.sha: c for commit in left for c in (commit, *hits[commit.sha])}.values())
        for commit in left:
            hits[commit.sha] = [o for o in hits[commit.sha] if self.patches.may_equal(commit, o, slack=BLANKS)]
        parts = self.patches.narrowed((commit, hits[commit.sha]) for commit in left)
        self.patches.compare((commit, hits[commit.sha]) for commit in left if commit.sha not in parts)
        self._left, self._hits, self._parts = left, hits, parts

    def finish(self) -> None:
        """Compare those patches, and after them those of the other commits that sizes allow."""
        hits, parts = self._hits, self._parts
        left = [
            commit for commit in self._left
            if not (commit.sha in parts and self._compare(commit, hits[commit.sha], parts))
        ]  # fmt: skip
        self.patches.compare((commit, hits[commit.sha]) for commit in left)
        left = [commit for commit in left if not self._compare(commit, hits[commit.sha], self.patches.known)]
        others = {
            commit.sha: [other for other in self.pool.same_header(commit) if not agree(commit, other)]
            for commit in left
        }
        left = [commit for commit in left if others[commit.sha]]
        self.patches.measure({c.sha: c for commit in left for c in (commit, *others[commit.sha])}.values())
        for commit in left:
            others[commit.sha] = [o for o in others[commit.sha] if self.patches.may_equal(commit, o)]
        apart = self.patches.told_apart((commit, other) for commit in left for other in others[commit.sha])
        for commit in left:
            others[commit.sha] = [o for o in others[commit.sha] if (commit.sha, o.sha) not in apart]
        self.patches.compare((commit, others[commit.sha]) for commit in left)
        for commit in left:
            self._compare(commit, others[commit.sha], self.patches.known)

    def _same_blobs(self, commit: Facts) -> bool:
        seen = self.observed[commit.sha]
        found = sorted(self.pool.same_raw(commit), key=lambda o: closeness(commit, o), reverse=True)
        seen.same_patch += [Match(o.sha, (Evidence.PATCH_ID,), 1.0, 1.0, 1.0, agree(commit, o)) for o in found]
        return bool(found)

    def _agreeing(self, commit: Facts) -> list[Facts]:
        return [other for other in self.pool.same_header(commit) if agree(commit, other)]

    def _compare(self, commit: Facts, others: Sequence[Facts], contents: Lanes[Content]) -> bool:
        """Note those with the same patch or lines, by what was read of all of them; whether one of them settles."""
        seen = self.observed[commit.sha]
        if not others:
            return False
        ours = contents[commit.sha]
        if not ours.readable:
            return False
        for other in sorted(others, key=lambda o: closeness(commit, o), reverse=True):
            theirs = contents[other.sha]
            if not theirs.readable:
                continue
            backed = agree(commit, other)
            if ours.same_patch(theirs):
                seen.same_patch.append(Match(other.sha, (Evidence.PATCH_ID,), 1.0, 1.0, 1.0, backed))
            elif ours.lines_id == theirs.lines_id:
                match = Match(other.sha, (Evidence.NO_CONTEXT,), 1.0, 1.0, 1.0, backed)
                telling = ours.weight >= TELLING and ours.changed >= TELLING_LINES
                (seen.same_lines if backed or telling else seen.likely).append(match)
        return bool(seen.same_patch or seen.same_lines)


def measured(patches: Patches, commit: Facts, other: Facts, evidence: tuple[Evidence, ...]) -> Match:
    """A match with what the contents have in common; unless the two were to be compared, it stays unmeasured."""
    match = Match(other.sha, evidence, authored=commit.author_key == other.author_key)
    if other.sha not in patches.compared.get(commit.sha, ()):
        return match
    ours, theirs = patches.of(commit.sha), patches.of(other.sha)
    if ours.readable and theirs.readable:
        match.similarity = similarity(ours, theirs)
        match.has = contained(ours, theirs)
        match.fills = contained(theirs, ours)
        match.narrower = set(other.paths) < set(commit.paths) and ours.changed >= PART_LINES
    return match


_BOTH = {Evidence.AUTHOR_DATE, Evidence.SUBJECT}


def begin_names(pool: Pool, patches: Patches, commits: Sequence[Facts]) -> Named:
    """Commits of the target with a name in common with each; patches begin to be read where those leave a doubt."""
    hits = [(commit, found) for commit in commits if (found := hits_of(pool, commit))]
    patches.compare((commit, _others(found)) for commit, found in hits if _doubtful(commit, found))
    return hits


def look_for_names(hits: Named, patches: Patches, observed: Mapping[str, Observed]) -> None:
    """Likely counterparts by author and date, then by subject, among what was found with `begin_names`."""
    for commit, found in hits:
        matches = [(measured(patches, commit, hit.other, hit.evidence), hit) for hit in found]
        matches = [(match, hit) for match, hit in matches if _believable(commit, match, hit)]
        for match, hit in matches:
            if is_part(match) and _all_it_can_take(patches.reader.gits, commit, hit.other):
                match.narrower = False
        matches.sort(key=lambda item: _rank(commit, *item), reverse=True)
        seen = observed[commit.sha]
        known = {match.sha for match, _ in matches}
        merged = [match for match, _ in matches] + [match for match in seen.likely if match.sha not in known]
        seen.likely = sorted(merged, key=lambda match: not set(match.evidence) >= _BOTH)


def look_for_moments(pool: Pool, patches: Patches, commits: Sequence[Facts], observed: Mapping[str, Observed]) -> None:
    """Where nothing else was found: what its author made in the same second to one of its files, and nothing more."""
    for commit in commits:
        if observed[commit.sha].likely or observed[commit.sha].squashed:
            continue
        dated = [other for other in pool.same_author_date(commit) if share_path(commit, other)]
        if len(dated) == 1:
            observed[commit.sha].likely.append(measured(patches, commit, dated[0], (Evidence.AUTHOR_DATE,)))


@dataclass(frozen=True, slots=True)
class Hit:
    """A commit of the target with a name in common."""

    other: Facts
    dated: bool
    titled: bool
    requested: bool = False
    """It was brought by the merge request that the subject in question names."""

    @property
    def evidence(self) -> tuple[Evidence, ...]:
        dated = (Evidence.AUTHOR_DATE,) if self.dated else ()
        return (*dated, Evidence.SUBJECT) if self.titled or self.requested else dated


Named = list[tuple[Facts, list[Hit]]]
"""Commits in question, each with those of the target that have a name in common with it."""


def hits_of(pool: Pool, commit: Facts) -> list[Hit]:
    """Target commits with a name in common with this one."""
    dated, asked = pool.same_author_date(commit), pool.same_request(commit)
    others = {other.sha: other for other in (*dated, *pool.same_subject(commit), *asked)}
    by_date, by_request = {other.sha for other in dated}, {other.sha for other in asked}
    return [Hit(o, sha in by_date, o.key == commit.key, sha in by_request) for sha, o in others.items()]


def _all_it_can_take(gits: Gits, commit: Facts, other: Facts) -> bool:
    """Whether what the counterpart leaves out is about files that the target did not have when it was made.

    Vendored copies and generated files are often kept in one line only; what is new in the fix cannot excuse itself.
    """
    taken = set(other.paths)
    left = [(status, path) for status, path in commit.statuses if path not in taken]
    old = [path for status, path in left if status != "A"]
    new = {path.rpartition("/")[0] for status, path in left if status == "A"}
    if not old or len(left) > LEFT_OUT:
        return False
    return not objects.present(gits, [f"{other.sha}:{path}" for path in (*old, *sorted(new)) if path])


def _others(hits: Sequence[Hit]) -> list[Facts]:
    return [hit.other for hit in hits]


def _doubtful(commit: Facts, hits: Sequence[Hit]) -> bool:
    """Whether only the patches can tell: several hits, a weak one, or one that may be a mere part."""
    if commit.wide or any(hit.other.wide for hit in hits):
        return False
    if len(hits) > 1:
        return not _one_stands_out(hits)
    first = hits[0]
    ours, theirs = set(commit.paths), set(first.other.paths)
    if first.dated and first.titled:
        return theirs < ours and 2 * len(theirs) <= len(ours)
    return 2 * len(ours & theirs) < len(ours | theirs)


def _one_stands_out(hits: Sequence[Hit]) -> bool:
    """Whether exactly one hit has both names in common."""
    return sum(hit.dated and hit.titled for hit in hits) == 1


def _believable(commit: Facts, match: Match, hit: Hit) -> bool:
    """Two changes without a line in common need more than one name in common, or the same places."""
    if match.similarity is None or match.similarity > 0 or (hit.dated and hit.titled):
        return True
    ours, theirs = set(commit.paths), set(hit.other.paths)
    if hit.requested:
        return hit.titled or commit.author_email == hit.other.author_email or not ours.isdisjoint(theirs)
    if hit.titled:
        return commit.author_email == hit.other.author_email and related(commit, hit.other)
    return _words_shared(commit.key, hit.other.key) >= HALF or 2 * len(ours & theirs) > len(ours | theirs)


def _words_shared(one: str, other: str) -> float:
    ours, theirs = set(one.split()), set(other.split())
    return len(ours & theirs) / max(1, len(ours | theirs))


def _rank(commit: Facts, match: Match, hit: Hit) -> tuple[bool, bool, bool, bool, float, int, int, str]:
    related_lines = match.similarity is None or match.similarity >= FAINT
    near = -abs(commit.authored_at - hit.other.authored_at)
    last = (hit.other.committed_at, hit.other.sha)
    names = (hit.dated and hit.titled, hit.requested, related_lines, hit.dated)
    return *names, match.similarity or 0.0, near, *last
