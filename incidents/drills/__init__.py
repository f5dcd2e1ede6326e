"""Game days on a throw-away copy, marked everywhere and out of every figure."""
