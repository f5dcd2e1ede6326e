"""What every test may ask for. The real things (broker, worker, web server, browser) start on first use."""

from __future__ import annotations

pytest_plugins = ["tests.plugins.kinds"]
