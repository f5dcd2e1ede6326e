"""What checkout-api had to fix in production, and how each fix looks."""

from __future__ import annotations

from ..history import add, append, patch
from ..story import AIKO, JONAS, LENA, MARA, PRIYA, TOMAS, Change, Hotfix, age, single

_RETURN_PATH = patch("""
@ checkout/three_ds.py
-RETURN_PATH = "/payments/return"
+RETURN_PATH = "/payments/3ds/return"
""")

_EMPTY_DAY = patch("""
@ checkout/settlement/report.py
-    for payment in payments:
+    for payment in payments or ():

@ tests/test_settlement.py
+
+    def test_an_empty_report(self):
+        self.assertEqual(report(None), {})
""")

_KLARNA = patch("""
@ checkout/methods.py
         methods.remove("card")
+    if not order.get("total"):
+        methods.remove("klarna")

@ tests/test_methods.py
+
+    def test_nothing_to_pay_hides_klarna(self):
+        self.assertNotIn("klarna", offered({"total": 0}))
""")

_UTC = patch("""
@ checkout/settlement/cutoff.py
-from datetime import datetime, time
+from datetime import datetime, time, timezone

-    local = datetime.fromtimestamp(moment)
-    return local.date().toordinal() + (local.time() >= END_OF_DAY)
+    utc = datetime.fromtimestamp(moment, timezone.utc)
+    return utc.date().toordinal() + (utc.time() >= END_OF_DAY)

@ checkout/settlement/report.py
-from datetime import datetime
+from datetime import datetime, timezone

-    return datetime.fromtimestamp(moment).strftime("Settlement of %d.%m.%Y")
+    return datetime.fromtimestamp(moment, timezone.utc).strftime("Settlement of %d.%m.%Y")

@ tests/test_settlement.py
-from datetime import datetime
+from datetime import datetime, timezone

-MORNING = datetime(2024, 3, 1, 9, 0).timestamp()
-NIGHT = datetime(2024, 3, 1, 23, 0).timestamp()
+MORNING = datetime(2024, 3, 1, 9, 0, tzinfo=timezone.utc).timestamp()
+NIGHT = datetime(2024, 3, 1, 23, 0, tzinfo=timezone.utc).timestamp()
""")

SUPPORT_SETTLEMENT = patch("""
@ checkout/settlement/cutoff.py
-    local = datetime.fromtimestamp(moment)
-    return local.date().toordinal() + (local.time() >= END_OF_DAY)
+    shop = datetime.fromtimestamp(moment + SHOP_OFFSET)
+    return shop.date().toordinal() + int(shop.time() > END_OF_DAY)

 END_OF_DAY = time(22, 0)
+SHOP_OFFSET = 0

@ checkout/settlement/report.py
-    return datetime.fromtimestamp(moment).strftime("Settlement of %d.%m.%Y")
+    return datetime.fromtimestamp(moment + SHOP_OFFSET).strftime("Settlement of %d.%m.%Y")

-from checkout.settlement.cutoff import settlement_day
+from checkout.settlement.cutoff import SHOP_OFFSET, settlement_day

@ tests/test_settlement.py
-NIGHT = datetime(2024, 3, 1, 23, 0).timestamp()
+NIGHT = datetime(2024, 3, 1, 23, 30).timestamp()
""")
"""What support/1.1 did to the same lines; so UTC conflicts there in three files."""

_RETRY = '''

RETRY_AFTER = (5, 30, 120, 600)
BUSY = (502, 503, 504)


def deliver_with_retries(send, event, sleep):
    """Hand one event over; while the other side is busy, wait longer each time."""
    for attempt, pause in enumerate(RETRY_AFTER, start=1):
        status = send(event)
        if status == DELIVERED:
            return attempt
        if status not in BUSY:
            return None
        sleep(pause)
    return attempt if send(event) == DELIVERED else None
'''

