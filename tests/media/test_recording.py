import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.effort import loop_effort
from vpbx.media import MediaEngine, MediaSession, Recording, RecordingWorker, RtpPeer, Side
from vpbx.media.rtp import dominant_frequency, goertzel, tone_frames
from vpbx.media.timeline import runs

from .conftest import Engines, Phones, connect
from .pcaps import channels, stream, write_pcap


@pytest_asyncio.fixture(loop_scope="session")
async def worker():
    worker = RecordingWorker()
    yield worker
    await worker.stop()


def short_recording(folder: Path, callid: str = "1", seconds: float = 1.0) -> Recording:
    a, b = stream(tone_frames(425), seconds), stream(tone_frames(700), seconds)
    return Recording(callid, (write_pcap(folder, a, b, callid=callid),))


async def test_a_call_becomes_a_stereo_mp3(
    engine: MediaEngine,
    session: MediaSession,
    phone: Phones,
    worker: RecordingWorker,
    tmp_path: Path,
) -> None:
    a, b = await phone(8), await phone(0)
    await connect(session, a, b)
    assert await session.start_recording()
    a.send_tone(425)
    b.send_tone(700)
    await a.hear(100)
    recording = await session.stop_recording()
    assert recording is not None
    target = tmp_path / "mp3" / "call.mp3"
    result = await worker.encode(recording, target, left=Side.B)
    assert result.ok, result.error
    assert result.seconds > 1.5
    left, right = channels(target)
    assert abs(dominant_frequency(left[4000:]) - 700) < 5
    assert abs(dominant_frequency(right[4000:]) - 425) < 5
    assert not list(engine.config.record_dir.iterdir())


async def test_nothing_captured_is_no_recording(
    engine: MediaEngine, session: MediaSession, phone: Phones
) -> None:
    assert await session.stop_recording() is None
    await connect(session, await phone(), await phone())
    await session.start_recording()
    assert await session.stop_recording() is None
    assert not list(engine.config.spool_dir.iterdir())
    async with asyncio.timeout(30):
        while list(engine.config.record_dir.iterdir()):
            await asyncio.sleep(0.05)


async def test_digits_alone_are_no_recording(
    session: MediaSession, phone: Phones, worker: RecordingWorker, tmp_path: Path
) -> None:
    """Keys that are pressed as a recording begins; with a word after them they are one."""
    a, b = await phone(8), await phone(8)
    await connect(session, a, b)
    assert await session.start_recording("keys")
    a.send_digits("5")
    await b.hear(5)
    assert await session.stop_recording() is None
    assert await session.start_recording("keys")
    a.send_tone(425)
    await b.hear(20)
    recording = await session.stop_recording()
    assert recording is not None
    result = await worker.encode(recording, tmp_path / "call.mp3", left=Side.B)
    assert result.ok, result.error


async def test_pieces_of_an_interrupted_recording_stay_together(
    session: MediaSession, phone: Phones, worker: RecordingWorker, tmp_path: Path
) -> None:
    a, b = await phone(), await phone()
    await connect(session, a, b)
    a.send_tone(425)
    for _ in range(2):
        await session.start_recording()
        await b.hear(20)
        recording = await session.stop_recording()
    assert recording is not None
    assert len(recording.files) == 2
    assert (await worker.encode(recording, tmp_path / "x.mp3", left=Side.A)).ok


async def test_recordings_of_two_names_are_told_apart(session: MediaSession, phone: Phones) -> None:
    a, b = await phone(), await phone()
    await connect(session, a, b)
    a.send_tone(425)
    found = []
    for name in ("17", "18"):
        assert await session.start_recording(name)
        await b.hear(20)
        found.append(await session.stop_recording())
    first, second = found
    assert first is not None
    assert second is not None
    assert (first.callid, second.callid) == ("17", "18")
    assert [file.name.partition("-")[0] for file in (*first.files, *second.files)] == ["17", "18"]
    assert await session.close() is None


async def test_what_is_played_to_one_side_is_not_recorded_as_the_other(
    session: MediaSession, phone: Phones
) -> None:
    a, b = await phone(), await phone()
    await connect(session, a, b)
    await session.start_recording()
    await session.play(Side.A, "ringback", repeat=0)
    await a.hear(10)
    assert await session.stop_recording() is None


