"""Models of incidents, post-mortems and drills."""
