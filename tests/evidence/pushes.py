"""Random but repeatable pushes to a repository, and the engine asked cold and warm about what became of it."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from releases.evidence.engine import Engine, Options
from releases.evidence.history import History
from releases.evidence.store import FactStore
from releases.evidence.verdicts import FixVerdict
from tests.gitrepos import Conflict, Repo, make_repo

FILES = tuple(f"{folder}/{name}.py" for folder in ("shop", "tax") for name in "abcd")


def lines(seed: int) -> str:
    return "".join(f"value_{seed}_{number} = compute({number}, rate={seed})\n" for number in range(30))


def judge(
    repo: Repo, store: Path | None, *, groups: int = 1, options: Options | None = None, production: str = "main",
    targets: tuple[str, ...] = ("develop",),
) -> dict[tuple[str, str], FixVerdict]:  # fmt: skip
    """Verdicts by target and first commit of each fix; fixes are `groups` commits in a row of production's history."""
    kept = FactStore(store) if store else None
    try:
        tips = {name: repo.sha(name) for name in targets}
        commits = repo.log("--topo-order", "--reverse", production)[1:]
        fixes = [commits[at : at + groups] for at in range(0, len(commits), groups)]
        with closing(History(repo.git_dir, {production: repo.sha(production)}, tips)) as history:
            answers = Engine(history, kept, options or Options()).judge(fixes)
        return {(name, fix[0]): verdict for name, listed in answers.items()
                for fix, verdict in zip(fixes, listed, strict=True)}  # fmt: skip
    finally:
        if kept:
            kept.close()


def differing(
    one: dict[tuple[str, str], FixVerdict], other: dict[tuple[str, str], FixVerdict], repo: Repo
) -> list[str]:
    """What both answers say where they differ, to read in a failing test."""
    told = []
    for key in sorted({*one, *other}):
        if one.get(key) != other.get(key):
            subject = repo.git("log", "-1", "--format=%s", key[1])
            told.append(f"{key[0]} {key[1][:9]} {subject}\n  warm {one.get(key)}\n  cold {other.get(key)}")
    return told


