"""The composition root: parts together, faults at the start explained, everything freed."""

from __future__ import annotations

import asyncio
import re
import ssl
import sys
from dataclasses import replace

import aiohttp
import pytest

from tests.media.pcaps import stream, write_pcap
from vpbx.app import PortTaken, StartError, ports
from vpbx.app.server import App
from vpbx.config import Endpoint, ServeConfig
from vpbx.sim import Carrier, Crm, Phone, answering
from vpbx.sip import Hop


async def test_addresses_are_those_bound_and_free_again_after_the_stop(
    config: ServeConfig,
) -> None:
    app = App(config)
    await app.start()
    bound = (app.config.sip, app.config.sip_tls, app.config.http, app.config.https)
    for endpoint in bound:
        assert endpoint is not None
        assert ports.why_not("tcp", endpoint) is not None
        assert str(endpoint) in str(app.addresses)
    await app.stop()
    for endpoint in bound:
        assert endpoint is not None
        assert ports.why_not("tcp", endpoint) is None


async def test_taken_port_is_told_with_its_holder_and_its_option(config: ServeConfig) -> None:
    first = App(config)
    await first.start()
    try:
        for name in ("http", "https", "sip", "sip_tls"):
            taken = getattr(first.config, name)
            other = replace(config, data=config.data.with_name(name), **{name: taken})
            with pytest.raises(PortTaken, match=rf"in use by .*--{name.replace('_', '-')} "):
                await App(other).start()
    finally:
        await first.stop()


async def test_failed_start_frees_what_it_took(config: ServeConfig) -> None:
    elsewhere = replace(config, sip=Endpoint("192.0.2.77", 5060))
    with pytest.raises(StartError, match=r"not an address of this machine\. .*--sip"):
        await App(elsewhere).start()
    app = App(config)
    await app.start()
    await app.stop()


async def test_broken_database_file_is_explained(config: ServeConfig) -> None:
    config.data.mkdir()
    (config.data / "vpbx.sqlite3").write_bytes(b"rubbish" * 1000)
    with pytest.raises(StartError, match=r"vpbx\.sqlite3 cannot be used"):
        await App(config).start()


async def test_api_answers_on_https_with_our_certificate(config: ServeConfig) -> None:
    app = App(config)
    await app.start()
    tls = ssl.create_default_context(cafile=config.data / "tls" / "certificate.pem")
    url = f"https://{app.config.https}/crmapi/v1"
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{url}/users", ssl=tls) as refused:
            assert refused.status == 401
        async with session.get(f"{url}/openapi.json", ssl=tls) as shown:
            assert (await shown.json())["info"]["title"] == "VPBX CRM API"
    await app.stop()


def hop(transport: str, endpoint: Endpoint | None) -> Hop:
    assert endpoint is not None
    return Hop(transport, endpoint.host, endpoint.port)


async def set_up_company(app: App, carrier: Carrier, crm: Crm) -> None:
    directory = app.directory
    made = await directory.companies.add("acme.example", password="correct horse")
    await directory.trunk_rules.add("main", carrier.address)
    await directory.telnums.add(made.domain, "74951234567", trunk="main", user="admin")
    await directory.integrations.set(made.domain, {"url": crm.url, "token": "t"})


def admins_phone(pbx: Hop) -> Phone:
    return Phone("admin", "correct horse", "acme.example", pbx, behaviour=answering(1000))


async def test_call_over_tls_is_recorded_and_told_to_the_crm(config: ServeConfig) -> None:
    app = App(config)
    await app.start()
    async with Crm(token="t") as crm, Carrier(hop("udp", app.config.sip)) as carrier:
        await set_up_company(app, carrier, crm)
        async with admins_phone(hop("tls", app.config.sip_tls)) as phone:
            call = await carrier.call("74951234567", tone_hz=440)
            await call.answered()
            await call.heard(1000)
            await (await phone.rings()).heard(440)
            call.hangup()
            history = await crm.received("history")
            assert history["status"] == "Success"
            recording = await app.history.recording(history["callid"], wait_s=5)
            assert recording is not None
            assert recording.path.stat().st_size > 1000
    await app.stop()


async def test_call_that_a_crash_cut_off_ends_in_history_with_its_recording(
    config: ServeConfig,
) -> None:
    async with Crm(token="t") as crm, Carrier(Hop("udp", "127.0.0.1", 9)) as carrier:
        await a_crash_cuts_off_a_call(config, carrier, crm)

        app = App(config)
        await app.start()
        history = await crm.received("history")
        assert history["status"] == "Success"
        assert len(crm.of("event", type="COMPLETED")) == 1
        recording = await app.history.recording(history["callid"], wait_s=5)
        assert recording is not None
        assert recording.ready
        assert recording.path.stat().st_size > 500
        await app.stop()


async def test_call_that_a_crash_cut_off_with_keys_only_on_disk_promises_no_recording(
    config: ServeConfig,
) -> None:
    async with Crm(token="t") as crm, Carrier(Hop("udp", "127.0.0.1", 9)) as carrier:
        await a_crash_cuts_off_a_call(config, carrier, crm)
        [file] = config.data.glob("sound/now/*.rtp")
        keys = stream([b"\x05\x0a\x00\xa0"], 1, payload_type=101)
        write_pcap(file.parent, keys).replace(file)

        app = App(config)
        await app.start()
        history = await crm.received("history")
        assert history["status"] == "Success"
        assert history.get("link") == ""
        await app.stop()


async def a_crash_cuts_off_a_call(config: ServeConfig, carrier: Carrier, crm: Crm) -> None:
    app = App(config)
    await app.start()
    await set_up_company(app, carrier, crm)
    await app.stop()

    process, sip_port = await serve_elsewhere(config)
    carrier.pbx = Hop("udp", "127.0.0.1", sip_port)
    phone = admins_phone(carrier.pbx)
    await phone.start()
    call = await carrier.call("74951234567", tone_hz=440)
    await call.answered()
    await call.heard(1000)
    await crm.received("event", type="ACCEPTED")
    while not any(file.stat().st_size > 1000 for file in config.data.glob("sound/now/*.rtp")):
        await asyncio.sleep(0.05)  # RTPProxy writes when its buffer is full
    process.kill()
    await process.wait()
    await phone.stop()


async def serve_elsewhere(config: ServeConfig) -> tuple[asyncio.subprocess.Process, int]:
    """Start `vpbx serve` in a process of its own; return it and its SIP port."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "vpbx", "serve", "--data", str(config.data)),
        *("--http", "127.0.0.1:0", "--https", "127.0.0.1:0"),
        *("--sip", "127.0.0.1:0", "--sip-tls", "127.0.0.1:0"),
        *("--rtp-ports", str(config.rtp)),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    ready = (await process.stdout.readline()).decode()
    found = re.search(r"sip=udp:127\.0\.0\.1:(\d+)", ready)
    assert found is not None, ready
    return process, int(found[1])
