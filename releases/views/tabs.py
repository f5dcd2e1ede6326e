"""Tabs that other apps add as they start; this app knows none of them. Every command loads this: it imports nothing."""

OF_OTHERS: list[tuple[str, str, str, str]] = []
"""Key, label, icon and path; the pages exist below a project and for all of them."""
COUNTS: dict[str, str] = {}
"""By key, the dotted path of `(person, project or None, fresh) -> int`: what the tab counts; `fresh`: nothing kept."""
OF_DRILLS: list[str] = []
"""The path below which the page of a drill is found by the slug of its copy: where the banner on the copy leads."""
