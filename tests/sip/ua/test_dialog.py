"""Dialog state: order, routes, targets, and the way around NAT (RFC 3261 §12)."""

from __future__ import annotations

import pytest

from vpbx.sip.dialog import Dialog, beyond_nat, contact_beyond_nat, next_hop
from vpbx.sip.offer_answer import OfferAnswer
from vpbx.sip.transport import Hop

from .messages import request, response

SOURCE = Hop("udp", "198.51.100.5", 5060)
VIA = "SIP/2.0/UDP 198.51.100.5:5060;branch=z9hG4bKx1;rport=5060;received=198.51.100.5"


def called(*headers: str, source: Hop = SOURCE, via: str = VIA, cseq: int = 7) -> Dialog:
    message = request("INVITE", headers=headers, via=via, cseq=cseq)
    return Dialog.of_request(message, source, "ours", OfferAnswer())


def calling(*headers: str) -> Dialog:
    invite = request(
        "INVITE", "sip:bob@acme.example", from_="<sip:a@x.example>;tag=ours", to="<sip:bob@y>"
    )
    answer = response(headers=headers, to="<sip:bob@y>;tag=their")
    return Dialog.of_response(invite, answer, SOURCE, OfferAnswer())


def test_called_side_has_their_route_in_order() -> None:
    dialog = called(
        "Contact: <sip:701@198.51.100.5:5062>",
        "Record-Route: <sip:198.51.100.1;lr>",
        "Record-Route: <sip:198.51.100.2;lr>",
    )
    bye = dialog.request("BYE")
    assert bye.raw_uri == "sip:701@198.51.100.5:5062"
    assert bye.headers.getlist("Route") == ["<sip:198.51.100.1;lr>", "<sip:198.51.100.2;lr>"]
    assert bye.headers["From"] == "<sip:701@acme.example>;tag=ours"
    assert bye.headers["To"] == "<sip:701@acme.example>;tag=their"
    assert bye.headers["CSeq"] == "1 BYE"
    assert dialog.hop == Hop("udp", "198.51.100.1", 5060)
    assert dialog.key == ("c1", "ours", "their")


def test_calling_side_has_their_route_reversed_and_the_final_answers_in_the_end() -> None:
    dialog = calling(
        "Contact: <sip:bob@198.51.100.5>",
        "Record-Route: <sip:198.51.100.1;lr>, <sip:198.51.100.2;lr>",
    )
    assert dialog.route == ("<sip:198.51.100.2;lr>", "<sip:198.51.100.1;lr>")
    dialog.confirm(response(headers=["Contact: <sip:bob@198.51.100.6>"]))
    assert dialog.route == ()
    assert dialog.target == "sip:bob@198.51.100.6"
    assert dialog.confirmed
    assert dialog.request("BYE").headers["CSeq"] == "2 BYE"


def test_strict_router_gets_its_uri_in_front() -> None:
    dialog = called(
        "Contact: <sip:701@198.51.100.5>",
        "Record-Route: <sip:198.51.100.1>",
        "Record-Route: <sip:198.51.100.2;lr>",
    )
    bye = dialog.request("BYE")
    assert bye.raw_uri == "sip:198.51.100.1"
    assert bye.headers.getlist("Route") == ["<sip:198.51.100.2;lr>", "<sip:701@198.51.100.5>"]


def test_lower_numbers_are_out_of_order() -> None:
    dialog = called(cseq=7)
    assert not dialog.in_order(request("INFO", cseq=6))
    assert dialog.in_order(request("INFO", cseq=9))
    assert not dialog.in_order(request("INFO", cseq=8))


def test_contact_of_a_target_refresh_is_followed() -> None:
    dialog = called("Contact: <sip:701@198.51.100.5>")
    dialog.refresh(request("UPDATE", headers=["Contact: <sip:701@198.51.100.9:5070>"], via=VIA))
    assert dialog.hop == Hop("udp", "198.51.100.9", 5070)
    dialog.refresh(request("UPDATE", headers=["Contact: <mailto:x@y>"], via=VIA))
    dialog.refresh(request("UPDATE", via=VIA))
    assert dialog.target == "sip:701@198.51.100.9:5070"


def test_nat_that_moves_is_followed_by_the_next_refresh() -> None:
    behind = "SIP/2.0/UDP 192.168.1.2:5060;branch=z9hG4bKx1;rport=4001;received=203.0.113.5"
    contact = "Contact: <sip:701@192.168.1.2:5060>"
    dialog = called(contact, source=Hop("udp", "203.0.113.5", 4001), via=behind)
    assert dialog.hop == Hop("udp", "203.0.113.5", 4001)
    moved = Hop("udp", "203.0.113.5", 4777)
    dialog.refresh(request("UPDATE", headers=[contact], via=behind), moved)
    assert dialog.hop == moved


