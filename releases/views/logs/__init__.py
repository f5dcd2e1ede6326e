"""Logs of runs as pages show them: colours, lines by number, search."""