_TEST_RETRY = patch("""
@ tests/test_bank.py
-from checkout.bank import deliver
+from checkout.bank import deliver, deliver_with_retries

+
+    def test_a_busy_bank_is_asked_again(self):
+        answers, waited = iter([502, 502, 200]), []
+        attempt = deliver_with_retries(lambda event: next(answers), {"id": 1}, waited.append)
+        self.assertEqual((attempt, waited), (3, [5, 30]))
+
+    def test_a_refusal_is_final(self):
+        self.assertIsNone(deliver_with_retries(lambda event: 400, {"id": 1}, None))
""")

SUPPORT_RETRY = [append("checkout/bank.py", _RETRY.replace("120, 600", "60, 300")), *_TEST_RETRY]
"""Done again by hand for support/1.1, with shorter pauses."""

_MASKING = patch("""
@ checkout/errors.py
-    fields = " ".join(f"{name}={value}" for name, value in sorted(request.items()))
+    fields = " ".join(f"{name}={mask(value)}" for name, value in sorted(request.items()))

+
+
+def mask(value):
+    \"\"\"Card numbers keep their last four digits.\"\"\"
+    digits = str(value).replace(" ", "")
+    return "*" * (len(digits) - 4) + digits[-4:] if digits.isdigit() and len(digits) >= 12 else value

@ tests/test_errors.py
+
+    def test_card_numbers_are_masked(self):
+        self.assertNotIn("4111", describe(ValueError("no"), {"card": "4111 2222 3333 4444"}))
""")

_LOCK = patch("""
@ checkout/capture.py
 def capture(order):
-    row = _rows[order]
+    with _guard:
+        return _capture(_rows[order], order)
+
+
+def _capture(row, order):

@ tests/test_capture.py
 import unittest
+from concurrent.futures import ThreadPoolExecutor

+
+    def test_two_at_once_capture_once(self):
+        remember("A-2", "3.00")
+        with ThreadPoolExecutor(8) as pool:
+            self.assertEqual(sum(pool.map(capture, ["A-2"] * 50)), 1)
""")

_EXPIRED = patch("""
@ checkout/links.py
-    if link["used"]:
+    if link["used"] or now > link["made"] + VALID_FOR:

@ tests/test_links.py
+
+    def test_an_expired_link_pays_nothing(self):
+        link = make_link("A-2", 0)
+        self.assertIsNone(use(link, VALID_FOR + 1))
""")

LINK_BLOCKS = patch("""
@ checkout/links.py
         return False
-    return True
+    return not link.get("blocked")

-    return {"order": order, "made": now, "used": False}
+    return {"order": order, "made": now, "used": False, "blocked": False}
""")
"""Work on develop around the same lines, so that the pick is the same change in another context."""

SUPPORT_EXPIRED = patch("""
@ checkout/links.py
+def is_stale(link, now):
+    age = now - link["made"]
+    return age >= 604_800
+
+
 def use(link, now):
-    if not can_pay(link, now):
+    if is_stale(link, now) or not can_pay(link, now):
         return None
""")
"""The same wish, written anew on support/1.1 by somebody else."""

_VAT_LINES = patch("""
@ checkout/tax/rounding.py
+
+
+def vat_per_line(lines, rate):
+    \"\"\"Rounded line by line, as the tax office does it.\"\"\"
+    return sum((vat_for(line["net"], rate) for line in lines), Decimal(0))
""")

_TABLE = '''"""Rounding steps by country, as the tax offices publish them."""

from decimal import Decimal

STEPS = {
    "AT": Decimal("0.01"),
    "CH": Decimal("0.05"),
    "DE": Decimal("0.01"),
    "SE": Decimal("0.01"),
}


def step_for(country):
    return STEPS.get(country, Decimal("0.01"))
'''

_LINE_TOTALS = patch("""
@ checkout/tax/refund.py
     net = net_total(lines)
-    vat = vat_for(net, rate)
+    vat = vat_per_line(lines, rate)
     return cents(net + vat)

-from checkout.tax.rounding import cents, vat_for
+from checkout.tax.rounding import cents, vat_per_line

@ checkout/tax/totals.py
-    vat = vat_for(net, rate)
+    vat = vat_per_line(lines, rate)

-from checkout.tax.rounding import cents, vat_for
+from checkout.tax.rounding import cents, vat_per_line

@ tests/test_refund.py
-        self.assertEqual(refund_total(LINES, "19"), Decimal("12.55"))
+        self.assertEqual(refund_total(LINES, "19"), Decimal("12.56"))
""")

