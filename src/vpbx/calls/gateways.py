"""Trunks that register here: a gateway with telephone lines, or a PBX behind NAT.

It proves its password by digest (RFC 7616) when it registers and on each of its calls. Where it
is, is kept over a restart; calls to the outside go there while the registration lasts.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import structlog

from vpbx.clock import Clock
from vpbx.directory import Directory, Trunk, TrunkMode
from vpbx.frozen import dataclass
from vpbx.sip import (
    Authenticator,
    AuthResult,
    Binding,
    Ha1,
    Hop,
    Proof,
    RegistrarLimits,
    Request,
    ServerTransaction,
    SipStack,
    Throttle,
    ha1,
    make_response,
    network_of,
    register,
)

__all__ = ["Gateways"]

log = structlog.get_logger("vpbx.calls")

REALM = "vpbx"
_LONGEST_S = 3600.0
"""No registration lasts longer (`RegistrarLimits`), whatever the clock was set to since."""
_CLOCK_SET_S = 1.0
"""From how much on the clock counts as set."""


@dataclass(frozen=True, slots=True)
class _Here:
    """A gateway that is registered: where calls go, and where its own come from."""

    binding: Binding
    source: Hop


class Gateways:
    """All trunks of mode `accept`."""

    def __init__(
        self, directory: Directory, clock: Clock, secret: bytes, throttle: Throttle | None = None
    ) -> None:
        self._directory = directory
        self._clock = clock
        self._authenticator = Authenticator(secret, clock=clock)
        self._throttle = throttle or Throttle(clock)
        self._here: dict[int, _Here] = {}
        self._behind_s = clock.time() - clock.now()
        """How far the monotonic clock is behind that by which they were stored."""

    async def load(self) -> None:
        """Take up what was registered before a restart."""
        for trunk_id, text in (await self._directory.trunk_rules.contacts()).items():
            try:
                kept = json.loads(text)
                binding = {**kept["binding"], "path": tuple(kept["binding"]["path"])}
                binding["hop"] = Hop(**binding["hop"])
                left_s = min(binding["expires_at"] - self._clock.time(), _LONGEST_S)
                binding["expires_at"] = self._clock.now() + left_s
                self._here[trunk_id] = _Here(Binding(**binding), Hop(**kept["source"]))
            except (ValueError, TypeError, KeyError):
                log.warning("where a gateway was is not known any more", trunk_id=trunk_id)

    # -- what calls ask ---------------------------------------------------------------------------

    def hops(self, trunk: Trunk) -> tuple[Hop, ...]:
        """Return where a gateway is now; nothing when it is not registered."""
        here = self._at(trunk)
        return (here.binding.hop,) if here is not None else ()

    def route(self, trunk: Trunk) -> tuple[str, ...]:
        """Return the Path it registered by."""
        here = self._at(trunk)
        return here.binding.path if here is not None else ()

    def source(self, hop: Hop) -> Trunk | None:
        """Return the gateway whose place this is: it has to prove itself, see `proves`."""
        if not self._here:
            return None
        for trunk in self._all():
            here = self._at(trunk)
            if here is not None and _same(here.source, hop):
                return trunk
        return None

    def named(self, request: Request) -> Trunk | None:
        """Return the gateway a REGISTER is of, by the user part of To."""
        try:
            user = request.to_address.uri.user or ""
        except ValueError:
            return None
        return next((trunk for trunk in self._all() if trunk.username == user), None)

    def proves(self, trunk: Trunk, request: Request, hop: Hop, stack: SipStack) -> list[str]:
        """Check a gateway's credentials; return the challenges to answer with, none if right.

        Wrong ones are counted by source; one with too many is not looked at for a while.
        """
        source, account = network_of(hop.host), f"gateway {trunk.id}"
        stale = False
        if not self._throttle.shut_out(hop, account):
            verdict = self._authenticator.verify(
                request, REALM, lambda user: self._ha1(trunk, user), source
            )
            if verdict.ok:
                stack.layer.proved(hop, account)
                return []
            if verdict.result is AuthResult.WRONG:
                self._throttle.failed(hop, account, login=trunk.username, domain=REALM)
            stale = verdict.result is AuthResult.STALE
        return self._authenticator.challenges(REALM, source=source, stale=stale)

    def asks(self, request: Request, hop: Hop) -> list[str]:
        """Return the challenges for a request that answers none which was sent to its source;
        none when it does, rightly or not."""
        source = network_of(hop.host)
        proof, _ = self._authenticator.proof(request, REALM, source)
        if proof is Proof.PROVED:
            return []
        return self._authenticator.challenges(REALM, source=source, stale=proof is Proof.UNPROVED)

    # -- registering ------------------------------------------------------------------------------

    async def register(
        self, trunk: Trunk, tx: ServerTransaction, stack: SipStack, limits: RegistrarLimits
    ) -> None:
        """Answer a gateway's REGISTER. The newest Contact is the one that counts."""
        request = tx.request
        if challenges := self.proves(trunk, request, tx.hop, stack):
            headers = [("WWW-Authenticate", value) for value in challenges]
            tx.respond(make_response(request, 401, headers=headers))
            return
        before = self._at(trunk)
        result = register(
            (before.binding,) if before is not None else (),
            request,
            tx.hop,
            now=self._clock.now(),
            date=self._clock.time(),
            limits=limits,
        )
        if result.changed:
            newest = result.added[-1] if result.added else None
            await self._keep(trunk, _Here(newest, tx.hop) if newest is not None else None)
            if (before is None) != (newest is None):
                log.info(
                    "a gateway registered" if newest is not None else "a gateway left",
                    trunk=trunk.name,
                    source=tx.hop.host,
                )
        tx.respond(make_response(request, result.code, headers=result.headers))

    async def _keep(self, trunk: Trunk, here: _Here | None) -> None:
        """Durable first, then told: after the 200 a restart must know it."""
        text = self._stored(here) if here is not None else ""
        await self._directory.trunk_rules.keep_contact(trunk, text)
        if here is None:
            self._here.pop(trunk.id, None)
        else:
            self._here[trunk.id] = here

    async def follow_clock(self) -> None:
        """If the clock was set, store by the new time until when each is registered."""
        behind_s = self._clock.time() - self._clock.now()
        if abs(behind_s - self._behind_s) < _CLOCK_SET_S:
            return
        try:
            for trunk in self._all():
                if (here := self._at(trunk)) is not None:
                    await self._directory.trunk_rules.keep_contact(trunk, self._stored(here))
        except Exception as error:  # the database is away: the next time then
            log.debug("where gateways are cannot be stored", error=repr(error))
        else:
            self._behind_s = behind_s

    def _stored(self, here: _Here) -> str:
        """Write where a gateway is; until when, by the time of day."""
        until = here.binding.expires_at + self._clock.time() - self._clock.now()
        return json.dumps(asdict(replace(here, binding=replace(here.binding, expires_at=until))))

    def _all(self) -> list[Trunk]:
        accepted = TrunkMode.ACCEPT
        return [t for t in self._directory.trunks() if t.mode is accepted and t.enabled]

    def _at(self, trunk: Trunk) -> _Here | None:
        here = self._here.get(trunk.id)
        alive = here is not None and here.binding.expires_at > self._clock.now()
        return here if alive else None

    def _ha1(self, trunk: Trunk, username: str) -> Ha1 | None:
        if username not in (trunk.username, trunk.auth_name or trunk.username):
            return None
        try:
            return ha1(username, REALM, self._directory.trunk_rules.password(trunk))
        except ValueError:
            return None


def _same(kept: Hop, hop: Hop) -> bool:
    if (kept.transport, kept.host) != (hop.transport, hop.host):
        return False
    if hop.transport == "udp":
        return kept.port == hop.port
    return kept.connection == hop.connection
