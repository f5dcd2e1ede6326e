"""ledger: GitFlow; a fix that conflicts with develop in three files, and one that production itself took back."""

from __future__ import annotations

from ..history import add, patch
from ..source import App, Thing
from ..story import AIKO, JONAS, LENA, MARA, OSKAR, PRIYA, TOMAS, Story, age, single

APP = App("ledger", "ledger", "Postings, payouts and what the bank says")

FILES = {
    "ledger/webhooks.py": '''"""Telling other systems what was booked."""

from ledger.schedule import pauses


def attempts(event):
    """The moments, in seconds after the event, at which delivery is tried."""
    moment, moments = 0, [0]
    for pause in pauses(event["kind"]):
        moment += pause
        moments.append(moment)
    return moments
''',
    "ledger/schedule.py": '''"""How long to wait between two attempts."""

FIRST = 30
FACTOR = 2
TIMES = 14


def pauses(kind):
    wait = FIRST
    for _ in range(TIMES):
        yield wait
        wait *= FACTOR
''',
    "tests/test_webhooks.py": """import unittest

from ledger.webhooks import attempts


class Attempts(unittest.TestCase):
    def test_first_attempt_is_at_once(self):
        self.assertEqual(attempts({"kind": "posting"})[0], 0)

    def test_number_of_attempts(self):
        self.assertEqual(len(attempts({"kind": "posting"})), 15)
""",
    "ledger/payouts_window.py": '''"""When payouts go to the bank."""

MORNING = 7


def next_window(hour):
    """Hours until the next payout window."""
    return (MORNING - hour) % 24
''',
    "ledger/money.py": '''"""Amounts with their currency."""

DIGITS = {"EUR": 2, "SEK": 2, "JPY": 0}


def shown(amount, currency):
    return f"{amount:.2f} {currency}"
''',
    "tests/test_money.py": """import unittest

from ledger.money import shown


class Shown(unittest.TestCase):
    def test_euros_have_cents(self):
        self.assertEqual(shown(3, "EUR"), "3.00 EUR")
""",
}

_YEN = patch("""
@ ledger/money.py
-    return f"{amount:.2f} {currency}"
+    return f"{amount:.{DIGITS.get(currency, 2)}f} {currency}"

@ tests/test_money.py
+
+    def test_yen_have_none(self):
+        self.assertEqual(shown(3, "JPY"), "3 JPY")
""")

_EVENING = patch("""
@ ledger/payouts_window.py
-    return (MORNING - hour) % 24
+    return min((MORNING - hour) % 24, (EVENING - hour) % 24)

 MORNING = 7
+EVENING = 19
""")

_CAP = patch("""
@ ledger/webhooks.py
-    moment, moments = 0, [0]
-    for pause in pauses(event["kind"]):
-        moment += pause
-        moments.append(moment)
-    return moments
+    moment, moments = 0, [0]
+    for pause in pauses(event["kind"]):
+        moment += pause
+        if moment > LONGEST:
+            break
+        moments.append(moment)
+    return moments

-from ledger.schedule import pauses
+from ledger.schedule import LONGEST, pauses

@ ledger/schedule.py
 FACTOR = 2
-TIMES = 14
+TIMES = 14
+LONGEST = 12 * 3600

@ tests/test_webhooks.py
-    def test_number_of_attempts(self):
-        self.assertEqual(len(attempts({"kind": "posting"})), 15)
+    def test_nothing_is_tried_after_twelve_hours(self):
+        self.assertLessEqual(attempts({"kind": "posting"})[-1], 12 * 3600)
""")

_KINDS = patch("""
@ ledger/webhooks.py
-    moment, moments = 0, [0]
-    for pause in pauses(event["kind"]):
-        moment += pause
-        moments.append(moment)
-    return moments
+    kind = event.get("kind", "posting")
+    return list(accumulate(pauses(kind, urgent=event.get("urgent", False)), initial=0))

-from ledger.schedule import pauses
+from itertools import accumulate
+
+from ledger.schedule import pauses

@ ledger/schedule.py
-TIMES = 14
+TIMES = {"posting": 14, "payout": 20}

-def pauses(kind):
-    wait = FIRST
-    for _ in range(TIMES):
+def pauses(kind, urgent=False):
+    wait = FIRST // 3 if urgent else FIRST
+    for _ in range(TIMES.get(kind, 10)):

@ tests/test_webhooks.py
-    def test_number_of_attempts(self):
-        self.assertEqual(len(attempts({"kind": "posting"})), 15)
+    def test_number_of_attempts(self):
+        self.assertEqual(len(attempts({"kind": "payout"})), 21)
""")
"""Work on develop on the same lines, so that the cap conflicts in all three files."""

