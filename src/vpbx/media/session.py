"""A media session: two sides, one local port each, sound relayed between them in C.

Who may send to a port, and where RTPProxy sends, is decided here and not by RTPProxy, whose own
way is to follow whoever sends first. In this process every port has a `Gate`: the kernel drops
what does not come from the peer that the SDP describes, and RTPProxy is told where to send (in
its asymmetric mode, in which it learns nothing by itself).

An RTPProxy on another machine (`--media`) has to guard its ports by itself. It sends to the
address given by U/L until a packet comes from elsewhere; then it sends there, "latched", and
accepts another source only within ten seconds after the next U/L. But a packet that comes while
it is not latched yet, and is none of RTP, or comes while no address is known, latches for good.
So there each port is first latched to a socket of our own that never reads, by one packet from
it (which is caught and passed to nobody); what comes before `set_remote` is dropped, what comes
after is learned, and the address is set again until the side is heard.

The commands themselves cost little; waking RTPProxy's thread for one and ours for the answer
costs as much as all of them. So the address of one side is not sent before something is to be
heard there, then without waiting for the answer, together with what follows.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from math import inf
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from . import kernel
from .control import NoPort, checked
from .end import NOWHERE, End, admission_of, codecs_taken, note_baseline, numeric, packets_heard
from .gate import Gate
from .keypad import Keypad
from .listeners import Address
from .model import MediaError, MediaStats, Recording, RtpPeer, Side
from .overhearing import Overhearing
from .prompts import BYTES_PER_S, PLAYABLE
from .sink import GUARD_PAYLOAD
from .splice import Splice
from .srtp import BrowserChannel, SrtpChannel

if TYPE_CHECKING:
    from vpbx.clock import Timer

    from .engine import MediaEngine

log = structlog.get_logger("vpbx.media")

_GUARD_LOOKS, _GUARD_REPEAT = 300, 100
_SETTLE_S = 0.25
"""After this RTPProxy in this process has seen what came to its ports: it takes 1 to 5 ms."""
_RELEARN_S = 8.0
"""A little less than RTPProxy's window for a new source."""
_HEARD_PACKETS = 50
"""In that time: a second of speech, more than what a scanner sends."""
_DIGITS_PER_S = 50
_NO_PORT_S = (0.02, 0.1, None)
"""So long it is waited for a port, until there is none."""
_PCAP_HEADER = 24


