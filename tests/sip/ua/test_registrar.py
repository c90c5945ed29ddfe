"""What REGISTER does to bindings (RFC 3261 §10.3, RFC 3327)."""

from __future__ import annotations

import pytest

from vpbx.sip.registrar import Binding, RegisterResult, RegistrarLimits, register
from vpbx.sip.transport import Hop

from .messages import request

SOURCE = Hop("udp", "192.0.2.9", 5060)
NOW = 1_700_000_000.0
VIA = "SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKx1;rport"


def ask(
    bindings: tuple[Binding, ...] = (),
    *headers: str,
    hop: Hop = SOURCE,
    now: float = NOW,
    call_id: str = "c1",
    cseq: int = 1,
    via: str = VIA,
    limits: RegistrarLimits | None = None,
) -> RegisterResult:
    message = request(headers=headers, call_id=call_id, cseq=cseq, via=via)
    return register(bindings, message, hop, now=now, date=now, limits=limits)


def contacts(result: RegisterResult) -> list[str]:
    return [value for name, value in result.headers if name == "Contact"]


PHONE = "Contact: <sip:701@192.0.2.9:5060>"


def test_device_is_bound_for_the_time_it_asks() -> None:
    result = ask((), PHONE, "Expires: 120", "User-Agent: phone/1")
    (binding,) = result.bindings
    assert result.code == 200
    assert result.added == (binding,)
    assert binding.contact == "sip:701@192.0.2.9:5060"
    assert binding.expires_at == NOW + 120
    assert binding.user_agent == "phone/1"
    assert contacts(result) == ["<sip:701@192.0.2.9:5060>;expires=120;q=1"]
    assert binding.hop == SOURCE


def test_expiry_is_the_contacts_own_then_the_headers_then_ours() -> None:
    both = ask((), PHONE + ";expires=300", "Expires: 120")
    assert both.bindings[0].expires_at == NOW + 300
    assert ask((), PHONE).bindings[0].expires_at == NOW + 3600
    assert ask((), PHONE + ";expires=99999999999999").bindings[0].expires_at == NOW + 3600
    assert ask((), PHONE + ";expires=soon").bindings[0].expires_at == NOW + 3600


def test_too_short_an_interval_is_423_and_changes_nothing() -> None:
    result = ask((), PHONE + ";expires=59")
    assert result.code == 423
    assert result.headers == (("Min-Expires", "60"),)
    assert result.bindings == ()


def test_several_devices_stand_side_by_side() -> None:
    first = ask((), PHONE)
    second = ask(first.bindings, "Contact: <sip:701@192.0.2.10>;q=0.5", call_id="c2")
    assert [binding.q for binding in second.bindings] == [1.0, 0.5]
    assert len(contacts(second)) == 2
    assert second.added == second.bindings[1:]


def test_refresh_replaces_the_same_contact_however_it_is_written() -> None:
    first = ask((), "Contact: <sip:701@Phone.Example>")
    again = ask(first.bindings, "Contact: <sip:701@phone.example:5060>", cseq=2, now=NOW + 100)
    (binding,) = again.bindings
    assert binding.expires_at == NOW + 3700
    assert again.removed == first.bindings
    other = ask(again.bindings, "Contact: <sip:701@phone.example;transport=tcp>", cseq=3)
    assert len(other.bindings) == 2


def test_device_that_moved_replaces_its_former_self_by_instance() -> None:
    instance = ';+sip.instance="<urn:uuid:0001>"'
    first = ask((), PHONE + instance)
    moved = ask(first.bindings, "Contact: <sip:701@198.51.100.1>" + instance, call_id="c2")
    assert [binding.contact for binding in moved.bindings] == ["sip:701@198.51.100.1"]
    assert moved.removed == first.bindings


def test_zero_takes_one_device_out_and_a_star_all() -> None:
    both = ask(ask((), PHONE).bindings, "Contact: <sip:701@192.0.2.10>", call_id="c2").bindings
    one = ask(both, PHONE + ";expires=0", cseq=2)
    assert [binding.contact for binding in one.bindings] == ["sip:701@192.0.2.10"]
    assert one.removed == both[:1]
    everything = ask(both, "Contact: *", "Expires: 0", cseq=2)
    assert everything.code == 200
    assert everything.bindings == ()
    assert everything.removed == both


