"""checkout-api: GitFlow with an open release and a supported line, and the most instructive matrix of the demo."""

from __future__ import annotations

from ..history import add, append
from ..source import App, Thing
from ..story import AIKO, JONAS, LENA, MARA, OSKAR, PRIYA, TOMAS, Story, age
from . import checkout_fixes as fixes
from .checkout_source import FILES

APP = App("checkout-api", "checkout", "The checkout of a small web shop")

_EARLY = (
    Thing("cart", "carts", ("customer", "currency"), ("open", "ordered", "abandoned")),
    Thing("order", "orders", ("customer", "total"), ("new", "paid", "shipped", "returned")),
    Thing("discount", "discounts", ("code", "percent"), ("planned", "active", "expired")),
)
_MIDDLE = (
    Thing("address", "addresses", ("street", "city"), ("unchecked", "checked")),
    Thing("shipment", "shipments", ("carrier", "weight"), ("packed", "sent", "delivered")),
    Thing("voucher", "vouchers", ("code", "amount"), ("sold", "redeemed")),
    Thing("parcel", "parcels", ("label", "size"), ("printed", "handed over")),
)
_LATE = (
    Thing("return", "returns", ("order", "reason"), ("asked", "received", "refunded")),
    Thing("subscription", "subscriptions", ("customer", "interval"), ("running", "paused", "ended")),
    Thing("wish", "wishes", ("customer", "article"), ("noted", "ordered")),
)
_GIFTS = Thing("gift", "gifts", ("greeting", "paper"), ("asked", "wrapped"))


def plan(story: Story) -> None:
    """Plan the whole history."""
    story.begin(
        age(days=122), "1.0.0", [add(path, text) for path, text in FILES.items()], by=MARA, branches=["develop"]
    )
    story.everyday(_EARLY, branch="develop", start=age(days=121), end=age(days=86))
    story.everyday(_MIDDLE, branch="develop", start=age(days=80), end=age(days=28), spread=2)
    story.everyday(_LATE, branch="develop", start=age(days=20), end=age(hours=3))
    story.feature(_GIFTS, into="develop", start=age(days=64), end=age(days=41), by=OSKAR)
    for fix in fixes.FIXES:
        story.hotfix(fix)
    _releases(story)
    _develop(story)
    _support(story)


def _releases(story: Story) -> None:
    story.cut(age(days=84), "release/1.1", "develop")
    story.merge(age(days=80, minutes=30), "main", "release/1.1", by=MARA, close=True)
    story.release("1.1.0", age(days=80), note="Carts, orders and discounts.")
    story.merge(age(days=79, hours=22), "develop", "v1.1.0", by=MARA)
    story.cut(age(days=21), "release/1.2", "develop")
    story.merge(age(days=18, minutes=30), "main", "release/1.2", by=MARA, close=True)
    story.release("1.2.0", age(days=18), note="Shipments, vouchers and gifts.")
    story.cut(age(days=3), "release/1.3", "develop")
    readme = "README.md"
    note = "\nReturns, subscriptions and wishes come with 1.3.\n"
    story.commit(age(days=2, hours=4), "release/1.3", "Say what 1.3 brings", [append(readme, note)], by=LENA)


def _develop(story: Story) -> None:
    for tag, ago in (
        ("v1.1.1", age(days=74, hours=18)),
        ("v1.1.2", age(days=65, hours=20)),
        ("v1.1.3", age(days=51, hours=17)),
        ("v1.1.4", age(days=44, hours=2)),
        ("v1.1.5", age(days=35)),
        ("v1.1.6", age(days=30, hours=20)),
    ):
        story.merge(ago, "develop", tag, by=MARA)
    story.pick(age(days=23), "TICKET-1176", "develop", by=LENA, named=False)
    story.commit(age(days=17), "develop", "Let support block a payment link", fixes.LINK_BLOCKS, by=OSKAR)
    story.pick(age(days=12, hours=16), "TICKET-1198", "develop", by=AIKO, named=False)
    story.commit(age(days=11), "develop", "Take the VAT rate from the order", fixes.ORDER_RATES, by=PRIYA)
    story.pick(age(days=4, hours=1), "TICKET-1207", "develop", by=TOMAS, which=slice(0, 1), named=False)
    story.pick(age(days=4), "TICKET-1207", "develop", by=TOMAS, which=slice(1, 2))


def _support(story: Story) -> None:
    line = "support/1.1"
    story.cut(age(days=60), line, "v1.1.2")
    story.commit(age(days=58), line, "Settle by the shop's own clock", fixes.SUPPORT_SETTLEMENT, by=OSKAR)
    story.pick(age(days=51), "TICKET-1133", line, by=JONAS)
    story.commit(age(days=33), line, "Ask a busy bank again", fixes.SUPPORT_RETRY, by=OSKAR)
    story.pick(age(days=23, hours=2), "TICKET-1176", line, by=LENA, named=False)

    reason = "Shops on 1.1 run one process; the lock slows them down."
    story.undo(age(days=19), "TICKET-1176", line, by=TOMAS, reason=reason)

    def declare(when: int) -> None:
        named = story.fixes["TICKET-1198"][0].sha
        body = f"(cherry picked from commit {named})"
        story.history.commit(line, "Old payment links", fixes.SUPPORT_EXPIRED, by=OSKAR, at=when, body=body)

    story.at(age(days=10), declare)
    story.pick(age(hours=1, minutes=10), "TICKET-1234", line, by=JONAS)
