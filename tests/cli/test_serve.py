"""`vpbx serve`: starts with one line, takes changes, stops in time, says why it cannot start."""

from __future__ import annotations

import asyncio
import json
import signal
import time
import urllib.error
import urllib.request

from vpbx.sim import CallFailed, Carrier, Phone, answering
from vpbx.sip import Hop

from .conftest import ANY_PORTS, Cli, Server


def ask(server: Server, what: str, key: str) -> int:
    request = urllib.request.Request(f"{server.api}/{what}", headers={"X-API-KEY": key})
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def soon(server: Server, key: str, status: int) -> bool:
    """Promised within a second; this machine is busy."""
    end = time.monotonic() + 10.0
    while ask(server, "users", key) != status:
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def test_ready_line_has_the_real_ports_and_sigterm_ends_it_in_time(cli: Cli) -> None:
    server = cli.serve()
    assert server.line.startswith("ready sip=udp:127.0.0.1:")
    assert server.at.keys() == {"sip", "sip-tls", "http", "https", "rtp"}
    assert not any(address.endswith(":0") for address in server.at.values())
    with urllib.request.urlopen(f"http://{server.at['http']}/metrics") as metrics:
        assert b"vpbx_calls 0.0" in metrics.read()
    assert server.stop() < 15, "promised within 5 s; this machine is busy"
    assert server.process.returncode == 0
    assert server.process.stdout is not None
    assert server.process.stdout.read() == ""
    assert server.process.stderr is not None
    for line in server.process.stderr.read().splitlines():
        json.loads(line)


def test_change_by_command_is_taken_soon(cli: Cli) -> None:
    server = cli.serve()
    cli.json("domain", "add", "acme.example")
    key = cli.json("key", "add", "acme.example")
    assert soon(server, key["key"], 200)
    cli.json("domain", "off", "acme.example")
    assert soon(server, key["key"], 401)
    cli.json("domain", "on", "acme.example")
    assert soon(server, key["key"], 200)
    cli.json("key", "revoke", "acme.example", str(key["id"]))
    assert soon(server, key["key"], 401)


async def test_calls_in_progress_are_told_when_the_server_stops(cli: Cli) -> None:
    cli.json("domain", "add", "acme.example", "--password", "correct horse")
    server = cli.serve()
    pbx = Hop("udp", "127.0.0.1", server.sip_port)
    async with (
        Carrier(pbx) as carrier,
        Phone("admin", "correct horse", "acme.example", pbx, behaviour=answering(1000)),
    ):
        cli.json("trunk", "add", "main", "--address", carrier.address)
        cli.json("number", "add", "acme.example", "74951234567", "--trunk", "main")
        async with asyncio.timeout(30):  # the server reads the change within a second
            while True:
                call = await carrier.call("74951234567", tone_hz=440)
                try:
                    await call.answered()
                    break
                except CallFailed:
                    await asyncio.sleep(0.1)
        await call.heard(1000)
        server.process.send_signal(signal.SIGTERM)
        assert (await call.ended(20)).cause == "bye"
    assert server.process.wait(20) == 0


def test_server_that_was_killed_can_be_started_again_and_ends_at_ctrl_c(cli: Cli) -> None:
    first = cli.serve()
    first.process.kill()
    first.process.wait()
    second = cli.serve()
    assert second.line.startswith("ready")
    assert second.stop(signal.SIGINT) < 15
    assert second.process.returncode == 0


def test_running_server_is_known_to_doctor_and_to_a_second_one(cli: Cli) -> None:
    server = cli.serve()
    refused = cli.run("serve", *ANY_PORTS)
    assert refused.returncode == 1
    assert str(server.process.pid) in refused.stderr
    assert "--data" in refused.stderr
    assert "Traceback" not in refused.stderr
    done = cli.run("doctor", "--json", "--sip", f"127.0.0.1:{server.sip_port}")
    findings = {finding["check"]: finding for finding in json.loads(done.stdout)}
    assert findings["database"]["result"] == "ok"
    assert "answers, schema" in findings["database"]["found"]
    assert findings["media engine"]["result"] == "ok"
    assert str(server.process.pid) in findings["server"]["found"]
    port = findings[f"port 127.0.0.1:{server.sip_port} udp (--sip)"]
    assert (port["result"], port["found"]) == ("ok", "used by our server")