async def test_a_recording_that_cannot_be_written_costs_the_call_nothing(
    new_engine: Engines, phone: Phones
) -> None:
    engine = await new_engine()
    session = await engine.open("1")
    a, b = await phone(), await phone()
    await connect(session, a, b)
    engine.config.spool_dir.rmdir()
    assert not await session.start_recording()
    a.send_tone(425)
    await b.hear(5)
    assert await session.stop_recording() is None


async def test_a_failure_is_told_and_keeps_the_files(
    worker: RecordingWorker, tmp_path: Path
) -> None:
    recording = short_recording(tmp_path)
    (tmp_path / "file").write_text("")
    result = await worker.encode(recording, tmp_path / "file" / "x.mp3", left=Side.A)
    assert not result.ok
    assert result.error
    assert recording.files[0].exists()
    assert (await worker.encode(recording, tmp_path / "x.mp3", left=Side.A)).ok
    assert not recording.files[0].exists()


async def test_the_worker_is_started_again_when_it_has_died(
    worker: RecordingWorker, tmp_path: Path
) -> None:
    await worker.warm_up()
    assert worker._process is not None
    first = worker._process.pid
    os.kill(first, signal.SIGKILL)
    result = await worker.encode(short_recording(tmp_path), tmp_path / "x.mp3", left=Side.A)
    assert result.ok
    assert worker._process.pid != first


async def test_a_stop_leaves_to_the_next_start_what_is_not_done(tmp_path: Path) -> None:
    worker = RecordingWorker()
    recordings = [short_recording(tmp_path, str(n), 120) for n in range(4)]
    jobs = [
        asyncio.create_task(worker.encode(recording, tmp_path / f"{n}.mp3", left=Side.A))
        for n, recording in enumerate(recordings)
    ]
    await asyncio.sleep(0.2)
    assert worker._process is not None
    group = worker._process.pid
    async with asyncio.timeout(30):
        await worker.stop(0.1)
        await worker.stop()
    results = await asyncio.gather(*jobs, return_exceptions=True)
    assert isinstance(results[-1], asyncio.CancelledError)
    assert recordings[-1].files[0].exists()
    assert not list(tmp_path.glob("3.mp3"))
    await until_gone(group)


async def until_gone(group: int) -> None:
    """Wait until no process of the group runs; TimeoutError when one stays."""
    async with asyncio.timeout(30):
        while any(_runs(stat, group) for stat in Path("/proc").glob("[0-9]*/stat")):
            await asyncio.sleep(0.02)


def _runs(stat: Path, group: int) -> bool:
    try:
        state, _, its_group = stat.read_text().rpartition(")")[2].split()[:3]
    except OSError:  # it has just ended
        return False
    return int(its_group) == group and state != "Z"


async def test_recordings_left_by_a_crash_are_found_and_encoded(
    worker: RecordingWorker, tmp_path: Path
) -> None:
    spool, record = tmp_path / "spool", tmp_path / "pcap"
    short_recording(spool, "11")
    short_recording(record, "12")
    short_recording(record, "99")
    (record / "note.txt").write_text("not ours")

    def plan(callid: str) -> tuple[Path, Side] | None:
        return None if callid == "99" else (tmp_path / f"{callid}.mp3", Side.A)

    results = await worker.recover((spool, record), plan)
    assert [(callid, result.ok) for callid, result in results] == [("11", True), ("12", True)]
    left, right = channels(tmp_path / "11.mp3")
    assert goertzel(left[4000:], 425) > 0.9
    assert goertzel(right[4000:], 700) > 0.9
    assert [file.name for file in record.iterdir()] == ["note.txt"]