@dataclass
class Story:
    """A repository to which things happen."""

    folder: Path
    seed: int
    repo: Repo = field(init=False)
    dice: random.Random = field(init=False)
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.repo = make_repo(self.folder, f"story-{self.seed}.git")
        self.dice = random.Random(self.seed)
        self.repo.commit({path: lines(number) for number, path in enumerate(FILES)}, "Start")
        self.repo.branch("develop")
        for _ in range(3):
            self.fix()
            self.feature()

    def happen(self) -> None:
        """One push (or more) of some kind."""
        kinds: list[Callable[[], object]] = [
            self.fix, self.fix, self.feature, self.pick, self.pick, self.pick_with_trailer, self.named,
            self.revert_there, self.revert_here, self.revert_there_silently, self.merge_back, self.merge_aside,
            self.squash, self.split, self.again, self.evil, self.rewritten, self.forced, self.gone_and_back,
            self.rewound, self.nothing, self.same_subject, self.earlier_side,
        ]  # fmt: skip
        kind = self.dice.choice(kinds)
        try:
            kind()
        except (Conflict, AssertionError):
            self.told.append(f"{kind.__name__} (did not apply)")
        else:
            self.told.append(kind.__name__)

    def _edit(self, branch: str, path: str | None = None) -> dict[str, str]:
        path = path or self.dice.choice(FILES)
        rows = self.repo.read(branch, path).splitlines()
        at = self.dice.randrange(len(rows))
        rows[at : at + 1] = [f"changed_{self.dice.randrange(9999)} = adjust(total, step={n})" for n in range(4)]
        return {path: "\n".join(rows) + "\n"}

    def _any(self, branch: str) -> str:
        return self.dice.choice(self.repo.log("--no-merges", "-n", "12", branch))

    def _subject(self) -> str:
        return f"{self.dice.choice(['Mend', 'Round', 'Guard', 'Speed up'])} {self.dice.choice(['totals', 'dates'])}"

    def fix(self) -> str:
        files = {**self._edit("main"), **(self._edit("main") if self.dice.random() < 0.4 else {})}
        return self.repo.commit(files, f"TICKET-{self.dice.randrange(99)} {self._subject()}", branch="main")

    def feature(self) -> str:
        return self.repo.commit(self._edit("develop"), f"Feature {self.dice.randrange(99)}", branch="develop")

    def pick(self) -> None:
        self.repo.pick(self._any("main"), onto="develop")

    def pick_with_trailer(self) -> None:
        self.repo.pick(self._any("main"), onto="develop", x=True, author="sam", date=self.repo.clock)

    def named(self) -> None:
        """A commit that claims to come from one of production, whatever it does."""
        named = self._any("main")[: self.dice.choice([9, 40])]
        message = f"Take over\n\n(cherry picked from commit {named})"
        self.repo.commit(self._edit("develop"), message, branch="develop", author="sam")

    def revert_there(self) -> None:
        self.repo.revert(self._any("develop"), on="develop")

    def revert_here(self) -> None:
        self.repo.revert(self._any("main"), on="main")

    def revert_there_silently(self) -> None:
        self.repo.revert(self._any("develop"), on="develop", message=f"Back to before {self.dice.randrange(99)}")

    def merge_back(self) -> None:
        self.repo.merge("main", into="develop")

    def merge_aside(self) -> None:
        """A feature branch from earlier, merged into the target."""
        self.repo.branch("side", self._any("develop"))
        for _ in range(2):
            self.repo.commit(self._edit("side"), f"Side {self.dice.randrange(99)}", branch="side")
        self.repo.merge("side", into="develop")

    def earlier_side(self) -> None:
        """A branch cut from production and merged into the target only."""
        self.repo.branch("late", self._any("main"))
        self.repo.commit(self._edit("late"), f"Late {self.dice.randrange(99)}", branch="late")
        self.repo.merge("late", into="develop")

    def squash(self) -> None:
        self.repo.squash("main", into="develop")

    def split(self) -> None:
        """A fix of two files that comes over in two pieces by somebody else."""
        one, two = self.dice.sample(FILES, 2)
        files = {**self._edit("main", one), **self._edit("main", two)}
        self.repo.commit(files, f"TICKET-{self.dice.randrange(99)} {self._subject()}", branch="main")
        for path, text in files.items():
            self.repo.commit({path: text}, f"Part {path}", branch="develop", author="sam")

    def again(self) -> None:
        self.repo.revert(self._any("develop"), on="develop")
        self.repo.revert(self.repo.sha("develop"), on="develop")

    def evil(self) -> None:
        """A merge on production with changes of its own."""
        self.repo.branch("topic", self._any("main"))
        self.repo.commit(self._edit("topic"), f"Topic {self.dice.randrange(99)}", branch="topic")
        self.repo.merge("topic", into="main", files=self._edit("main"))

    def rewritten(self) -> None:
        """The target's last two commits, made anew."""
        tips = self.repo.log("--first-parent", "-n", "3", "develop")
        self.repo.force("develop", tips[-1])
        for sha in reversed(tips[:-1]):
            self.repo.pick(sha, onto="develop")

    def forced(self) -> None:
        self.repo.force("develop", self._any("develop"))

    def rewound(self) -> None:
        """Production's last commit taken away."""
        line = self.repo.log("--first-parent", "main")
        if len(line) > 5:
            self.repo.force("main", line[1])

    def gone_and_back(self) -> None:
        tip = self.repo.sha("develop")
        self.repo.delete("develop")
        self.repo.branch("develop", tip)

    def nothing(self) -> None:
        self.repo.commit({}, "Nothing at all", branch=self.dice.choice(["main", "develop"]))

    def same_subject(self) -> None:
        """Somebody else's commit under the subject of one of production."""
        named = self.repo.git("log", "-1", "--format=%s", self._any("main"))
        self.repo.commit(self._edit("develop"), named, branch="develop", author="kim")
