"""`vpbx trunk`: carriers with passwords, by name, removed with a word of warning."""

from __future__ import annotations

import subprocess
from typing import Any

from tests.cli.conftest import Cli
from tests.support.command import run_vpbx


def told(cli: Cli, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return run_vpbx(*words, "--data", cli.data, stdin=stdin)


def test_a_carrier_with_login_and_password_is_added_and_changed(cli: Cli) -> None:
    cli.json("domain", "add", "acme.example")
    done = told(
        cli,
        *("trunk", "add", "main", "--address", "127.0.0.1:5070", "--username", "100200"),
        *("--password-stdin", "--register", "--transport", "tcp", "--max-calls", "30"),
        stdin="pa$$ word\n",
    )
    assert done.returncode == 0, done.stderr
    assert "pa$$" not in done.stdout + done.stderr
    (row,) = cli.json("trunk", "list")
    assert (row["mode"], row["username"], row["transport"]) == ("register", "100200", "tcp")
    assert (row["max_calls"], row["state"], row["reason"]) == (30, "unknown", "no server runs")
    changed = cli.json("trunk", "set", "main", "--no-register", "--identity", "rpid", "--off")
    assert (changed["mode"], changed["identity"], changed["enabled"]) == ("address", "rpid", False)
    assert cli.json("trunk", "edit", "main", "--rename", "other")["name"] == "other"
    assert cli.run("trunk", "set", "other").returncode == 2
    assert cli.run("trunk", "set", "nobody", "--on").returncode == 2


def test_a_password_that_is_not_there_is_said(cli: Cli) -> None:
    cli.json("domain", "add", "acme.example")
    words = ("trunk", "add", "main", "--address", "127.0.0.1", "--username", "u")
    assert "password" in told(cli, *words).stderr
    assert "standard input" in told(cli, *words, "--password-stdin").stderr
    assert cli.json("trunk", "list") == []


def test_a_name_that_does_not_resolve_is_said_when_it_is_added_and_by_doctor(cli: Cli) -> None:
    cli.json("domain", "add", "acme.example")
    done = cli.run("trunk", "add", "main", "--address", "nowhere.invalid")
    assert done.returncode == 0
    assert "nowhere.invalid does not resolve" in done.stdout
    findings: list[dict[str, Any]] = cli_findings(cli)
    (trunk,) = [each for each in findings if each["check"] == "trunk main"]
    assert trunk["result"] == "bad"
    assert "nowhere.invalid does not resolve" in trunk["found"]
    cli.json("trunk", "set", "main", "--address", "127.0.0.1")
    (trunk,) = [each for each in cli_findings(cli) if each["check"] == "trunk main"]
    assert (trunk["result"], trunk["found"]) == ("ok", "127.0.0.1 is 127.0.0.1:5060/udp")


def cli_findings(cli: Cli) -> list[dict[str, Any]]:
    import json

    done = cli.run("doctor", "--json", "--sip", "127.0.0.1:0", "--rtp-ports", "43000-43099")
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_removal_says_what_depends_on_it_and_asks(cli: Cli) -> None:
    cli.json("domain", "add", "acme.example")
    cli.json("trunk", "add", "main", "--address", "127.0.0.1")
    cli.json("number", "add", "acme.example", "74951234567", "--trunk", "main")
    done = told(cli, "trunk", "remove", "main")
    assert done.returncode == 2
    assert "74951234567 (acme.example)" in done.stdout
    assert "--yes" in done.stderr
    removed = cli.json("trunk", "remove", "main", "--yes")
    assert removed == {"name": "main", "numbers": ["74951234567"]}
    assert cli.json("trunk", "list") == []
    (number,) = cli.json("number", "list", "acme.example")
    assert number["trunk"] == ""
    assert cli.run("trunk", "remove", "main", "--yes").returncode == 2


def test_the_running_server_says_how_its_trunks_stand(cli: Cli) -> None:
    cli.json("domain", "add", "acme.example")
    cli.json("trunk", "add", "main", "--address", "127.0.0.1:5999")
    cli.json("trunk", "add", "lost", "--address", "nowhere.invalid")
    cli.serve()
    states = {row["name"]: row for row in cli.json("trunk", "list")}
    assert (states["main"]["state"], states["main"]["reached"]) == ("ok", ["127.0.0.1:5999/udp"])
    assert states["lost"]["state"] in ("unresolved", "waiting")