@pytest.mark.parametrize(
    "headers",
    [
        ("Contact: *",),
        ("Contact: *", "Expires: 60"),
        ("Contact: *", PHONE, "Expires: 0"),
        ("Contact: <mailto:a@b.example>",),
        ("Contact: <sip:",),
        ("Contact: <sip:701@192.0.2.9;x=" + "y" * 4100 + ">",),
    ],
)
def test_nonsense_is_400_and_changes_nothing(headers: tuple[str, ...]) -> None:
    before = ask((), PHONE).bindings
    result = ask(before, *headers, cseq=2)
    assert result.code == 400
    assert result.bindings == before
    assert not result.changed


def test_overtaken_request_is_refused_whole() -> None:
    before = ask((), PHONE, cseq=5).bindings
    for headers in ((PHONE + ";expires=0",), ("Contact: *", "Expires: 0"), (PHONE,)):
        result = ask(before, *headers, "Contact: <sip:new@192.0.2.1>" * 0, cseq=5)
        assert result.code == 500
        assert result.bindings == before
    assert ask(before, PHONE, cseq=1, call_id="restarted").code == 200


def test_without_contact_it_only_tells() -> None:
    before = ask((), PHONE).bindings
    result = ask(before, now=NOW + 600)
    assert contacts(result) == ["<sip:701@192.0.2.9:5060>;expires=3000;q=1"]
    assert not result.changed


def test_expired_devices_are_gone() -> None:
    before = ask((), PHONE).bindings
    result = ask(before, now=NOW + 3600)
    assert result.bindings == ()
    assert result.removed == before


def test_too_many_devices_push_out_the_one_that_ends_first() -> None:
    limits = RegistrarLimits(max_contacts=3)
    bindings: tuple[Binding, ...] = ()
    for number, seconds in enumerate([600, 300, 900, 500]):
        header = f"Contact: <sip:701@192.0.2.{number}>;expires={seconds}"
        result = ask(bindings, header, call_id=f"c{number}", limits=limits)
        bindings = result.bindings
    assert sorted(binding.expires_at - NOW for binding in bindings) == [500, 600, 900]
    assert [binding.contact for binding in result.removed] == ["sip:701@192.0.2.1"]
    many = [f"Contact: <sip:701@198.51.100.{n}>" for n in range(4)]
    assert ask((), *many, limits=limits).code == 403


def test_path_is_kept_told_and_travelled() -> None:
    result = ask(
        (),
        "Contact: <sip:701@10.0.0.5>",
        "Path: <sip:edge.example;lr>, <sip:198.51.100.7:5070;lr>",
        "Supported: path, outbound",
        hop=Hop("udp", "198.51.100.9", 5060),
    )
    assert [value for name, value in result.headers if name == "Path"] == [
        "<sip:edge.example;lr>",
        "<sip:198.51.100.7:5070;lr>",
    ]
    (binding,) = result.bindings
    assert binding.path == ("<sip:edge.example;lr>", "<sip:198.51.100.7:5070;lr>")
    assert binding.hop == Hop("udp", "198.51.100.9", 5060)  # a name: back the way it came
    ip = ask(
        (),
        "Contact: <sip:701@10.0.0.5>",
        "Path: <sip:198.51.100.7:5070;lr>",
        "Supported: path",
        hop=Hop("udp", "198.51.100.9", 5060),
    )
    assert ip.bindings[0].hop == Hop("udp", "198.51.100.7", 5070)


def test_path_the_device_does_not_know_of_is_420() -> None:
    result = ask((), PHONE, "Path: <sip:edge.example;lr>")
    assert (result.code, result.headers) == (420, (("Unsupported", "path"),))


def test_broken_or_endless_path_is_400_and_a_broken_q_is_one() -> None:
    assert ask((), PHONE, "Path: <broken", "Supported: path").code == 400
    many = [f"Path: <sip:198.51.100.{n};lr>" for n in range(9)]
    assert ask((), PHONE, *many, "Supported: path").code == 400
    assert ask((), PHONE + ";q=high").bindings[0].q == 1.0
    assert ask((), PHONE + ";q=7").bindings[0].q == 1.0


