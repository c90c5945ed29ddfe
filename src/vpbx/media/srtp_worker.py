"""Encrypted legs, in a process of its own: `python srtp_worker.py FD`.

SRTP becomes RTP and back, with keys by SDES or by DTLS, and browsers are told apart behind one
port. Packets of such legs are the only ones that Python touches. Each such leg is sent one
stream, whoever speaks (`one_stream`).

A channel has four sockets, which the server opened and sends over (SCM_RIGHTS): the phone's RTP
and RTCP, and two on the loopback through which RTPProxy meets the phone. What comes from the
phone counts only when its authentication tag is right; the last source of such a packet is
where the phone is, so a NAT needs no other proof. Keys come over the same private socket, never
by arguments.

Commands are JSON, one datagram each: `{"open": ID, "rtp": [HOST, PORT], "rtcp": …}` with the
sockets, `{"keys": ID, "suite": …, "rx": HEX, "tx": HEX, "to": [HOST, PORT]}`, `{"dtls": ID,
"name": …, "fingerprint": …, "active": …, "to": …, "behind": HOST}`, `{"plain": ID, "to": …,
"behind": HOST}` for a phone that was offered encryption and answered without, and `{"close":
ID}`. `{"certificate": PEM, "key": PEM}` is ours for DTLS. `rates` and `events` say how what the
leg hears is clocked (`OneStream`).

Browsers (ICE, RFC 8445) all come to one port, whose socket is sent with `{"public": true}`. A
check names the call by our ufrag and proves that it knows our password; then its source is the
call's. `{"browser": ID, "rtp": …, "rtcp": …}` opens the way inside with two sockets, `{"ufrag":
ID, "name": …, "password": …, "ssrc": …}` lets a browser come, and `{"answered": ID, "name":
UFRAG, "fingerprint": …, "active": …}` says which of several it is. A browser (or a phone with
keys by DTLS) that was talked with by one ID and is named with another has moved there: what was
agreed with it stays.

What comes back: `{"failed": TEXT, "call": LABEL}` where no keys were agreed on.
"""

from __future__ import annotations

import importlib.util
import json
import secrets
import selectors
import socket
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from time import monotonic
from typing import Any

from pylibsrtp import Error, Policy, Session

_PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
}
_OF_DTLS = "AES_CM_128_HMAC_SHA1_80"
_COMMAND_BYTES = 65536
_PACKET_BYTES = 2048
_MOST_PACKET_BYTES = 1400
"""libsrtp's buffer, less what encryption adds."""
_AT_ONCE = 16
_SOCKETS = 4
_WINDOW = 1024
_MOST_FAULTS = 10
"""So many are told in full."""
_MOST_SOURCES = 10_000
_EARLY = 4
"""So many datagrams of a handshake are kept that begin before signalling has named the peer."""
_DTLS_FIRST, _DTLS_END = 20, 64
_RTCP_FIRST, _RTCP_END = 192, 224
"""RFC 7983, RFC 5761."""


def _beside(name: str) -> Any:
    """Load a module of this folder without the package around it, which is 40 MB more."""
    path = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


stun = _beside("stun")
one_stream = _beside("one_stream")


def _session(suite: str, key: bytes, *, inbound: bool) -> Session:
    policy = Policy(
        key=key,
        ssrc_type=Policy.SSRC_ANY_INBOUND if inbound else Policy.SSRC_ANY_OUTBOUND,
        srtp_profile=_PROFILES[suite],
    )
    policy.window_size = _WINDOW
    policy.allow_repeat_tx = not inbound
    return Session(policy)


def _is_dtls(data: bytes) -> bool:
    return bool(data) and _DTLS_FIRST <= data[0] < _DTLS_END


def _is_rtcp(data: bytes) -> bool:
    return len(data) > 1 and _RTCP_FIRST <= data[1] < _RTCP_END


