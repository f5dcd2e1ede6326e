"""What a project gets when shipping is set up: three environments, and a pipeline with its deploy step to write."""

from __future__ import annotations

from typing import Any

from hotfixdash.accounts.roles import Role

from .spec import Naming, PipelineSpec, StepKind, StepSpec, Trigger

ENVIRONMENTS: tuple[dict[str, Any], ...] = (
    {"name": "hotfix-staging", "kind": "staging", "hotfixes": "only"},
    {"name": "staging", "kind": "staging", "hotfixes": "skip"},
    {
        "name": "production",
        "kind": "production",
        "hotfixes": "must",
        "approvals": 1,
        "approver_role": Role.RELEASE_MANAGER.value,
    },
)
"""In promotion order: a hotfix goes through the first and the last, a release through the last two."""

_UNWRITTEN = 'echo "Write here how $HOTFIXDASH_TAG gets to $HOTFIXDASH_ENVIRONMENT." >&2\nexit 1'
"""It fails, and says why: a step that nobody has written must not look as if it had shipped something."""


def skeleton(*, trunk: bool = False) -> PipelineSpec:
    """Steps to start from. Nothing starts by itself until somebody who has written the deploy step says so."""
    return PipelineSpec(
        trigger=Trigger.HAND,
        naming=Naming.DATE if trunk else Naming.PATCH,
        steps=(
            StepSpec("Critical tests", StepKind.CHECK, "make test-critical", timeout=300, silence=120),
            StepSpec("All tests", StepKind.CHECK, "make test", lanes=("release",), timeout=3600, silence=600),
            StepSpec(
                "Archive",
                StepKind.BUILD,
                'git archive --format=tar.gz --prefix=release/ --output=release.tar.gz "$HOTFIXDASH_COMMIT"',
                artifact="release.tar.gz",
            ),
            StepSpec("Deploy", StepKind.DEPLOY, _UNWRITTEN),
            StepSpec("Answers with the new version", StepKind.VERIFY),
        ),
    )