def test_device_behind_nat_is_reached_where_it_came_from() -> None:
    source = Hop("udp", "203.0.113.5", 40_001)
    private = "SIP/2.0/UDP 192.168.1.20:5060;branch=z9hG4bKx1;rport=40001;received=203.0.113.5"
    result = ask((), "Contact: <sip:701@192.168.1.20:5060>", hop=source, via=private)
    assert result.bindings[0].hop == source
    believed = "SIP/2.0/UDP 203.0.113.5:5060;branch=z9hG4bKx1;rport=40001;received=203.0.113.5"
    result = ask((), "Contact: <sip:701@203.0.113.5:5060>", hop=source, via=believed)
    assert result.bindings[0].hop == source


def test_device_elsewhere_than_its_sender_is_reached_there() -> None:
    source = Hop("udp", "203.0.113.5", 5060)
    via = "SIP/2.0/UDP 203.0.113.5:5060;branch=z9hG4bKx1;rport=5060;received=203.0.113.5"
    result = ask((), "Contact: <sip:701@198.51.100.1:5062>", hop=source, via=via)
    assert result.bindings[0].hop == Hop("udp", "198.51.100.1", 5062)


def test_device_on_a_connection_is_reached_through_it() -> None:
    source = Hop("tls", "203.0.113.5", 40_001, 17)
    result = ask((), "Contact: <sip:701@203.0.113.5:5061;transport=tls>", hop=source)
    assert result.bindings[0].hop == Hop("tls", "203.0.113.5", 5061, 17)
    result = ask((), "Contact: <sip:701@df7jal23ls0d.invalid;transport=ws>", hop=source)
    assert result.bindings[0].hop == source


INSTANCE = ';+sip.instance="<urn:uuid:0001>"'


def test_two_flows_of_one_device_stand_side_by_side_and_each_replaces_its_own() -> None:
    """RFC 5626 §6: instance and reg-id together are the device's flow."""
    first = ask((), PHONE + INSTANCE + ";reg-id=1")
    elsewhere = Hop("udp", "192.0.2.9", 5070)
    second = ask(
        first.bindings, PHONE + INSTANCE + ";reg-id=2", hop=elsewhere, call_id="c2", via=VIA
    )
    assert [binding.reg_id for binding in second.bindings] == [1, 2]
    assert second.removed == ()
    assert contacts(second) == [
        '<sip:701@192.0.2.9:5060>;expires=3600;q=1;+sip.instance="<urn:uuid:0001>";reg-id=1',
        '<sip:701@192.0.2.9:5060>;expires=3600;q=1;+sip.instance="<urn:uuid:0001>";reg-id=2',
    ]
    moved = ask(
        second.bindings,
        "Contact: <sip:701@192.0.2.9:6000>" + INSTANCE + ";reg-id=1",
        call_id="c3",
    )
    assert sorted((b.reg_id, b.contact) for b in moved.bindings) == [
        (1, "sip:701@192.0.2.9:6000"),
        (2, "sip:701@192.0.2.9:5060"),
    ]
    gone = ask(moved.bindings, PHONE + INSTANCE + ";reg-id=2;expires=0", call_id="c4")
    assert [binding.reg_id for binding in gone.bindings] == [1]


@pytest.mark.parametrize("text", ["0", "-1", "x", "99999999999", "٣", ""])
def test_a_reg_id_that_is_none_is_passed_over(text: str) -> None:
    result = ask((), PHONE + INSTANCE + (f";reg-id={text}" if text else ""))
    assert result.bindings[0].reg_id == 0


def test_an_instance_cannot_break_out_of_the_answer() -> None:
    result = ask((), PHONE + ';+sip.instance="<urn:x>\\";q=0"')
    (contact,) = contacts(result)
    assert contact.count('"') == 2


def test_a_contact_nobody_can_reach_is_refused_with_the_reason() -> None:
    before = ask((), PHONE).bindings
    message = request(headers=("Contact: <sip:701@224.0.0.1>",), cseq=2, via=VIA)
    result = register(
        before,
        message,
        SOURCE,
        now=NOW,
        date=NOW,
        unreachable=lambda hop: "a group" if hop.host == "224.0.0.1" else "",
    )
    assert (result.code, result.reason) == (400, "Contact Cannot Be Reached: a group")
    assert result.headers == (("Warning", '399 vpbx "a group"'),)
    assert result.bindings == before
    assert not result.changed