async def test_a_recording_in_progress_survives_kill_9(tmp_path: Path) -> None:
    """The pcap of a call under way is on disk but for the last half second."""
    script = tmp_path / "server.py"
    script.write_text(
        "import asyncio, sys\n"
        "from tests.media.conftest import connect, media_config\n"
        "from pathlib import Path\n"
        "from vpbx.media import MediaEngine, RtpEndpoint\n"
        "async def main():\n"
        "    engine = MediaEngine(media_config(Path(sys.argv[1])))\n"
        "    await engine.start()\n"
        "    session = await engine.open('42')\n"
        "    a, b = await RtpEndpoint.open(), await RtpEndpoint.open()\n"
        "    await connect(session, a, b)\n"
        "    await session.start_recording()\n"
        "    a.send_tone(425); b.send_tone(700)\n"
        "    await a.hear(100)\n"
        "    Path(sys.argv[1], 'talking').touch()\n"
        "    await asyncio.sleep(60)\n"
        "asyncio.run(main())\n"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, str(script), str(tmp_path)),
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    try:
        async with asyncio.timeout(20):
            while not (tmp_path / "talking").exists():
                await asyncio.sleep(0.05)
    finally:
        process.kill()
        await process.wait()
    worker = RecordingWorker()
    results = await worker.recover(
        (tmp_path / "spool", tmp_path / "pcap"), lambda callid: (tmp_path / "x.mp3", Side.A)
    )
    await worker.stop()
    assert [(callid, result.ok) for callid, result in results] == [("42", True)]
    assert results[0][1].seconds > 1.0


async def test_encoding_does_not_hold_up_the_loop(worker: RecordingWorker, tmp_path: Path) -> None:
    file = write_pcap(tmp_path, stream(tone_frames(425), 300))
    await worker.warm_up()
    recording = Recording("1", (file,))
    job = asyncio.create_task(worker.encode(recording, tmp_path / "x.mp3", left=Side.A))
    async with loop_effort() as spent:
        assert (await job).ok
    assert spent.longest_s < 0.25


async def test_a_peer_without_address_is_still_recorded(
    session: MediaSession, phone: Phones
) -> None:
    a, b = await phone(), await phone()
    await session.set_remote(Side.A, RtpPeer("0.0.0.0", 0, (8,), signalled="127.0.0.1"))
    a.connect(*session.local(Side.A))
    await session.start_recording()
    a.send_tone(425)
    await asyncio.sleep(0.3)
    recording = await session.stop_recording()
    assert recording is not None
    heard, silent = runs(recording.files, {})
    assert heard
    assert not silent
    b.close()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Give a file system of a megabyte and a half, where we may make one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1536k", "tmpfs", str(folder)]
    made = subprocess.run(mount, capture_output=True, text=True, check=False)
    if made.returncode:
        pytest.skip(f"no file system can be made: {made.stderr.strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


async def test_while_the_disk_is_full_a_recording_waits_for_room(
    small_disk: Path, tmp_path: Path
) -> None:
    worker = RecordingWorker(look_again_s=0.05)
    full = small_disk / "full"
    with full.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    recordings = [short_recording(tmp_path, str(number)) for number in range(3)]
    encoding = [
        asyncio.create_task(
            worker.encode(recording, small_disk / "1" / f"{place}.mp3", left=Side.A)
        )
        for place, recording in enumerate(recordings)
    ]
    done, waiting = await asyncio.wait(encoding, timeout=2)
    assert done == set(), "nothing is given up"
    assert all(file.exists() for recording in recordings for file in recording.files)
    full.unlink()
    done, waiting = await asyncio.wait(encoding, timeout=20)
    assert waiting == set()
    assert all(task.result().ok for task in done)
    assert len(list((small_disk / "1").glob("*.mp3"))) == 3
    await worker.stop()


async def test_a_stop_does_not_wait_for_room(small_disk: Path, tmp_path: Path) -> None:
    worker = RecordingWorker(look_again_s=0.05)
    with (small_disk / "full").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"x" * 4096)
    recording = short_recording(tmp_path)
    encoding = asyncio.create_task(
        worker.encode(recording, small_disk / "1" / "1.mp3", left=Side.A)
    )
    await asyncio.wait((encoding,), timeout=1)
    async with asyncio.timeout(30):
        await worker.stop()
        with pytest.raises(asyncio.CancelledError):
            await encoding
    assert all(file.exists() for file in recording.files), "for the next start"
