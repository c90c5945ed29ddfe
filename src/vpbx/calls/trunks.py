"""The way out: which carriers may take a call, and a leg through one of them."""

from __future__ import annotations

from vpbx.calls.addresses import Shown, name_addr
from vpbx.calls.call import Call
from vpbx.calls.leg import Leg
from vpbx.calls.switch import Switch
from vpbx.directory import DomainConfig, Number, Trunk
from vpbx.media import Side
from vpbx.sip import Hop, Target

__all__ = ["dial_through", "ways_out"]


def ways_out(switch: Switch, domain: DomainConfig, number: Number | None) -> list[Trunk]:
    """Return the trunks to try, in order: the number's own, the default, the others.

    Only the operator's and the domain's own trunks; those switched off or full are left out.
    """
    directory = switch.directory
    first = directory.trunk(number.trunk, domain) if number is not None and number.trunk else None
    ways: list[Trunk] = []
    for trunk in (first, directory.default_trunk(domain), *directory.trunks()):
        if (
            trunk is not None
            and trunk.enabled
            and trunk.domain_id in (None, domain.id)
            and all(trunk.id != way.id for way in ways)
            and switch.calls.trunk_has_room(trunk.id)
        ):
            ways.append(trunk)
    return ways[: switch.config.max_trunks_tried]


def dial_through(
    call: Call, trunk: Trunk, called: str, clid: str, sdp: str, *, side: Side = Side.B
) -> Leg:
    """Call an outside number. The carrier sees `clid`, our number, as From and as asserted."""
    leg = Leg(call, side)
    domain = call.domain.name
    host = f"[{trunk.host}]" if ":" in trunk.host else trunk.host
    transport = "" if trunk.transport == "udp" else f";transport={trunk.transport}"
    identity = name_addr(Shown(clid), domain)
    call.seize(trunk.id)
    leg.session = call.switch.stack.invite(
        Target(
            uri=f"sip:{called}@{host}:{trunk.port}{transport}",
            hop=Hop(trunk.transport, trunk.host, trunk.port),
        ),
        from_=identity,
        to=f"<sip:{called}@{host}>",
        sdp=sdp,
        listener=leg,
        headers=[
            ("Max-Forwards", str(call.max_forwards)),
            ("P-Asserted-Identity", identity),
        ],
    )
    return leg
