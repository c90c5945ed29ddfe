"""What commands tell of a running server: phones registered, calls in progress."""

from __future__ import annotations

import asyncio
import getpass

from vpbx.sim import CallFailed, Carrier, Phone, answering
from vpbx.sip import Hop

from .conftest import Cli


async def test_phones_and_calls_are_shown_and_a_call_is_hung_up(cli: Cli) -> None:
    cli.json("domain", "add", "acme.example", "--password", "correct horse")
    cli.json("domain", "add", "other.example")
    boss = ("Boss", "--login", "boss", "--role", "admin", "--password", "correct pony")
    cli.json("user", "add", "acme.example", *boss)
    server = cli.serve()
    pbx = Hop("udp", "127.0.0.1", server.sip_port)
    assert cli.json("calls", "list") == []
    assert cli.json("phones", "list") == []
    async with (
        Carrier(pbx) as carrier,
        Phone("701", "correct horse", "acme.example", pbx, behaviour=answering(1000)),
    ):
        cli.json("trunk", "add", "main", "--address", carrier.address)
        cli.json("number", "add", "acme.example", "74951234567", "--trunk", "main")
        (phone,) = cli.json("phones", "list")
        assert (phone["domain"], phone["login"], phone["ext"]) == ("acme.example", "admin", "701")
        assert phone["from"].startswith("udp:127.0.0.1:")
        assert phone["phone"] == "vpbx-sim phone"
        assert cli.json("phones", "list", "other.example") == []

        async with asyncio.timeout(30):  # the server reads the change within a second
            while True:
                call = await carrier.call("74951234567", tone_hz=440)
                try:
                    await call.answered()
                    break
                except CallFailed:
                    await asyncio.sleep(0.1)
        await call.heard(1000)
        (listed,) = cli.json("calls", "list")
        assert (listed["domain"], listed["direction"]) == ("acme.example", "in")
        assert (listed["phone"], listed["user"]) == ("79101112233", "admin")
        assert listed["state"] == "talking"
        assert cli.json("calls", "list", "other.example") == []

        of_another = cli.run("calls", "hangup", "other.example", listed["callid"])
        assert of_another.returncode == 1
        assert f"there is no call {listed['callid']}" in of_another.stderr
        here = ("acme.example", listed["callid"])
        for words, told in (
            (("pickup", *here, "--user", "admin"), "does not ring anywhere"),
            (("supervise", *here, "--user", "nobody"), "user: there is no such employee"),
            (("supervise", *here, "--user", "admin"), "is in this call themselves"),
            (("transfer", *here, "no-such-place"), "to: "),
            (("transfer", "other.example", listed["callid"], "701"), "there is no call"),
            (("supervise", "other.example", listed["callid"], "--user", "admin"), "there is no"),
        ):
            refused = cli.run("calls", *words)
            assert refused.returncode == 1, words
            assert told in refused.stderr, words
        async with Phone("boss", "correct pony", "acme.example", pbx) as boss:
            own = cli.json("calls", "supervise", *here, "--user", "boss")["callid"]
            listening = await boss.rings(10)
            await listening.answer()
            changed = cli.json("calls", "supervise", *here, "--user", "boss", "--mode", "whisper")
            assert changed == {"callid": own}
            cli.json("calls", "hangup", "acme.example", own)
            assert (await listening.ended(10)).cause == "bye"
        told = [row["who"] for row in cli.json("changes", "acme.example", "--search", "listening")]
        assert set(told) == {"boss"}
        cli.json("calls", "hangup", "acme.example", listed["callid"])
        assert (await call.ended(5)).cause == "bye"
        ends = cli.json("changes", "acme.example", "--search", "calls.")
        assert [(row["what"], row["by"], row["after"]) for row in ends] == [
            (f"calls.{listed['callid']}", "command", "ended"),
            (f"calls.{own}", "command", "ended"),
        ], "what was refused, or done by another company's name, is no change"
        assert {row["who"] for row in ends} == {getpass.getuser()}
    assert cli.json("phones", "list") == []


def test_calls_of_no_server_are_a_fault_that_says_where_it_looked(cli: Cli) -> None:
    cli.json("domain", "add", "acme.example")
    done = cli.run("calls", "list")
    assert done.returncode == 1
    assert f"no server of this user runs on {cli.data}" in done.stderr


def test_slip_in_the_data_directory_makes_no_second_pbx(cli: Cli) -> None:
    for words in (
        ("domain", "list"),
        ("user", "add", "acme.example", "Olga"),
        ("trunk", "add", "main", "--address", "192.0.2.1"),
        ("phones", "list"),
        ("crm", "show", "acme.example"),
        ("media", "list", "acme.example"),
        ("calls", "list"),
    ):
        done = cli.run(*words)
        assert done.returncode == 1, words
        assert str(cli.data) in done.stderr
        assert not cli.data.exists(), words
    cli.json("domain", "add", "acme.example")
    assert [row["domain"] for row in cli.json("domain", "list")] == ["acme.example"]


def test_carrier_may_come_first_in_a_directory_made_for_the_pbx(cli: Cli) -> None:
    cli.data.mkdir()
    assert cli.json("trunk", "add", "main", "--address", "192.0.2.1")["name"] == "main"
    cli.json("domain", "add", "acme.example")
    number = cli.json("number", "add", "acme.example", "74951234567", "--trunk", "main")
    assert number["trunk"] == "main"
