"""Debian's linphonec as a softphone: registers, calls, answers, transfers, plays a tone."""

from __future__ import annotations

import array
import asyncio
import contextlib
import math
import os
import wave
from pathlib import Path

from tests.support.ports import free_port

RC = """\
[sip]
sip_port={port}
sip_tcp_port=0
sip_tls_port=0
contact="{user}" <sip:{user}@127.0.0.1>
default_proxy=0
[rtp]
audio_rtp_port={rtp}
[sound]
echocancellation=0
[video]
enabled=0
capture=0
display=0
[auth_info_0]
username={user}
userid={user}
passwd={password}
realm={domain}
domain={domain}
[proxy_0]
reg_proxy=<sip:{proxy};transport=udp>
reg_route=<sip:{proxy};transport=udp>
reg_identity=<sip:{user}@{domain}>
reg_expires=300
reg_sendregister=1
publish=0
"""
RATE = 8000


class Linphone:
    """One linphonec with one account; `async with` starts and ends it."""

    def __init__(
        self, folder: Path, *, user: str, password: str, domain: str, proxy: str, tone_hz: int
    ) -> None:
        self.folder = folder
        self.log = ""
        (folder / ".local/share/linphone").mkdir(parents=True)
        _write_tone(folder / "tone.wav", tone_hz)
        (folder / "linphonerc").write_text(
            RC.format(
                port=free_port(),
                rtp=free_port(),
                user=user,
                password=password,
                domain=domain,
                proxy=proxy,
            )
        )
        self._news = asyncio.Event()

    async def __aenter__(self) -> Linphone:
        self._process = await asyncio.create_subprocess_exec(
            "linphonec",
            "-c",
            str(self.folder / "linphonerc"),
            env={**os.environ, "HOME": str(self.folder)},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        self._task = asyncio.create_task(self._read())
        await self.says("linphonec>")
        await self.command("soundcard use files")
        await self.command(f"play {self.folder}/tone.wav")
        await self.command(f"record {self.folder}/heard.wav")
        return self

    async def __aexit__(self, *exc: object) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._process.terminate()
        try:
            await asyncio.wait_for(self._process.wait(), 5)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _read(self) -> None:
        assert self._process.stdout is not None
        while data := await self._process.stdout.read(4096):
            self.log += data.decode(errors="replace")
            self._news.set()

    async def command(self, text: str) -> None:
        """Type a line at its prompt."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{text}\n".encode())
        await self._process.stdin.drain()

    async def says(self, text: str, timeout_s: float = 20) -> None:
        """Wait until it has printed this."""
        try:
            async with asyncio.timeout(timeout_s):
                while text not in self.log:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"linphonec did not say {text!r}:\n{self.log}") from None


def _write_tone(path: Path, hz: int) -> None:
    samples = (int(8000 * math.sin(2 * math.pi * hz * at / RATE)) for at in range(RATE * 60))
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(array.array("h", samples).tobytes())
