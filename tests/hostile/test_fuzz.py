"""Nearly right messages, as many as a minute holds: nothing breaks, nothing stays.

`FUZZ_SECONDS` sets how long all cases together take (60), `FUZZ_SEED` where they begin
(`make fuzz` takes ten minutes and a new seed). A message that does harm becomes a file in
`corpus/findings`, which every later run begins with. The figures are printed at the end.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.hostile.fuzz import http, sip, stun
from tests.hostile.fuzz.chance import Chance
from tests.hostile.fuzz.sdp import description
from tests.hostile.fuzz.target import Finding, SipTarget, reads
from tests.support.corpus import CORPUS, all_torture, read_message, write_message
from tests.support.pbx import Pbx
from vpbx.sip import MalformedSdp, Sdp

SECONDS = float(os.environ.get("FUZZ_SECONDS", "60"))
SEED = os.environ.get("FUZZ_SEED", "vpbx")
_PARTS = 10
FINDINGS = CORPUS / "findings"
MOST_MB = 400

pytestmark = pytest.mark.timeout(120 + 2 * SECONDS)


def found(protocol: str) -> list[bytes]:
    """What was found before, of a protocol: the beginning of the file's name."""
    return [read_message(path) for path in sorted(FINDINGS.glob(f"{protocol}-*.txt"))]


def keep(protocol: str, what: str, data: bytes) -> Path:
    """Make a finding a file of the corpus."""
    path = FINDINGS / f"{protocol}-{hashlib.sha256(data).hexdigest()[:12]}.txt"
    write_message(path, what, data)
    return path


class Run:
    """A tenth of the time, and a count of what was sent."""

    def __init__(self, chance: Chance, note: Callable[[str, object], None]) -> None:
        self.chance = chance
        self.count = 0
        self._note = note
        self._until = time.monotonic() + SECONDS / _PARTS

    def goes_on(self) -> bool:
        """Whether there is time left."""
        return time.monotonic() < self._until

    def end(self, protocol: str) -> None:
        """Note the figure."""
        assert self.count > 0
        self._note("fuzzed", (protocol, self.count))


@pytest.fixture
def run(request: pytest.FixtureRequest, record_property: Callable[[str, object], None]) -> Run:
    return Run(Chance(f"{SEED} {request.node.name}"), record_property)


async def fuzz_sip(run: Run, step: Callable[[SipTarget], None]) -> None:
    target = SipTarget(run.chance)
    await target.start()
    try:
        for data in found("sip"):
            target.take(data)
        while run.goes_on():
            step(target)
            await asyncio.sleep(0)
        await target.is_well()
    except Finding as finding:
        path = keep("sip", finding.what, finding.data)
        pytest.fail(f"{finding.what}\nkept as {path}")
    finally:
        run.count = target.count
        await target.stop()
    run.end("SIP")


@pytest.mark.parametrize("part", range(2))
async def test_sip_by_its_grammar(run: Run, part: int) -> None:
    fair = 0

    def step(target: SipTarget) -> None:
        nonlocal fair
        for _ in range(50):
            data = sip.message(run.chance)
            fair += reads(data)
            target.take(data)

    await fuzz_sip(run, step)
    assert fair > run.count / 10, "a grammar whose messages are all refused tests little"


@pytest.mark.parametrize("part", range(2))
async def test_sip_from_torture_messages(run: Run, part: int) -> None:
    seeds = list(all_torture().values())

    def step(target: SipTarget) -> None:
        for _ in range(50):
            target.take(run.chance.mutated(run.chance.choice(seeds), seeds))

    await fuzz_sip(run, step)


@pytest.mark.parametrize("part", range(2))
async def test_sip_within_calls(run: Run, part: int) -> None:
    seeds = list(all_torture().values())

    def step(target: SipTarget) -> None:
        for _ in range(6):
            target.dialog(seeds)

    await fuzz_sip(run, step)


def test_sdp_by_its_grammar(run: Run) -> None:
    texts = [data.decode("utf-8", "replace") for data in found("sdp")]
    fair = 0
    while run.goes_on() or texts:
        text = texts.pop() if texts else description(run.chance)
        run.count += 1
        try:
            Sdp.parse(text)
            fair += 1
        except MalformedSdp:
            pass
        except Exception as error:
            path = keep("sdp", f"sdp: {error!r}", text.encode("utf-8", "replace"))
            pytest.fail(f"{error!r}\nkept as {path}")
    assert fair > run.count / 20
    run.end("SDP")


@pytest.fixture(scope="module")
def pbx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pbx]:
    """A server with one company."""
    made = Pbx(tmp_path_factory.mktemp("fuzzed") / "data")
    made.vpbx("domain", "add", "acme.example", "--password", "correct horse 7")
    try:
        yield made.start()
    finally:
        made.kill()


def is_well(pbx: Pbx) -> None:
    """The server says of nothing that it failed, has not grown, and answers."""
    faults = [
        line
        for line in pbx.log().splitlines()
        if '"level": "error"' in line or '"level": "critical"' in line or "Traceback" in line
    ]
    assert faults == []
    with open(f"/proc/{pbx.pid}/status") as status:
        rss_kb = next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))
    assert rss_kb < MOST_MB * 1024
    probe = sip_socket(pbx)
    probe.settimeout(5)
    probe.send(
        b"OPTIONS sip:a@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKp;rport\r\n"
        b"From: <sip:a@b>;tag=1\r\nTo: <sip:a@b>\r\nCall-ID: p\r\nCSeq: 1 OPTIONS\r\n\r\n"
    )
    assert probe.recv(65_535).startswith(b"SIP/2.0 200")
    probe.close()


def sip_socket(pbx: Pbx) -> socket.socket:
    host, _, port = pbx.sip.rpartition(":")
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.connect((host, int(port)))
    return sock


def test_stun_and_rtp_at_the_ports_of_sip_and_sound(run: Run, pbx: Pbx) -> None:
    host, _, port = pbx.sip.rpartition(":")
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    low, _, high = pbx.rtp_ports.partition("-")
    places = [(host, int(port)), *((host, number) for number in range(int(low), int(high)))]
    for data in found("stun"):
        sock.sendto(data, places[0])
    while run.goes_on():
        sock.sendto(stun.datagram(run.chance), run.chance.choice(places))
        run.count += 1
        if not run.count % 20:
            time.sleep(0.005)
    sock.close()
    is_well(pbx)
    run.end("STUN")


@pytest.mark.parametrize("part", range(2))
def test_http_by_its_grammar(run: Run, pbx: Pbx, part: int) -> None:
    host, port = urlsplit(pbx.api).hostname, urlsplit(pbx.api).port
    waiting = found("http")
    while run.goes_on() or waiting:
        data = waiting.pop() if waiting else http.request(run.chance)
        with socket.create_connection((host, port), 5) as sock:
            sock.settimeout(0.03)
            try:
                sock.sendall(data)
                answer = sock.recv(4096)
            except (TimeoutError, ConnectionError):
                answer = b""
        run.count += 1
        if answer[:12] in (b"HTTP/1.1 500", b"HTTP/1.0 500"):
            pytest.fail(f"500\nkept as {keep('http', 'http: 500', data)}")
    is_well(pbx)
    run.end("HTTP")
