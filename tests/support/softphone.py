"""Debian's baresip as a softphone: registers, calls, answers, plays a tone, records."""

from __future__ import annotations

import asyncio
import contextlib
import json
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.ports import free_port, free_range

MODULES = Path("/usr/lib/baresip/modules")

CONFIG = """\
poll_method epoll
net_interface 127.0.0.1
dns_server 127.0.0.1:53
sip_listen 127.0.0.1:{sip_port}
call_local_timeout 120
call_max_calls 4
audio_player aubridge,sink-{ctrl_port}
audio_source ausine,{tone_hz}
audio_alert aubridge,alert-{ctrl_port}
ausrc_srate 48000
ausrc_channels 2
auplay_channels 1
rtp_ports {rtp_low}-{rtp_high}
module_path {modules}
module g711.so
module ausine.so
module aubridge.so
module sndfile.so
module srtp.so
module dtls_srtp.so
module_app account.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{ctrl_port}
snd_path {recordings}
"""


class Softphone:
    """One baresip with one account; `async with` starts and ends it."""

    def __init__(
        self,
        folder: Path,
        *,
        user: str,
        password: str,
        domain: str,
        proxy: str,
        transport: str = "udp",
        tone_hz: int = 1000,
        answer: str = "manual",
        sip_port: int = 0,
        encryption: str = "",
        lamp: bool = False,
        watches: str = "",
    ) -> None:
        """`encryption`: "srtp" (offered), "srtp-mand" (insisted on), "dtls_srtp", or none.

        `lamp`: it subscribes to its voicemail. `watches`: a SIP URI to whose presence it does.
        """
        self._modules = ["mwi.so"] if lamp else []
        if watches:
            self._modules += ["contact.so", "presence.so"]
            (folder / "contacts").parent.mkdir(parents=True, exist_ok=True)
            (folder / "contacts").write_text(f"<{watches}>;presence=p2p\n")
        self.folder, self.tone_hz, self._sip_port = folder, tone_hz, sip_port
        (folder / "recordings").mkdir(parents=True, exist_ok=True)
        # without a proxy it registers nowhere: a peer at a known address
        outbound = (
            f';outbound="sip:{proxy};transport={transport}";regint=60' if proxy else ";regint=0"
        )
        (folder / "accounts").write_text(
            f"<sip:{user}@{domain};transport={transport}>;auth_user={user};auth_pass={password}"
            f"{outbound};answermode={answer};audio_codecs=PCMA,PCMU"
            f"{f';mediaenc={encryption}' if encryption else ''}{';mwi=yes' if lamp else ''}\n"
        )
        self.log: list[str] = []
        self.events: list[dict[str, Any]] = []
        self._news = asyncio.Event()

    async def __aenter__(self) -> Softphone:
        for _ in range(3):  # a port that was free may be taken before baresip binds it
            self._write_config()
            self._process = await asyncio.create_subprocess_exec(
                "baresip",
                "-f",
                str(self.folder),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )
            self._tasks = [asyncio.create_task(self._read_log())]
            reader = await self._connect()
            if reader is not None:
                self._tasks.append(asyncio.create_task(self._read_events(reader)))
                return self
            await self.__aexit__()
        raise RuntimeError("baresip did not start:\n" + "\n".join(self.log))

    def _write_config(self) -> None:
        self._ctrl_port = free_port()
        rtp_low, rtp_end = free_range(20)
        (self.folder / "config").write_text(
            CONFIG.format(
                sip_port=self._sip_port or free_port(),
                ctrl_port=self._ctrl_port,
                tone_hz=self.tone_hz,
                modules=MODULES,
                recordings=self.folder / "recordings",
                rtp_low=rtp_low,
                rtp_high=rtp_end - 1,
            )
            + "".join(f"module_app {name}\n" for name in self._modules)
        )

    async def _connect(self) -> asyncio.StreamReader | None:
        while self._process.returncode is None:
            try:
                reader, self._writer = await asyncio.open_connection("127.0.0.1", self._ctrl_port)
            except OSError:
                await asyncio.sleep(0.05)
            else:
                return reader
        return None

    async def __aexit__(self, *exc: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), 5)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _read_log(self) -> None:
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            self.log.append(line.decode(errors="replace").rstrip())
            self._news.set()

    async def _read_events(self, reader: asyncio.StreamReader) -> None:
        while True:  # netstrings: "<length>:<json>,"
            size = int((await reader.readuntil(b":"))[:-1])
            message = json.loads(await reader.readexactly(size))
            await reader.readexactly(1)
            self.events.append(message)
            self._news.set()

    async def command(self, name: str, params: str = "") -> None:
        """Give baresip one of its long commands (dial, accept, hangup…)."""
        text = json.dumps({"command": name, "params": params, "token": name}).encode()
        self._writer.write(b"%d:%s," % (len(text), text))
        await self._writer.drain()

    async def happens(self, kind: str, *, timeout_s: float = 30) -> None:
        """Wait until an event of this type has come."""
        await self.until(
            lambda: any(event.get("type") == kind for event in self.events), kind, timeout_s
        )

    async def says(self, words: str, *, timeout_s: float = 30) -> None:
        """Wait until a line of its log has these words."""
        await self.until(lambda: any(words in line for line in self.log), words, timeout_s)

    async def registers(self) -> None:
        """Wait until the registration of the start has gone through."""
        await self.says(" binding]")

    async def until(self, check: Callable[[], bool], what: str, timeout_s: float = 30) -> None:
        """Wait until `check` says so, looking at each line and event."""

        async def wait() -> None:
            while not check():
                self._news.clear()
                await self._news.wait()

        try:
            await asyncio.wait_for(wait(), timeout_s)
        except TimeoutError:
            seen = [event.get("type") for event in self.events]
            raise AssertionError(f"no {what}; saw {seen}\n" + "\n".join(self.log[-40:])) from None

    async def hears_something(self, *, seconds: float = 2.0, timeout_s: float = 30) -> None:
        """Wait until this much sound has been received and recorded in the current call."""
        await self._recorded("-dec.wav", seconds, timeout_s)

    async def speaks(self, *, seconds: float, timeout_s: float = 30) -> None:
        """Wait until this much sound has been sent in the current call."""
        await self._recorded("-enc.wav", seconds, timeout_s)

    async def _recorded(self, end: str, seconds: float, timeout_s: float) -> None:
        async def grown() -> None:
            wanted = seconds * 8000 * 2
            while not any(
                path.stat().st_size > wanted
                for path in (self.folder / "recordings").glob(f"*{end}")
            ):
                await asyncio.sleep(0.05)

        try:
            await asyncio.wait_for(grown(), timeout_s)
        except TimeoutError:
            raise AssertionError("there was no sound\n" + "\n".join(self.log[-40:])) from None

    def heard(self) -> list[bytes]:
        """Return the 16-bit mono sound of every call received so far, newest last."""
        sounds = []
        for path in sorted((self.folder / "recordings").glob("*-dec.wav")):
            with contextlib.suppress(wave.Error, EOFError), wave.open(str(path)) as file:
                sounds.append(file.readframes(file.getnframes()))
        return sounds
