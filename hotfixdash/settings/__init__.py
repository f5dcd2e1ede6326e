"""Settings, one module per concern; every value that a deployment may change comes from the environment.

`docs/configuration.md` documents each variable; a test fails when one is missing there.
"""

from .accounts import *  # noqa: F403
from .base import *  # noqa: F403
from .celery import *  # noqa: F403
from .database import *  # noqa: F403
from .drills import *  # noqa: F403
from .git import *  # noqa: F403
from .logs import *  # noqa: F403
from .mail import *  # noqa: F403
from .security import *  # noqa: F403
from .shipping import *  # noqa: F403
