"""Logging never waits and never raises, whatever becomes of where the lines go."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from vpbx.app.outlet import Outlet, Sieve
from vpbx.tasks import watched


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """(reading end, writing end)"""
    ends = os.pipe()
    yield ends
    for end in ends:
        try:
            os.close(end)
        except OSError:
            pass


def told(count: int) -> str:
    return f"{count} dropped"


def test_reader_that_stalls_costs_lines_and_is_told_how_many(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    outlet = Outlet(writing, told, max_bytes=200_000)
    line = "x" * 999
    for _ in range(2000):
        outlet.write(line)  # returns, although nobody reads
    assert outlet.dropped > 1000
    received = b""

    def read() -> None:
        nonlocal received
        while data := os.read(reading, 65536):
            received += data

    thread = threading.Thread(target=read)
    thread.start()
    outlet.close(5)
    os.close(writing)
    thread.join()
    lines = received.decode().splitlines()
    dropped = [text for text in lines if text.endswith("dropped")]
    assert sum(int(text.split()[0]) for text in dropped) == outlet.dropped
    assert lines.count(line) == 2000 - outlet.dropped
    assert set(lines) == {line, *dropped}


@pytest.mark.parametrize("fault", ["closed", "full"])
def test_descriptor_that_takes_nothing_is_no_fault_of_the_writer(
    fault: str, pipe: tuple[int, int]
) -> None:
    os.close(pipe[0])
    descriptor = pipe[1] if fault == "closed" else os.open("/dev/full", os.O_WRONLY)
    outlet = Outlet(descriptor, told, max_bytes=10_000)
    for _ in range(1000):
        outlet.write("y" * 99)
    assert outlet.dropped > 800
    outlet.close(5)


def test_line_that_strangers_filled_is_cut(pipe: tuple[int, int]) -> None:
    reading, writing = pipe
    outlet = Outlet(writing, told)
    outlet.write("z" * 1_000_000)
    outlet.write("next \udc80")
    outlet.close(5)
    first, second = os.read(reading, 65536).splitlines()
    assert len(first) < 20_000
    assert second == rb"next \udc80"


def run(code: str, **how: object) -> subprocess.CompletedProcess[bytes]:
    """Run code in a Python of its own, which may spoil its standard error."""
    return subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=False, timeout=30, **how
    )  # type: ignore[call-overload, no-any-return]


def test_everything_printed_to_stderr_goes_out_in_lines() -> None:
    done = run(
        "import os, sys, logging, structlog\n"
        "from vpbx.app import logs\n"
        "with logs.serving('info'):\n"
        "    structlog.get_logger('vpbx.app').info('ours', number=1)\n"
        "    logging.getLogger('theirs').warning('library')\n"
        "    os.write(2, b'from C\\n')\n"
        "    print('from Python', file=sys.stderr, flush=True)\n"
        "    import time; time.sleep(0.5)\n"
        "print('after', file=sys.stderr)\n"
    )
    lines = done.stderr.decode().splitlines()
    assert done.returncode == 0
    assert {"from C", "from Python"} <= set(lines)
    assert lines[-1] == "after"
    events = [json.loads(line)["event"] for line in lines if line.startswith("{")]
    assert events == ["ours", "library"]


def test_program_goes_on_when_nobody_reads_its_stderr() -> None:
    """Also what is printed past the logs, by a library or by C code, does not block."""
    reading, writing = os.pipe()
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "import os, structlog\n"
            "from vpbx.app import logs\n"
            "with logs.serving('info'):\n"
            "    for _ in range(3000):\n"
            "        structlog.get_logger('vpbx.app').info('x' * 1000)\n"
            "        os.write(2, b'y' * 999 + b'\\n')\n"
            "    print('through')\n",
        ],
        stdout=subprocess.PIPE,
        stderr=writing,
        check=False,
        timeout=30,
    )
    os.close(reading)
    os.close(writing)
    assert done.stdout == b"through\n"


def test_value_that_cannot_be_shown_costs_its_line_only() -> None:
    done = run(
        "import logging, structlog\n"
        "from vpbx.app import logs\n"
        "class Broken:\n"
        "    def __repr__(self): raise ValueError\n"
        "logs.set_up('info')\n"
        "structlog.get_logger('a').info('lost', value=Broken())\n"
        "logging.getLogger('b').warning('%d', 'no number')\n"
        "structlog.get_logger('a').info('kept')\n"
        "print(logs.dropped_lines())\n"
    )
    assert [json.loads(line)["event"] for line in done.stderr.splitlines()] == ["kept"]
    assert done.stdout == b"2\n"


def test_line_for_machines_says_what_how_grave_whose_and_when() -> None:
    done = run(
        "import logging, structlog\n"
        "from vpbx.app import logs\n"
        "logs.set_up('info')\n"
        "log = structlog.get_logger('vpbx.calls')\n"
        "log.debug('not said')\n"
        "log.info('call', callid='7', name='Ж', seconds=1.5, owner=None)\n"
        "try:\n"
        "    1 / 0\n"
        "except ZeroDivisionError as error:\n"
        "    log.exception('failed', how=error)\n"
        "    log.bind(node=3).warning('near', exc_info=error)\n"
        "    logging.getLogger('lib').error('theirs %d', 5, exc_info=True)\n"
    )
    said, failed, near, theirs = (json.loads(line) for line in done.stderr.splitlines())
    moment = said.pop("timestamp")
    assert datetime.fromisoformat(moment).tzinfo == UTC
    assert moment.endswith("Z")
    assert abs(datetime.now(UTC) - datetime.fromisoformat(moment)) < timedelta(minutes=1)
    assert list(said.items()) == [
        ("callid", "7"),
        ("name", "Ж"),
        ("seconds", 1.5),
        ("owner", None),
        ("event", "call"),
        ("level", "info"),
        ("logger", "vpbx.calls"),
    ]
    assert (failed["event"], failed["level"]) == ("failed", "error")
    assert failed["how"] == "ZeroDivisionError('division by zero')"
    assert (near["node"], near["level"]) == (3, "warning")
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("theirs 5", "error", "lib")
    for line in (failed, near, theirs):
        assert line["exception"].endswith("ZeroDivisionError: division by zero")


def test_exception_of_a_watched_task_is_logged_at_once() -> None:
    async def fails() -> None:
        raise RuntimeError("boom")

    async def main() -> None:
        task = watched(asyncio.create_task(fails()))
        gone = watched(asyncio.create_task(asyncio.sleep(9)))
        gone.cancel()
        await asyncio.wait((task, gone))

    with capture_logs() as entries:
        asyncio.run(main())
    (entry,) = entries
    assert entry["log_level"] == "error"
    assert entry["task"].endswith("fails")
    assert str(entry["exc_info"]) == "boom"


def test_what_the_media_engine_says_of_many_calls_is_said_once_a_minute() -> None:
    now = [0.0]
    sieve = Sieve(lambda: now[0])
    full = "ERR:{}.1:flush_rbuf:305: error while recording session (RTP): No space left (28)\n"
    of_all = "".join(full.format(call) for call in range(300)).encode()
    other = b'ERR:7.1:rtpp_command:9: another fault\n{"event": "ERR: in a line of ours"}\n'
    assert sieve.sift(of_all + other) == full.format(0).encode() + other
    assert sieve.sift(other) == b'{"event": "ERR: in a line of ours"}\n'
    now[0] = 61.0
    [line] = sieve.sift(of_all).splitlines()
    assert line.endswith(b"No space left (28) (and 299 times more since it was said)")
