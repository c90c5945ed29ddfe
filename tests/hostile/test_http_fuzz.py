"""Broken HTTP without end: no fault of ours, nothing left open, and others are served.

`VPBX_FUZZ_S` seconds long (10), the same each time unless `FUZZ_SEED` says otherwise. What makes
the server fail is written to `corpus/http/`, which is sent first from then on.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import random
import re
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.support.pbx import Pbx

SECONDS = float(os.environ.get("VPBX_FUZZ_S", "10"))
CORPUS = Path(__file__).parent / "corpus" / "http"
AT_ONCE = 16
FAULTS = re.compile(r'Traceback|"level": "(?:error|critical)"')
BOUNDARY = b"----b"


def head(line: bytes, *lines: bytes, body: bytes = b"") -> bytes:
    length = [b"Content-Length: %d" % len(body)] if body else []
    every = [line + b" HTTP/1.1", b"Host: acme.example", b"X-API-KEY: KEY", *lines, *length]
    return b"\r\n".join(every) + b"\r\n\r\n" + body


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(one), one) for one in chunks) + b"0\r\n\r\n"


FORM = b"Content-Type: application/x-www-form-urlencoded"
JSON = b"Content-Type: application/json; charset=utf-8"
MULTIPART = b"Content-Type: multipart/form-data; boundary=" + BOUNDARY
PARTS = b'--%s\r\nContent-Disposition: form-data; name="phone"\r\n\r\n7910\r\n--%s--\r\n' % (
    BOUNDARY,
    BOUNDARY,
)
SEEDS = (
    head(b"GET /crmapi/v1/users"),
    head(b"GET /crmapi/v1/history/json?period=today&limit=3&start=20240101T000000Z"),
    head(b"GET /crmapi/v1/history/csv?end=2024-01-01T00:00:00+03:00"),
    head(b"HEAD /crmapi/v1/records/1/abc.mp3", b"Range: bytes=0-10,20-"),
    head(b"OPTIONS /crmapi/v1/users", b"Origin: https://crm.example"),
    head(b"POST /crmapi/v1/users", JSON, body=b'{"name": "\xd0\x9e\xd0\xbb\xd1\x8f", "ext": 5}'),
    head(b"POST /crmapi/v1/makecall", FORM, body=b"phone=%2B79101234567&user=admin"),
    head(b"POST /crmapi/v1/makecall", MULTIPART, body=PARTS),
    head(b"PUT /crmapi/v1/telnums", JSON, body=b'[{"telnum": "74950000000", "type": "user"}]'),
    head(b"POST /crmapi/v1/users", JSON, b"Transfer-Encoding: chunked") + chunked(b"{}", b" "),
    head(b"POST /crmapi/v1/users", JSON, b"Expect: 100-continue", body=b"{}"),
    head(b"DELETE /crmapi/v1/users/nobody"),
    head(b"GET /console", b"Connection: Upgrade", b"Upgrade: websocket", b"Sec-WebSocket-Key: x"),
    head(b"GET /crmapi/v1/openapi.json", b"Accept-Encoding: gzip") * 3,
    head(b"GET http://acme.example/crmapi/v1//users/"),
    b"GET /metrics HTTP/1.0\r\n\r\n",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03",
)
PIECES = (
    *(b"\r\n", b"\n", b"\r", b"\0", b" ", b"\t", b":", b"%00", b"%", b"%c0%af", b"//", b"..;/"),
    *(
        b"\xff\xfe",
        b"\xed\xa0\x80",
        b"\xe2\x80\xae",
        b"[",
        b"{" * 2000,
        b"[" * 2000,
        b'"',
        b"\\u0000",
    ),
    *(b"9" * 400, b"-1", b"1e999", b"NaN", b"0x7fffffff", b"ffffffffffffffff\r\n", b"0\r\n\r\n"),
    *(b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: gzip\r\n"),
    *(
        b"Host: [::1\r\n",
        b"Host: a:b:c\r\n",
        b"X-Forwarded-For: 1.2.3\r\n",
        b"Connection: close\r\n",
    ),
    *(b"Content-Type: text/plain; charset=utf-7\r\n", b"Cookie: " + b"a=b;" * 500 + b"\r\n"),
)


def mutated(chance: random.Random) -> bytes:
    data = bytearray(chance.choice(SEEDS))
    for _ in range(chance.choice((0, 1, 1, 2, 3, 8))):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(6):
            case 0:
                data[at:at] = chance.choice(PIECES)
            case 1:
                del data[at : at + chance.choice((1, 2, 10, 100))]
            case 2 if at < len(data):
                data[at] = chance.randrange(256)
            case 3:
                data[at:at] = data[at : at + chance.randrange(1, 60)] * chance.choice((1, 2, 50))
            case 4:
                data += chance.choice(SEEDS)
            case _:
                data[at : at + chance.randrange(1, 20)] = chance.choice(PIECES)
    return bytes(data)


def write(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Write, unless the server has closed the connection already."""
    if not writer.is_closing():
        writer.write(data)


