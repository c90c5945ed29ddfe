"""A fax machine in a process of its own: `python fax_worker.py FD`, one process a fax.

The modems are C that reads what strangers send, so they live where a crash or a hang costs one
fax. It takes pages into a TIFF file and makes them a PDF at the end.

The server speaks over a private socket, JSON a datagram, sockets by SCM_RIGHTS:
`{"sound": {"payload": 8, "laws": [[8, 8], [0, 0]], "to": [HOST, PORT]}, …}` with the RTP socket
on the loopback begins, or goes back to sound; `{"packets": {"to": [HOST, PORT], "behind": HOST,
…}}` with a UDP socket goes on over T.38; `{"end": PDF}` closes the file, makes the PDF and answers
`{"pages": N}`; `{"convert": [TIFF, …], "end": PDF}` makes one of what an earlier process has left.
What is told: `{"ready": true}`, or `{"missing": WHAT}`, at the start; `{"heard": true}` a calling
fax machine was heard; `{"page": N}` so many pages are there, and the sender knows; `{"over":
REASON, "ok": BOOL}` the machines have parted.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import resource
import selectors
import socket
import struct
import sys
import time
from array import array
from pathlib import Path
from typing import Any

_TICK_S, _SAMPLES = 0.02, 160
_MOST_LATE_S = 0.5
_QUIET_S = 1.0
"""Nothing has come for so long: the time that passes is silence. What comes late comes whole, so
to call less than this silence would break pages over a network that stutters."""
_REORDER = 4
_LONGEST_GAP = 8000
_COMMAND_BYTES, _PACKET_BYTES = 8192, 2048
_HEADER = struct.Struct("!BBHII")
_LAST_WORDS_S = 1.2
"""For the DCN we may have to say before the call is ended."""
_MEMORY_BYTES = 256 << 20
_CPU_S = 600


def _beside(name: str) -> Any:
    """Load a module of this folder without the package around it, which is 40 MB more."""
    path = Path(__file__).with_name(f"{name}.py")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


g711, spandsp, udptl = _beside("g711"), _beside("spandsp"), _beside("udptl")
fax_pdf = _beside("fax_pdf")


class _Sound:
    """The RTP half: packets into samples in order, and back."""

    def __init__(self, sock: socket.socket, settings: dict[str, Any]) -> None:
        self.sock, self._to = sock, tuple(settings["to"])
        self._payload = settings["payload"]
        self._laws = dict(settings["laws"])
        self._law = self._laws[self._payload]
        self._ssrc = int.from_bytes(os.urandom(4), "big")
        self._sequence = int.from_bytes(os.urandom(2), "big")
        self._timestamp = int.from_bytes(os.urandom(4), "big")
        self._source: int | None = None
        self._next = 0
        self._early: dict[int, tuple[int, bytes]] = {}
        self._filled = 0
        self.heard_at = time.monotonic()

    def send(self, samples: bytes) -> None:
        """Send 20 ms."""
        sound = array("h")
        sound.frombytes(samples)
        head = _HEADER.pack(0x80, self._payload, self._sequence, self._timestamp, self._ssrc)
        self.sock.sendto(head + g711.encode(self._law, sound), self._to)
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + _SAMPLES) & 0xFFFFFFFF

    def take(self, data: bytes, sender: Any, fax: Any, listener: Any) -> None:
        """Take a packet; what comes out of order waits for what is missing, but not for long."""
        if sender != self._to or len(data) <= _HEADER.size or data[0] & 0xC0 != 0x80:
            return
        first, kind, _, timestamp, source = _HEADER.unpack_from(data)
        law = self._laws.get(kind & 0x7F)
        start = _HEADER.size + 4 * (first & 0x0F)
        if law is None or first & 0x10 or len(data) <= start:
            return
        sound = data[start : -data[-1] or None] if first & 0x20 else data[start:]
        self.heard_at = time.monotonic()
        if source != self._source:
            self._source, self._next, self._early, self._filled = source, timestamp, {}, 0
        ahead = (timestamp - self._next) & 0xFFFFFFFF
        if ahead >= 1 << 31:
            return  # too late
        self._early[timestamp] = (law, sound)
        while self._early:
            if self._next in self._early:
                self._hear(*self._early.pop(self._next), fax, listener)
            elif len(self._early) >= _REORDER or ahead > _LONGEST_GAP:
                self._skip(fax)
            else:
                return

    def _skip(self, fax: Any) -> None:
        """What is missing will not come: let its time pass, less what has passed as silence."""
        first = min(self._early, key=lambda stamp: (stamp - self._next) & 0xFFFFFFFF)
        gap = (first - self._next) & 0xFFFFFFFF
        fill = min(gap, _LONGEST_GAP) - self._filled
        if fill > 0:
            fax.miss(fill)
        self._next, self._filled = first, 0

    def _hear(self, law: int, sound: bytes, fax: Any, listener: Any) -> None:
        table = g711.decode_table(law)
        samples = (ctypes.c_int16 * len(sound))(*(table[byte] for byte in sound))
        self._next = (self._next + len(sound)) & 0xFFFFFFFF
        self._filled = 0
        fax.hear(samples)
        if listener is not None:
            listener.hear(samples)

    def pass_silence(self, now: float, fax: Any) -> None:
        """Let 20 ms pass in which nothing came: the machine's timers count what it hears."""
        if now - self.heard_at > _QUIET_S:
            fax.miss(_SAMPLES)
            self._filled += _SAMPLES


