"""invoice-web: GitFlow; a fix that was undone on develop, one squashed, one adapted, one empty."""

from __future__ import annotations

from ..history import add, patch
from ..source import App, Thing
from ..story import AIKO, LENA, MARA, OSKAR, PRIYA, TOMAS, Change, Hotfix, Story, age, single

APP = App("invoice-web", "invoicing", "Invoices, reminders and their PDF files")

FILES = {
    "invoicing/pdf.py": '''"""Invoices as printable markup."""

TITLE = "Invoice"


def paragraph(text):
    return f"<p>{text}</p>"


def address(customer):
    """The address block, one paragraph a line."""
    lines = [customer["name"], customer["street"], customer["city"]]
    return "".join(paragraph(line) for line in lines)


def document(invoice):
    head = f"<h1>{TITLE} {invoice['number']}</h1>"
    return head + address(invoice["customer"])
''',
    "tests/test_pdf.py": """import unittest

from invoicing.pdf import document

CUSTOMER = {"name": "Tea House", "street": "Long Lane 1", "city": "Port"}


class Document(unittest.TestCase):
    def test_names_the_customer(self):
        self.assertIn("<p>Tea House</p>", document({"number": 5, "customer": CUSTOMER}))
""",
    "invoicing/numbers.py": '''"""Invoice numbers, one row per year."""

_last = {}


def next_number(year):
    _last[year] = _last.get(year, 0) + 1
    number = _last[year]
    return f"{year}-{number}"
''',
    "tests/test_numbers.py": """import unittest

from invoicing.numbers import next_number


class Numbers(unittest.TestCase):
    def test_a_year_starts_at_one(self):
        self.assertTrue(next_number(1999).endswith("1"))
""",
    "invoicing/languages.py": '''"""Words of a reminder."""

WORDS = {"en": "Please pay", "de": "Bitte zahlen"}


def greeting(customer):
    return WORDS["en"]
''',
    "invoicing/files.py": '''"""Files that are sent along."""

LIMIT = 10


def attachments(invoice):
    files = [name for name in invoice.get("files", ()) if not name.startswith(".")]
    return files[:LIMIT]


def size_of(invoice):
    return len(attachments(invoice))
''',
}

_LANGUAGE = patch("""
@ invoicing/languages.py
-    return WORDS["en"]
+    return WORDS.get(customer.get("language", "en"), WORDS["en"])
""")

_PAD = patch("""
@ invoicing/numbers.py
-    return f"{year}-{number}"
+    return f"{year}-{number:05}"
""")
_LOCK = patch("""
@ invoicing/numbers.py
-    _last[year] = _last.get(year, 0) + 1
+    with _one_at_a_time:
+        _last[year] = _last.get(year, 0) + 1
""")
_GUARD = patch("""
@ invoicing/numbers.py
+import threading
+
 _last = {}
+_one_at_a_time = threading.Lock()
""")
_GAPS = patch("""
@ tests/test_numbers.py
+
+    def test_numbers_have_no_gaps(self):
+        numbers = [int(next_number(1998)[-5:]) for _ in range(20)]
+        self.assertEqual(numbers, list(range(1, 21)))
""")

_SORT = patch("""
@ invoicing/files.py
-    files = [name for name in invoice.get("files", ()) if not name.startswith(".")]
-    return files[:LIMIT]
+    files = [name for name in invoice.get("files", ()) if not name.startswith(".")]
+    files.sort(key=str.casefold)
+    if len(files) > LIMIT:
+        raise ValueError(f"at most {LIMIT} files, not {len(files)}")
+    return files
""")
_HIDDEN = patch("""
@ invoicing/files.py
-    files = [name for name in invoice.get("files", ()) if not name.startswith(".")]
-    return files[:LIMIT]
+    visible = filter(is_visible, invoice.get("files", ()))
+    return list(visible)[:LIMIT]

 def size_of(invoice):
     return len(attachments(invoice))
+
+
+def is_visible(name):
+    return not name.startswith((".", "~"))
""")
_SORT_ADAPTED = patch("""
@ invoicing/files.py
-    visible = filter(is_visible, invoice.get("files", ()))
-    return list(visible)[:LIMIT]
+    files = list(filter(is_visible, invoice.get("files", ())))
+    files.sort(key=str.casefold)
+    if len(files) > LIMIT:
+        raise ValueError(f"at most {LIMIT} files, not {len(files)}")
+    return files
""")

_ESCAPE = patch("""
@ invoicing/pdf.py
 TITLE = "Invoice"
+
+
+def escaped(text):
+    return escape(str(text), quote=True)

-    return f"<p>{text}</p>"
+    return f"<p>{escaped(text)}</p>"

-    head = f"<h1>{TITLE} {invoice['number']}</h1>"
+    head = f"<h1>{TITLE} {escaped(invoice['number'])}</h1>"

 \"\"\"Invoices as printable markup.\"\"\"
+
+from html import escape

@ tests/test_pdf.py
+
+    def test_names_are_escaped(self):
+        customer = CUSTOMER | {"name": "<b>Tea</b>"}
+        self.assertNotIn("<b>", document({"number": 6, "customer": customer}))
""")