ORDER_RATES = patch("""
@ checkout/tax/refund.py
-def refund_total(lines, rate):
-    net = net_total(lines)
-    vat = vat_for(net, rate)
+def refund_total(order):
+    net = net_total(order["lines"])
+    vat = vat_for(net, order["rate"])

@ checkout/tax/totals.py
-def gross_total(lines, rate):
-    net = net_total(lines)
-    vat = vat_for(net, rate)
+def gross_total(order):
+    net = net_total(order["lines"])
+    vat = vat_for(net, order["rate"])

@ tests/test_refund.py
-LINES = [{"net": "10.03"}, {"net": "0.52"}]
+ORDER = {"rate": "19", "lines": [{"net": "10.03"}, {"net": "0.52"}]}

-        self.assertEqual(refund_total(LINES, "19"), gross_total(LINES, "19"))
+        self.assertEqual(refund_total(ORDER), gross_total(ORDER))

-        self.assertEqual(refund_total(LINES, "19"), Decimal("12.55"))
+        self.assertEqual(refund_total(ORDER), Decimal("12.55"))
""")
"""Work on develop that makes the last commit of the VAT fix conflict in three files."""

_MILLISECONDS = patch("""
@ checkout/three_ds.py
 CHALLENGE_TIMEOUT = 30
+MILLISECONDS = 1000

-        "timeout": CHALLENGE_TIMEOUT,
+        "timeout": CHALLENGE_TIMEOUT * MILLISECONDS,
""")

_TEST_MILLISECONDS = patch("""
@ tests/test_three_ds.py
+
+    def test_the_network_counts_in_milliseconds(self):
+        self.assertEqual(challenge(PAYMENT)["timeout"], 30_000)
""")

_MASKED = "Security: full card numbers could be read in the log."

FIXES = (
    single("TICKET-1102", "Return to the shop after 3-D Secure", "1.1.1", age(days=75), _RETURN_PATH, AIKO),
    single("TICKET-1115", "Accept a day without payments", "1.1.2", age(days=66), _EMPTY_DAY, PRIYA),
    single("TICKET-1133", "Hide Klarna for zero-amount orders", "1.1.3", age(days=52), _KLARNA, JONAS),
    single("TICKET-1140", "Use UTC for the settlement cut-off", "1.1.4", age(days=45), _UTC, TOMAS),
    single(
        "TICKET-1151", "Retry the bank webhook after a 502", "1.1.5", age(days=38),
        [append("checkout/bank.py", _RETRY), *_TEST_RETRY], PRIYA,
    ),
    Hotfix(
        "TICKET-1163", "Mask card numbers in error logs", "1.1.6", age(days=31),
        [Change("Mask card numbers in error logs", _MASKING, _MASKED)], MARA, cut="v1.1.2", also=("support/1.1",),
    ),
    single("TICKET-1176", "Lock the cart row while capturing", "1.1.7", age(days=24), _LOCK, LENA),
    single("TICKET-1198", "Reject expired payment links", "1.2.1", age(days=13), _EXPIRED, AIKO),
    Hotfix(
        "TICKET-1207", "Round VAT per line, not per total", "1.2.2", age(days=4, hours=6),
        [
            Change("Round VAT per invoice line", _VAT_LINES),
            Change("Add the tax office rounding table", [add("checkout/tax/table.py", _TABLE)]),
            Change("Use line totals in the refund path", _LINE_TOTALS),
        ],
        TOMAS, cut="v1.1.2", also=("support/1.1",),
    ),
    Hotfix(
        "TICKET-1234", "Send 3-D Secure timeout in milliseconds", "1.2.3", age(hours=2, minutes=25),
        [
            Change("Send 3-D Secure timeout in milliseconds", _MILLISECONDS),
            Change("Test the unit of the 3-D Secure timeout", _TEST_MILLISECONDS),
        ],
        JONAS, keep=True,
    ),
)  # fmt: skip
