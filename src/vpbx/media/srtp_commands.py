"""The loop of the SRTP process: packets of its channels, handshakes, the server's commands.

The commands are told in `srtp_worker`.
"""

from __future__ import annotations

import json
import selectors
import socket
import struct
import traceback
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any

from pylibsrtp import Error

from .browsers import Browser, Browsers
from .channel import Channel
from .secured import Secured

_COMMAND_BYTES = 65536
_AT_ONCE = 16
_SOCKETS = 4
_MOST_FAULTS = 10
"""So many are told in full."""


class Worker:
    """Serves all channels until the server closes the control socket."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._channels: dict[int, Channel | Browser] = {}
        self._browsers = Browsers()
        self._by_name: dict[str, Secured] = {}
        """Phones, by what DTLS was agreed on for, or our key: it is in one description only."""
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
            except (Error, ValueError, struct.error):
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
        # A phone that moves keeps its context: it goes on counting (RFC 3711 §3.3.1).
        channel.bear(self._by_name.setdefault(words["tx"], channel.secured))
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
            from . import dtls

            self._dtls, self._context = dtls, dtls.make_context(*self._certificate)

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