_UNUSUAL = """# Before each release

Look at the invoices of these customers, on paper and on a screen:

- `<b>Tea</b> House`
- `Fish & Chips "Harbour"`
- `O'Neill`
"""
"""Lies where release notes lie, so it is no fix that any branch could lack."""

_THINGS = (
    Thing("invoice", "invoices", ("customer", "total"), ("draft", "sent", "paid")),
    Thing("reminder", "reminders", ("invoice", "level"), ("planned", "sent")),
    Thing("template", "templates", ("title", "language"), ("draft", "in use", "retired")),
    Thing("recipient", "recipients", ("name", "mail"), ("new", "confirmed")),
    Thing("receipt", "receipts", ("invoice", "amount"), ("open", "booked")),
    Thing("credit", "credits", ("invoice", "amount"), ("asked", "granted")),
    Thing("batch", "batches", ("month", "size"), ("collecting", "sent")),
)
_LATE = (
    Thing("logo", "logos", ("file", "width"), ("uploaded", "in use")),
    Thing("footer", "footers", ("text", "language"), ("draft", "in use")),
    Thing("archive", "archives", ("year", "files"), ("open", "sealed")),
)

_NUMBERS = Hotfix(
    "TICKET-1120", "Number invoices without gaps", "2.8.2", age(days=61),
    [
        Change("Guard the last number", _GUARD),
        Change("Count one at a time", _LOCK),
        Change("Write five digits", _PAD),
        Change("Test for gaps", _GAPS),
    ],
    PRIYA,
)  # fmt: skip
_ESCAPED = Hotfix(
    "TICKET-1192", "Escape customer names in PDF invoices", "2.9.3", age(days=9, hours=3),
    [Change("Escape customer names in PDF invoices", _ESCAPE, "Security: a name could carry markup into the file.")],
    AIKO,
)  # fmt: skip


def plan(story: Story) -> None:
    """Plan the whole history."""
    story.begin(
        age(days=130), "2.7.0", [add(path, text) for path, text in FILES.items()], by=TOMAS, branches=["develop"]
    )
    story.everyday(_THINGS, branch="develop", start=age(days=129), end=age(days=34))
    story.everyday(_LATE, branch="develop", start=age(days=32), end=age(hours=7))
    story.hotfix(single("TICKET-1088", "Remind customers in their language", "2.8.1", age(days=88), _LANGUAGE, LENA))
    story.hotfix(_NUMBERS)
    story.hotfix(single("TICKET-1149", "Sort attachments, refuse too many", "2.9.1", age(days=40), _SORT, OSKAR))
    story.hotfix(single("TICKET-1170", "Deploy again with the new certificate", "2.9.2", age(days=26), [], MARA))
    story.hotfix(_ESCAPED)
    _releases(story)
    _develop(story)
    _learned(story)


def _learned(story: Story) -> None:
    """What a post-mortem asked for; its commit says so."""
    subject, body = "Look at unusual names before each release", "Action: PM-1-2"
    edits = [add("docs/releases/before.md", _UNUSUAL)]
    story.commit(age(days=4), "main", subject, edits, by=PRIYA, body=body)


def _releases(story: Story) -> None:
    story.cut(age(days=103), "release/2.8", "develop")
    story.merge(age(days=100, minutes=30), "main", "release/2.8", by=MARA, close=True)
    story.release("2.8.0", age(days=100), note="Invoices and reminders.")
    story.cut(age(days=53), "release/2.9", "develop")
    story.merge(age(days=50, minutes=30), "main", "release/2.9", by=MARA, close=True)
    story.release("2.9.0", age(days=50), note="Receipts and credits.")
    story.cut(age(days=6), "release/2.10", "develop")


def _develop(story: Story) -> None:
    story.merge(age(days=99, hours=12), "develop", "v2.8.0", by=MARA)
    story.merge(age(days=87, hours=9), "develop", "v2.8.1", by=MARA)
    squash = [*_GUARD, *_LOCK, *_PAD, *_GAPS]
    story.commit(age(days=58), "develop", "Number invoices without gaps (#412)", squash, by=TOMAS)
    story.commit(age(days=47), "develop", "Leave out temporary files", _HIDDEN, by=LENA)
    story.pick(age(days=38), "TICKET-1149", "develop", by=OSKAR, edits=_SORT_ADAPTED)
    story.pick(age(days=8, hours=20), "TICKET-1192", "develop", by=AIKO, named=False)
    reason = "The new font drops escaped characters; needs another way."
    story.undo(age(days=8, hours=2), "TICKET-1192", "develop", by=PRIYA, reason=reason)
