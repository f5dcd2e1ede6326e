"""Game days on throw-away copies."""

import sys

from .env import env, number

__all__ = ["DRILL_CLONE_URL", "DRILL_EVERY_DAYS", "DRILL_KEEP_DAYS"]

DRILL_EVERY_DAYS = number("DRILL_EVERY_DAYS", 90, most=3650)
"""From one drill of a project to the next, where the project does not say otherwise; 0: none is ever due."""
DRILL_KEEP_DAYS = number("DRILL_KEEP_DAYS", 7, most=365)
"""How long a drill's copy stays after its end."""
DRILL_CLONE_URL = env.str("DRILL_CLONE_URL", default="{path}")
"""How participants reach a copy: `{path}` stands for its folder on the machine that prepares drills."""
if "{path}" not in DRILL_CLONE_URL:
    sys.exit("DRILL_CLONE_URL must say where {path} stands: ssh://git@hotfixes.example.org{path}")