class _Packets:
    """The T.38 half: the peer's UDPTL, and ours."""

    def __init__(self, sock: socket.socket, settings: dict[str, Any]) -> None:
        self.sock = sock
        self._to: tuple[str, int] = ("", 0)
        self._behind = ""
        self.aim(settings)
        self._sender = udptl.Sender(most_bytes=settings["most_bytes"])
        self._arrivals = udptl.Arrivals()

    def aim(self, settings: dict[str, Any]) -> None:
        """Send there; the peer may be behind a NAT, and send from elsewhere."""
        host, port = settings["to"]
        self._to, self._behind = (host, port), settings["behind"]

    def send(self, ifp: bytes, times: int) -> None:
        """Send a packet; what matters most is sent more than once."""
        data = self._sender.write(ifp)
        for _ in range(times):
            self.sock.sendto(data, self._to)

    def take(self, data: bytes, source: tuple[str, int], fax: Any) -> None:
        """Take a datagram of the peer, which may be behind a NAT; strangers' are dropped."""
        if source != self._to:
            if source[0] != self._behind:
                return
            try:
                udptl.parse(data)
            except udptl.Junk:
                return
            self._to, self._behind = source, ""
        try:
            packets = self._arrivals.take(data)
        except udptl.Junk:
            return
        for number, ifp in packets:
            fax.hear(ifp, number)


