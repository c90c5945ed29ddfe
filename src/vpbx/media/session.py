"""A media session: two sides, one local port each, sound relayed between them in C.

Who may send to a port, and where RTPProxy sends, is decided here and not by RTPProxy, whose own
way is to follow whoever sends first. In this process every port has a `Gate`: the kernel drops
what does not come from the peer that the SDP describes, and RTPProxy is told where to send (in
its asymmetric mode, in which it learns nothing by itself). An RTPProxy on another machine has to
guard its ports by itself (`Latch`).

Its parts: an `End` is what is known of a side, the `Wire` has the commands, the `Aim` says when
which address is sent, a `Player` plays to a side, the `Recorder` records both, and the `Watch`
looks for digits and silence, the `Meter` measures.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial

import structlog

from .aim import Aim
from .control import NoPort, checked
from .end import End, admission_of
from .equipment import Equipment
from .keypad import Keypad
from .listeners import Address
from .meter import Meter, Part
from .model import MediaError, MediaStats, Recording, RtpPeer, Side
from .overhearing import Overhearing
from .packets import PacketRelay
from .player import Player
from .prompts import PLAYABLE
from .recorder import Recorder
from .splice import Splice
from .watch import OnDigit, OnTimeout, Watch
from .wire import NOWHERE, Wire, packets_heard

log = structlog.get_logger("vpbx.media")

_NO_PORT_S = (0.02, 0.1, None)
"""So long it is waited for a port, until there is none."""


class MediaSession:
    """Made by `MediaEngine.open`. Every method but `close` may raise `MediaError`."""

    def __init__(
        self,
        shared: Equipment,
        callid: str,
        number: int,
        *,
        on_digit: OnDigit | None,
        on_timeout: OnTimeout | None,
        on_closed: Callable[[int], None],
    ) -> None:
        self.callid = callid
        self._shared = shared
        self._number = number
        self._on_closed = on_closed
        self._wire = Wire(shared.proxy, callid, number, guarded=shared.gates is not None)
        self._ends: dict[Side, End] = {}
        self._aim = Aim(self._wire, callid, self._ends, shared)
        self._recorder = Recorder(self._wire, callid, shared.recordings, shared.clock)
        self.watch = Watch(self._wire, self._ends, shared.clock, on_digit, on_timeout)
        """For the engine, which hears what RTPProxy tells and knows when to look."""
        self.meter = Meter(self._wire, self._ends, shared.clock)
        """The same."""

    async def take_ports(self) -> None:
        """Have RTPProxy open both ports, guarded (the engine calls this first)."""
        shared = self._shared
        for pause_s in _NO_PORT_S:  # ports of ended calls are closed while others are opened
            expected = shared.gates.expect() if shared.gates is not None else []
            try:
                ports = await self._wire.take_ports(self._aim.nobody)
                break
            except BaseException as error:
                if shared.gates is not None:
                    shared.gates.give_up(expected)
                if pause_s is None or not isinstance(error, NoPort):
                    raise
                await asyncio.sleep(pause_s)
        self._ends[Side.A] = End(self._aim, Side.A, ports[0], "a b")
        self._ends[Side.B] = End(self._aim, Side.B, ports[1], "b a")
        if shared.gates is None:
            self._aim.begin()
            return
        gates = shared.gates.make({end.port: end for end in self._ends.values()}, expected)
        if not gates:
            self._wire.delete()
            raise MediaError("the media ports cannot be guarded")
        for end in self._ends.values():
            end.gate = gates[end.port]
        self.meter.attend()

    def local(self, side: Side) -> tuple[str, int]:
        """Address and port for the SDP sent to `side`; the same for the session's whole life."""
        return self._shared.local_host, self._ends[side].port

    def source(self, side: Side) -> Address:
        """Where what `side` is sent comes from, for a socket of ours that stands in its place;
        "": from a host that is not known, with an RTPProxy elsewhere."""
        host = self._shared.config.inner_host if self._shared.gates is not None else ""
        return host, self._ends[side].port

    def secure_local(self, side: Side) -> tuple[str, int]:
        """Address and port for the SDP sent to `side` where its packets are to be encrypted."""
        self._check()
        return self._shared.local_host, self._ends[side].channel_of(self._shared.srtp).port

    def browser(self, side: Side) -> tuple[str, str, str, int, int]:
        """Return ufrag, password, address, port and our SSRC for the SDP sent to one browser at
        `side`."""
        self._check()
        ufrag, password, ssrc = secrets.token_hex(8), secrets.token_hex(16), secrets.randbits(32)
        self._ends[side].browser_of(self._shared.srtp).name(ufrag, password, ssrc)
        return ufrag, password, self._shared.local_host, self._shared.srtp.public_port, ssrc

    @property
    def knows_sdes(self) -> bool:
        """Whether packets can be encrypted by our relay: not for an RTPProxy elsewhere."""
        return self._shared.knows_sdes

    @property
    def knows_dtls(self) -> bool:
        """Whether keys can be exchanged by DTLS: our relay does that as well."""
        return self._shared.knows_sdes

    @property
    def fingerprint(self) -> str:
        """SHA-256 of our certificate for DTLS."""
        return self._shared.srtp.fingerprint

    async def set_remote(self, side: Side, peer: RtpPeer, *, anew: bool = False) -> None:
        """Send to `peer` from now on, take what it sends, and catch its digits.

        At any time again (another fork answering, a transfer; `anew`: a re-INVITE, which may
        change what was learned though it says the same). Where the peer is behind a NAT, its
        real source is learned; a host name is looked up meanwhile.
        """
        self._check()
        end = self._ends[side]
        peer, exact = end.inner(peer, self._shared.srtp, self.callid)
        if exact is None and peer.host != NOWHERE[0]:
            self._shared.names.find(peer.host, partial(self._found, end, peer))
        again, end.peer = end.peer is not None, peer
        self.meter.begins(side)
        self.watch.alive()
        if exact is None and end.target is not None:
            pass  # RFC 2543 hold: what was agreed before stays
        elif end.gate is not None:
            end.target = end.gate.admit(admission_of(peer, exact), anew=anew)
        else:
            end.target = exact
            if again:
                self._aim.another_peer(end)
        if end.catcher is not None and peer.digits_come_as is not None:
            end.catcher.payload_type = peer.digits_come_as
        self._listen(end, peer.listens)
        self._aim.take(end)
        if side is Side.B or self._aim.audible:
            await self._aim.tell()

    def _found(self, end: End, named: RtpPeer, host: str) -> None:
        """The name in an SDP has an address."""
        if not self._wire.closed and end.peer == named:
            peer = replace(named, host=host)
            found = self._shared.run(self.set_remote(end.side, peer, anew=True))
            found.add_done_callback(_failure_seen)

    async def attend(self) -> None:
        """Hear both sides from now on, though neither has heard anything yet: their digits."""
        self._check()
        await self._aim.tell()

    def press(self, side: Side, digit: str) -> bool:
        """Let `side` hear a digit by RFC 4733; False when it does not take those."""
        end, other = self._ends[side], self._ends[side.other]
        peer = end.peer
        if self._wire.closed or peer is None or peer.dtmf_payload is None or other.gate is None:
            return False
        if end.keypad is None:
            end.keypad = Keypad(self._shared.clock, other.gate, partial(self._aim.pass_on, other))
        end.keypad.press(digit, peer.dtmf_payload)
        return True

    def overhear(self, side: Side) -> bool:
        """Catch the digits of `side` also while something is played to the other one; meanwhile
        nothing else of what it says is heard or recorded. False: that cannot be."""
        end = self._ends[side]
        comes_as = end.peer.digits_come_as if end.peer is not None else None
        if self._wire.closed or end.gate is None or comes_as is None:
            return False
        self.overhear_no_more(side)
        now = self._shared.clock.now
        catcher = Overhearing(comes_as, lambda digit: self.watch.digit(side, digit, now()), now)
        if end.gate.borrow(catcher.heard):
            end.catcher = catcher
        return end.catcher is not None

    def overhear_no_more(self, side: Side) -> None:
        """Let all that a side says be heard again."""
        end = self._ends[side]
        catcher, end.catcher = end.catcher, None
        if end.gate is not None and catcher is not None:
            end.gate.give_back(catcher.heard)

    async def splice(
        self, side: Side, near: Callable[[bytes], None], far: Callable[[bytes], None]
    ) -> Splice:
        """Stand between a side and RTPProxy until `unsplice`: `near` is given what the side
        sends, `far` what it is to hear. MediaError where that cannot be: RTPProxy is on another
        machine, or somebody stands there."""
        self._check()
        end = self._ends[side]
        if end.gate is None or end.splice is not None:
            raise MediaError("nobody can stand between the two who talk")
        try:
            splice = Splice(end, self.inner_host, near, far)
        except OSError as error:
            raise MediaError(f"no socket to stand between the two: {error}") from error
        if not end.gate.splice(splice.heard, splice.inside):
            splice.free()
            raise MediaError("nobody can stand between the two who talk")
        end.splice = splice
        self._aim.take(end)
        await self._aim.tell()
        return splice

    def takes(self, side: Side) -> tuple[int, ...]:
        """Return the voice payload types that a side takes, the preferred one first."""
        peer = self._ends[side].peer
        return peer.payloads if peer is not None else ()

    @property
    def knows_splices(self) -> bool:
        """Whether somebody can stand between its sides: not with an RTPProxy elsewhere."""
        return self._shared.gates is not None

    @property
    def inner_host(self) -> str:
        """Where RTPProxy in this process is reached from this machine."""
        return self._shared.config.inner_host

    def unsplice(self, side: Side) -> None:
        """Let a side and RTPProxy hear each other again; harmless when they do."""
        end = self._ends[side]
        splice, end.splice = end.splice, None
        if splice is None or end.gate is None:
            return
        end.gate.unsplice()
        if self._wire.closed:
            splice.free()
            return
        # Until it is told, the splice passes on what comes.
        self._aim.tell_anew(end).add_done_callback(lambda _: splice.free())

    def _listen(self, end: End, listens: bool) -> None:
        """Stop what comes from the other side where this one must be sent nothing."""
        other = self._ends[end.side.other].gate
        if other is not None:
            other.mute(not listens)

    async def play(
        self,
        side: Side,
        prompt: str | Sequence[str],
        *,
        repeat: int = 1,
        language: str = "en",
        wait: bool = False,
    ) -> None:
        """Let `side` hear `prompt` instead of the other side; replaces what it hears now.

        `prompt` is the name of a built-in one, or the absolute path (without the ending) of
        a converted upload, or several of these, said in a row. `repeat` 0 means for ever. With
        `wait`, return when it has been played (or stopped). MediaError when there is no such
        prompt, or the side speaks none of the codecs prompts exist in (PCMA, PCMU, G.722).
        """
        self._check()
        end = self._ends[side]
        prompts = self._shared.prompts
        path = await prompts.prepare(prompt, language)
        self._check()
        spoken = end.peer.payloads if end.peer is not None else ()
        codecs = [p for p in spoken if p in PLAYABLE and prompts.size(path, p)]
        if not codecs:
            raise MediaError(f"cannot play {prompt!r}: no codec of {spoken} fits")
        await self._aim.tell()
        if end.player is None:
            end.player = Player(
                self._wire,
                end.tags,
                prompts=prompts,
                clock=self._shared.clock,
                over=self.watch.alive,
            )
        await end.player.play(path, codecs, repeat=repeat, wait=wait)

    async def stop_playing(self, side: Side) -> None:
        """Let `side` hear the other side again; harmless when nothing is played."""
        self._check()
        player = self._ends[side].player
        if player is not None:
            await player.stop()

    def relay_packets(self) -> PacketRelay:
        """Open two ports for what the two sides send each other that is no RTP (T.38). While
        that flows, nobody is silent. To be closed by who asked for it."""
        self._check()
        if self._shared.gates is None:
            raise MediaError("with an RTPProxy elsewhere T.38 is not passed on")
        return PacketRelay(self._shared.config, self.watch.alive)

    async def start_recording(self, name: str = "") -> bool:
        """Begin to record what comes from both sides; False when that is not possible.

        `name` (the session's callid unless given) is what the recording is called, in its
        result and on disk; one of the same name that was stopped is gone on with. Never raises:
        a full disk costs the recording, not the call.
        """
        if self._wire.closed or self._recorder.runs:
            return self._recorder.runs
        ports = self._ends[Side.A].port, self._ends[Side.B].port
        return await self._recorder.start(name, ports, self._aim.tell)

    async def stop_recording(self) -> Recording | None:
        """End the recording; None when nothing was captured.

        All pieces of its name are in the result, also those before an earlier stop.
        """
        return await self._recorder.stop()

    async def stats(self) -> MediaStats:
        """Return how many RTP packets each side has sent so far."""
        self._check()
        query = self._wire.count()
        checked(await query)
        stats = packets_heard(query) or {Side.A: 0, Side.B: 0}
        ours = self._aim.own_packets
        return MediaStats(stats[Side.A] - ours, stats[Side.B] - ours)

    def part(self, side: Side) -> Part:
        """Return what is measured of the sound of `side` since this was asked last: a leg is
        over, another may begin."""
        return self.meter.part(side)

    def parts(self) -> Mapping[Side, Part]:
        """Return the same of both sides."""
        return self.meter.parts()

    async def close(self) -> Recording | None:
        """Free the ports; end a recording that runs and return what it captured, or None.

        Idempotent; never raises.
        """
        if self._wire.closed:
            return None
        self._wire.closed = True
        self._on_closed(self._number)
        self._aim.close()
        for end in self._ends.values():
            end.close()
            if end.gate is not None and self._shared.gates is not None:
                self._shared.gates.release(end.gate)
        written = self._recorder.take()
        try:
            await self._stop_players()
            return await self._recorder.close(written)
        finally:
            for end in self._ends.values():
                if end.gate is not None:
                    end.gate.leave()

    async def _stop_players(self) -> None:
        """Stop what is played, before the session goes.

        When it goes while its player takes a step, the player destroys it, holding the lock that
        this asks for, and RTPProxy hangs (rtp.io 1.1.1). A player may be at its last step after
        the time when it should have been done.
        """
        players = [end.player for end in self._ends.values() if end.player is not None]
        answers = [player.leave() for player in players if player.left]
        for answer in answers:
            with suppress(MediaError):
                await answer

    def _check(self) -> None:
        if self._wire.closed:
            raise MediaError("the media session is closed")


def _failure_seen(done: asyncio.Task[None]) -> None:
    if not done.cancelled() and (error := done.exception()) is not None:
        log.info("a media address that was looked up is not used", error=str(error))
