"""Calls: the media engine, the calls themselves, SIP, and connected PBXs."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Any

from vpbx.accounts import Accounts, Audit
from vpbx.acting import Actor, acting, actor
from vpbx.app import ports
from vpbx.app.certificate import fingerprints, outside_address
from vpbx.app.control import Question
from vpbx.app.fault import PortTaken, StartError
from vpbx.app.ground import NODE, Ground
from vpbx.app.recorders import Recorders
from vpbx.app.sip_metrics import defence
from vpbx.app.sip_trace import PcapFile, SipTrace
from vpbx.branches import BranchLinks
from vpbx.calls import CallsConfig, CallService, Parts
from vpbx.events import CallInfo
from vpbx.media import MediaConfig, MediaEngine, MediaError, RecordingWorker
from vpbx.sip import BudgetLimits, Hop, Listen, SipStack, StackConfig, WithoutQop

__all__ = ["Telephony"]

_ANY = ("0.0.0.0", "::")  # noqa: S104
_GOODBYE_S = 1.5
"""For phones and carriers to answer our BYE."""


class Telephony:
    """What makes calls; `tls` is for phones and carriers that come over TLS."""

    def __init__(
        self,
        ground: Ground,
        told: Recorders,
        accounts: Accounts,
        audit: Audit,
        tls: ssl.SSLContext,
    ) -> None:
        self._ground = ground
        self._told = told
        self._accounts = accounts
        self._audit = audit
        self._tls = tls
        self.worker = RecordingWorker()

    async def start_media(self) -> None:
        """Start the media engine and what makes MP3s."""
        ground = self._ground
        config, data = ground.config, ground.data
        host = config.sip.host if config.sip else config.sip_tls.host  # type: ignore[union-attr]
        advertise = config.advertise or (outside_address() if host in _ANY else "")
        self.media = MediaEngine(
            MediaConfig(
                spool_dir=data.spool,
                record_dir=data.recorded,
                prompts_dir=data.prompts,
                listen_host=host,
                advertise=advertise,
                port_min=config.rtp.first,
                port_max=config.rtp.last,
                remote=config.media or None,
                webrtc_port=None if config.media else config.webrtc_port,
            ),
            clock=ground.clock,
        )
        try:
            await self.media.start()
        except (MediaError, OSError) as error:
            raise StartError(
                f"The media engine does not start: {error}. "
                "Try another range with --rtp-ports A-B; `vpbx doctor` looks closer."
            ) from error
        ground.life.later(self.media.stop, 0.7)
        ground.life.later(self.worker.stop, 1)

    async def start(self) -> None:
        """Take calls; `start_media` comes first."""
        ground, told = self._ground, self._told
        config = ground.config
        calls_config = CallsConfig(
            secret=ground.data.secret("digest nonces"),
            uploads=ground.data.media,
            node=NODE,
            without_qop=WithoutQop(config.digest_without_qop),
            after_callid=await told.history.last_callid(),
            max_makecalls=config.makecalls_per_employee,
        )
        parts = Parts(
            directory=ground.directory,
            media=self.media,
            events=told.events,
            contact=told.contact,
            records=_Records(ground.recording_path),
            encoder=self.worker,
            mailbox=told.mailbox,
            last_talks=told.history.last_talks,
            clock=ground.clock,
        )
        self.calls = CallService(calls_config, parts)
        self._follow_accounts()
        await self._start_sip()
        await self.calls.start()
        self._connect_branches()

    def _follow_accounts(self) -> None:
        """End what a session of the console may do in calls when it ends; note who listens."""
        calls, accounts = self.calls, self._accounts
        calls.supervisors.told = self._note_supervision
        passes = calls.passes
        accounts.on_ended(lambda session_id: passes.withdraw(str(session_id)))
        accounts.watch.also(lambda: {int(each) for each in passes.sessions()})
        self._ground.life.spawn(accounts.watch.run())

    async def _start_sip(self) -> None:
        config, calls = self._ground.config, self.calls
        listens = []
        if config.sip:
            listens += [Listen(kind, config.sip.host, config.sip.port) for kind in ("udp", "tcp")]
        if config.sip_tls:
            listens.append(Listen("tls", config.sip_tls.host, config.sip_tls.port, self._tls))
        self.stack = SipStack(
            StackConfig(
                listens=tuple(listens),
                advertise=config.advertise,
                budgets=BudgetLimits(),
                connections_per_source=config.sip_connections,
                tap=self._trace_sip(),
            ),
            calls,
            clock=self._ground.clock,
        )
        calls.attach(self.stack)
        calls.connections.failed = self._told.registration_failed
        self._told.boxes.changed = calls.mailbox_changed
        try:
            await self.stack.start()
        except OSError as error:
            kind = PortTaken if ports.in_use(error) else StartError
            raise kind(f"SIP cannot listen: {error}. See `vpbx doctor`.") from error
        self._ground.life.later(self._hang_up, 2 * _GOODBYE_S)

    def _connect_branches(self) -> None:
        ground = self._ground
        self.branches = BranchLinks(
            ground.directory,
            ground.clock,
            self.calls.connections.branch_secrets,
            self.sip_told,
            self._certificates_shown,
        )
        self.branches.start()
        ground.life.later(self.branches.stop, 0.3)

    def _trace_sip(self) -> Callable[[bool, bytes, Hop], None]:
        """Keep what goes over the wire, for who asks for it later or now."""
        config, file = self._ground.config, None
        if config.log_sip is not None:
            file = PcapFile(config.log_sip, lambda peer: self.stack.layer.local_address(peer))
            self._ground.life.on_end(file.close)
        self.trace = SipTrace(
            lambda callid: any(call.info.callid == callid for call in self.calls.active()),
            to_log=config.log_level == "debug",
            file=file,
        )
        self.calls.trace(self.trace.leg)
        return self.trace.message

    async def _hang_up(self) -> None:
        await self.calls.stop(_GOODBYE_S)
        await self.stack.stop(_GOODBYE_S)

    def _certificates_shown(self, domain: str) -> frozenset[str]:
        return fingerprints(self._ground.config, domain)

    def sip_told(self) -> str:
        """Say where this server takes calls, for connected PBXs: SIP URIs with spaces."""
        config, told = self._ground.config, []
        for scheme, endpoint in (("sips", config.sip_tls), ("sip", config.sip)):
            if endpoint is not None:
                own = outside_address() if endpoint.host in _ANY else endpoint.host
                host = config.advertise or own
                host = f"[{host}]" if ":" in host else host
                told.append(f"{scheme}:{host}:{endpoint.port}")
        return " ".join(told)

    async def _note_supervision(self, domain_id: int, login: str, what: str) -> None:
        """Write into the log of changes who listens to whom; who presses a key acts by phone."""
        with acting(actor() or Actor(login, "phone")):
            await self._audit.note(domain_id, "listening to calls", "", what)

    async def defence(self, question: Question) -> dict[str, Any]:
        """Tell `vpbx doctor` what was turned away."""
        return defence(self.stack, self.calls)


class _Records:
    """`vpbx.calls.RecordingPlan`: where MP3s are kept."""

    def __init__(self, path: Callable[[CallInfo], Path]) -> None:
        self.path = path
