"""A whole server, while SIP strangers do their worst: calls go on, doctor and metrics say so."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.pbx import VPBX, Pbx
from tests.support.watcher import Watcher
from vpbx.sim import Phone
from vpbx.sip import Hop
from vpbx.sip.digest import Challenge, Credentials, DigestAnswer

DOMAIN = "acme.example"
PASSWORD = "correct horse 7"


@pytest.fixture(scope="module")
def pbx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pbx]:
    """A server with one company and its administrator."""
    made = Pbx(tmp_path_factory.mktemp("attacked") / "data")
    made.vpbx("domain", "add", DOMAIN, "--password", PASSWORD)
    made.vpbx("blf", "add", DOMAIN, "admin")
    try:
        yield made.start()
    finally:
        made.kill()


def request(method: str, number: int, more: str = "", user: str = "admin") -> bytes:
    return (
        f"{method} sip:{DOMAIN} SIP/2.0\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK{number}x;rport\r\n"
        f"From: <sip:{user}@{DOMAIN}>;tag=1\r\nTo: <sip:{user}@{DOMAIN}>\r\nMax-Forwards: 70\r\n"
        f"Call-ID: {number}x\r\nCSeq: 1 {method}\r\nContact: <sip:a@127.0.0.1>\r\n{more}"
        "Content-Length: 0\r\n\r\n"
    ).encode()


def hop(pbx: Pbx) -> Hop:
    host, _, port = pbx.sip.rpartition(":")
    return Hop("udp", host, int(port))


def stranger(pbx: Pbx, host: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind((host, 0))
    sock.settimeout(5)
    sock.connect((hop(pbx).host, hop(pbx).port))
    return sock


def metric(pbx: Pbx, name: str) -> float:
    with urllib.request.urlopen(f"{pbx.api.removesuffix('/crmapi/v1')}/metrics") as answer:
        for line in answer.read().decode().splitlines():
            if line.startswith(f"{name} "):
                return float(line.split()[1])
    raise AssertionError(f"no metric {name}")


@pytest.mark.parametrize("method", ["INVITE", "REGISTER", "SUBSCRIBE"])
async def test_a_flood_of_strangers_leaves_registered_phones_served(pbx: Pbx, method: str) -> None:
    phone = Phone("admin", PASSWORD, DOMAIN, hop(pbx))
    await phone.start()
    floods = [stranger(pbx, "127.0.0.66") for _ in range(20)]
    for sock in floods:
        sock.setblocking(False)
    try:
        for number in range(300):
            for sock in floods:
                try:
                    sock.send(request(method, number, "Event: dialog\r\n"))
                except BlockingIOError:
                    pass
            if not number % 100:
                await phone.register()
            await asyncio.sleep(0)
        await phone.register()
    finally:
        await phone.stop()
        for sock in floods:
            sock.close()
    assert metric(pbx, "vpbx_sip_dropped_total") > 0
    assert metric(pbx, "vpbx_sip_sessions") == 0
    assert metric(pbx, "vpbx_sip_subscriptions") == 0


async def test_a_phone_with_hundreds_of_keys_starts_up(pbx: Pbx) -> None:
    """It sends each SUBSCRIBE twice, for a challenge each time, and is told of each line."""
    phone = await Watcher("admin", hop(pbx), DOMAIN, PASSWORD).start()
    try:
        for _ in range(300):
            assert (await phone.subscribe("admin", challenged=True)).code == 200
        versions = {(await phone.told()).version for _ in range(300)}
        assert versions == {0}
    finally:
        phone.close()
    assert metric(pbx, "vpbx_sip_subscriptions") == 300


def test_who_guesses_is_seen_in_log_metrics_and_doctor(pbx: Pbx) -> None:
    for number in range(30):
        sock = stranger(pbx, f"127.0.7.{number + 1}")
        sock.send(request("REGISTER", 1000 + number))
        first = sock.recv(4096).decode()
        line = next(row for row in first.split("\r\n") if row.startswith("WWW-Authenticate: "))
        challenge = Challenge.choose([line.partition(": ")[2]])
        assert challenge is not None
        answer = DigestAnswer(challenge, Credentials("admin", f"guess {number}"))
        value = answer.value("REGISTER", f"sip:{DOMAIN}")
        sock.send(request("REGISTER", 2000 + number, f"Authorization: {value}\r\n"))
        sock.close()
    done = subprocess.run(
        [str(VPBX), "doctor", "--data", str(pbx.data), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    found = {item["check"]: item for item in json.loads(done.stdout)}
    assert found["passwords"]["result"] == "warning"
    assert f"admin@{DOMAIN}" in found["passwords"]["found"]
    assert metric(pbx, "vpbx_sip_wrong_passwords_total") >= 15
    assert metric(pbx, "vpbx_sip_guessed_accounts") == 1
    lines = [json.loads(row) for row in pbx.log().splitlines() if "Wrong password" in row]
    assert len(lines) == 1, "once an account and minute"
    assert (lines[0]["login"], lines[0]["domain"]) == ("admin", DOMAIN)
    assert "guess" not in pbx.log().replace("being guessed", "")


@pytest.mark.parametrize(
    ("option", "value"),
    [("--sip-connections", "0"), ("--digest-without-qop", "sometimes")],
)
def test_settings_that_make_no_sense_are_refused_by_name(
    tmp_path: Path, option: str, value: str
) -> None:
    command = [str(VPBX), "serve", "--data", str(tmp_path / "data"), option, value]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode != 0
    assert option in done.stderr


def test_a_stranger_who_asks_as_a_connected_pbx_learns_and_costs_nothing(pbx: Pbx) -> None:
    """The same answers for companies that are here and that are not; four megabytes of brackets
    are refused unread."""
    base = pbx.api.removesuffix("/crmapi/v1") + "/branch/v1/"

    def post(path: str, body: bytes) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(urllib.request.Request(base + path, body)) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    told = []
    for name in (DOMAIN, "nobody.example"):
        names = {"from": "evil.example", "to": name}
        status, given = post("challenge", json.dumps(names).encode())
        assert status == 200
        asked = {**names, **json.loads(given), "counter": "1.ca", "content": "", "proof": "0"}
        status, text = post("exchange", json.dumps(asked).encode())
        told.append((status, text.replace(name, "NAME")))
    assert told[0] == told[1]
    assert told[0][0] == 404
    for path in ("challenge", "exchange"):
        assert post(path, b'{"to": [' + b"[]," * 1_300_000 + b"[]]}")[0] == 400
        assert post(path, b"[" * 4_000_000)[0] == 400


def test_a_websocket_holds_no_memory_for_compression(pbx: Pbx) -> None:
    host, _, port = pbx.api.split("/")[2].rpartition(":")
    with socket.create_connection((host, int(port)), 5) as sock:
        sock.sendall(
            b"GET /sip HTTP/1.1\r\nHost: acme.example\r\nConnection: Upgrade\r\n"
            b"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Protocol: sip\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"
        )
        head = sock.recv(4096).decode().lower()
    assert head.startswith("http/1.1 101 ")
    assert "extensions" not in head
