"""The production settings with one more address, `/bench/empty/`: a view that renders an empty page."""

from hotfixdash.settings import *  # noqa: F403

ROOT_URLCONF = "bench.stampede_urls"
