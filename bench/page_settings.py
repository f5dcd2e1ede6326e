"""The production settings with one more address: the minimal page to compare with."""

from hotfixdash.settings import *  # noqa: F403

ROOT_URLCONF = "bench.page_urls"
