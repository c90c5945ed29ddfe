"""Everything a company sets can be shown, changed and removed by command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .conftest import Cli


@pytest.fixture
def acme(cli: Cli) -> Cli:
    cli.json("domain", "add", "acme.example")
    cli.json("user", "add", "acme.example", "Olga Ivanova", "--login", "olga")
    cli.json("group", "add", "acme.example", "Sales", "--member", "olga")
    cli.json("number", "add", "acme.example", "74951234567", "--user", "olga")
    return cli


def test_company_is_changed_only_in_what_is_given(acme: Cli) -> None:
    before = acme.json("domain", "show", "acme.example")
    after = acme.json(
        *("domain", "set", "acme.example", "--timezone", "Asia/Tokyo", "--record-inner", "on"),
        *("--ring-time", "45", "--limit-users", "10", "--service-branch", "off"),
    )
    assert (after["timezone"], after["record_inner"], after["ring_time"]) == (
        *("Asia/Tokyo", True),
        45,
    )
    assert (after["limits"]["users"], after["services"]["branch"]) == (10, False)
    for field in ("language", "country", "record_external", "contact_time", "enabled"):
        assert after[field] == before[field], field
    assert acme.json("domain", "show", "acme.example") == after

    for words, told in (
        (("--timezone", "Mars/Base"), "timezone"),
        (("--ring-time", "1"), "--ring-time"),
        ((), "--timezone"),
        (("--record-inner", "perhaps"), "record-inner"),
    ):
        done = acme.run("domain", "set", "acme.example", *words)
        assert done.returncode == 2, words
        assert told in done.stderr
    assert acme.json("domain", "show", "acme.example") == after


def test_employee_is_changed_and_every_part_is_shown(acme: Cli) -> None:
    changed = acme.json(
        *("user", "set", "acme.example", "702", "--mobile", "+7 910 123-45-67"),
        *("--redirect", "too", "--delay", "10", "--dnd", "on", "--call-waiting", "on"),
        *("--role", "group_head", "--email", "olga@acme.example"),
    )
    assert changed == acme.json("user", "show", "acme.example", "olga")
    assert changed == {
        "login": "olga",
        "ext": "702",
        "name": "Olga Ivanova",
        "position": "Manager",
        "role": "group_head",
        "telnum": "74951234567",
        "email": "olga@acme.example",
        "mobile": "79101234567",
        "redirect": "too",
        "delay": 10,
        "dnd": True,
        "call_waiting": True,
        "groups": ["Sales"],
    }
    assert acme.json("user", "set", "acme.example", "olga", "--redirect", "only")["delay"] == 0
    off = acme.json("user", "set", "acme.example", "olga", "--redirect", "off", "--dnd", "off")
    assert (off["redirect"], off["dnd"], off["call_waiting"]) == ("off", False, True)
    refused = acme.run("user", "set", "acme.example", "admin", "--role", "user", "--dnd", "on")
    assert refused.returncode == 2
    assert "last administrator" in refused.stderr
    assert not acme.json("user", "show", "acme.example", "admin")["dnd"]


def test_department_is_found_by_name_and_changed(acme: Cli) -> None:
    changed = acme.json(
        *("group", "set", "acme.example", "sales", "--order", "evenly", "--duration", "10"),
        *("--timeout", "60", "--then", "user:701", "--advanced", "callback"),
        *("--queue-position", "on", "--add", "admin", "--position", "0", "--mute", "olga"),
    )
    assert (changed["call_order"], changed["duration"], changed["timeout"]) == ("EVENLY", 10, 60)
    assert (changed["then"], changed["advanced"]) == ("user:admin", "callback")
    assert (changed["users"], changed["muted"]) == (["admin", "olga"], ["olga"])
    kept = acme.json("group", "set", "acme.example", "Sales", "--timeout", "30")
    assert (kept["then"], kept["timeout"]) == ("user:admin", 30)
    again = acme.json("group", "set", "acme.example", "Sales", "--unmute", "olga", "--drop", "701")
    assert (again["users"], again["muted"]) == (["olga"], [])
    other = acme.json("group", "add", "acme.example", "Support")
    chained = acme.json("group", "set", "acme.example", "Support", "--then", "group:sales")
    assert chained["then"] == f"group:{again['id']}"
    assert chained["id"] == other["id"]
    unknown = acme.run("group", "show", "acme.example", "Marketing")
    assert unknown.returncode == 2
    assert "703 Sales" in unknown.stderr


def test_number_gets_any_route_and_the_operators_settings(acme: Cli, tmp_path: Path) -> None:
    number = ("number", "set", "acme.example", "8 495 123-45-67")
    changed = acme.json(*number, "--group", "Sales", "--rating", "on", "--outgoing", "off")
    assert (changed["type"], changed["group_name"]) == ("group", "Sales")
    assert (changed["rating"], changed["outgoing"]) == (True, False)
    changed = acme.json(*number, "--responsible", "on", "--fallback", "sales")
    assert (changed["responsible"], changed["crm"]) == (True, changed["group"])
    nobody = acme.run(*number, "--fallback", "nobody")
    assert nobody.returncode == 2
    assert "no employee or department 'nobody'" in nobody.stderr
    changed = acme.json(*number, "--responsible", "off", "--greeting", "on")
    assert (changed["responsible"], changed["crm"]) == (False, changed["group"])
    assert (changed["greeting"], changed["type"]) == (True, "group")

    menu = {
        "type": "ivr",
        "greeting": True,
        "ivr": {
            "name": "Main",
            "greeting": False,
            "items": [{"button": "1", "type": "user", "user": "olga"}],
        },
    }
    file = tmp_path / "menu.json"
    file.write_text(json.dumps(menu))
    shown = acme.json(*number, "--route", str(file))
    assert shown["ivr"]["items"][0]["user"] == "olga"
    assert acme.json(*number, "--user", "olga")["type"] == "user"
    file.write_text(json.dumps(shown))
    assert acme.json(*number, "--route", str(file)) == shown
    file.write_text("{nonsense")
    done = acme.run(*number, "--route", str(file))
    assert done.returncode == 2
    assert "is not JSON" in done.stderr
    assert acme.run(*number, "--user", "olga", "--group", "Sales").returncode == 2
    assert acme.json("number", "show", "acme.example", "74951234567") == shown


def test_removal_says_what_depends_and_wants_a_yes(acme: Cli) -> None:
    for words, told in (
        (("user", "remove", "acme.example", "olga"), "answers number 74951234567"),
        (("group", "remove", "acme.example", "Sales"), "members: olga"),
        (("number", "remove", "acme.example", "74951234567"), "the main number"),
        (("domain", "remove", "acme.example"), "2 employees"),
    ):
        done = acme.run(*words)
        assert done.returncode == 2, words
        assert told in done.stderr
        assert "--yes" in done.stderr
    assert acme.json("user", "remove", "acme.example", "olga", "--yes")["removed"]
    assert acme.json("number", "show", "acme.example", "74951234567")["user"] == "admin"
    assert acme.json("group", "remove", "acme.example", "Sales", "--yes")["removed"]
    assert acme.json("number", "remove", "acme.example", "74951234567", "--yes")["removed"]
    last = acme.run("user", "remove", "acme.example", "admin", "--yes")
    assert "last administrator" in last.stderr
    assert acme.json("domain", "remove", "acme.example", "--yes")["removed"]
    assert acme.json("domain", "list") == []
