"""Compiles every template of the project; prints those that do not compile."""

from __future__ import annotations

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent


def main() -> int:
    sys.path.insert(0, str(ROOT))
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hotfixdash.settings")
    import django
    from django.template import TemplateDoesNotExist, TemplateSyntaxError
    from django.template.loader import get_template

    django.setup()
    folder = ROOT / "templates"
    paths = sorted(path for path in folder.rglob("*") if path.suffix in {".html", ".txt", ".svg"})
    bad = 0
    for path in paths:
        try:
            get_template(str(path.relative_to(folder)))
        except (TemplateSyntaxError, TemplateDoesNotExist) as problem:
            bad += 1
            print(f"{path.relative_to(ROOT)}: {problem}")
    print(f"{len(paths)} templates, {bad} of them bad")
    return 1 if bad or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
