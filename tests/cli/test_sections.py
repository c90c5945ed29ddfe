"""What the API stores for a company as a whole can be set by command too."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.command import run_vpbx

from .conftest import Cli


@pytest.fixture
def acme(cli: Cli) -> Cli:
    cli.json("domain", "add", "acme.example")
    cli.json("user", "add", "acme.example", "Olga", "--login", "olga")
    cli.json("group", "add", "acme.example", "Sales", "--member", "olga")
    cli.json("number", "add", "acme.example", "74951234567")
    cli.json("number", "add", "acme.example", "74951234568")
    return cli


def test_black_list(acme: Cli) -> None:
    added = acme.json(
        *("blacklist", "add", "acme.example", "+7 910 000-00-01", "7900800*", "--comment", "spam")
    )
    assert added == [
        {"telnum": "7900800*", "comment": "spam", "week": 0, "year": 0},
        {"telnum": "79100000001", "comment": "spam", "week": 0, "year": 0},
    ]
    bad = acme.run("blacklist", "add", "acme.example", "nobody*")
    assert bad.returncode == 2
    assert "TELNUM" in bad.stderr
    (left,) = acme.json("blacklist", "remove", "acme.example", "7900800*")
    assert left["telnum"] == "79100000001"
    assert acme.run("blacklist", "remove", "acme.example", "7900800*").returncode == 2
    assert acme.json("blacklist", "anonymous", "acme.example", "on")["block_anonymous"]


def test_restrictions(acme: Cli) -> None:
    (everybody,) = acme.json("restrictions", "list", "acme.example")
    assert everybody == {"of": "everybody", "name": "", "allowed": ["ALL"]}
    acme.json("restrictions", "allow", "acme.example", "ru", "local")
    rules = acme.json("restrictions", "forbid", "acme.example", "ALL")
    assert rules[0]["allowed"] == ["LOCAL", "RU"]
    rules = acme.json("restrictions", "allow", "acme.example", "EURO", "--user", "702")
    rules = acme.json("restrictions", "allow", "acme.example", "CIS", "--group", "sales")
    assert rules[1:] == [
        {"of": "user", "name": "olga", "allowed": ["EURO"]},
        {"of": "group", "name": "Sales", "allowed": ["CIS"]},
    ]
    rules = acme.json("restrictions", "forbid", "acme.example", "EURO", "--user", "olga")
    assert rules[1]["allowed"] == ["nothing"]
    rules = acme.json("restrictions", "reset", "acme.example", "--user", "olga")
    assert [rule["of"] for rule in rules] == ["everybody", "group"]
    wrong = acme.run("restrictions", "allow", "acme.example", "MARS")
    assert wrong.returncode == 2
    assert "LOCAL" in wrong.stderr


def test_outgoing_numbers(acme: Cli) -> None:
    acme.json("callerid", "set", "acme.example", "8 495 1234568")
    acme.json("callerid", "set", "acme.example", "74951234567", "--user", "olga")
    acme.json("callerid", "set", "acme.example", "74951234567", "--region", "43")
    rows = acme.json("callerid", "set", "acme.example", "74951234568", "--group", "Sales")
    assert [(row["of"], row["name"], row["telnum"]) for row in rows] == [
        ("main", "", "74951234568"),
        ("user", "olga", "74951234567"),
        ("group", "Sales", "74951234568"),
        ("region", "43", "74951234567"),
    ]
    rows = acme.json("callerid", "remove", "acme.example", "--region", "43")
    assert [row["of"] for row in rows] == ["main", "user", "group"]
    regions = run_vpbx("callerid", "regions", "--json")
    assert '"43"' in regions.stdout
    acme.json("number", "set", "acme.example", "74951234567", "--outgoing", "off")
    closed = acme.run("callerid", "set", "acme.example", "74951234567", "--user", "admin")
    assert closed.returncode == 2
    assert "open to outgoing calls" in closed.stderr


def test_lists_of_employees(acme: Cli) -> None:
    for group in ("record", "blf"):
        added = acme.json(group, "add", "acme.example", "702", "admin")
        assert [row["login"] for row in added] == ["admin", "olga"]
        assert acme.json(group, "remove", "acme.example", "admin")[0]["login"] == "olga"
        assert acme.json(group, "list", "acme.example") == [
            {"login": "olga", "ext": "702", "name": "Olga"}
        ]
        assert acme.run(group, "add", "acme.example", "nobody").returncode == 2


def test_voicemail_and_music(acme: Cli) -> None:
    acme.json("voicemail", "add", "acme.example", "--user", "olga", "--group", "Sales")
    shown = acme.json(
        "voicemail", "set", "acme.example", "--all", "off", "--email", "box@acme.example"
    )
    assert shown == {
        "all": False,
        "email": "box@acme.example",
        "users": ["olga"],
        "groups": ["Sales"],
    }
    assert acme.json("voicemail", "remove", "acme.example", "--user", "702")["users"] == []
    assert acme.run("voicemail", "add", "acme.example").returncode == 2
    music = acme.json("music", "set", "acme.example", "holdmusic", "calm")
    assert {row["kind"]: row["file"] for row in music}["holdmusic"] == "calm"
    assert acme.run("music", "set", "acme.example", "holdmusic", "noise").returncode == 2


def test_other_operators_and_webhooks(acme: Cli) -> None:
    added = run_vpbx(
        *("registration", "add", "acme.example", "74950000001", "--name", "Other"),
        *("--at", "sip.other.example", "--login", "u1", "--password-stdin"),
        *("--proxy", "10.0.0.1:5070", "--outgoing", "on", "--json"),
        *("--data", acme.data),
        stdin="s3cret-word\n",
    )
    assert added.returncode == 0, added.stderr
    assert '"status": "waiting"' in added.stdout
    (listed,) = acme.json("registration", "list", "acme.example")
    assert (listed["telnum"], listed["domain"], listed["outgoing"]) == (
        *("74950000001", "sip.other.example"),
        True,
    )
    assert "s3cret" not in str(listed)
    changed = acme.json(
        "registration", "set", "acme.example", "74950000001", "--active", "off", "--expires", "600"
    )
    assert (changed["active"], changed["expires"], changed["proxy"]) == (
        *(False, 600),
        "10.0.0.1:5070",
    )
    acme.json("registration", "remove", "acme.example", "74950000001", "--yes")
    assert acme.json("registration", "list", "acme.example") == []

    uri = acme.json("sipuri", "add", "acme.example", "74950000002")
    assert uri["uri"].startswith("pbx-")
    assert not acme.json("sipuri", "set", "acme.example", "74950000002", "--active", "off")[
        "active"
    ]
    acme.json("sipuri", "remove", "acme.example", "74950000002")
    assert acme.json("sipuri", "list", "acme.example") == []

    hook = acme.json("webhook", "add", "acme.example", "https://crm.example/hook")
    assert acme.json("webhook", "list", "acme.example") == [hook]
    acme.json("webhook", "remove", "acme.example", hook["id"])
    assert acme.json("webhook", "list", "acme.example") == []


def test_which_commands_the_crm_is_sent(acme: Cli) -> None:
    first = acme.json("crm", "set", "acme.example", "--url", "https://crm.example/", "--token", "t")
    assert first["sends"] == ["history", "event", "contact", "rating"]
    only = acme.json("crm", "set", "acme.example", "--send", "history", "--send", "contact")
    assert only["sends"] == ["history", "contact"]
    assert acme.json("crm", "set", "acme.example", "--off")["sends"] == ["history", "contact"]
    wrong = acme.run("crm", "set", "acme.example", "--send", "fax")
    assert (wrong.returncode, "fax is not one of history" in wrong.stderr) == (2, True)
    assert acme.json("crm", "show", "acme.example")["sends"] == ["history", "contact"]


def test_who_needs_a_second_factor_is_said_by_command_and_kept_in_the_log(cli: Cli) -> None:
    cli.json("domain", "add", "acme.example")
    before = cli.json("safety", "show", "acme.example")
    assert before == {"second_factor": [], "idle_h": 12, "longest_h": 168}
    words = ("--second-factor", "admin", "--second-factor", "group_head", "--idle", "2")
    after = cli.json("safety", "set", "acme.example", *words)
    assert after == {"second_factor": ["admin", "group_head"], "idle_h": 2, "longest_h": 168}
    assert cli.json("safety", "set", "acme.example", "--longest", "24")["idle_h"] == 2
    for wrong in (("--second-factor", "boss"), ("--idle", "0"), ("--longest", "1")):
        assert cli.run("safety", "set", "acme.example", *wrong).returncode == 2, wrong
    none = cli.json("safety", "set", "acme.example", "--second-factor", "none")
    assert none == {"second_factor": [], "idle_h": 2, "longest_h": 24}
    first = cli.json("changes", "acme.example", "--search", "safety")[-1]
    assert (first["what"], first["by"]) == ("safety", "command")
    assert first["before"] == "second factor: —; 12 h, 168 h"
    assert first["after"] == "second factor: admin, group_head; 2 h, 168 h"
    assert len(cli.json("changes", "acme.example", "--limit", "2")) == 2
    assert cli.json("changes", "acme.example", "--search", "nothing like it") == []


def test_the_console_is_taken_away_by_command(cli: Cli) -> None:
    cli.json("domain", "add", "acme.example")
    never = cli.run("user", "revoke", "acme.example", "admin")
    assert (never.returncode, "never invited" in never.stderr) == (1, True)
    cli.json("user", "invite", "acme.example", "admin")
    gone = cli.json("user", "revoke", "acme.example", "admin")
    assert gone == {"login": "admin", "revoked": True}
    assert cli.run("user", "revoke", "acme.example", "admin").returncode == 1
    assert cli.json("changes", "acme.example", "--search", "console")[0]["before"] == "admin"


def test_a_week_is_copied_to_other_numbers(cli: Cli, tmp_path: Path) -> None:
    cli.json("domain", "add", "acme.example")
    for number, day in (("74951234501", "monday"), ("74951234502", "friday")):
        route = {"type": "scheduler", "schedule": {day: {"start": 3600, "end": 7200}}}
        route |= {"work": {"subtype": "user", "user": "admin"}, "other": {"subtype": "message"}}
        file = tmp_path / f"{number}.json"
        file.write_text(json.dumps(route))
        cli.json("number", "add", "acme.example", number)
        cli.json("number", "set", "acme.example", number, "--route", str(file))
    copied = cli.json("number", "copy-hours", "acme.example", "74951234501", "+7 495 123-45-02")
    assert copied == {"copied": ["74951234502"]}
    first, second = (
        cli.json("number", "show", "acme.example", number)
        for number in ("74951234501", "74951234502")
    )
    assert "monday" in json.dumps(second)
    assert first["schedule"] == second["schedule"]
    wrong = cli.run("number", "copy-hours", "acme.example", "74951234501", "74950000000")
    assert (wrong.returncode, "there is no number 74950000000" in wrong.stderr) == (2, True)
