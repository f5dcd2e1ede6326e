"""A hotfix's branches as inline SVG: lying for wide screens, standing for phones. Geometry and words only, no I/O."""
