"""An employee's registered devices: rows of the directory ⇄ bindings of SIP."""

from __future__ import annotations

from collections.abc import Sequence

from vpbx.calls.switch import Switch
from vpbx.directory import DomainConfig, Employee, LocationRow
from vpbx.sip import Binding, Hop, Target

__all__ = ["bindings_of", "devices_of", "keep_bindings", "quiet_of"]


def bindings_of(switch: Switch, domain: DomainConfig, login: str) -> tuple[Binding, ...]:
    """Return the devices registered for `login`; expired ones are left out."""
    rows = switch.directory.locations.bindings(domain.id, login)
    return tuple(
        Binding(
            contact=row.contact,
            hop=_hop(row),
            path=_path(row),
            call_id=row.call_id,
            cseq=row.cseq,
            expires_at=row.expires_at,
            user_agent=row.user_agent,
            instance=row.instance,
            q=row.q,
            reg_id=row.reg_id,
        )
        for row in rows
    )


def keep_bindings(
    switch: Switch, domain: DomainConfig, login: str, bindings: tuple[Binding, ...]
) -> None:
    """Keep exactly these devices of `login` from now on."""
    rows = [
        LocationRow(
            contact=binding.contact,
            transport=binding.hop.transport,
            host=binding.hop.host,
            port=binding.hop.port,
            connection=binding.hop.connection,
            path="\n".join(binding.path),
            call_id=binding.call_id,
            cseq=binding.cseq,
            expires_at=binding.expires_at,
            user_agent=binding.user_agent,
            instance=binding.instance,
            q=binding.q,
            reg_id=binding.reg_id,
        )
        for binding in bindings
    ]
    switch.directory.locations.save(domain.id, login, rows)


def devices_of(switch: Switch, domain: DomainConfig, employee: Employee) -> list[Target]:
    """Return where to ring an employee; nothing when no device is registered."""
    rows = switch.directory.locations.bindings(domain.id, employee.login)
    return [Target(uri=row.contact, hop=_hop(row), route=_path(row)) for row in rows]


def quiet_of(switch: Switch, targets: Sequence[Target]) -> set[Hop]:
    """Return from where an employee's pages show a call and are not heard (`Passes.quiet`); one
    whose connection is gone is heard by nobody, and silences none."""
    if len(targets) < 2:
        return set()
    hops = (target.hop for target in targets)
    return switch.passes.quiet([hop for hop in hops if switch.stack.layer.reaches(hop)])


def _hop(row: LocationRow) -> Hop:
    return Hop(row.transport, row.host, row.port, row.connection)


def _path(row: LocationRow) -> tuple[str, ...]:
    return tuple(row.path.split("\n")) if row.path else ()
