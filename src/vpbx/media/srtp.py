"""Encrypted legs: channels of the SRTP process, which is started for the first of them."""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import socket
import subprocess
import sys
from dataclasses import field
from pathlib import Path
from typing import Any

import structlog

from vpbx.frozen import dataclass

from .certificate import make_certificate
from .model import DtlsPeer, MediaConfig, MediaError, SrtpKeys

log = structlog.get_logger("vpbx.media")

_TRIES = 200
_WORKER = Path(__file__).with_name("srtp_worker.py")
"""Run by its path: as a module it would load all of this package, 40 MB more."""
_BUFFER_BYTES = 1 << 20
_ANSWER_BYTES = 65536


@dataclass(frozen=True, slots=True)
class Hearing:
    """How what a leg is sent is clocked: its description says."""

    rates: tuple[tuple[int, int], ...] = ()
    """(payload type, Hz), where that is not 8000."""
    events: int | None = None
    """Payload type of telephone-event."""

    def words(self) -> dict[str, Any]:
        """Return it for a command."""
        return {"rates": dict(self.rates), "events": self.events}


@dataclass(slots=True)
class SrtpChannel:
    """One encrypted leg's way: the phone sends to `port`, RTPProxy to `inside`."""

    number: int
    port: int
    inside: tuple[str, int]
    _relay: SrtpRelay = field(repr=False)

    def use(self, keys: SrtpKeys, to: tuple[str, int] | None, hearing: Hearing) -> None:
        """Decrypt and encrypt with these keys; the phone is at `to` until it is heard."""
        self._relay.tell(
            {
                "keys": self.number,
                "suite": keys.suite,
                "rx": keys.receive.hex(),
                "tx": keys.send.hex(),
                "to": to,
                **hearing.words(),
            }
        )

    def agree(
        self,
        peer: DtlsPeer,
        to: tuple[str, int] | None,
        behind: str,
        hearing: Hearing,
        call: str,
    ) -> None:
        """Agree on keys with a phone by DTLS: it is at `to`, or behind a NAT."""
        self._relay.tell(
            {
                "dtls": self.number,
                **_named(peer, call),
                "to": to,
                "behind": behind,
                **hearing.words(),
            }
        )

    def pass_plain(self, to: tuple[str, int] | None, behind: str) -> None:
        """Pass packets of a phone that does not encrypt: it is at `to`, or behind a NAT."""
        self._relay.tell({"plain": self.number, "to": to, "behind": behind})

    def close(self) -> None:
        """Free its sockets."""
        self._relay.tell({"close": self.number})


@dataclass(slots=True)
class BrowserChannel:
    """The way of a side's browsers: they send to the public port, RTPProxy to `inside`."""

    number: int
    inside: tuple[str, int]
    _relay: SrtpRelay = field(repr=False)

    def name(self, ufrag: str, password: str, ssrc: int) -> None:
        """Let one browser find its way by what its description will say."""
        self._relay.tell({"ufrag": self.number, "name": ufrag, "password": password, "ssrc": ssrc})

    def answered(self, peer: DtlsPeer, hearing: Hearing, call: str) -> None:
        """It is this one that is talked with; by this way from now on, if it was another's."""
        self._relay.tell({"answered": self.number, **_named(peer, call), **hearing.words()})

    def close(self) -> None:
        """Free its sockets."""
        self._relay.tell({"close": self.number})


def _named(peer: DtlsPeer, call: str) -> dict[str, Any]:
    return {
        "name": peer.name,
        "fingerprint": peer.fingerprint,
        "active": peer.active,
        "call": call,
    }


