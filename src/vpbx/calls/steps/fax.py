"""Fax: a machine of ours answers and takes pages, over sound and where both can over T.38.

The call begins in G.711. We offer T.38 (re-INVITE) as soon as a calling fax machine is heard
(CNG); where that is refused sound goes on, unharmed. The other side may offer it at any time,
also instead of sound from the beginning, and may go back to sound.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import structlog

from vpbx.calls import t38
from vpbx.calls.call import Call
from vpbx.calls.inbox import Event
from vpbx.calls.leg import Leg, Offered, Reanswered
from vpbx.calls.outcome import Outcome, Over, Result
from vpbx.directory.goals import ToFax
from vpbx.events import Destination
from vpbx.frozen import dataclass
from vpbx.media import (
    FaxHeard,
    FaxLost,
    FaxMachine,
    FaxNews,
    FaxPages,
    FaxParted,
    MediaError,
    NoFax,
    PacketPeer,
)
from vpbx.sip import AudioCodec
from vpbx.story import FAX
from vpbx.tasks import to_its_end

__all__ = ["fax"]

log = structlog.get_logger("vpbx.calls")

LONGEST_S = 3600.0
_LAWS = {"PCMU": 0, "PCMA": 8}
_G711 = (AudioCodec("PCMA", 8), AudioCodec("PCMU", 0))


@dataclass(frozen=True, slots=True)
class _News(Event):
    """The machine tells something."""

    told: FaxNews


async def fax(call: Call, goal: ToFax) -> Outcome:
    """Take a fax of the guest for the employee of the goal."""
    if call.switch.records is None:
        return Over(Result.NOT_ACCEPTABLE)
    ident = f"+{call.info.diversion}" if call.info.diversion else ""

    def news(told: FaxNews) -> None:
        call.inbox.put(_News(told))

    try:
        machine = await call.switch.media.fax.open(
            call.info.callid, ident, news, owner=call.info.domain
        )
    except NoFax as error:
        if error.missing:  # said once, there
            return Over(Result.NOT_ACCEPTABLE)
        log.warning("a fax was not received", callid=call.info.callid, reason=str(error))
        return Over(Result.BUSY)  # which makes the machine call again
    receiving = _Receiving(call, machine)
    try:
        return await receiving.run()
    finally:  # also when the guest has hung up, which is how most faxes end
        await to_its_end(receiving.keep())


class _Receiving:
    """A fax that comes in."""

    def __init__(self, call: Call, machine: FaxMachine) -> None:
        assert call.guest is not None
        self._call = call
        self._guest: Leg = call.guest
        self._machine = machine
        self._since = call.journal.now()
        self._offered = False
        """Whether we have offered T.38."""
        self._in_sound = False
        self._whole = False

    async def run(self) -> Over:
        """Answer, and serve the machine until it has parted from the other one."""
        call = self._call
        if (
            self._guest.waiting
            and self._guest.sound.peer is None
            and self._guest.session.remote_sdp
        ):
            peer = t38.peer_of(self._guest.session.remote_sdp)
            if peer is None:
                return Over(Result.NOT_ACCEPTABLE)
            self._guest.session.accept(self._answer(self._guest.session.remote_sdp))
            self._to_packets(peer)
        elif not await self._answer_in_sound():
            return Over(Result.NOT_ACCEPTABLE)
        self._since = call.journal.now()
        longest = call.remind(LONGEST_S)
        try:
            while True:
                event = await call.next(descriptions=True)
                match event:
                    case _News(told=FaxParted(ok=ok, reason=reason)):
                        self._whole = ok
                        if not ok:
                            log.info("a fax failed", callid=call.info.callid, reason=reason)
                        return Over()
                    case _News(told=FaxLost()):
                        log.error("the fax process has ended", callid=call.info.callid)
                        return Over(Result.FAILED)
                    case _ if longest.means(event):
                        return Over()
                    case _:
                        await self._go_on(event)
        finally:
            longest.cancel()

    async def _go_on(self, event: Event) -> None:
        call, guest = self._call, self._guest
        match event:
            case _News(told=FaxPages()):
                self._take()
            case _News(told=FaxHeard()):
                if self._in_sound and not self._offered and not self._encrypted:
                    self._offer()
            case Offered(leg=leg, sdp=None) if leg is guest and not self._in_sound:
                leg.session.answer(self._describe())
            case Offered(leg=leg, sdp=sdp) if leg is guest:
                peer = t38.peer_of(sdp)
                if sdp is not None and peer is not None:
                    leg.session.answer(self._answer(sdp))
                    self._to_packets(peer)
                else:
                    await call.bridge.renegotiate(leg, sdp)
                    if t38.peer_of(leg.session.local_sdp) is None:
                        await self._back_to_sound()
            case Reanswered(leg=leg, code=code, sdp=sdp) if leg is guest:
                peer = t38.peer_of(sdp) if 200 <= code < 300 else None
                if peer is not None:
                    self._to_packets(peer)
                elif self._offered and 200 <= code < 300 and sdp is not None:
                    # It has taken nothing of our offer: sound is what both can do.
                    leg.offer(_G711)

    async def _answer_in_sound(self) -> bool:
        """Answer in G.711, and let the machine speak through the call's media; False: the guest
        speaks no G.711."""
        call, guest = self._call, self._guest
        heard = tuple(codec for codec in guest.sound.codecs if codec.name in _LAWS)
        if guest.sound.codecs and not heard:
            return False
        plain = call.bridge.sound(guest.side)
        plain.codecs = heard or _G711
        await call.pick_up(plain)
        if guest.sound.voice is None or guest.sound.voice.name not in _LAWS:
            guest.offer(_G711)
        await self._back_to_sound()
        return True

    async def _back_to_sound(self) -> None:
        """Let the machine speak in sound, unless it does."""
        call, guest = self._call, self._guest
        peer, voice = guest.sound.peer, guest.sound.voice
        if self._in_sound or peer is None or call.bridge.session is None:
            return
        both = (*guest.sound.codecs, *guest.sound.told)
        laws = {codec.payload: _LAWS[codec.name] for codec in both if codec.name in _LAWS}
        payload = voice.payload if voice is not None and voice.payload in laws else 8
        _, port = call.bridge.session.local(guest.side.other)
        own = self._machine.hear_sound(port, {8: 8, 0: 0, **laws}, payload)
        await call.bridge.point(
            guest.side.other, replace(own, payloads=peer.payloads, dtmf_payload=peer.dtmf_payload)
        )
        self._in_sound = True

    @property
    def _encrypted(self) -> bool:
        """Whether the guest's sound is encrypted: T.38 is not, so we do not ask for it."""
        peer = self._guest.sound.peer
        return peer is not None and (peer.srtp is not None or peer.dtls is not None)

    def _offer(self) -> None:
        """Offer T.38 to a machine that was heard in sound."""
        self._offered = True
        try:
            described = self._describe()
        except MediaError as error:
            log.warning("T.38 is not offered", callid=self._call.info.callid, error=str(error))
        else:
            self._guest.session.reinvite(described)

    def _describe(self) -> str:
        guest = self._guest
        return t38.offer(guest.session.local_sdp, guest.sound.origin(), *self._address())

    def _answer(self, offered: str) -> str:
        return t38.answer(offered, self._guest.sound.origin(), *self._address())

    def _address(self) -> tuple[str, int]:
        return self._call.switch.media.local_host, self._machine.packet_port()

    def _to_packets(self, peer: PacketPeer) -> None:
        source = self._guest.sound.source
        signalled, behind_nat = source(peer.host) if source is not None else ("", False)
        self._machine.hear_packets(replace(peer, behind=signalled if behind_nat else ""))
        self._in_sound = False

    def _take(self) -> None:
        """The first page is here: the call is a success."""
        if self._call.journal.answered_at is None:
            self._call.journal.take(Destination.USER, account=FAX, since=self._since)

    async def keep(self) -> None:
        """Make a PDF of what has arrived, and say so; what cannot be made one stays on the disk."""
        call, machine = self._call, self._machine
        assert call.switch.records is not None
        known = machine.pages
        try:
            pages = await machine.end(self._target())
        except MediaError as error:
            if not known:
                self._clear()
                return
            try:
                pages = await self._rescue()
            except MediaError:
                log.error(
                    "a fax could not be made a PDF, its pages are kept",
                    callid=call.info.callid,
                    files=self._set_aside(),
                    error=str(error),
                )
                return
        if pages:
            self._take()
            name = call.shown.name
            call.journal.receive_fax(call.info.client, name, pages, whole=self._whole)

    @property
    def _found(self) -> list[Path]:
        files = self._machine.files
        return sorted(files.parent.glob(f"{files.name}.*.tif"))

    async def _rescue(self) -> int:
        return await self._call.switch.media.fax.rescue(self._found, self._target())

    def _set_aside(self) -> list[str]:
        """Give what has arrived a name that nothing of ours looks for; return the files."""
        return [str(file.rename(file.with_suffix(".tiff"))) for file in self._found]

    def _clear(self) -> None:
        """Nothing of what lies there has the sender been told of."""
        for file in self._found:
            file.unlink(missing_ok=True)

    def _target(self) -> Path:
        assert self._call.switch.records is not None
        return self._call.switch.records.path(self._call.info).with_suffix(".pdf")
