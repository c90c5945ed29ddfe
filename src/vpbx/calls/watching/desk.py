"""The desk that takes subscriptions: who may, how long, how many (RFC 6665).

A SUBSCRIBE is authenticated like an INVITE. One in a dialog that comes from where the
subscription was proved needs no password again; from elsewhere it does. A subscription ends
with the right to it: with the employee, their password, the company, and with whatever its
package watches. None survives a restart: who stops says so to all phones (`probation`), and
a phone that was not told gets 481 when it comes to refresh, and begins anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TypeVar

import structlog

from vpbx.calls.addresses import dialled
from vpbx.calls.admission import Admission, Admitted, Challenged, Refused
from vpbx.calls.switch import Switch
from vpbx.calls.watching.package import EVENTS, Denied, Package, Watch
from vpbx.directory import DomainConfig, Employee
from vpbx.frozen import dataclass
from vpbx.sip import (
    EventType,
    Hop,
    ServerTransaction,
    Subscription,
    accepts,
    make_response,
    wanted_s,
)
from vpbx.sip.throttle import OncePer

__all__ = ["Desk"]

log = structlog.get_logger("vpbx.calls")

_Key = TypeVar("_Key")
_LATER = (("Retry-After", "60"),)
_SAY_S = 3600.0
_CHANGED = "deactivated"
"""Reason that asks a phone to subscribe anew, at once (RFC 6665 §4.1.3)."""


@dataclass(frozen=True, slots=True)
class _Holder:
    """Whose subscription it is."""

    domain_id: int
    login: str
    password: object
    """What was kept of it when they subscribed."""
    watch: Watch

    @property
    def account(self) -> tuple[int, str]:
        return self.domain_id, self.login


class Desk:
    """All subscriptions, and the packages there are."""

    def __init__(
        self,
        switch: Switch,
        admission: Admission,
        packages: Sequence[Package],
    ) -> None:
        self._switch = switch
        self._admission = admission
        self._limits = switch.config.subscriptions
        self._packages = {package.name: package for package in packages}
        self._holders: dict[Subscription, _Holder] = {}
        self._employees: Counter[tuple[int, str]] = Counter()
        self._companies: Counter[int] = Counter()
        self._said = OncePer(switch.clock, _SAY_S)
        assert ", ".join(sorted(self._packages)) == EVENTS
        switch.directory.on_loaded(self._settings_changed)
        switch.directory.on_gone(self._company_gone)

    def __len__(self) -> int:
        return len(self._holders)

    # -- SUBSCRIBE ---------------------------------------------------------------------------------

    async def take(self, tx: ServerTransaction) -> None:
        """Answer a SUBSCRIBE outside of dialogs, whatever happens."""
        try:
            await self._take(tx)
        except Exception:
            log.exception("a subscription failed", source=tx.hop.host)
            tx.respond(make_response(tx.request, 500))

    async def _take(self, tx: ServerTransaction) -> None:
        request = tx.request
        who = await self._admitted(tx)
        if who is None:
            return
        event = EventType.of(request)
        package = self._packages.get(event.package.lower()) if event is not None else None
        if event is None or package is None:
            headers = [("Allow-Events", EVENTS)]
            tx.respond(make_response(request, 489, headers=headers))
            return
        if code := self._admission.out_of_reach(request, who.domain):
            tx.respond(make_response(request, code))
            return
        if not accepts(request, package.content_type):
            headers = [("Accept", package.content_type)]
            tx.respond(make_response(request, 406, headers=headers))
            return
        expires_s = self._lasts(tx)
        if expires_s is None:
            return
        if self._switch.stopping or not self._has_room(who):
            tx.respond(make_response(request, 503, headers=_LATER))
            return
        resource = dialled(request).partition(";")[0]
        watch = await package.watch(who.domain, who.employee, resource)
        if isinstance(watch, Denied):
            self._deny(tx, who, event, watch)
            return
        self._begin(tx, who, event, watch, expires_s)

    def _begin(
        self, tx: ServerTransaction, who: Admitted, event: EventType, watch: Watch, expires_s: int
    ) -> None:
        domain, employee = who.domain, who.employee
        subscription = self._switch.stack.subscriptions.open(tx, event, watch, self)
        holder = _Holder(domain.id, employee.login, _password(employee), watch)
        self._holders[subscription] = holder
        self._employees[holder.account] += 1
        self._companies[holder.domain_id] += 1
        watch.changed = subscription.changed
        subscription.renew(tx, expires_s)
        # While it was being let in, the settings may have changed.
        current = self._switch.directory.cached_by_id(domain.id)
        if current is not None and current is not domain:
            self._check(subscription, holder, current)

    async def _admitted(self, tx: ServerTransaction) -> Admitted | None:
        """Return who sends a SUBSCRIBE; None: they have been answered."""
        request = tx.request
        who = await self._admission.employee(request, tx.hop)
        if isinstance(who, Challenged):
            headers = [("WWW-Authenticate", value) for value in who.challenges]
            tx.respond(make_response(request, 401, headers=headers))
            return None
        if isinstance(who, Refused):
            tx.respond(make_response(request, who.code, who.reason or None, headers=who.headers))
            return None
        return who

    def _lasts(self, tx: ServerTransaction) -> int | None:
        """Return how long a subscription is to last, in seconds; None: that was refused."""
        limits = self._limits
        expires_s = wanted_s(tx.request, limits.default_expires_s)
        if 0 < expires_s < limits.min_expires_s:
            headers = [("Min-Expires", str(limits.min_expires_s))]
            tx.respond(make_response(tx.request, 423, headers=headers))
            return None
        return min(expires_s, limits.max_expires_s)

    def _has_room(self, who: Admitted) -> bool:
        limits, account = self._limits, (who.domain.id, who.employee.login)
        if self._employees[account] >= limits.per_employee:
            what = "an employee"
        elif self._companies[who.domain.id] >= limits.per_company:
            what = "a company"
        elif len(self._holders) >= limits.in_all:
            what = "the server"
        else:
            return True
        if self._said.first(f"room {account}"):
            log.warning(
                "a subscription is refused: there are too many",
                of=what,
                domain=who.domain.name,
                login=who.employee.login,
            )
        return False

    def _deny(self, tx: ServerTransaction, who: Admitted, event: EventType, denied: Denied) -> None:
        tx.respond(make_response(tx.request, denied.code, denied.reason or None))
        if self._said.first(f"{denied} {who.domain.id} {who.employee.login}"):
            log.info(
                "a phone may not subscribe",
                to=event.package,
                domain=who.domain.name,
                login=who.employee.login,
                reason=denied.reason,
            )

    # -- a subscription's life ---------------------------------------------------------------------

    def on_subscribe(self, subscription: Subscription, tx: ServerTransaction) -> None:
        """Take a SUBSCRIBE in the dialog of a subscription."""
        if _place(tx.hop) == _place(subscription.dialog.source):
            self._renew(subscription, tx)
        else:
            self._switch.spawn(self._prove(subscription, tx))

    async def _prove(self, subscription: Subscription, tx: ServerTransaction) -> None:
        """Take one that comes from another place than those before."""
        try:
            who = await self._admitted(tx)
            holder = self._holders.get(subscription)
            if who is None:
                return
            if holder is None or holder.account != (who.domain.id, who.employee.login):
                tx.respond(make_response(tx.request, 481))
                return
            self._renew(subscription, tx)
        except Exception:
            log.exception("a subscription failed", source=tx.hop.host)
            tx.respond(make_response(tx.request, 500))

    def _renew(self, subscription: Subscription, tx: ServerTransaction) -> None:
        expires_s = self._lasts(tx)
        if expires_s is not None:
            subscription.renew(tx, expires_s)

    def on_over(self, subscription: Subscription, code: int) -> None:
        """Forget a subscription that is no more."""
        holder = self._holders.pop(subscription, None)
        if holder is None:
            return
        holder.watch.close()
        _uncount(self._employees, holder.account)
        _uncount(self._companies, holder.domain_id)
        if code:
            log.info(
                "a phone takes no notifications any more",
                of=subscription.event.package,
                login=holder.login,
                source=subscription.dialog.source.host,
                code=code,
            )

    # -- what settings do --------------------------------------------------------------------------

    def _settings_changed(self, domain: DomainConfig) -> None:
        if self._companies[domain.id]:
            for subscription, holder in tuple(self._holders.items()):
                if holder.domain_id == domain.id:
                    self._check(subscription, holder, domain)

    def _company_gone(self, domain_id: int) -> None:
        for subscription, holder in tuple(self._holders.items()):
            if holder.domain_id == domain_id:
                subscription.end("noresource")

    @staticmethod
    def _check(subscription: Subscription, holder: _Holder, domain: DomainConfig) -> None:
        employee = domain.employees.get(holder.login)
        if employee is None or not domain.enabled:
            subscription.end("rejected")
        elif _password(employee) != holder.password:
            subscription.end(_CHANGED)
        elif reason := holder.watch.still(domain):
            subscription.end(reason)


def _password(employee: Employee) -> object:
    return employee.ha1_login


def _place(hop: Hop) -> tuple[str, str, int]:
    return hop.transport, hop.host, hop.port


def _uncount(counter: Counter[_Key], key: _Key) -> None:
    counter[key] -= 1
    if not counter[key]:
        del counter[key]
