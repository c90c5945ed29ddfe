"""Fax machines: each fax has a process of its own (`fax_worker`), and there are only so many.

What arrives lies in the spool as TIFF until it is a PDF; what a crash leaves there is made one
by `FaxMachines.rescue`.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeAlias

import structlog

from vpbx.frozen import dataclass

from .model import MediaConfig, MediaError, RtpPeer
from .packets import PacketPeer, bind_packets, let_in

__all__ = [
    "FaxHeard",
    "FaxLost",
    "FaxMachine",
    "FaxMachines",
    "FaxNews",
    "FaxPages",
    "FaxParted",
    "NoFax",
]

log = structlog.get_logger("vpbx.media")

_WORKER = Path(__file__).with_name("fax_worker.py")
"""Run by its path: as a module it would load all of this package, 40 MB more."""
_AT_ONCE, _OF_ONE_OWNER = 64, 16
_MOST_PAGES = 200
_START_S, _END_S = 10.0, 60.0
_NEWS_BYTES = 8192


class NoFax(MediaError):
    """No fax can be taken. `missing`: nor later, before somebody installs what is needed."""

    def __init__(self, reason: str, *, missing: bool = False) -> None:
        super().__init__(reason)
        self.missing = missing


@dataclass(frozen=True, slots=True)
class FaxHeard:
    """A calling fax machine was heard (CNG)."""


@dataclass(frozen=True, slots=True)
class FaxPages:
    """So many pages are there, and the sender knows."""

    pages: int


@dataclass(frozen=True, slots=True)
class FaxParted:
    """The machines have said goodbye to each other; `ok`: all went well."""

    ok: bool
    reason: str


@dataclass(frozen=True, slots=True)
class FaxLost:
    """The machine has gone: its process has ended."""


FaxNews: TypeAlias = FaxHeard | FaxPages | FaxParted | FaxLost


class FaxMachines:
    """The fax machines of a server: so many at once, and for each owner so many of them."""

    def __init__(
        self, config: MediaConfig, *, at_once: int = _AT_ONCE, of_one_owner: int = _OF_ONE_OWNER
    ) -> None:
        self._config = config
        self._at_once = at_once
        self._of_one_owner = of_one_owner
        self._machines: set[FaxMachine] = set()
        self._told_missing = False

    async def open(
        self, name: str, ident: str, news: Callable[[FaxNews], None], *, owner: str = ""
    ) -> FaxMachine:
        """Return a machine for the fax `name`, which tells `ident` (its number) to the other.

        `news` is called on the loop; `owner` is whose share of the machines it is of. Raises
        `NoFax`.
        """
        owned = sum(machine.owner == owner for machine in self._machines)
        if len(self._machines) >= self._at_once or owned >= self._of_one_owner:
            raise NoFax(f"{owned} faxes are being received already")
        machine = FaxMachine(self._config, name, ident, news, owner)
        self._machines.add(machine)
        machine.gone = lambda: self._machines.discard(machine)
        try:
            await machine.start()
        except BaseException as error:
            machine.kill()
            if isinstance(error, NoFax):
                self._tell_missing(error)
            raise
        self._told_missing = False
        return machine

    def _tell_missing(self, error: NoFax) -> None:
        if error.missing and not self._told_missing:
            self._told_missing = True
            log.error(
                "faxes cannot be received", error=str(error), hint="apt-get install libspandsp2"
            )

    async def problem(self) -> str:
        """Return why no fax could be received, or ""."""
        try:
            machine = await self.open("try", "", lambda news: None)
        except (NoFax, OSError) as error:
            return str(error)
        machine.kill()
        return ""

    async def rescue(self, files: Iterable[Path], target: Path) -> int:
        """Make a PDF of what a machine that is gone has received; return its pages. NoFax."""
        files = sorted(files)
        machine = FaxMachine(self._config, "rescue", "", lambda news: None)
        try:
            await machine.start()
            return await machine.end(target, convert=files)
        finally:
            machine.kill()

    def stop(self) -> None:
        """End all processes."""
        for machine in tuple(self._machines):
            machine.kill()


class FaxMachine:
    """One fax that is being received."""

    def __init__(
        self,
        config: MediaConfig,
        name: str,
        ident: str,
        news: Callable[[FaxNews], None],
        owner: str = "",
    ) -> None:
        self._config = config
        self.owner = owner
        self.files = config.spool_dir / name
        """What its TIFF files' names begin with."""
        self._ident = ident
        self._news = news
        self.gone: Callable[[], None] = lambda: None
        self._control: socket.socket | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._loop = asyncio.get_running_loop()
        self._answer: asyncio.Future[dict[str, Any]] = self._loop.create_future()
        self._sound: socket.socket | None = None
        self._packets: socket.socket | None = None
        self.pages = 0
        """How many pages are there, and the sender knows."""

    async def start(self) -> None:
        """Start the process; `NoFax` when it cannot be, or what it needs is not installed."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        self._control = ours
        try:
            with theirs:
                self._process = await asyncio.create_subprocess_exec(
                    *(sys.executable, str(_WORKER), str(theirs.fileno())),
                    pass_fds=(theirs.fileno(),),
                    stdin=asyncio.subprocess.DEVNULL,
                    start_new_session=True,  # Ctrl-C is for the server, which ends its faxes
                )
            self._loop.add_reader(ours.fileno(), self._read)
            answer = await asyncio.wait_for(asyncio.shield(self._answer), _START_S)
        except (OSError, TimeoutError) as error:
            raise NoFax(f"the fax process does not start: {error}") from error
        if missing := answer.get("missing"):
            raise NoFax(str(missing), missing=True)
        if "ready" not in answer:
            raise NoFax("the fax process has ended")

    def sound_address(self) -> tuple[str, int]:
        """Return where sound for the machine is to come to, on this machine's loopback."""
        if self._sound is None:
            self._sound = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            self._sound.bind((self._here, 0))
        host, port = self._sound.getsockname()
        return host, port

    @property
    def _here(self) -> str:
        return self._config.inner_host

    def hear_sound(self, port: int, laws: dict[int, int], payload: int) -> RtpPeer:
        """Speak and listen through a media port of this machine; return who that peer is.

        `laws`: which of G.711's laws (0, 8) a payload type stands for; `payload` is ours.
        """
        host, own = self.sound_address()
        assert self._sound is not None
        sound = {"to": [self._here, port], "payload": payload, "laws": list(laws.items())}
        self._tell({"sound": sound}, self._sound)
        return RtpPeer(host, own, tuple(laws))

    def packet_port(self) -> int:
        """Return the port for T.38 that the peer is to be told; MediaError: there is none."""
        if self._packets is None:
            self._packets = bind_packets(self._config)
        return int(self._packets.getsockname()[1])

    def hear_packets(self, peer: PacketPeer) -> None:
        """Go on over T.38, at the port of `packet_port`."""
        self.packet_port()
        assert self._packets is not None
        let_in(self._packets, peer)
        packets = {
            "to": [peer.host, peer.port],
            "behind": peer.behind,
            "version": peer.version,
            "rate": peer.rate,
            "local_tcf": peer.local_tcf,
            "most_bytes": peer.most_bytes,
        }
        self._tell({"packets": packets}, self._packets)

    async def end(self, target: Path, *, convert: list[Path] | None = None) -> int:
        """Receive no more, make the PDF `target` (whole or not at all), return its pages.

        Without a page there is no file. Raises `NoFax` when the process fails at it: what was
        received then stays in the spool.
        """
        command: dict[str, Any] = {"end": str(target)}
        if convert is not None:
            command["convert"] = [str(file) for file in convert]
        self._answer = self._loop.create_future()
        try:
            self._tell(command)
            answer = await asyncio.wait_for(asyncio.shield(self._answer), _END_S)
        except TimeoutError:
            raise NoFax("the fax process does not answer") from None
        finally:
            self.kill()
        if "error" in answer or "pages" not in answer:
            raise NoFax(str(answer.get("error", "the fax process has ended")))
        return int(answer["pages"])

    def kill(self) -> None:
        """End the process, whatever it does; harmless twice."""
        control, self._control = self._control, None
        if control is not None:
            self._loop.remove_reader(control.fileno())
            control.close()
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        for sock in (self._sound, self._packets):
            if sock is not None:
                sock.close()
        self._sound = self._packets = None
        if not self._answer.done():
            self._answer.set_result({})
        self.gone()

    def _tell(self, command: dict[str, Any], sock: socket.socket | None = None) -> None:
        if self._control is None:
            raise NoFax("the fax process has ended")
        settings = {"file": str(self.files), "pages": _MOST_PAGES, "ident": self._ident}
        data = json.dumps({"settings": settings, **command}).encode()
        try:
            numbers = [sock.fileno()] if sock is not None else []
            socket.send_fds(self._control, [data], numbers)
        except OSError as error:
            raise NoFax(f"the fax process does not take a command: {error}") from error

    def _read(self) -> None:
        """Take what the process says, or its end."""
        while self._control is not None:
            try:
                data = self._control.recv(_NEWS_BYTES)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if not data:
                self._ended()
                return
            self._take(json.loads(data))

    def _take(self, said: dict[str, Any]) -> None:
        match said:
            case {"heard": True}:
                self._news(FaxHeard())
            case {"page": int(pages)}:
                self.pages = pages
                self._news(FaxPages(pages))
            case {"over": str(reason), "ok": bool(ok)}:
                self._news(FaxParted(ok, reason))
            case _ if not self._answer.done():
                self._answer.set_result(said)

    def _ended(self) -> None:
        working = self._answer.done()
        self.kill()
        if working:
            self._news(FaxLost())