class Secured:
    """What was agreed with one leg: its keys, and the stream that it hears."""

    def __init__(self, ssrc: int | None = None) -> None:
        self.stream = one_stream.OneStream(secrets.randbits(32) if ssrc is None else ssrc)
        self.channel: Channel | Browser | None = None
        """Who carries its packets."""
        self.send: Callable[[bytes], None] = lambda _: None
        """How a datagram gets to it."""
        self.knows: Callable[[Any], bool] = lambda _: True
        """Whether one from there is its."""
        self.association: Any = None
        self.found = True
        """Whether it is known where it is: nothing is begun before."""
        self.label = ""
        self._rx: Session | None = None
        self._tx: Session | None = None
        self._rx_key = self._tx_key = b""
        self._early: list[tuple[bytes, Any]] = []

    def keys(self, suite: str, rx: bytes, tx: bytes) -> None:
        """Take keys; one that is as before keeps its counters."""
        if rx != self._rx_key:
            self._rx, self._rx_key = _session(suite, rx, inbound=True), rx
        if tx != self._tx_key:
            self._tx, self._tx_key = _session(suite, tx, inbound=False), tx

    def clocked(self, words: dict[str, Any]) -> None:
        self.stream.rates = {int(kind): rate for kind, rate in words["rates"].items()}
        self.stream.events = words["events"]

    def agree(self, dtls: Any, context: Any, words: dict[str, Any]) -> bool:
        """Agree on keys with whom signalling names; False: it was with them already."""
        self.label = words["call"]
        was = self.association
        named = words["fingerprint"], words["active"]
        if was is not None and (was.fingerprint, was.active) == named and not was.failed:
            return False
        self.association = dtls.Association(
            context,
            words["fingerprint"],
            active=words["active"],
            send=lambda datagram: self.send(datagram),
            done=lambda keys: self.keys(_OF_DTLS, keys.receive, keys.send),
            now=monotonic(),
        )
        early, self._early = self._early, []
        if not words["active"] and self.found:
            self.association.step()
        for data, source in early:
            if self.knows(source):
                self.association.receive(data)
        return True

    def take_dtls(self, data: bytes, source: Any) -> None:
        if self.association is None:
            self._early = [*self._early[1 - _EARLY :], (data, source)]
        elif self.knows(source):
            self.association.receive(data)

    def decrypt(self, data: bytes) -> bytes:
        if self._rx is None:
            raise Error("there are no keys")
        return self._rx.unprotect(data)

    def decrypt_rtcp(self, data: bytes) -> bytes:
        if self._rx is None:
            raise Error("there are no keys")
        plain: bytes = self.stream.heard_of(self._rx.unprotect_rtcp(data))
        return plain

    def encrypt(self, data: bytes) -> bytes:
        if self._tx is None or len(data) > _MOST_PACKET_BYTES:
            raise Error("there are no keys")
        return self._tx.protect(self.stream.pass_on(data, monotonic()))

    def encrypt_rtcp(self, data: bytes) -> bytes:
        told = self.stream.report(data)
        if self._tx is None or not told or len(told) > _MOST_PACKET_BYTES:
            raise Error("there is nothing to be told")
        return self._tx.protect_rtcp(told)


