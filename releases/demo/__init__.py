"""The demo: real git histories that show every verdict, built on the first run."""
