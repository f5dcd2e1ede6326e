from releases.policies.flow import FlowPolicy
from releases.policies.tickets import guess_ticket_pattern, is_security, ticket_in

PATTERN = FlowPolicy().ticket_pattern


def test_the_branch_counts_before_subject_and_body():
    assert ticket_in(PATTERN, ("hotfix/TICKET-1-vat", "TICKET-2 fix", "TICKET-3")) == "TICKET-1"
    assert ticket_in(PATTERN, ("", "Round VAT", "Closes TICKET-3")) == "TICKET-3"


def test_standards_are_no_tickets():
    assert ticket_in(PATTERN, ("Use UTF-8 and SHA-256, see RFC-2822 and CVE-2024-12345",)) is None
    assert ticket_in(PATTERN, ("Use UTF-8 (PAY-7)",)) == "PAY-7"


def test_a_group_names_the_ticket():
    assert ticket_in(r"Fixed #(\d+)", ("Fixed #123 -- no crash",)) == "123"


def test_nothing_is_found_without_a_pattern():
    assert ticket_in("", ("TICKET-1",)) is None


def test_the_way_of_naming_tickets_is_learnt_from_messages():
    hashes = [f"Fixed #{n} -- Something." for n in range(100, 130)] + ["Bumped version"] * 10
    found = guess_ticket_pattern(hashes, PATTERN)
    assert ticket_in(found, ("Refs #77 -- Docs.",)) == "#77"
    tracker = [f"bpo-{n}: Something (GH-{n})" for n in range(100, 130)]
    assert ticket_in(guess_ticket_pattern(tracker, PATTERN), ("bpo-5: x",)) in ("bpo-5", "GH-5")
    assert guess_ticket_pattern(["no ticket at all"] * 20, PATTERN) == PATTERN
    assert guess_ticket_pattern([], PATTERN) == PATTERN


def test_security_is_told_from_words():
    assert is_security(["Fixed CVE-2024-12345 -- Denial of service"])
    assert is_security(["[security] Escape names"])
    assert not is_security(["Refactor the security group page"])