class Channel:
    """The way of one encrypted leg that has ports of its own."""

    def __init__(self, sockets: list[socket.socket], rtp: Any, rtcp: Any) -> None:
        self.outer, self.outer_rtcp, self.inner, self.inner_rtcp = sockets
        self._rtp, self._rtcp = tuple(rtp), tuple(rtcp)
        self._to: tuple[str, int] | None = None
        self._to_rtcp: tuple[str, int] | None = None
        self._plain = False
        self._behind = ""
        self.secured = Secured()
        self.bear(self.secured)

    def bear(self, secured: Secured) -> None:
        """Carry this leg's packets."""
        self.secured, secured.channel = secured, self
        secured.send, secured.knows = self._send, self._known

    def _send(self, data: bytes) -> None:
        if self._to is not None:
            self.outer.sendto(data, self._to)

    def encrypted(self, to: Any) -> None:
        """The phone encrypts, and is at `to` until it is heard."""
        self._plain = False
        if to is not None:
            self.at(to)

    def at(self, to: Any, behind: str = "") -> None:
        """It is at `to`, or at the first port of `behind` that is heard."""
        self._behind = behind
        self._to = (to[0], to[1]) if to is not None else None
        self._to_rtcp = (to[0], to[1] + 1) if to is not None else None

    def pass_plain(self, to: Any, behind: str) -> None:
        """Pass packets as they are."""
        self._plain = True
        self.at(to, behind)

    def _known(self, source: tuple[str, int]) -> bool:
        if source == self._to:
            return True
        if source[0] != self._behind:
            return False
        self._behind, self._to, self._to_rtcp = "", source, (source[0], source[1] + 1)
        return True

    def from_phone(self) -> None:
        data, source = self.outer.recvfrom(_PACKET_BYTES)
        if self._plain:
            if self._known(source):
                self.inner.sendto(data, self._rtp)
        elif _is_dtls(data):
            self.secured.take_dtls(data, source)
        elif _is_rtcp(data):
            self.inner_rtcp.sendto(self.secured.decrypt_rtcp(data), self._rtcp)
        else:
            plain = self.secured.decrypt(data)
            self._to = source
            self.inner.sendto(plain, self._rtp)

    def from_phone_rtcp(self) -> None:
        data, source = self.outer_rtcp.recvfrom(_PACKET_BYTES)
        if self._plain:
            if source == self._to_rtcp:
                self.inner_rtcp.sendto(data, self._rtcp)
        else:
            plain = self.secured.decrypt_rtcp(data)
            self._to_rtcp = source
            self.inner_rtcp.sendto(plain, self._rtcp)

    def to_phone(self) -> None:
        data, source = self.inner.recvfrom(_PACKET_BYTES)
        if self._to is None or source != self._rtp:
            return
        self.outer.sendto(data if self._plain else self.secured.encrypt(data), self._to)

    def to_phone_rtcp(self) -> None:
        data, source = self.inner_rtcp.recvfrom(_PACKET_BYTES)
        if self._to_rtcp is None or source != self._rtcp:
            return
        told = data if self._plain else self.secured.encrypt_rtcp(data)
        self.outer_rtcp.sendto(told, self._to_rtcp)

    def ways(self) -> list[tuple[socket.socket, Callable[[], None]]]:
        """Return each socket and what to do when something came to it."""
        return [
            (self.outer, self.from_phone),
            (self.outer_rtcp, self.from_phone_rtcp),
            (self.inner, self.to_phone),
            (self.inner_rtcp, self.to_phone_rtcp),
        ]


class Page:
    """One browser that was let come: where ICE has found it, and what was agreed with it."""

    def __init__(self, number: int, password: str, ssrc: int, public: socket.socket) -> None:
        self.number = number
        """Of the way that let it come; it may be talked with by another."""
        self.password = password
        self.at: tuple[str, int] | None = None
        self.secured = Secured(ssrc)
        self.secured.send, self.secured.found = self.send, False
        self._nominated = False
        self._public = public

    def send(self, data: bytes) -> None:
        if self.at is not None:
            self._public.sendto(data, self.at)

    def checked(self, source: tuple[str, int], nominates: bool) -> None:
        """A pair works; the one that was nominated last is used, before that the first."""
        if nominates or not self._nominated:
            self.at = source
        self._nominated = self._nominated or nominates
        begins, self.secured.found = not self.secured.found, True
        if begins and self.secured.association is not None:
            self.secured.association.step()


class Browser:
    """The way inside of one leg of a browser; of several that ring, the one that answered."""

    def __init__(self, sockets: list[socket.socket], rtp: Any, rtcp: Any) -> None:
        self.inner, self.inner_rtcp = sockets
        self.page: Page | None = None
        self._rtp, self._rtcp = tuple(rtp), tuple(rtcp)

    def from_browser(self, data: bytes, secured: Secured) -> None:
        if _is_rtcp(data):
            self.inner_rtcp.sendto(secured.decrypt_rtcp(data), self._rtcp)
        else:
            self.inner.sendto(secured.decrypt(data), self._rtp)

    def to_browser(self) -> None:
        data, source = self.inner.recvfrom(_PACKET_BYTES)
        page = self.page
        if page is not None and source == self._rtp:
            page.send(page.secured.encrypt(data))

    def rtcp_to_browser(self) -> None:
        data, source = self.inner_rtcp.recvfrom(_PACKET_BYTES)
        page = self.page
        if page is not None and source == self._rtcp:
            page.send(page.secured.encrypt_rtcp(data))

    def ways(self) -> list[tuple[socket.socket, Callable[[], None]]]:
        """Return each socket and what to do when something came to it."""
        return [(self.inner, self.to_browser), (self.inner_rtcp, self.rtcp_to_browser)]


