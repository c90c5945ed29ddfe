"""The way out: which ways may take a call, and a leg through one of them."""

from __future__ import annotations

from vpbx.calls.addresses import Shown, name_addr
from vpbx.calls.call import Call
from vpbx.calls.leg import Leg
from vpbx.calls.sound import Sound
from vpbx.calls.switch import Switch
from vpbx.calls.ways import Way, identity_headers
from vpbx.causes import Cause
from vpbx.directory import DomainConfig, Number, is_emergency
from vpbx.events import Direction
from vpbx.media import Side
from vpbx.sip import Hop

__all__ = ["call_across", "dial_through", "no_way_out", "ways_out"]


def ways_out(switch: Switch, domain: DomainConfig, number: Number | None, called: str) -> list[Way]:
    """Return the ways to try for a call to `called`, in order: the number's own, the domain's
    default, the others.

    Those switched off, full, leading nowhere or another company's are left out; an emergency
    number is called by a full one, too.
    """
    urgent = is_emergency(called, domain.country)
    return switch.connections.carriers.ways(domain, number, urgent=urgent)


def no_way_out(switch: Switch, domain: DomainConfig) -> list[Cause]:
    """Say why no trunk of a company can take a call now."""
    trunks = switch.directory.trunks()
    own = {trunk.name for trunk in trunks if trunk.domain_id in (None, domain.id)}
    states = [each for each in switch.connections.carriers.states() if each.name in own]
    causes = []
    for each in states:
        kind = _WHY_NOT.get(each.state, "trunk_full")
        if kind == "trunk_name" and each.reason == "it has not registered here":
            kind = "trunk_unregistered"
        causes.append(Cause(kind, each.name, 0, each.reason))
    return causes or [Cause("no_trunk")]


_WHY_NOT = {"off": "trunk_off", "unresolved": "trunk_name", "waiting": "trunk_name"}
"""By a trunk's state; one that stands well and is no way out is full."""


def dial_through(
    call: Call,
    way: Way,
    called: str,
    clid: str,
    sound: Sound,
    *,
    hop: Hop | None = None,
    side: Side,
) -> Leg:
    """Call an outside number by `hop` of `way` (else its first), showing `clid`, our number.

    A customer's call that is sent on shows the customer where the way lets it; an employee who
    hides their number is hidden. `sound` is offered as it was described (`Call.offer`). The call
    uses the way from now on (`Call.seize`), until it is freed or ends.
    """
    leg = Leg(side, call.inbox, sound)
    customer = call.info.client if call.info.direction is Direction.IN else ""
    from_, identity = identity_headers(
        way, clid, call.domain.name, private=call.hidden, customer=customer
    )
    leg.way = way.key
    call.seize(way.key)
    leg.session = call.switch.stack.invite(
        way.target(called, hop or way.hops[0]),
        from_=from_,
        to=f"<sip:{called}@{way.written_host}>",
        sdp=sound.local,
        listener=leg,
        credentials=way.credentials,
        headers=[("Max-Forwards", str(call.max_forwards)), *identity],
    )
    call.note_leg(leg)
    return leg


def call_across(
    call: Call, way: Way, ext: str, sound: Sound, *, hop: Hop | None = None, side: Side = Side.B
) -> Leg:
    """Call an ext of the connected PBX that `way` leads to, as who calls is shown here."""
    leg = Leg(side, call.inbox, sound)
    leg.way = way.key
    call.seize(way.key)
    leg.session = call.switch.stack.invite(
        way.target(ext, hop or way.hops[0]),
        from_=name_addr(call.shown, call.domain.name),
        to=name_addr(Shown(ext), way.written_host),
        sdp=sound.local,
        otherwise=sound.otherwise,
        listener=leg,
        credentials=way.credentials,
        headers=[("Max-Forwards", str(call.max_forwards)), *call.referral()],
        hairpin=True,
    )
    call.note_leg(leg)
    return leg
