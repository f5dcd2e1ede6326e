"""Pages as a reader sees them: templates may break lines wherever that shows nothing."""

from __future__ import annotations

import re


def squeezed(html: str) -> str:
    """`html` without the white space around and between tags."""
    html = re.sub(r"\s+", " ", html)
    html = re.sub(r"(<[a-zA-Z](?:\"[^\"]*\"|[^>\"])*>) ", r"\1", html)
    return html.replace(" </", "</").replace("> <", "><")