class Browsers:
    """All of them, behind the public socket."""

    def __init__(self) -> None:
        self.public: socket.socket | None = None
        self.by_ufrag: dict[str, Page] = {}
        self._by_source: dict[tuple[str, int], Page] = {}

    def name(self, number: int, words: dict[str, Any]) -> None:
        assert self.public is not None
        page = Page(number, words["password"], words["ssrc"], self.public)
        self.by_ufrag[words["name"]] = page

    def receive(self) -> None:
        assert self.public is not None
        data, source = self.public.recvfrom(_PACKET_BYTES)
        known = self._by_source.get(source)
        if not stun.is_stun(data):
            if known is None:
                return
            if _is_dtls(data):
                known.secured.take_dtls(data, source)
            elif isinstance(known.secured.channel, Browser):
                known.secured.channel.from_browser(data, known.secured)
            return
        check = stun.Check.parse(data)
        page = self.by_ufrag.get(check.ufrag) if check is not None else None
        if check is None or page is None or not check.proves(page.password):
            return
        if known is None and len(self._by_source) >= _MOST_SOURCES:
            return
        self._by_source[source] = page
        self.public.sendto(check.answer(source, page.password), source)
        page.checked(source, check.nominates)

    def seat(self, browser: Browser, page: Page) -> None:
        """Talk with a browser by this way, whichever it was by before."""
        before = page.secured.channel
        if isinstance(before, Browser) and before is not browser:
            before.page = None
        if browser.page is not None and browser.page is not page:
            browser.page.secured.channel = None
        browser.page, page.secured.channel = page, browser

    def forget(self, number: int, browser: Browser) -> None:
        """Forget who came by a way that is closed, unless they are talked with by another."""
        gone = [
            ufrag
            for ufrag, page in self.by_ufrag.items()
            if page.secured.channel is browser
            or (page.number == number and page.secured.channel is None)
        ]
        pages = {id(self.by_ufrag.pop(ufrag)) for ufrag in gone}
        if pages:
            self._by_source = {
                source: page for source, page in self._by_source.items() if id(page) not in pages
            }


