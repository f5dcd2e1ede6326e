"""The parts of checkout-api that its fixes touch, as they were at the start."""

from __future__ import annotations

ROUNDING = '''"""Rounding of money."""

from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")


def cents(amount):
    return Decimal(amount).quantize(CENT, rounding=ROUND_HALF_UP)


def vat_for(net, rate):
    return cents(Decimal(net) * Decimal(rate) / 100)
'''

TOTALS = '''"""What an order costs."""

from decimal import Decimal

from checkout.tax.rounding import cents, vat_for


def net_total(lines):
    return sum((Decimal(line["net"]) for line in lines), Decimal(0))


def gross_total(lines, rate):
    net = net_total(lines)
    vat = vat_for(net, rate)
    return cents(net + vat)
'''

REFUND = '''"""What a customer gets back."""

from checkout.tax.rounding import cents, vat_for
from checkout.tax.totals import net_total


def refund_total(lines, rate):
    net = net_total(lines)
    vat = vat_for(net, rate)
    return cents(net + vat)
'''

TEST_REFUND = """import unittest
from decimal import Decimal

from checkout.tax.refund import refund_total
from checkout.tax.totals import gross_total

LINES = [{"net": "10.03"}, {"net": "0.52"}]


class Refund(unittest.TestCase):
    def test_a_refund_is_what_was_paid(self):
        self.assertEqual(refund_total(LINES, "19"), gross_total(LINES, "19"))

    def test_amount(self):
        self.assertEqual(refund_total(LINES, "19"), Decimal("12.55"))
"""

THREE_DS = '''"""Card payments with 3-D Secure."""

CHALLENGE_TIMEOUT = 30
RETURN_PATH = "/payments/return"


def challenge(payment):
    """What the card network is asked to do."""
    return {
        "payment": payment["number"],
        "amount": payment["amount"],
        "currency": payment["currency"],
        "timeout": CHALLENGE_TIMEOUT,
        "return_path": RETURN_PATH,
    }
'''

TEST_THREE_DS = """import unittest

from checkout.three_ds import challenge

PAYMENT = {"number": 7, "amount": "12.55", "currency": "EUR"}


class Challenge(unittest.TestCase):
    def test_names_the_payment(self):
        self.assertEqual(challenge(PAYMENT)["payment"], 7)
"""

CAPTURE = '''"""Taking the money of a confirmed order."""

import threading

_rows = {}
_captured = []
_guard = threading.Lock()


def remember(order, amount):
    _rows[order] = {"amount": amount, "captured": False}


def capture(order):
    row = _rows[order]
    if row["captured"]:
        return False
    row["captured"] = True
    _captured.append((order, row["amount"]))
    return True
'''

TEST_CAPTURE = """import unittest

from checkout.capture import capture, remember


class Capture(unittest.TestCase):
    def test_an_order_is_captured_once(self):
        remember("A-1", "12.55")
        self.assertTrue(capture("A-1"))
        self.assertFalse(capture("A-1"))
"""

CUTOFF = '''"""When a settlement day ends."""

from datetime import datetime, time

END_OF_DAY = time(22, 0)


def settlement_day(moment):
    """The day a payment is settled on; late payments count for the next."""
    local = datetime.fromtimestamp(moment)
    return local.date().toordinal() + (local.time() >= END_OF_DAY)
'''

REPORT = '''"""The daily settlement report."""

from datetime import datetime

from checkout.settlement.cutoff import settlement_day


def report(payments):
    days = {}
    for payment in payments:
        days.setdefault(settlement_day(payment["moment"]), []).append(payment)
    return days


def heading(moment):
    return datetime.fromtimestamp(moment).strftime("Settlement of %d.%m.%Y")
'''

TEST_SETTLEMENT = """import unittest
from datetime import datetime

from checkout.settlement.cutoff import settlement_day
from checkout.settlement.report import heading, report

MORNING = datetime(2024, 3, 1, 9, 0).timestamp()
NIGHT = datetime(2024, 3, 1, 23, 0).timestamp()


class Settlement(unittest.TestCase):
    def test_late_payments_count_for_the_next_day(self):
        self.assertEqual(settlement_day(NIGHT), settlement_day(MORNING) + 1)

    def test_report_groups_by_day(self):
        self.assertEqual(len(report([{"moment": MORNING}, {"moment": NIGHT}])), 2)

    def test_heading(self):
        self.assertEqual(heading(MORNING), "Settlement of 01.03.2024")
"""

LINKS = '''"""Payment links that are sent by mail."""

VALID_FOR = 7 * 86_400


def make_link(order, now):
    return {"order": order, "made": now, "used": False}


def can_pay(link, now):
    if link["used"]:
        return False
    return True


def use(link, now):
    if not can_pay(link, now):
        return None
    link["used"] = True
    return link["order"]
'''

TEST_LINKS = """import unittest

from checkout.links import VALID_FOR, make_link, use


class Links(unittest.TestCase):
    def test_a_link_pays_once(self):
        link = make_link("A-1", 0)
        self.assertEqual(use(link, 1), "A-1")
        self.assertIsNone(use(link, 2))
"""

BANK = '''"""News from the bank, delivered to the shop."""

DELIVERED = 200


def deliver(send, event):
    """Hand one event over; `send` returns the answer's status."""
    return send(event) == DELIVERED
'''

TEST_BANK = """import unittest

from checkout.bank import deliver


class Deliver(unittest.TestCase):
    def test_success(self):
        self.assertTrue(deliver(lambda event: 200, {"id": 1}))
"""

ERRORS = '''"""What goes into the error log."""


def describe(error, request):
    """One line for the log: what failed, and for which request."""
    fields = " ".join(f"{name}={value}" for name, value in sorted(request.items()))
    return f"{type(error).__name__}: {error} ({fields})"
'''

TEST_ERRORS = """import unittest

from checkout.errors import describe


class Describe(unittest.TestCase):
    def test_names_the_error(self):
        self.assertIn("ValueError", describe(ValueError("no"), {"order": "A-1"}))
"""

METHODS = '''"""Ways to pay."""

ALL = ("card", "invoice", "klarna", "transfer")


def offered(order):
    """The methods that an order may be paid with."""
    methods = list(ALL)
    if order.get("business"):
        methods.remove("card")
    return methods
'''

TEST_METHODS = """import unittest

from checkout.methods import offered


class Offered(unittest.TestCase):
    def test_businesses_pay_without_card(self):
        self.assertNotIn("card", offered({"business": True, "total": 5}))
"""

FILES = {
    "checkout/tax/__init__.py": "",
    "checkout/tax/rounding.py": ROUNDING,
    "checkout/tax/totals.py": TOTALS,
    "checkout/tax/refund.py": REFUND,
    "checkout/three_ds.py": THREE_DS,
    "checkout/capture.py": CAPTURE,
    "checkout/settlement/__init__.py": "",
    "checkout/settlement/cutoff.py": CUTOFF,
    "checkout/settlement/report.py": REPORT,
    "checkout/links.py": LINKS,
    "checkout/bank.py": BANK,
    "checkout/errors.py": ERRORS,
    "checkout/methods.py": METHODS,
    "tests/test_refund.py": TEST_REFUND,
    "tests/test_three_ds.py": TEST_THREE_DS,
    "tests/test_capture.py": TEST_CAPTURE,
    "tests/test_settlement.py": TEST_SETTLEMENT,
    "tests/test_links.py": TEST_LINKS,
    "tests/test_bank.py": TEST_BANK,
    "tests/test_errors.py": TEST_ERRORS,
    "tests/test_methods.py": TEST_METHODS,
}
