"""Encrypted legs, in a process of its own: `python srtp_worker.py FD`.

SRTP becomes RTP and back, and browsers are told apart behind one port. Packets of such legs are
the only ones that Python touches.

A channel has four sockets, which the server opened and sends over (SCM_RIGHTS): the phone's RTP
and RTCP, and two on the loopback through which RTPProxy meets the phone. What comes from the
phone counts only when its authentication tag is right; the last source of such a packet is
where the phone is, so a NAT needs no other proof. Keys come over the same private socket, never
by arguments.

Commands are JSON, one datagram each: `{"open": ID, "rtp": [HOST, PORT], "rtcp": …}` with the
sockets, `{"keys": ID, "suite": …, "rx": HEX, "tx": HEX, "to": [HOST, PORT]}`, `{"plain": ID,
"to": …, "behind": HOST}` for a phone that was offered encryption and answered without, and
`{"close": ID}`.

Browsers (ICE, RFC 8445) all come to one port, whose socket is sent with `{"public": true}`. A
check names the call by our ufrag and proves that it knows our password; then its source is the
call's. DTLS and SRTP of the chosen source are handed to RTPProxy from the call's own socket on
the loopback, as they are: `{"browser": ID, "rtp": …}`, `{"ufrag": ID, "name": …, "password":
…}`, and `{"answered": ID, "name": UFRAG}` when it is known which of several browsers it is.
"""

from __future__ import annotations

import importlib.util
import json
import selectors
import socket
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from pylibsrtp import Error, Policy, Session

_PROFILES = {
    "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    "AES_CM_128_HMAC_SHA1_32": Policy.SRTP_PROFILE_AES128_CM_SHA1_32,
}
_COMMAND_BYTES = 65536
_PACKET_BYTES = 2048
_AT_ONCE = 16
_SOCKETS = 4
_WINDOW = 1024
_MOST_SOURCES = 10_000


def _beside(name: str) -> Any:
    """Load a module of this folder without the package around it, which is 40 MB more."""
    path = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


stun = _beside("stun")


def _session(suite: str, key: bytes, *, inbound: bool) -> Session:
    policy = Policy(
        key=key,
        ssrc_type=Policy.SSRC_ANY_INBOUND if inbound else Policy.SSRC_ANY_OUTBOUND,
        srtp_profile=_PROFILES[suite],
    )
    policy.window_size = _WINDOW
    policy.allow_repeat_tx = not inbound
    return Session(policy)


class Channel:
    """One encrypted leg."""

    def __init__(self, sockets: list[socket.socket], rtp: Any, rtcp: Any) -> None:
        self.outer, self.outer_rtcp, self.inner, self.inner_rtcp = sockets
        self._rtp, self._rtcp = tuple(rtp), tuple(rtcp)
        self._to: tuple[str, int] | None = None
        self._to_rtcp: tuple[str, int] | None = None
        self._rx: Session | None = None
        self._tx: Session | None = None
        self._rx_key = self._tx_key = ""
        self._plain = False
        self._behind = ""

    def keys(self, suite: str, rx: str, tx: str, to: Any) -> None:
        """Take the keys of a description; one that is as before keeps its counters."""
        self._plain = False
        if rx != self._rx_key:
            self._rx, self._rx_key = _session(suite, bytes.fromhex(rx), inbound=True), rx
        if tx != self._tx_key:
            self._tx, self._tx_key = _session(suite, bytes.fromhex(tx), inbound=False), tx
        if to is not None:
            self._to, self._to_rtcp = (to[0], to[1]), (to[0], to[1] + 1)

    def pass_plain(self, to: Any, behind: str) -> None:
        """Pass packets as they are: from `to`, or the first port of `behind` that is heard."""
        self._plain, self._behind = True, behind
        self._to = (to[0], to[1]) if to is not None else None
        self._to_rtcp = (to[0], to[1] + 1) if to is not None else None

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
        elif self._rx is not None:
            plain = self._rx.unprotect(data)
            self._to = source
            self.inner.sendto(plain, self._rtp)

    def from_phone_rtcp(self) -> None:
        data, source = self.outer_rtcp.recvfrom(_PACKET_BYTES)
        if self._plain:
            if source == self._to_rtcp:
                self.inner_rtcp.sendto(data, self._rtcp)
        elif self._rx is not None:
            plain = self._rx.unprotect_rtcp(data)
            self._to_rtcp = source
            self.inner_rtcp.sendto(plain, self._rtcp)

    def to_phone(self) -> None:
        data, source = self.inner.recvfrom(_PACKET_BYTES)
        if self._to is None or source != self._rtp:
            return
        if self._plain:
            self.outer.sendto(data, self._to)
        elif self._tx is not None:
            self.outer.sendto(self._tx.protect(data), self._to)

    def to_phone_rtcp(self) -> None:
        data, source = self.inner_rtcp.recvfrom(_PACKET_BYTES)
        if self._to_rtcp is None or source != self._rtcp:
            return
        if self._plain:
            self.outer_rtcp.sendto(data, self._to_rtcp)
        elif self._tx is not None:
            self.outer_rtcp.sendto(self._tx.protect_rtcp(data), self._to_rtcp)

    def ways(self) -> list[tuple[socket.socket, Callable[[], None]]]:
        """Return each socket and what to do when something came to it."""
        return [
            (self.outer, self.from_phone),
            (self.outer_rtcp, self.from_phone_rtcp),
            (self.inner, self.to_phone),
            (self.inner_rtcp, self.to_phone_rtcp),
        ]