class Worker:
    """Serves all channels until the server closes the control socket."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._channels: dict[int, Channel | Browser] = {}
        self._browsers = Browsers()
        self._by_name: dict[str, Secured] = {}
        """Phones with keys by DTLS."""
        self._shaking: set[Secured] = set()
        """Whose handshake is not over."""
        self._certificate = (b"", b"")
        self._faults = 0
        self._dtls: Any = None
        self._context: Any = None
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ, self._command)

    def run(self) -> None:
        """Return when the server is gone."""
        try:
            while True:
                for key, _ in self._selector.select(self._pause_s()):
                    act: Callable[[], None] = key.data
                    self._drain(act)
        except EOFError:
            return

    def _drain(self, act: Callable[[], None]) -> None:
        for _ in range(_AT_ONCE):
            try:
                act()
            except (Error, ValueError, one_stream.struct.error):
                continue  # not the phone's, or it came twice
            except EOFError:
                raise
            except (BlockingIOError, OSError):
                return
            except Exception:  # one leg's fault is not the others'
                self._note_fault()

    def _note_fault(self) -> None:
        self._faults += 1
        if self._faults <= _MOST_FAULTS:
            traceback.print_exc()

    def _pause_s(self) -> float | None:
        """Go on with handshakes whose time has come; return how long there is nothing to do."""
        if not self._shaking:
            return None
        now, pauses = monotonic(), []
        for secured in tuple(self._shaking):
            pause = secured.association.due_s(now)
            if pause == 0:
                secured.association.retry(now)
                pause = secured.association.due_s(monotonic())
            if pause is None:
                self._shaking.discard(secured)
                self._tell_failure(secured)
            else:
                pauses.append(pause)
        return min(pauses, default=None)

    def _tell_failure(self, secured: Secured) -> None:
        if secured.association.failed:
            told = {"failed": secured.association.failed, "call": secured.label}
            with suppress(OSError):  # nobody reads: then nobody knows
                self._control.send(json.dumps(told).encode())

    def _command(self) -> None:
        data, numbers, _, _ = socket.recv_fds(self._control, _COMMAND_BYTES, _SOCKETS)
        if not data:
            raise EOFError
        sockets = [socket.socket(fileno=number) for number in numbers]
        for sock in sockets:
            sock.setblocking(False)
        words = json.loads(data)
        verb = next(iter(words))
        act: Callable[..., None] = getattr(self, f"_do_{verb}")
        if verb in ("open", "browser", "public", "certificate"):
            act(words, sockets)
        elif (channel := self._channels.get(words[verb])) is not None:
            act(channel, words)

    def _do_certificate(self, words: dict[str, Any], _: list[socket.socket]) -> None:
        self._certificate = words["certificate"].encode(), words["key"].encode()

    def _do_public(self, _: dict[str, Any], sockets: list[socket.socket]) -> None:
        self._browsers.public = sockets[0]
        self._selector.register(sockets[0], selectors.EVENT_READ, self._browsers.receive)

    def _do_open(self, words: dict[str, Any], sockets: list[socket.socket]) -> None:
        self._serve(words["open"], Channel(sockets, words["rtp"], words["rtcp"]))

    def _do_browser(self, words: dict[str, Any], sockets: list[socket.socket]) -> None:
        self._serve(words["browser"], Browser(sockets, words["rtp"], words["rtcp"]))
        self._ready()  # while it rings

    def _serve(self, number: int, channel: Channel | Browser) -> None:
        self._channels[number] = channel
        for sock, act in channel.ways():
            self._selector.register(sock, selectors.EVENT_READ, act)

    def _do_keys(self, channel: Channel, words: dict[str, Any]) -> None:
        channel.encrypted(words["to"])
        channel.secured.clocked(words)
        rx, tx = bytes.fromhex(words["rx"]), bytes.fromhex(words["tx"])
        channel.secured.keys(words["suite"], rx, tx)

    def _do_dtls(self, channel: Channel, words: dict[str, Any]) -> None:
        secured = self._by_name.setdefault(words["name"], channel.secured)
        channel.encrypted(None)
        channel.at(words["to"], words["behind"])
        channel.bear(secured)
        self._agree(secured, words)

    def _do_plain(self, channel: Channel, words: dict[str, Any]) -> None:
        channel.pass_plain(words["to"], words["behind"])

    def _do_ufrag(self, _: Browser, words: dict[str, Any]) -> None:
        self._browsers.name(words["ufrag"], words)

    def _do_answered(self, browser: Browser, words: dict[str, Any]) -> None:
        page = self._browsers.by_ufrag.get(words["name"])
        if page is not None:
            self._browsers.seat(browser, page)
            self._agree(page.secured, words)

    def _agree(self, secured: Secured, words: dict[str, Any]) -> None:
        secured.clocked(words)
        self._ready()
        if secured.agree(self._dtls, self._context, words):
            self._shaking.add(secured)

    def _ready(self) -> None:
        """Load OpenSSL with the first who needs it: it takes its time and 20 MB."""
        if self._dtls is None:
            self._dtls = _beside("dtls")
            self._context = self._dtls.make_context(*self._certificate)

    def _do_close(self, channel: Channel | Browser, words: dict[str, Any]) -> None:
        del self._channels[words["close"]]
        for sock, _ in channel.ways():
            self._selector.unregister(sock)
            sock.close()
        if isinstance(channel, Browser):
            self._browsers.forget(words["close"], channel)
        for name in [name for name, one in self._by_name.items() if one.channel is channel]:
            del self._by_name[name]
        gone = [one for one in self._shaking if one.channel in (channel, None)]
        self._shaking.difference_update(gone)


def main() -> None:
    """Serve the control socket whose number is the one argument."""
    control = socket.socket(fileno=int(sys.argv[1]))
    control.setblocking(False)
    Worker(control).run()


if __name__ == "__main__":
    main()