async def send(port: int, data: bytes, chance: random.Random) -> bytes:
    """Send in pieces, read what comes for a moment, and go without a word."""
    answer = b""
    with contextlib.suppress(OSError, TimeoutError):
        async with asyncio.timeout(5):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                for _ in range(chance.choice((1, 1, 1, 3))):
                    cut = chance.randrange(1, len(data) + 1) if data else 0
                    write(writer, data[:cut])
                    data = data[cut:]
                    await asyncio.sleep(0)
                write(writer, data)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(0.05):
                        while piece := await reader.read(65536):
                            answer += piece
            finally:
                writer.transport.abort()
    return answer


@pytest.fixture
def pbx(tmp_path: Path) -> Iterator[Pbx]:
    pbx = Pbx(tmp_path / "data")
    pbx.vpbx("domain", "add", "acme.example", "--password", "correct horse 7")
    try:
        yield pbx.start()
    finally:
        pbx.kill()


async def test_broken_http_is_refused_and_nothing_else_happens(pbx: Pbx) -> None:
    key = (await asyncio.to_thread(pbx.vpbx, "key", "add", "acme.example"))["key"].encode()
    port = int(pbx.api.split("/")[2].rpartition(":")[2])
    seed = os.environ.get("FUZZ_SEED", "vpbx")
    statuses: Counter[int] = Counter()
    sent = 0
    kept = [file.read_bytes() for file in sorted(CORPUS.iterdir()) if file.suffix == ".bin"]
    until = time.monotonic() + SECONDS

    async def worker(number: int) -> None:
        nonlocal sent
        chance = random.Random(f"{seed}/{number}")
        while time.monotonic() < until:
            data = kept.pop() if kept else mutated(chance)
            answer = await send(port, data.replace(b"KEY", key), chance)
            sent += 1
            found = [int(code) for code in re.findall(rb"HTTP/1\.[01] ([0-9]{3}) ", answer)]
            statuses.update(found)
            if any(code >= 500 and code != 503 for code in found):
                name = hashlib.sha256(data).hexdigest()[:16]
                (CORPUS / f"{name}.bin").write_bytes(data)
                pytest.fail(f"answered {found}: corpus/http/{name}.bin (seed {seed})")

    async with asyncio.TaskGroup() as tasks:
        for number in range(AT_ONCE):
            tasks.create_task(worker(number))
    async with (
        aiohttp.ClientSession(headers={"X-API-KEY": key.decode()}) as session,
        session.get(f"{pbx.api}/users") as answer,
    ):
        assert answer.status == 200
    print(f"HTTP: {sent} requests in {SECONDS:.0f} s, {dict(sorted(statuses.items()))}")
    assert sent > 20 * SECONDS
    assert statuses[200] > 0
    assert statuses[400] > 0
    faults = [line for line in pbx.log().splitlines() if FAULTS.search(line)]
    assert faults == [], f"seed {seed}"
