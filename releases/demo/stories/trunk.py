"""The two trunk projects: fixes go forward through main; exceptionally one is made from the production tag."""

from __future__ import annotations

from ..history import Edit, Person, add, patch
from ..source import App, Thing
from ..story import AIKO, JONAS, LENA, PRIYA, TOMAS, Story, age

IDENTITY = App("identity", "identity", "Sign-in, sessions and groups")
MOBILE = App("mobile-bff", "bff", "What the mobile application asks for")

_LIMITS = '''"""How often somebody may try."""

WINDOW = 60
TRIES = 5


def allowed(attempts, now):
    recent = [moment for moment in attempts if now - moment < WINDOW]
    return len(recent) < TRIES
'''
_TEST_LIMITS = """import unittest

from identity.limits import allowed


class Allowed(unittest.TestCase):
    def test_five_tries_a_minute(self):
        self.assertFalse(allowed([1, 2, 3, 4, 5], 6))
"""
_AVATARS = '''"""Pictures of people, from another service."""


def avatar(person, ask):
    """The picture's address; `ask` calls the other service."""
    return ask(f"/people/{person}/picture")
'''
_TEST_AVATARS = """import unittest

from bff.pictures import avatar


class Avatar(unittest.TestCase):
    def test_asks_for_the_person(self):
        self.assertEqual(avatar("p1", lambda path: path), "/people/p1/picture")
"""

_FUTURE = patch("""
@ identity/limits.py
-    recent = [moment for moment in attempts if now - moment < WINDOW]
+    recent = [moment for moment in attempts if 0 <= now - moment < WINDOW]

@ tests/test_limits.py
+
+    def test_tries_from_the_future_do_not_count(self):
+        self.assertTrue(allowed([90, 91, 92, 93, 94], 6))
""")
_FALLBACK = patch("""
@ bff/pictures.py
-    return ask(f"/people/{person}/picture")
+    return ask(f"/people/{person}/picture") or NOBODY

 \"\"\"Pictures of people, from another service.\"\"\"
+
+NOBODY = "/static/nobody.svg"

@ tests/test_pictures.py
+
+    def test_somebody_without_picture(self):
+        self.assertTrue(avatar("p1", lambda path: None).endswith("nobody.svg"))
""")

_IDENTITY_THINGS = (
    Thing("user", "users", ("name", "mail"), ("invited", "active", "left")),
    Thing("session", "sessions", ("user", "device"), ("open", "ended")),
    Thing("token", "tokens", ("user", "scope"), ("valid", "revoked")),
    Thing("group", "groups", ("name", "owner"), ("open", "archived")),
    Thing("invitation", "invitations", ("mail", "group"), ("sent", "accepted")),
    Thing("device", "devices", ("user", "kind"), ("new", "trusted")),
    Thing("consent", "consents", ("user", "purpose"), ("asked", "given", "withdrawn")),
    Thing("key", "keys", ("owner", "use"), ("active", "retired")),
    Thing("login", "logins", ("user", "place"), ("tried", "done")),
    Thing("note", "notes", ("user", "text"), ("unread", "read")),
    Thing("question", "questions", ("user", "topic"), ("asked", "answered")),
    Thing("factor", "factors", ("user", "kind"), ("set up", "confirmed")),
)
_MOBILE_THINGS = (
    Thing("feed", "feeds", ("title", "owner"), ("hidden", "shown")),
    Thing("banner", "banners", ("title", "place"), ("planned", "shown", "over")),
    Thing("push", "pushes", ("user", "title"), ("queued", "sent")),
    Thing("badge", "badges", ("user", "kind"), ("earned", "shown")),
    Thing("setting", "settings", ("user", "name"), ("default", "chosen")),
    Thing("thread", "threads", ("title", "starter"), ("open", "closed")),
    Thing("message", "messages", ("thread", "text"), ("sent", "read")),
    Thing("upload", "uploads", ("file", "size"), ("started", "complete")),
    Thing("friend", "friends", ("user", "since"), ("asked", "confirmed")),
    Thing("place", "places", ("name", "city"), ("new", "checked")),
    Thing("poll", "polls", ("title", "choices"), ("open", "counted")),
)


def plan_identity(story: Story) -> None:
    """Main is tagged; v5.13.1 was made from the tag while main was not ready, and picked forward."""
    files = [add("identity/limits.py", _LIMITS), add("tests/test_limits.py", _TEST_LIMITS)]
    story.begin(age(days=120), "5.10.0", files, by=LENA)
    story.everyday(_IDENTITY_THINGS, branch="main", start=age(days=119), end=age(hours=9))
    for version, days in (("5.11.0", 96), ("5.12.0", 71), ("5.13.0", 33)):
        story.release(version, age(days=days), note=f"What was made until {version}.")
    story.release("5.14.0", age(days=3, hours=1), note="Consents and keys.")
    title = "Do not count tries from the future"
    _from_tag(story, "TICKET-1181", title, "5.13.0", "5.13.1", age(days=19), _FUTURE, AIKO)
    story.pick(age(days=18, hours=21), "TICKET-1181", "main", by=AIKO)


def plan_mobile(story: Story) -> None:
    """The same way of working; the fix branch was merged into main afterwards."""
    files = [add("bff/pictures.py", _AVATARS), add("tests/test_pictures.py", _TEST_AVATARS)]
    story.begin(age(days=100), "0.39.0", files, by=TOMAS)
    story.everyday(_MOBILE_THINGS, branch="main", start=age(days=99), end=age(hours=2))
    for version, days in (("0.40.0", 77), ("0.41.0", 48), ("0.42.0", 15)):
        story.release(version, age(days=days), note=f"What was made until {version}.")
    title = "Show a placeholder when somebody has no picture"
    _from_tag(story, "TICKET-1203", title, "0.42.0", "0.42.1", age(days=6, hours=20), _FALLBACK, JONAS)

    def join(when: int) -> None:
        fix = story.fixes["TICKET-1203"][0].sha
        story.history.merge("main", fix, "Merge branch 'hotfix/TICKET-1203'", by=PRIYA, at=when, body=title)

    story.at(age(days=6, hours=2), join)


def _from_tag(
    story: Story, ticket: str, title: str, old: str, new: str, live: int, edits: list[Edit], by: Person
) -> None:
    """A fix on a branch that starts at a tag and ends in the next one."""
    branch = f"hotfix/{ticket}"

    def work(when: int) -> None:
        story.history.branch(branch, f"v{old}")
        story.versions[branch] = old
        story.fixes[ticket] = [story.history.commit(branch, title, edits, by=by, at=when, body=f"Ticket: {ticket}")]

    story.at(live + age(hours=1), work)
    story.release(new, live, on=branch, note=title)
    story.at(live - 60, lambda _: story.history.drop(branch))
