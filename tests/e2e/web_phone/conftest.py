"""A real Chromium for the softphone in pages; its microphone hears a tone."""

from __future__ import annotations

import struct
import subprocess
import sys
import wave
from collections.abc import AsyncIterator
from math import pi, sin
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import (
    Browser,
    async_playwright,
)

from tests.e2e.conftest import Company, make_company
from tests.support.chromium import AXE, ROOT, program
from tests.support.crm import Receiver
from tests.support.pbx import Pbx
from tests.support.web_phone import VOICE_HZ


@pytest.fixture(scope="module")
def voice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the browser's microphone hears: a tone."""
    path = tmp_path_factory.mktemp("voice") / "tone.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48000)
        samples = (int(9000 * sin(2 * pi * VOICE_HZ * n / 48000)) for n in range(48000))
        file.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return path


@pytest.fixture(scope="module", autouse=True)
def bundled() -> None:
    if not AXE.exists():  # a tree that was not set up by make
        subprocess.run([sys.executable, ROOT / "scripts/assets.py"], check=True)


@pytest_asyncio.fixture(loop_scope="module")
async def company(pbx: Pbx, tmp_path: Path) -> AsyncIterator[Company]:
    """A company of this test's own."""
    async with Receiver() as crm:
        yield await make_company(pbx, tmp_path, crm)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def browser(voice: Path) -> AsyncIterator[Browser]:
    arguments = (
        *("--no-sandbox", "--disable-gpu", "--ignore-certificate-errors"),
        "--host-resolver-rules=MAP *.example 127.0.0.1",
        *("--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"),
        f"--use-file-for-fake-audio-capture={voice}",
        "--autoplay-policy=no-user-gesture-required",
    )
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=program(), args=[*arguments])
        yield opened
        await opened.close()
