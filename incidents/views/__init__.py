"""Pages of incidents: thin doors that parse, call one service or selector, and render."""