def test_contact_is_read_through_its_display_name() -> None:
    assert called('Contact: "a <sip:x@y>" <sip:701@198.51.100.5>').target == "sip:701@198.51.100.5"
    assert called("Contact: sip:701@198.51.100.5").target == "sip:701@198.51.100.5"
    assert called('Contact: "broken').target == "sip:701@acme.example"


def test_request_that_passed_a_proxy_or_has_no_rport_is_believed() -> None:
    source = Hop("udp", "203.0.113.5", 4001)
    contact = "Contact: <sip:701@203.0.113.9>"
    proxied = "SIP/2.0/UDP 203.0.113.7:5060;branch=z9hG4bKx1;rport=4001, SIP/2.0/UDP x;branch=y"
    plain = "SIP/2.0/UDP 203.0.113.7:5060;branch=z9hG4bKx1"
    for via in (proxied, plain):
        assert called(contact, source=source, via=via).hop == Hop("udp", "203.0.113.9", 5060)


def test_acknowledgement_repeats_number_and_credentials() -> None:
    dialog = calling("Contact: <sip:bob@198.51.100.5>")
    invite = request("INVITE", cseq=2, headers=["Authorization: Digest x", "Subject: no"])
    ack = dialog.ack(invite, "v=0")
    assert ack.headers["CSeq"] == "2 ACK"
    assert ack.headers["Authorization"] == "Digest x"
    assert "Subject" not in ack.headers
    assert ack.headers["Content-Type"] == "application/sdp"
    assert dialog.local_cseq == 1


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("sip:bob@198.51.100.9", Hop("udp", "198.51.100.9", 5060)),
        ("sip:bob@198.51.100.9:5070;transport=TCP", Hop("tcp", "198.51.100.9", 5070)),
        ("sips:bob@198.51.100.9", Hop("tls", "198.51.100.9", 5061)),
        ("sip:bob@[2001:db8::1]:5070", Hop("udp", "2001:db8::1", 5070)),
        ("sip:bob@198.51.100.9;maddr=198.51.100.8", Hop("udp", "198.51.100.8", 5060)),
        ("sip:bob@192.168.0.1", SOURCE),
        ("sip:bob@127.0.0.1", SOURCE),
        ("sip:bob@0.0.0.0", SOURCE),
        ("sip:bob@phone.example", SOURCE),
        ("sip:bob@x.invalid;transport=ws", SOURCE),
        ("sip:bob@198.51.100.9;transport=sctp", SOURCE),
        ("tel:+123", SOURCE),
        ("rubbish", SOURCE),
    ],
)
def test_next_hop_is_the_uris_unless_it_cannot_be_meant(uri: str, expected: Hop) -> None:
    assert next_hop(uri, SOURCE) == expected


def test_next_hop_inside_one_private_network_is_followed() -> None:
    inside = Hop("udp", "10.0.0.1", 5060)
    assert next_hop("sip:bob@10.0.0.2", inside) == Hop("udp", "10.0.0.2", 5060)
    assert next_hop("sip:bob@192.168.0.2", inside) == inside


def test_open_connection_is_kept_to_the_same_host_only() -> None:
    source = Hop("tcp", "198.51.100.5", 40_000, 9)
    assert next_hop("sip:bob@198.51.100.5", source) == Hop("tcp", "198.51.100.5", 5060, 9)
    assert next_hop("sip:bob@198.51.100.6", source) == Hop("tcp", "198.51.100.6", 5060)


@pytest.mark.parametrize(
    ("host", "source", "beyond"),
    [
        ("192.168.1.5", "203.0.113.9", True),
        ("10.1.2.3", "127.0.0.1", True),
        ("192.168.1.5", "192.168.1.1", False),
        ("203.0.113.10", "203.0.113.9", False),
        ("203.0.113.10", "192.168.1.1", False),
        ("phone.example", "203.0.113.9", False),
    ],
)
def test_only_an_address_of_another_private_network_shows_a_nat(
    host: str, source: str, beyond: bool
) -> None:
    assert beyond_nat(host, source) is beyond
    assert contact_beyond_nat(f"sip:olga@{host}:5060", Hop("udp", source, 5060)) is beyond


def test_another_port_in_the_contact_shows_a_nat_over_udp_only() -> None:
    contact = "sip:olga@203.0.113.9:5060"
    assert contact_beyond_nat(contact, Hop("udp", "203.0.113.9", 41000))
    assert not contact_beyond_nat(contact, Hop("tcp", "203.0.113.9", 41000))