class _Machine:
    """The fax machine: what it hears, says and has received."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._selector = selectors.DefaultSelector()
        self._selector.register(control, selectors.EVENT_READ)
        self._fax: Any = None
        self._sound: _Sound | None = None
        self._packets: _Packets | None = None
        self._listener: Any = None
        self._settings: dict[str, Any] = {}
        self._files: list[tuple[Path, int]] = []
        self._told_pages = 0
        self._over_at: float | None = None
        self._told_over = False

    def run(self) -> None:
        """Work until the end is asked for, or nobody is there to ask."""
        due = time.monotonic()
        while True:
            for key, _ in self._selector.select(max(0.0, due - time.monotonic())):
                if key.fileobj is self._control:
                    if not self._command():
                        return
                else:
                    self._receive()
            now = time.monotonic()
            if now >= due:
                if self._fax is not None:
                    self._tick(now)
                due = max(due + _TICK_S, now - _MOST_LATE_S)

    def _tell(self, news: dict[str, Any]) -> None:
        self._control.send(json.dumps(news).encode())

    def _command(self) -> bool:
        data, numbers, _, _ = socket.recv_fds(self._control, _COMMAND_BYTES, 4)
        if not data:
            return False
        command = json.loads(data)
        socks = [socket.socket(fileno=number) for number in numbers]
        self._settings.update(command.get("settings", {}))
        if "sound" in command:
            self._to_sound(socks, command["sound"])
        elif "packets" in command:
            self._to_packets(socks[0], command["packets"])
        elif "convert" in command:
            self._files = [(Path(name), -1) for name in command["convert"]]
        if "end" in command:
            self._close()
            try:
                self._tell({"pages": fax_pdf.make(self._files, Path(command["end"]))})
            except Exception as error:
                self._tell({"error": f"{type(error).__name__}: {error}"[:500]})
            return False
        return True

    def _watch(self, sock: socket.socket | None) -> None:
        for key in tuple(self._selector.get_map().values()):
            if key.fileobj is not self._control:
                self._selector.unregister(key.fileobj)
        if sock is not None:
            sock.setblocking(False)
            self._selector.register(sock, selectors.EVENT_READ)

    def _to_sound(self, socks: list[socket.socket], sound: dict[str, Any]) -> None:
        self._close()
        sock = socks[0] if socks else self._sound.sock if self._sound else None
        if sock is None:
            return
        self._packets, self._sound = None, _Sound(sock, sound)
        self._watch(sock)
        self._listener = spandsp.Listener()
        self._fax = spandsp.SoundFax(**self._new_file())

    def _to_packets(self, sock: socket.socket, packets: dict[str, Any]) -> None:
        if self._packets is not None:  # the same peer, described anew
            sock.close()
            self._packets.aim(packets)
            return
        self._close()
        self._packets = _Packets(sock, packets)
        self._watch(sock)
        self._fax = spandsp.PacketFax(
            self._send_packet,
            version=packets["version"],
            rate=packets["rate"],
            local_tcf=packets["local_tcf"],
            **self._new_file(),
        )

    def _send_packet(self, ifp: bytes, times: int) -> None:
        if self._packets is not None:
            try:
                self._packets.send(ifp, times)
            except OSError:
                pass  # nobody listens there; the machine's timers end that

    def _new_file(self) -> dict[str, Any]:
        settings = self._settings
        path = Path(f"{settings['file']}.{len(self._files) + 1}.tif")
        self._files.append((path, 0))
        self._over_at, self._told_over = None, False
        left = max(1, settings["pages"] - self._told_pages)
        return {
            "keep": path,
            "send": None,
            "ident": settings["ident"],
            "most_pages": left,
            "paged": lambda result: None,
        }

    def _close(self) -> None:
        """Let the machine go that is at work, and note what it has received."""
        if self._fax is not None:
            self._count()
            self._fax.terminate()
            self._fax = self._listener = None
            self._watch(None)

    def _count(self) -> None:
        """Note, and tell, how many pages are there that the sender was told of."""
        path, known = self._files[-1]
        pages = self._fax.pages
        if pages > known:
            fax_pdf.sync(path)
            self._files[-1] = path, pages
        total = sum(count for _, count in self._files)
        if total > self._told_pages:
            self._told_pages = total
            self._tell({"page": total})

    def _receive(self) -> None:
        for _ in range(16):
            try:
                if self._packets is not None:
                    self._packets.take(*self._packets.sock.recvfrom(_PACKET_BYTES), self._fax)
                elif self._sound is not None:
                    data, source = self._sound.sock.recvfrom(_PACKET_BYTES)
                    self._sound.take(data, source, self._fax, self._listener)
            except OSError:
                break
        if self._listener is not None and self._listener.heard:
            self._listener = None
            self._tell({"heard": True})

    def _tick(self, now: float) -> None:
        fax = self._fax
        if self._packets is not None:
            fax.pass_time(_SAMPLES)
        elif self._sound is not None:
            self._sound.pass_silence(now, fax)
            try:
                self._sound.send(fax.say(_SAMPLES))
            except OSError:
                pass
        self._count()
        if fax.result is not None and self._over_at is None:
            self._over_at = now + (0.0 if fax.result == spandsp.OK else _LAST_WORDS_S)
        if self._over_at is not None and now >= self._over_at and not self._told_over:
            self._told_over = True
            self._tell({"over": fax.reason, "ok": fax.result == spandsp.OK})


def main() -> None:
    """Serve the socket whose number is the argument."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with socket.socket(fileno=int(sys.argv[1])) as control:
        try:
            spandsp.load()
        except (OSError, AttributeError) as error:
            missing = f"libspandsp2 cannot be used: {error}"
            control.send(json.dumps({"missing": missing}).encode())
            return
        control.send(b'{"ready": true}')
        _Machine(control).run()


if __name__ == "__main__":
    main()
