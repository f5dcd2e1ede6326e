"""Forms: they parse and check, nothing more."""
