"""`--log-sip` and `vpbx calls trace`: what went over the wire, without credentials."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from vpbx.app.fault import StartError
from vpbx.app.server import App
from vpbx.app.sip_trace import PcapFile, SipTrace, without_credentials
from vpbx.cli.calls import trace
from vpbx.config import ServeConfig
from vpbx.sim import Carrier, Phone, answering
from vpbx.sip import Hop

PASSWORD = "correct horse 5"
NUMBER = "74951234567"


def test_digest_responses_and_media_keys_are_hidden_and_nothing_else() -> None:
    message = (
        b'INVITE sip:a@b SIP/2.0\r\nAuthorization: Digest username="olga", response='
        b'"0123456789abcdef0123456789ABCDEF", uri="sip:b"\r\n\r\n'
        b"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:PS1uQCVeeCFCanVmcjkpPywjNWhcYD0mXXtxaVBR\r\n"
    )
    shown = without_credentials(message)
    assert len(shown) == len(message)
    assert b"0123456789" not in shown
    assert b"PS1u" not in shown
    assert b'username="olga"' in shown
    assert without_credentials(b"X: response=soon, inline: text") == (
        b"X: response=soon, inline: text"
    )


async def test_memory_holds_the_newest_messages_and_no_more_than_it_may(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("vpbx.app.sip_trace._MEMORY_BYTES", 400)
    seen = SipTrace(lambda callid: False)
    seen.leg("ours", "one")
    peers = [Hop("udp", "192.0.2.1", 5060 + number) for number in range(20)]
    for number, peer in enumerate(peers):
        data = b"OPTIONS sip:%d SIP/2.0\r\nCall-ID: one\r\n\r\n" % number
        seen.message(number % 2 == 0, data.ljust(80), peer)
    found = await seen.messages("ours")
    assert [message["peer"] for message in found] == [
        f"udp:192.0.2.1:{5060 + n}" for n in range(15, 20)
    ]
    assert [message["sent"] for message in found] == [False, True, False, True, False]
    assert [message["message"].split()[1] for message in found] == [
        f"sip:{number}" for number in range(15, 20)
    ]
    seen.message(True, b"x" * 500, peers[0])  # more than all of it
    assert await seen.messages("ours") == []


async def test_call_is_traced_as_it_goes_and_after_it_ended_and_all_is_in_the_pcap(
    config: ServeConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pcap = tmp_path / "sip.pcap"
    app = App(replace(config, log_sip=pcap))
    await app.start()
    assert app.config.sip is not None
    sip = Hop("udp", "127.0.0.1", app.config.sip.port)
    async with Carrier(sip) as carrier:
        made = await app.directory.companies.add("acme.example", password=PASSWORD)
        await app.directory.trunk_rules.add("main", carrier.address)
        await app.directory.telnums.add(made.domain, NUMBER, trunk="main", user="admin")
        phone = Phone("admin", PASSWORD, "acme.example", sip, behaviour=answering(1000))
        async with phone:
            call = await carrier.call(NUMBER)
            await call.answered()
            (live,) = app.calls.active()
            following = asyncio.create_task(
                asyncio.to_thread(trace, live.info.callid, False, config.data, False)
            )
            await asyncio.sleep(0.2)
            call.hangup()
            async with asyncio.timeout(30):
                await following
            as_it_went = capsys.readouterr().out.splitlines()
            await asyncio.to_thread(trace, live.info.callid, True, config.data, False)
            afterwards = capsys.readouterr().out
    await app.stop()
    steps = [line.split(maxsplit=4)[1:] for line in as_it_went if "SIP/2.0" in line]
    calling = [step for step in steps if step[0] == "(1)"]
    assert calling[0][1:3] == ["◀──", f"udp:{carrier.address}"]
    assert calling[0][3].startswith(f"INVITE sip:{NUMBER}@")
    assert [step[3].split()[0] for step in calling if step[1] == "◀──"] == ["INVITE", "ACK", "BYE"]
    phones = [step for step in steps if step[0] == "(2)"]
    assert [step[3].split()[0] for step in phones if step[1] == "──▶"] == ["INVITE", "ACK", "BYE"]
    assert "    m=audio" in afterwards
    assert "REGISTER" not in afterwards
    recorded = pcap.read_bytes()
    assert recorded[:4] == b"\xd4\xc3\xb2\xa1"
    assert b"REGISTER sip:acme.example" in recorded
    assert b'response="xxxx' in recorded


async def test_unknown_call_is_said_to_be_unknown(config: ServeConfig) -> None:
    app = App(config)
    await app.start()
    with pytest.raises(Exception, match="nothing is known of a call 123"):
        await asyncio.to_thread(trace, "123", False, config.data, False)
    await app.stop()


def test_file_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"--log-sip .* cannot be written: No such file"):
        PcapFile(tmp_path / "no" / "file", lambda _: ("127.0.0.1", 5060))