_SPLIT = patch("""
@ ledger/money.py
+
+
+def split(amount, currency, parts):
+    digits = DIGITS.get(currency, 2)
+    share = round(amount / parts, digits)
+    return [share] * (parts - 1) + [round(amount - share * (parts - 1), digits)]

@ tests/test_money.py
+
+    def test_yen_are_split_without_cents(self):
+        self.assertEqual(split(100, "JPY", 3), [33, 33, 34])

-from ledger.money import shown
+from ledger.money import shown, split
""")
"""A hotfix under way: on its branch, to be reviewed."""

_THINGS = (
    Thing("account", "accounts", ("holder", "currency"), ("open", "closed")),
    Thing("posting", "postings", ("account", "amount"), ("pending", "booked")),
    Thing("payout", "payouts", ("account", "amount"), ("asked", "split", "paid")),
    Thing("transfer", "transfers", ("sender", "receiver"), ("started", "settled")),
    Thing("balance", "balances", ("account", "day"), ("open", "final")),
    Thing("period", "periods", ("month", "year"), ("open", "closing", "closed")),
)
_LATE = (
    Thing("statement", "statements", ("account", "month"), ("draft", "sent")),
    Thing("fee", "fees", ("kind", "amount"), ("planned", "charged")),
    Thing("rate", "rates", ("currency", "day"), ("asked", "fixed")),
    Thing("mandate", "mandates", ("holder", "bank"), ("signed", "withdrawn")),
)


def plan(story: Story) -> None:
    """Plan the whole history."""
    story.begin(
        age(days=140), "3.6.0", [add(path, text) for path, text in FILES.items()], by=PRIYA, branches=["develop"]
    )
    story.everyday(_THINGS, branch="develop", start=age(days=138), end=age(days=42))
    story.everyday(_LATE, branch="develop", start=age(days=38), end=age(hours=5))
    story.hotfix(single("TICKET-1105", "Show yen without decimals", "3.7.1", age(days=70), _YEN, LENA))
    story.hotfix(single("TICKET-1146", "Pay out in the evening too", "3.8.1", age(days=29), _EVENING, OSKAR))
    story.hotfix(single("TICKET-1219", "Cap webhook retries at 12 hours", "3.8.3", age(days=1, hours=22), _CAP, JONAS))
    _undo_evening(story)
    _under_way(story)
    _releases(story)
    story.commit(age(days=21), "develop", "Pause by kind of event", _KINDS, by=TOMAS)


def _undo_evening(story: Story) -> None:
    def undo(when: int) -> None:
        story.history.branch("hotfix/TICKET-1148", "main")
        evening = story.fixes["TICKET-1146"][0].sha
        reason = "The bank books evening payouts twice.\n\nTicket: TICKET-1148"
        story.history.revert(evening, "hotfix/TICKET-1148", by=OSKAR, at=when, reason=reason)

    story.at(age(days=27, hours=1), undo)
    story.merge(age(days=27, minutes=20), "main", "hotfix/TICKET-1148", by=AIKO, close=True)
    story.release("3.8.2", age(days=27), note="Pay out in the morning only, again.")


def _under_way(story: Story) -> None:
    """Cut from what is live, one commit, not merged yet."""
    branch = "hotfix/TICKET-1241"
    story.at(age(minutes=60), lambda _when: story.history.branch(branch, "v3.8.3"))
    subject = "[HOTFIX] TICKET-1241: Keep the currency when splitting a payout"
    story.commit(age(minutes=22), branch, subject, _SPLIT, by=JONAS)


def _releases(story: Story) -> None:
    story.cut(age(days=94), "release/3.7", "develop")
    story.merge(age(days=91, minutes=30), "main", "release/3.7", by=MARA, close=True)
    story.release("3.7.0", age(days=91), note="Accounts, postings and payouts.")
    story.merge(age(days=90, hours=20), "develop", "v3.7.0", by=MARA)
    story.merge(age(days=69, hours=4), "develop", "v3.7.1", by=MARA)
    story.cut(age(days=41), "release/3.8", "develop")
    story.merge(age(days=39, minutes=30), "main", "release/3.8", by=MARA, close=True)
    story.release("3.8.0", age(days=39), note="Transfers, balances and periods.")
    story.merge(age(days=38, hours=20), "develop", "v3.8.0", by=MARA)
    story.cut(age(days=5), "release/3.9", "develop")
