"""REGISTER: an employee's device, or a gateway, says where it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import structlog

from vpbx.calls.admission import Admission, Admitted, Challenged, Refused
from vpbx.calls.devices import bindings_of, keep_bindings
from vpbx.calls.switch import Switch
from vpbx.clock import Timer
from vpbx.sip import (
    Binding,
    Hop,
    RegisterResult,
    RegistrarLimits,
    ServerTransaction,
    make_response,
    register,
)

__all__ = ["Expiry", "end_places", "take_registration"]

_LOOK_S = 15.0

log = structlog.get_logger("vpbx.calls")


async def take_registration(switch: Switch, admission: Admission, tx: ServerTransaction) -> None:
    """Answer a REGISTER, whatever happens."""
    try:
        await _register(switch, admission, tx)
    except Exception:
        log.exception("a registration failed", source=tx.hop.host)
        tx.respond(make_response(tx.request, 500))


async def _register(switch: Switch, admission: Admission, tx: ServerTransaction) -> None:
    """Keep where a device is.

    A device may not claim a carrier's address as its own: calls to it would be calls to the
    outside that nobody allowed.
    """
    request = tx.request
    gateways = switch.connections.gateways
    gateway = gateways.named(request)
    if gateway is not None and not await admission.is_employees(request):
        await gateways.register(gateway, tx, switch.stack, switch.config.registrar)
        return
    who = await admission.employee(request, tx.hop)
    if isinstance(who, Challenged):
        headers = [("WWW-Authenticate", value) for value in who.challenges]
        tx.respond(make_response(request, 401, headers=headers))
        return
    if isinstance(who, Refused):
        tx.respond(make_response(request, who.code, who.reason or None, headers=who.headers))
        return
    domain, employee = who.domain, who.employee
    known = bindings_of(switch, domain, employee.login)
    result = register(
        known,
        request,
        tx.hop,
        now=switch.clock.now(),
        date=switch.clock.time(),
        limits=_limits(switch, who),
        unreachable=switch.stack.layer.why_unreachable,
    )
    if any(admission.is_carriers(binding.hop, tx.hop) for binding in result.added):
        log.warning("device claims a carrier's address", domain=domain.name, login=employee.login)
        tx.respond(make_response(request, 403))
        return
    _tell(domain.name, employee.login, known, result)
    _keep(switch, admission, who, result, tx.hop)
    tx.respond(make_response(request, result.code, result.reason or None, headers=result.headers))


def _limits(switch: Switch, who: Admitted) -> RegistrarLimits:
    """Return the bounds of a registration: a page's lasts as long as its pass, and it asks again
    with the next one."""
    limits, left_s = switch.config.registrar, switch.passes.left_s(who.username)
    if left_s is None:
        return limits
    return replace(limits, max_expires_s=min(limits.max_expires_s, max(1, math.ceil(left_s))))


def _keep(
    switch: Switch, admission: Admission, who: Admitted, result: RegisterResult, hop: Hop
) -> None:
    """Keep what has become of an employee's bindings, and have those know who wait for it."""
    domain, employee = who.domain, who.employee
    if result.changed:
        was_online = bool(switch.directory.locations.bindings(domain.id, employee.login))
        keep_bindings(switch, domain, employee.login, result.bindings)
        if result.bindings and not was_online:
            switch.queues.freed(domain.id, employee.login)
    if result.added:
        switch.passes.registered(who.username, hop)
        admission.registered(hop, who, max(binding.expires_at for binding in result.added))
    if result.reason:
        log.warning(
            "a device cannot register",
            login=employee.login,
            domain=domain.name,
            source=hop.host,
            reason=result.reason,
        )


def _tell(domain: str, login: str, known: tuple[Binding, ...], result: RegisterResult) -> None:
    """Log each registration that begins or ends; not one that is only refreshed."""
    before = {binding.contact for binding in known}
    after = {binding.contact for binding in result.bindings}
    for binding in result.bindings:
        if binding.contact not in before:
            _say("a registration begins", domain, login, binding)
    for binding in (*known, *result.removed):
        if binding.contact in before - after:
            before.discard(binding.contact)
            _say("a registration ends", domain, login, binding, why="the device says so")


def end_places(switch: Switch, domain_name: str, login: str, places: frozenset[Hop]) -> None:
    """End the registrations of an employee that were made from these places."""
    domain = switch.directory.cached(domain_name)
    if domain is None:
        return
    known = bindings_of(switch, domain, login)
    left = tuple(binding for binding in known if binding.hop not in places)
    if len(left) < len(known):
        keep_bindings(switch, domain, login, left)
        for binding in known:
            if binding.hop in places:
                _say("a registration ends", domain_name, login, binding, why="logged out")


class Expiry:
    """Notices registrations that run out, since nobody else does before the next call.

    `also` is what else is to be done each time.
    """

    def __init__(self, switch: Switch, also: Callable[[], object] = lambda: None) -> None:
        self._switch = switch
        self._also = also
        self._timer: Timer | None = None

    def start(self) -> None:
        """Look from now on, every 15 s."""
        self._timer = self._switch.clock.call_later(_LOOK_S, self._look)

    def stop(self) -> None:
        """Look no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _look(self) -> None:
        self._also()
        directory = self._switch.directory
        for domain_id, login, row in directory.locations.expire():
            domain = directory.cached_by_id(domain_id)
            log.info(
                "a registration ends",
                domain=domain.name if domain is not None else "",
                login=login,
                source=f"{row.transport}:{row.host}:{row.port}",
                agent=row.user_agent[:100],
                why="it ran out",
            )
        self.start()


def _say(event: str, domain: str, login: str, binding: Binding, **why: str) -> None:
    hop = binding.hop
    log.info(
        event,
        domain=domain,
        login=login,
        source=f"{hop.transport}:{hop.host}:{hop.port}",
        agent=binding.user_agent[:100],
        **why,
    )
