"""The way out: which carriers may take a call, and a leg through one of them."""

from __future__ import annotations

from vpbx.calls.addresses import Shown, name_addr
from vpbx.calls.call import Call
from vpbx.calls.leg import Leg
from vpbx.calls.sound import Sound
from vpbx.calls.switch import Switch
from vpbx.directory import DomainConfig, Number, Trunk
from vpbx.media import Side
from vpbx.sip import Hop, Target

__all__ = ["dial_through", "ways_out"]


def ways_out(switch: Switch, domain: DomainConfig, number: Number | None) -> list[Trunk]:
    """Return the trunks to try, in order: the number's own, the domain's default, the others.

    Those switched off, full or another company's are left out.
    """
    usable = switch.directory.trunks_of(domain)
    own = number.trunk if number is not None else ""
    ways = sorted(usable, key=lambda trunk: trunk.name != own)  # stable: the default comes next
    free = [trunk for trunk in ways if switch.calls.trunk_has_room(trunk.id)]
    return free[: switch.config.max_trunks_tried]


def dial_through(
    call: Call, trunk: Trunk, called: str, clid: str, sound: Sound, *, side: Side = Side.B
) -> Leg:
    """Call an outside number, offering `sound` as it was described (`Call.offer`).

    The carrier sees `clid`, our number, as From and as asserted.
    """
    leg = Leg(side, call.inbox, sound)
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
        sdp=sound.local,
        listener=leg,
        headers=[
            ("Max-Forwards", str(call.max_forwards)),
            ("P-Asserted-Identity", identity),
        ],
    )
    return leg