class Browser:
    """One leg of a browser; of several that ring, the one that answered."""

    def __init__(self, inner: socket.socket, rtp: Any) -> None:
        self.inner = inner
        self.passwords: dict[str, str] = {}
        self.answered = ""
        self._rtp = tuple(rtp)
        self._at: dict[str, tuple[str, int]] = {}
        self._nominated: set[str] = set()

    def checked(self, ufrag: str, source: tuple[str, int], nominates: bool) -> None:
        """A pair works; the one that was nominated last is used, before that the first."""
        if nominates or ufrag not in self._nominated:
            self._at[ufrag] = source
        if nominates:
            self._nominated.add(ufrag)

    def from_browser(self, data: bytes, ufrag: str) -> None:
        if ufrag == self.answered:
            self.inner.sendto(data, self._rtp)

    def to_browser(self, public: socket.socket) -> None:
        data, source = self.inner.recvfrom(_PACKET_BYTES)
        place = self._at.get(self.answered)
        if place is not None and source == self._rtp:
            public.sendto(data, place)


class Browsers:
    """All of them, behind the public socket."""

    def __init__(self) -> None:
        self.public: socket.socket | None = None
        self.by_id: dict[int, Browser] = {}
        self._by_ufrag: dict[str, Browser] = {}
        self._by_source: dict[tuple[str, int], tuple[Browser, str]] = {}

    def name(self, browser: Browser, ufrag: str, password: str) -> None:
        browser.passwords[ufrag] = password
        self._by_ufrag[ufrag] = browser

    def receive(self) -> None:
        assert self.public is not None
        data, source = self.public.recvfrom(_PACKET_BYTES)
        known = self._by_source.get(source)
        if not stun.is_stun(data):
            if known is not None:
                known[0].from_browser(data, known[1])
            return
        check = stun.Check.parse(data)
        browser = self._by_ufrag.get(check.ufrag) if check is not None else None
        if check is None or browser is None:
            return
        password = browser.passwords[check.ufrag]
        if not check.proves(password):
            return
        if known is None and len(self._by_source) >= _MOST_SOURCES:
            return
        self._by_source[source] = (browser, check.ufrag)
        browser.checked(check.ufrag, source, check.nominates)
        self.public.sendto(check.answer(source, password), source)

    def close(self, number: int) -> Browser | None:
        browser = self.by_id.pop(number, None)
        if browser is not None:
            for ufrag in browser.passwords:
                self._by_ufrag.pop(ufrag, None)
            gone = [source for source, (one, _) in self._by_source.items() if one is browser]
            for source in gone:
                del self._by_source[source]
        return browser


class Worker:
    """Serves all channels until the server closes the control socket."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._channels: dict[int, Channel] = {}
        self._browsers = Browsers()
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ, self._command)

    def run(self) -> None:
        """Return when the server is gone."""
        try:
            while True:
                for key, _ in self._selector.select():
                    act: Callable[[], None] = key.data
                    self._drain(act)
        except EOFError:
            return

    def _drain(self, act: Callable[[], None]) -> None:
        for _ in range(_AT_ONCE):
            try:
                act()
            except Error:
                continue  # not the phone's, or it came twice
            except (BlockingIOError, OSError):
                return

    def _command(self) -> None:
        data, numbers, _, _ = socket.recv_fds(self._control, _COMMAND_BYTES, _SOCKETS)
        if not data:
            raise EOFError
        words = json.loads(data)
        if "open" in words:
            sockets = [socket.socket(fileno=number) for number in numbers]
            channel = Channel(sockets, words["rtp"], words["rtcp"])
            self._channels[words["open"]] = channel
            for sock, act in channel.ways():
                sock.setblocking(False)
                self._selector.register(sock, selectors.EVENT_READ, act)
        elif "keys" in words:
            channel_ = self._channels.get(words["keys"])
            if channel_ is not None:
                channel_.keys(words["suite"], words["rx"], words["tx"], words["to"])
        elif "plain" in words:
            channel_ = self._channels.get(words["plain"])
            if channel_ is not None:
                channel_.pass_plain(words["to"], words["behind"])
        elif "close" not in words:
            self._browser_command(words, numbers)
        elif (browser := self._browsers.close(words["close"])) is not None:
            self._selector.unregister(browser.inner)
            browser.inner.close()
        else:
            gone = self._channels.pop(words["close"], None)
            for sock, _ in gone.ways() if gone is not None else ():
                self._selector.unregister(sock)
                sock.close()

    def _browser_command(self, words: dict[str, Any], numbers: list[int]) -> None:
        browsers = self._browsers
        sockets = [socket.socket(fileno=number) for number in numbers]
        for sock in sockets:
            sock.setblocking(False)
        if "public" in words:
            browsers.public = sockets[0]
            self._selector.register(sockets[0], selectors.EVENT_READ, browsers.receive)
        elif "browser" in words:
            browser = browsers.by_id[words["browser"]] = Browser(sockets[0], words["rtp"])
            public = browsers.public
            assert public is not None
            act = partial(browser.to_browser, public)
            self._selector.register(sockets[0], selectors.EVENT_READ, act)
        elif "ufrag" in words and words["ufrag"] in browsers.by_id:
            browsers.name(browsers.by_id[words["ufrag"]], words["name"], words["password"])
        elif "answered" in words and words["answered"] in browsers.by_id:
            browsers.by_id[words["answered"]].answered = words["name"]


def main() -> None:
    """Serve the control socket whose number is the one argument."""
    control = socket.socket(fileno=int(sys.argv[1]))
    control.setblocking(False)
    Worker(control).run()


if __name__ == "__main__":
    main()
