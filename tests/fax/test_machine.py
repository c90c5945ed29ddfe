"""The process that a fax machine is: what hurts it hurts one fax."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import shutil
import signal
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from structlog.testing import capture_logs

import vpbx.media.fax
from tests.support.fax import PacketCalling, page, pages_in, same_picture, write_tiff
from tests.support.ports import free_range
from vpbx.media import (
    FaxLost,
    FaxMachine,
    FaxMachines,
    FaxNews,
    FaxPages,
    FaxParted,
    MediaConfig,
    NoFax,
    PacketPeer,
)

_MEDIA = Path(vpbx.media.fax.__file__).parent


class Heard:
    """What a machine has told."""

    def __init__(self) -> None:
        self.news: list[FaxNews] = []
        self._more = asyncio.Event()

    def __call__(self, news: FaxNews) -> None:
        self.news.append(news)
        self._more.set()

    async def until(self, kind: type) -> FaxNews:
        async with asyncio.timeout(60):
            while True:
                for news in self.news:
                    if isinstance(news, kind):
                        return news
                self._more.clear()
                await self._more.wait()


@pytest.fixture
def config(tmp_path: Path) -> MediaConfig:
    low, high = free_range(40)
    spool = tmp_path / "spool"
    spool.mkdir()
    return MediaConfig(
        spool_dir=spool,
        record_dir=tmp_path,
        prompts_dir=tmp_path,
        listen_host="127.0.0.1",
        port_min=low,
        port_max=high,
    )


@pytest_asyncio.fixture(loop_scope="session")
async def machines(config: MediaConfig) -> AsyncIterator[FaxMachines]:
    made = FaxMachines(config)
    yield made
    made.stop()


async def _receive(machines: FaxMachines, heard: Heard, sender: PacketCalling) -> FaxMachine:
    machine = await machines.open("fax", "+74950000001", heard)
    port = machine.packet_port()
    machine.hear_packets(PacketPeer("127.0.0.1", sender.port))
    sender.begin(("127.0.0.1", port))
    return machine


def _pid(machine: FaxMachine) -> int:
    process = machine._process
    assert process is not None
    return process.pid


async def test_what_had_arrived_when_the_process_died_is_made_a_pdf(
    machines: FaxMachines, tmp_path: Path
) -> None:
    pages = [page(21, rows=80), page(22, rows=700)]
    sender = await PacketCalling.open(write_tiff(tmp_path / "two.tiff", pages))
    heard = Heard()
    machine = await _receive(machines, heard, sender)
    await heard.until(FaxPages)
    os.kill(_pid(machine), signal.SIGKILL)
    await heard.until(FaxLost)
    sender.close()
    target = tmp_path / "kept" / "fax.pdf"
    with pytest.raises(NoFax):
        await machine.end(target)
    found = list(machine.files.parent.glob("fax.*.tif"))
    assert await machines.rescue(found, target) == 1
    assert same_picture(pages_in(target)[0], pages[0])
    assert list(machine.files.parent.iterdir()) == []


async def test_a_process_that_hangs_is_given_up(
    machines: FaxMachines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vpbx.media.fax, "_END_S", 0.3)
    machine = await machines.open("fax", "", Heard())
    os.kill(_pid(machine), signal.SIGSTOP)
    with pytest.raises(NoFax, match="does not answer"):
        await machine.end(tmp_path / "fax.pdf")
    assert machine._process is not None
    await asyncio.wait_for(machine._process.wait(), 30)


async def test_junk_from_the_peer_itself_costs_at_most_its_own_fax(
    machines: FaxMachines, tmp_path: Path
) -> None:
    dice = random.Random(4)
    heard = Heard()
    machine = await machines.open("fax", "", heard)
    port = machine.packet_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as peer:
        peer.bind(("127.0.0.1", 0))
        machine.hear_packets(PacketPeer("127.0.0.1", peer.getsockname()[1]))
        for number in range(4000):
            size = dice.randrange(0, 60)
            data = dice.randbytes(size)
            if number % 2:  # well formed outside, junk inside
                data = number.to_bytes(2, "big") + bytes([size]) + data + b"\0\0"
            peer.sendto(data, ("127.0.0.1", port))
            if number % 50 == 0:
                await asyncio.sleep(0.005)
    with contextlib.suppress(NoFax):
        assert await machine.end(tmp_path / "junk.pdf") == 0
    assert not (tmp_path / "junk.pdf").exists()
    picture = page(23, rows=60)
    sender = await PacketCalling.open(write_tiff(tmp_path / "one.tiff", [picture]))
    heard = Heard()
    machine = await _receive(machines, heard, sender)
    assert await heard.until(FaxParted) == FaxParted(True, "OK")
    sender.close()
    assert await machine.end(tmp_path / "fax.pdf") == 1
    assert same_picture(pages_in(tmp_path / "fax.pdf")[0], picture)


async def test_on_a_full_disk_the_sender_is_told_that_nothing_has_arrived(
    machines: FaxMachines, config: MediaConfig, tmp_path: Path
) -> None:
    (config.spool_dir / "fax.1.tif").symlink_to("/dev/full")
    sender = await PacketCalling.open(write_tiff(tmp_path / "one.tiff", [page(24, rows=60)]))
    heard = Heard()
    machine = await _receive(machines, heard, sender)
    parted = await heard.until(FaxParted)
    assert isinstance(parted, FaxParted)
    assert not parted.ok
    assert await sender.done() != "OK"
    assert sender.pages_sent == 0
    assert await machine.end(tmp_path / "fax.pdf") == 0
    assert not (tmp_path / "fax.pdf").exists()


async def test_without_the_library_it_is_said_once_what_to_install(
    machines: FaxMachines, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "media"
    copy.mkdir()
    for name in ("fax_worker", "fax_pdf", "g711", "udptl", "spandsp"):
        shutil.copy(_MEDIA / f"{name}.py", copy)
    binding = copy / "spandsp.py"
    binding.write_text(binding.read_text().replace("libspandsp.so.2", "libspandsp.so.none"))
    monkeypatch.setattr(vpbx.media.fax, "_WORKER", copy / "fax_worker.py")
    with capture_logs() as logs:
        for _ in range(2):
            with pytest.raises(NoFax, match="libspandsp2 cannot be used") as refused:
                await machines.open("fax", "", Heard())
            assert refused.value.missing
    assert [entry["hint"] for entry in logs] == ["apt-get install libspandsp2"]
    assert "libspandsp2" in await machines.problem()
    monkeypatch.undo()
    assert await machines.problem() == ""