class SrtpRelay:
    """The process and its control socket."""

    def __init__(self, config: MediaConfig) -> None:
        self._host = config.listen_host
        self.inner_host = config.inner_host
        self._ports = range(config.port_min + config.port_min % 2, config.port_max - 1, 2)
        self._control: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = itertools.count(1)
        self._webrtc_port = config.webrtc_port
        self._public: socket.socket | None = None
        self._certificate = make_certificate()
        self.public_port = 0
        """Where browsers send to; 0: nowhere."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 of our certificate for DTLS, as in SDP."""
        return self._certificate.fingerprint

    def open(self, port: int) -> SrtpChannel:
        """Make a channel between a phone and the port of RTPProxy that is the phone's.

        MediaError: there are no ports, or the process cannot be started.
        """
        sockets: list[socket.socket] = []
        try:
            sockets += self._pair(self._host, self._ports)
            sockets += self._pair(self.inner_host, None)
            number = next(self._numbers)
            command = {
                "open": number,
                "rtp": [self.inner_host, port],
                "rtcp": [self.inner_host, port + 1],
            }
            self.tell(command, sockets)
            inside: tuple[str, int] = sockets[2].getsockname()
            return SrtpChannel(number, sockets[0].getsockname()[1], inside, self)
        except OSError as error:
            raise MediaError(f"no way for an encrypted leg: {error}") from error
        finally:
            for sock in sockets:
                sock.close()

    def open_browser(self, port: int) -> BrowserChannel:
        """Make a way between the browsers of a side and the port of RTPProxy that is theirs.

        MediaError: there is no public port for browsers (`webrtc_port`), or no process.
        """
        if self._public is None:
            raise MediaError("there is no port for browsers (--webrtc-port)")
        sockets: list[socket.socket] = []
        try:
            sockets += self._pair(self.inner_host, None)
            number = next(self._numbers)
            command = {
                "browser": number,
                "rtp": [self.inner_host, port],
                "rtcp": [self.inner_host, port + 1],
            }
            self.tell(command, sockets)
            return BrowserChannel(number, sockets[0].getsockname(), self)
        except OSError as error:
            raise MediaError(f"no way for a browser: {error}") from error
        finally:
            for sock in sockets:
                sock.close()

    def listen(self) -> None:
        """Take the public port for browsers; MediaError: somebody else has it."""
        if self._webrtc_port is None:
            return
        try:
            if self._webrtc_port:
                self._public = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                self._public.bind((self._host, self._webrtc_port))
            else:
                self._public, beside = self._pair(self._host, self._ports)
                beside.close()
            self._public.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4 * _BUFFER_BYTES)
        except OSError as error:
            self.stop()
            raise MediaError(f"no UDP port for browsers (--webrtc-port): {error}") from error
        self.public_port = self._public.getsockname()[1]

    def _pair(self, host: str, ports: range | None) -> list[socket.socket]:
        """Return sockets at an even port and the next one; `ports` None: at any."""
        for _ in range(_TRIES):
            low = random.choice(ports) if ports else random.randrange(32768, 60000, 2)
            pair = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(2)]
            try:
                for sock, number in zip(pair, (low, low + 1), strict=True):
                    sock.bind((host, number))
            except OSError:
                for sock in pair:
                    sock.close()
            else:
                return pair
        raise OSError("all ports are taken")

    def tell(self, command: dict[str, Any], sockets: list[socket.socket] | None = None) -> None:
        """Send a command; OSError only for one with sockets (a channel that cannot be)."""
        control = self._running(start=sockets is not None)
        if control is None:
            return
        self._hear(control)
        data = json.dumps(command).encode()
        try:
            if sockets is None:
                control.send(data)
            else:
                socket.send_fds(control, [data], [sock.fileno() for sock in sockets])
        except OSError as error:
            log.error("the SRTP process does not take a command", error=str(error))
            if sockets is not None:
                raise

    def _running(self, *, start: bool) -> socket.socket | None:
        if self._process is not None and self._process.poll() is not None:
            log.error("the SRTP process has ended; its calls have no sound")
            self.close()
        if self._control is None and start:
            ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            with theirs:
                for sock in (ours, theirs):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _BUFFER_BYTES)
                ours.setblocking(False)
                number = theirs.fileno()
                self._process = subprocess.Popen(  # noqa: S603 - a module of ours
                    [sys.executable, str(_WORKER), str(number)],
                    pass_fds=(number,),
                    stdin=subprocess.DEVNULL,
                )
            self._control = ours
            made = self._certificate
            ours.send(json.dumps({"certificate": made.certificate, "key": made.key}).encode())
            if self._public is not None:
                socket.send_fds(ours, [b'{"public": true}'], [self._public.fileno()])
        return self._control

    def _hear(self, control: socket.socket) -> None:
        """Log what the process has to say."""
        with contextlib.suppress(OSError):
            while data := control.recv(_ANSWER_BYTES):
                words = json.loads(data)
                log.warning(
                    "an encrypted leg has no sound", callid=words["call"], error=words["failed"]
                )

    def stop(self) -> None:
        """End the process and free the public port."""
        self.close()
        if self._public is not None:
            self._public.close()
            self._public = None

    def close(self) -> None:
        """End the process; harmless when there is none."""
        if self._control is not None:
            self._control.close()
            self._control = None
        process, self._process = self._process, None
        if process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(0.5)
                return
            process.kill()
            process.wait()