class MediaSession:
    """Made by `MediaEngine.open`. Every method but `close` may raise `MediaError`."""

    def __init__(
        self,
        engine: MediaEngine,
        callid: str,
        number: int,
        on_digit: Callable[[Side, str], None] | None,
        on_timeout: Callable[[], None] | None,
    ) -> None:
        self.callid = callid
        self._engine = engine
        self._id = f"{callid}.{number}"
        self._number = number
        self._on_digit = on_digit
        self._on_timeout = on_timeout
        self._ends: dict[Side, End] = {}
        self._closed = False
        self._relearn_timer: Timer | None = None
        self._recording: str | None = None
        """The file that is written now."""
        self._name = callid
        self._pieces: dict[str, list[Path]] = {}
        """Of each recording, by its name, the files written so far."""
        self._digit_second = 0
        self._digits_in_second = 0
        self._packets = 0
        self._alive_at = engine.clock.now()
        self._guarded = False
        self._confirm_until = 0.0
        self._audible = False

    async def _open(self) -> None:
        engine = self._engine
        for pause_s in _NO_PORT_S:  # ports of ended calls are closed while others are opened
            expected = engine.gates.expect() if engine.gates is not None else []
            try:
                port_a, port_b = await self._take_ports()
                break
            except BaseException as error:
                if engine.gates is not None:
                    engine.gates.give_up(expected)
                if pause_s is None or not isinstance(error, NoPort):
                    raise
                await asyncio.sleep(pause_s)
        self._ends = {
            Side.A: End(self, Side.A, port_a, "a b"),
            Side.B: End(self, Side.B, port_b, "b a"),
        }
        if engine.gates is not None:
            gates = engine.gates.make({end.port: end for end in self._ends.values()}, expected)
            if not gates:
                engine.proxy.send(f"D {self._id} a b")
                raise MediaError("the media ports cannot be guarded")
            for end in self._ends.values():
                end.gate = gates[end.port]
        elif engine.sink is not None:
            engine.sink.latch(port_a, port_b)
            self._guarded = True
            here = engine.config.remote is None
            self._confirm_until = engine.clock.now() + _SETTLE_S if here else inf

    async def _take_ports(self) -> tuple[int, int]:
        send, sink = self._engine.proxy.send, self._engine.sink
        host, port = sink.address if sink else NOWHERE
        # "U" names the port the called side sends to, "L" the one of the calling side.
        update = send(self._address(Side.A, host, port, None, new=True))
        lookup = send(self._address(Side.B, host, port, None))
        try:
            # The last answer first: over a stream the others are then there already.
            port_a = int(checked(await lookup).split(None, 1)[0])
            port_b = int(checked(await update).split(None, 1)[0])
        except BaseException:
            update.cancel()
            send(f"D {self._id} a b")
            raise
        return port_a, port_b

    async def _confirm(self) -> None:
        """Wait until RTPProxy has seen the guarding packets; usually it has, long ago."""
        if self._engine.clock.now() >= self._confirm_until:
            return
        assert self._engine.sink is not None
        for attempt in range(1, _GUARD_LOOKS):
            query = self._query()
            checked(await query)
            stats = packets_heard(query)
            if stats is not None and min(stats.values()) > 0:
                break
            if attempt % _GUARD_REPEAT == 0:
                self._engine.sink.latch(*(end.port for end in self._ends.values()))
            await asyncio.sleep(0.001)
        else:
            self._guarded = False
            log.warning("a media port could not be guarded", callid=self.callid)
        self._confirm_until = 0.0

    def local(self, side: Side) -> tuple[str, int]:
        """Address and port for the SDP sent to `side`; the same for the session's whole life."""
        return self._engine.local_host, self._ends[side].port

    def source(self, side: Side) -> Address:
        """Where what `side` is sent comes from, for a socket of ours that stands in its place;
        "": from a host that is not known, with an RTPProxy elsewhere."""
        host = self._engine.config.inner_host if self._engine.gates is not None else ""
        return host, self._ends[side].port

    def secure_local(self, side: Side) -> tuple[str, int]:
        """Address and port for the SDP sent to `side` where its packets are to be encrypted."""
        self._check()
        return self._engine.local_host, self._channel(self._ends[side]).port

    def browser(self, side: Side) -> tuple[str, str, str, int]:
        """Return ufrag, password, address and port for the SDP sent to one browser at `side`."""
        self._check()
        ufrag, password = secrets.token_hex(8), secrets.token_hex(16)
        self._browser(self._ends[side]).name(ufrag, password)
        return ufrag, password, self._engine.local_host, self._engine.srtp.public_port

    @property
    def knows_sdes(self) -> bool:
        """Whether packets can be encrypted by our relay: not for an RTPProxy elsewhere."""
        return self._engine.knows_sdes

    @property
    def knows_dtls(self) -> bool:
        """Whether keys can be exchanged by DTLS: by RTPProxy in this process, not elsewhere."""
        return bool(self._engine.fingerprint)

    @property
    def fingerprint(self) -> str:
        """SHA-256 of our certificate for DTLS; MediaError where there is no DTLS."""
        if not self._engine.fingerprint:
            raise MediaError("this media engine knows no DTLS")
        return self._engine.fingerprint

    def _browser(self, end: End) -> BrowserChannel:
        if end.browser is None:
            end.browser = self._engine.srtp.open_browser(end.port)
        return end.browser

    def _channel(self, end: End) -> SrtpChannel:
        if end.channel is None:
            end.channel = self._engine.srtp.open(end.port)
        return end.channel

    def _address(
        self, side: Side, host: str, port: int, peer: RtpPeer | None, *, new: bool = False
    ) -> str:
        """Return the command that tells RTPProxy the address of a side."""
        spec, number = self._engine.proxy.notify_spec, self._number
        codecs = codecs_taken(peer.payloads, peer.dtmf_payload) if peer is not None else ""
        if self._engine.gates is not None:
            codecs = "a" + codecs
        tags = "a" if new else "a b"
        if side is Side.B:
            command = f"L{codecs} {self._id} {host} {port:d} {tags}"
        elif spec:
            command = f"U{codecs} {self._id} {host} {port:d} {tags} {spec} T{number}"
        else:
            command = f"U{codecs} {self._id} {host} {port:d} {tags}"
        if not spec:
            return command
        dtmf = peer.digits_come_as if peer is not None else None
        if dtmf is not None:
            hidden = " h" if peer is not None and peer.digits_hidden else ""
            return f"{command} && M3:1 D{number} {dtmf:d}{hidden}"
        # The guarding packet is caught as if it were a digit ("h": and kept from the other side).
        return f"{command} && M3:1 D{number} {GUARD_PAYLOAD} h"

    async def set_remote(self, side: Side, peer: RtpPeer, *, anew: bool = False) -> None:
        """Send to `peer` from now on, take what it sends, and catch its digits.

        At any time again (another fork answering, a transfer; `anew`: a re-INVITE, which may
        change what was learned though it says the same). Where the peer is behind a NAT, its
        real source is learned; a host name is looked up meanwhile.
        """
        self._check()
        end = self._ends[side]
        exact = numeric(peer)
        if peer.srtp is not None or peer.relayed:
            channel = self._channel(end)
            if peer.srtp is not None:
                channel.use(peer.srtp, exact)
            else:
                channel.pass_plain(exact, admission_of(peer, exact).behind)
            peer = replace(
                peer, host=channel.inside[0], port=channel.inside[1], signalled="", behind_nat=False
            )
            exact = channel.inside
        elif peer.dtls is not None and peer.dtls.ufrag:
            browser = self._browser(end)
            browser.answered(peer.dtls.ufrag)
            exact = browser.inside
            peer = replace(peer, host=exact[0], port=exact[1], behind_nat=False)
        if exact is None and peer.host != NOWHERE[0]:
            self._engine.names.find(peer.host, partial(self._found, end, peer))
        again, end.peer = end.peer is not None, peer
        self._alive_at = self._engine.clock.now()
        if exact is None and end.target is not None:
            pass  # RFC 2543 hold: what was agreed before stays
        elif end.gate is not None:
            end.target = end.gate.admit(admission_of(peer, exact), anew=anew)
        else:
            end.target = exact
            if again:
                self._query().add_done_callback(lambda done: note_baseline(done, side, end))
        if end.catcher is not None and peer.digits_come_as is not None:
            end.catcher.payload_type = peer.digits_come_as
        self._listen(end, peer.listens)
        self._aim(end)
        if side is Side.B or self._audible or peer.dtls is not None:
            await self._tell()

    def _found(self, end: End, named: RtpPeer, host: str) -> None:
        """The name in an SDP has an address."""
        if not self._closed and end.peer == named:
            peer = replace(named, host=host)
            found = self._engine.run(self.set_remote(end.side, peer, anew=True))
            found.add_done_callback(_failure_seen)

    async def attend(self) -> None:
        """Hear both sides from now on, though neither has heard anything yet: their digits."""
        self._check()
        await self._tell()

    def press(self, side: Side, digit: str) -> bool:
        """Let `side` hear a digit by RFC 4733; False when it does not take those."""
        end, other = self._ends[side], self._ends[side.other]
        peer = end.peer
        if self._closed or peer is None or peer.dtmf_payload is None or other.gate is None:
            return False
        if peer.dtls is not None:
            return False
        if end.keypad is None:
            end.keypad = Keypad(self._engine.clock, other.gate, partial(self.pass_on, other))
        end.keypad.press(digit, peer.dtmf_payload)
        return True

    def overhear(self, side: Side) -> bool:
        """Catch the digits of `side` also while something is played to the other one; meanwhile
        nothing else of what it says is heard or recorded. False: that cannot be."""
        end = self._ends[side]
        comes_as = end.peer.digits_come_as if end.peer is not None else None
        if self._closed or end.gate is None or comes_as is None:
            return False
        self.overhear_no_more(side)
        now = self._engine.clock.now
        catcher = Overhearing(comes_as, lambda digit: self.digit(side, digit, now()), now)
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
        sends, `far` what it is to hear. MediaError where that cannot be: its packets are
        encrypted by DTLS, or RTPProxy is on another machine."""
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
        self._aim(end)
        await self._tell()
        return splice

    def takes(self, side: Side) -> tuple[int, ...]:
        """Return the voice payload types that a side takes, the preferred one first."""
        peer = self._ends[side].peer
        return peer.payloads if peer is not None else ()

    @property
    def knows_splices(self) -> bool:
        """Whether somebody can stand between its sides: not with an RTPProxy elsewhere."""
        return self._engine.gates is not None

    @property
    def inner_host(self) -> str:
        """Where RTPProxy in this process is reached from this machine."""
        return self._engine.config.inner_host

    def unsplice(self, side: Side) -> None:
        """Let a side and RTPProxy hear each other again; harmless when they do."""
        end = self._ends[side]
        splice, end.splice = end.splice, None
        if splice is None or end.gate is None:
            return
        end.gate.unsplice()
        if self._closed:
            splice.free()
            return
        self._aim(end)
        command, end.untold = end.untold, ""
        told = self._engine.proxy.send(command)
        told.add_done_callback(self._told)
        told.add_done_callback(lambda _: splice.free())  # until then it passes on what comes

    def _listen(self, end: End, listens: bool) -> None:
        """Stop what comes from the other side where this one must be sent nothing."""
        other = self._ends[end.side.other].gate
        if other is not None:
            other.mute(not listens)

    def _aim(self, end: End) -> None:
        """Note the command that tells where to send for a side."""
        sink, peer = self._engine.sink, end.peer
        mute = end.gate is None and peer is not None and not peer.listens
        host, port = end.told or NOWHERE
        if sink is not None and (end.told is None or mute):
            host, port = sink.address  # nobody hears it; whoever comes is learned all the same
        end.untold = self._address(end.side, host, port, peer)
        end.relearn = ""

    def redirect(self, end: End, source: Address) -> None:
        """Send to a side where its packets come from (its gate has learned that)."""
        if self._closed:
            return
        end.target = source
        self._aim(end)
        if self._audible:
            command, end.untold = end.untold, ""
            self._engine.proxy.send(command).add_done_callback(self._told)

    def pass_on(self, end: End, packet: bytes) -> None:
        """Send the other side a packet that came while `end`'s gate was learning."""
        other = self._ends[end.side.other]
        encrypted = any(one.peer is not None and one.peer.dtls is not None for one in (end, other))
        if encrypted:
            return  # RTPProxy alone has the keys
        if other.gate is not None and other.target is not None and not other.quiet:
            kernel.send_from(other.gate.numbers[0], packet, other.target)

    def look_for_change(self) -> None:
        """Find out whether a side speaks with another SSRC than the known one (engine calls)."""
        for side, end in self._ends.items():
            if end.gate is None or not end.gate.crowded():
                end.crowd = None
            else:
                self._query().add_done_callback(partial(self._crowd_seen, side, end, end.gate))

    def _crowd_seen(self, side: Side, end: End, gate: Gate, done: asyncio.Future[str]) -> None:
        stats = packets_heard(done)
        if self._closed or stats is None:
            return
        if end.crowd == stats[side]:
            gate.listen_again()
            end.crowd = None
        else:
            end.crowd = stats[side]

    async def _tell(self) -> None:
        """Send the addresses not sent yet; that one fails is told, and silence ends the call."""
        self._audible = True
        await self._confirm()
        for end in self._ends.values():
            if end.gate is not None:
                end.gate.guard()
            if end.untold and not self._closed:
                command, end.untold = end.untold, ""
                end.relearn = command if end.gate is None else ""
                for line in self._with_dtls(end, command):
                    self._engine.proxy.send(line).add_done_callback(self._told)
        if self._relearn_timer is None and not self._closed and self._engine.gates is None:
            self._relearn_timer = self._engine.clock.call_later(_RELEARN_S, self._relearn)

    def _with_dtls(self, end: End, command: str) -> tuple[str, ...]:
        """Add to the command for a side what RTPProxy must know of its DTLS, if that is news."""
        dtls = end.peer.dtls if end.peer is not None else None
        was, end.dtls = end.dtls, dtls
        if replace(dtls, ufrag="") == replace(was, ufrag="") if dtls and was else dtls is was:
            return (command,)
        if dtls is None:
            return (f"{command} && M4:1 D",)
        mode = "A" if dtls.active else "P"
        other = self._ends[end.side.other]
        host, port = other.told or (self._engine.sink.address if self._engine.sink else NOWHERE)
        theirs = self._address(other.side, host, port, other.peer)
        return (f"{command} && M4:1 {mode} SHA-256 {dtls.fingerprint}", f"{theirs} && M4:1 S")

    def _told(self, done: asyncio.Future[str]) -> None:
        error = done.exception()
        if not self._closed and (error is not None or done.result().startswith("E")):
            log.warning(
                "a media address was refused", callid=self.callid, error=str(error or done.result())
            )

    def _relearn(self) -> None:
        """Open RTPProxy's window for a new source again unless the sides are heard."""
        self._relearn_timer = None
        if any(end.relearn for end in self._ends.values()):
            self._query().add_done_callback(self._heard)

    def _heard(self, done: asyncio.Future[str]) -> None:
        stats = packets_heard(done)
        if self._closed or stats is None:
            return
        for side, end in self._ends.items():
            if not end.relearn:
                continue
            heard, end.baseline = stats[side] - end.baseline, stats[side]
            if heard < _HEARD_PACKETS:
                self._engine.proxy.send(end.relearn)
            else:
                end.relearn = ""
        if self._relearn_timer is None:
            self._relearn_timer = self._engine.clock.call_later(_RELEARN_S, self._relearn)

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
        prompts = self._engine.prompts
        path = await prompts.prepare(prompt, language)
        self._check()
        spoken = end.peer.payloads if end.peer is not None else ()
        codecs = [p for p in spoken if p in PLAYABLE and prompts.size(path, p)]
        if not codecs:
            raise MediaError(f"cannot play {prompt!r}: no codec of {spoken} fits")
        await self._tell()
        self._player_done(end)
        times = "-1" if repeat == 0 else str(repeat)
        answer = self._engine.proxy.send(
            f"P{times} {self._id} {prompts.spoken(path)} {','.join(map(str, codecs))} {end.tags}"
        )
        played = end.played = asyncio.get_running_loop().create_future()
        end.player_left = True
        try:
            checked(await answer)
        except MediaError:
            prompts.forget(path)
            raise
        if repeat and end.played is played:
            seconds = repeat * prompts.size(path, codecs[0]) / BYTES_PER_S
            end.player = self._engine.clock.call_later(seconds, lambda: self._player_done(end))
        if wait:
            await asyncio.shield(played)

    async def stop_playing(self, side: Side) -> None:
        """Let `side` hear the other side again; harmless when nothing is played."""
        self._check()
        end = self._ends[side]
        if end.played is None:
            return
        self._player_done(end)
        end.player_left = False
        checked(await self._engine.proxy.send(f"S {self._id} {end.tags}"))

    def _player_done(self, end: End) -> None:
        if end.player is not None:
            end.player.cancel()
            end.player = None
        if end.played is not None:
            self._alive_at = self._engine.clock.now()
            if not end.played.done():
                end.played.set_result(None)
        end.played = None

    async def start_recording(self, name: str = "") -> bool:
        """Begin to record what comes from both sides; False when that is not possible.

        `name` (the session's callid unless given) is what the recording is called, in its
        result and on disk; one of the same name that was stopped is gone on with. Never raises:
        a full disk costs the recording, not the call.
        """
        if self._closed or self._recording is not None:
            return self._recording is not None
        self._name = name or self.callid
        ports = (self._ends[Side.A].port, self._ends[Side.B].port)
        name = self._recording = self._engine.recording_name(self._name, *ports)
        try:
            await self._tell()
            # "S": both sides into one file.
            answers = [
                self._engine.proxy.send(f"CS {self._id} {name} {tags}") for tags in ("a b", "b a")
            ]
            for answer in reversed(answers):
                checked(await answer)
        except MediaError as error:
            self._engine.recording_failed(self.callid, error)
            return False
        self._engine.recording_runs()
        return True

    async def stop_recording(self) -> Recording | None:
        """End the recording; None when nothing was captured.

        All pieces of its name are in the result, also those before an earlier stop.
        """
        name, self._recording = self._recording, None
        if name is not None:
            with contextlib.suppress(MediaError):
                await self._engine.proxy.send(f"Na {self._id} a b")
            self._keep(name)
        return self._recorded()

    def _keep(self, name: str) -> None:
        piece = f"{self._engine.config.record_dir}/{name}"
        try:
            if os.stat(piece).st_size > _PCAP_HEADER:
                self._pieces.setdefault(self._name, []).append(Path(piece))
            else:
                self._engine.discard(piece)
        except OSError:
            pass  # the disk was full, or it is another machine's

    def _recorded(self) -> Recording | None:
        files = self._pieces.get(self._name)
        return Recording(self._name, tuple(files)) if files else None

    async def stats(self) -> MediaStats:
        """Return how many RTP packets each side has sent so far."""
        self._check()
        query = self._query()
        checked(await query)
        stats = packets_heard(query) or {Side.A: 0, Side.B: 0}
        guard = int(self._guarded)
        return MediaStats(stats[Side.A] - guard, stats[Side.B] - guard)

    async def close(self) -> Recording | None:
        """Free the ports; end a recording that runs and return what it captured, or None.

        Idempotent; never raises.
        """
        if self._closed:
            return None
        self._closed = True
        self._engine.forget(self._number)
        if self._relearn_timer is not None:
            self._relearn_timer.cancel()
        for end in self._ends.values():
            if end.played is not None:
                self._player_done(end)
            if end.keypad is not None:
                end.keypad.close()
            for channel in (end.channel, end.browser):
                if channel is not None:
                    channel.close()
            if end.splice is not None:
                end.splice.free()
            if end.gate is not None and self._engine.gates is not None:
                self._engine.gates.release(end.gate)
        name, self._recording = self._recording, None
        await self._stop_players()
        answers = [] if name is None else [self._engine.proxy.send(f"Na {self._id} a b")]
        answers.append(self._engine.proxy.send(f"D {self._id} a b"))
        for answer in reversed(answers):
            with contextlib.suppress(MediaError):
                await answer
        if name is not None:
            self._keep(name)
        return self._recorded() if name is not None else None

    async def _stop_players(self) -> None:
        """Stop what is played, before the session goes.

        When it goes while its player takes a step, the player destroys it, holding the lock that
        this asks for, and RTPProxy hangs (rtp.io 1.1.1). A player may be at its last step after
        the time when it should have been done.
        """
        players = [end for end in self._ends.values() if end.player_left]
        answers = [self._engine.proxy.send(f"S {self._id} {end.tags}") for end in players]
        for answer in answers:
            with contextlib.suppress(MediaError):
                await answer

    def _check(self) -> None:
        if self._closed:
            raise MediaError("the media session is closed")

    def _query(self) -> asyncio.Future[str]:
        return self._engine.proxy.send(f"Q {self._id} a b")

    def digit(self, side: Side, digit: str, now: float) -> None:
        """Pass a digit on (the engine calls this); a flood of them is cut."""
        if int(now) != self._digit_second:
            self._digit_second, self._digits_in_second = int(now), 0
        self._digits_in_second += 1
        if self._on_digit is not None and self._digits_in_second <= _DIGITS_PER_S:
            self._on_digit(side, digit)

    def look_for_silence(self, now: float, timeout_s: float) -> None:
        """Ask for the packet counts and tell of a silence of `timeout_s` (engine calls)."""
        if self._on_timeout is None:
            return
        if any(end.quiet for end in self._ends.values()):
            self._alive_at = now
            return
        self._query().add_done_callback(lambda done: self._silence_seen(done, timeout_s))

    def _silence_seen(self, done: asyncio.Future[str], timeout_s: float) -> None:
        stats = packets_heard(done)
        if self._closed or stats is None:
            return
        now = self._engine.clock.now()
        packets = sum(stats.values())
        if packets != self._packets:
            self._packets, self._alive_at = packets, now
        elif now - self._alive_at >= timeout_s and self._on_timeout is not None:
            self._alive_at = now
            self._on_timeout()

    def timed_out(self) -> None:
        """RTPProxy has ended the session (a remote one's time to live), or is another one now."""
        if self._on_timeout is not None and not self._closed:
            self._on_timeout()


def _failure_seen(done: asyncio.Task[None]) -> None:
    if not done.cancelled() and (error := done.exception()) is not None:
        log.info("a media address that was looked up is not used", error=str(error))
