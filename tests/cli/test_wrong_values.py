"""What is wrong with a value is told by the option or argument that was typed, whatever command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

ACME = "acme.example"
SALES = (ACME, "Sales")
NUMBER = (ACME, "74951234567")
WRONG: list[tuple[tuple[str, ...], str]] = [
    (("domain", "add", "no domain"), "DOMAIN: "),
    (("domain", "add", "b.example", "--password", "x"), "--password: "),
    (("domain", "set", ACME, "--ring-time", "1"), "--ring-time: must be from 5 to 600"),
    (("domain", "set", ACME, "--language", "xx"), "--language: must be one of: en, ru"),
    (("domain", "set", ACME, "--widget-origins", "ftp:x"), "--widget-origins: "),
    (("domain", "set", ACME, "--crm-card-url", "{x}"), "--crm-card-url: "),
    (("user", "add", ACME, ""), "NAME: is required"),
    (("user", "add", ACME, "Bo", "--ext", "112"), "--ext: is an emergency number"),
    (("user", "set", ACME, "admin", "--role", "king"), "--role: must be one of: admin"),
    (
        (
            "user",
            "set",
            ACME,
            "admin",
            "--mobile",
            "79161234567",
            "--redirect",
            "too",
            "--delay",
            "7",
        ),
        "--delay: must be one of: 0, 5, 10, 15",
    ),
    (("user", "password", ACME, "admin", "--password", "x"), "--password: must be"),
    (("group", "add", ACME, "New", "--member", "nobody"), "--member: nobody is not an employee"),
    (("group", "set", *SALES, "--order", "RANDOM"), "--order: must be one of: ALL"),
    (("group", "set", *SALES, "--duration", "7"), "--duration: must be one of: 5"),
    (("group", "set", *SALES, "--timeout", "7"), "--timeout: must be one of: 15"),
    (("group", "set", *SALES, "--then", "nowhere"), "--then: must be one of: voicemail"),
    (("group", "set", *SALES, "--then", "user:nobody"), "--then: must be the login"),
    (("group", "set", *SALES, "--add", "nobody"), "--add: nobody is not an employee"),
    (("group", "set", *SALES, "--add", "admin", "--position", "-2"), "--position: must be"),
    (("number", "add", ACME, "12ab"), "TELNUM: "),
    (("number", "add", ACME, "123"), "TELNUM: 123 is a short number"),
    (("number", "add", ACME, "112", "--short"), "TELNUM: 112 is an emergency number"),
    (("number", "add", *NUMBER), "TELNUM: this number is taken"),
    (("number", "add", ACME, "74951234568", "--trunk", "none"), "--trunk: there is no trunk none"),
    (("number", "add", ACME, "74951234568", "--user", "nobody"), "--user: there is no employee"),
    (("number", "set", *NUMBER, "--user", "nobody"), "--user: "),
    (("number", "set", *NUMBER, "--fax", "nobody"), "--fax: "),
    (("number", "set", *NUMBER, "--greeting", "missing"), "--greeting: "),
    (("number", "set", *NUMBER, "--trunk", "none"), "--trunk: there is no trunk none"),
    (("trunk", "add", "t1"), "--address: is required"),
    (("trunk", "add", "t 1", "--address", "192.0.2.1"), "NAME: "),
    (("trunk", "add", "t1", "--address", "a b"), "--address: "),
    (("trunk", "add", "t1", "--address", "192.0.2.1", "--network", "x"), "--network: must be an"),
    (("trunk", "set", "main", "--max-calls", "-3"), "--max-calls: must be from 0"),
    (("trunk", "set", "main", "--rename", "a b"), "--rename: "),
    (("key", "add", ACME, "--right", "Everything"), "--right: 'Everything' is not a right"),
    (("crm", "set", ACME, "--url", "ftp://x", "--token", "t"), "--url: "),
    (
        ("crm", "set", ACME, "--url", "https://crm.example/x", "--token", "t", "--format", "xml"),
        "--format: must be one of: auto",
    ),
    (
        ("crm", "set", ACME, "--url", "https://crm.example/x", "--token", "t", "--allow", "x"),
        "--allow: x is not an IP network",
    ),
    (
        ("crm", "set", ACME, "--url", "https://crm.example/x", "--token", "t", "--origin", "x"),
        "--origin: x is not an origin",
    ),
    (("music", "set", ACME, "holdmusic", "polka"), "FILE: must be one of"),
    (("record", "add", ACME, "nobody"), "LOGIN: nobody "),
    (("blf", "add", ACME, "admin", "nobody"), "LOGIN: nobody "),
    (("voicemail", "set", ACME, "--email", "nobody"), "--email: must be an e-mail address"),
    (("voicemail", "add", ACME, "--user", "nobody"), "--user: nobody "),
    (("blacklist", "add", ACME, "79*1"), "TELNUM: '*' is not part of a phone number"),
    (("blacklist", "add", ACME, "79001234567", "zz"), "TELNUM: "),
    (("restrictions", "allow", ACME, "MOON"), "DIRECTION: must be of: RU"),
    (("restrictions", "allow", ACME, "RU", "--user", "nobody"), "--user: must be the login"),
    (("callerid", "set", ACME, "79001234567"), "TELNUM: must be a number of the company"),
    (("callerid", "set", *NUMBER, "--user", "nobody"), "--user: must be the login"),
    (("callerid", "set", *NUMBER, "--region", "Moon"), "--region: must be one of"),
    (
        (
            *("registration", "add", ACME, "74957654321", "--name", "N", "--login", "l"),
            *("--at", "a b", "--password", "secret12"),
        ),
        "--at: ",
    ),
    (
        (
            *("registration", "add", ACME, "74957654321", "--name", "N", "--login", "l"),
            *("--at", "sip.example", "--password", "secret12", "--expires", "1"),
        ),
        "--expires: must be from",
    ),
    (("sipuri", "add", ACME, "zz"), "TELNUM: "),
    (("webhook", "add", ACME, "https://x.example", "--type", "rain"), "--type: must be one of"),
    (("webhook", "add", ACME, "x"), "URL: "),
    (("report-mail", "add", ACME, "--to", "bo"), "--to: 'bo' is not an e-mail address"),
    (("report-mail", "add", ACME, "--to", "a@b.example", "--in-time", "9999"), "--in-time: must"),
    (("operator", "add", "two words"), "NAME: must be one word"),
]


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    cli = Cli(tmp_path_factory.mktemp("wrong"))
    cli.json("domain", "add", ACME)
    cli.json("group", "add", *SALES, "--member", "admin")
    cli.json("number", "add", *NUMBER)
    cli.json("trunk", "add", "main", "--address", "192.0.2.1")
    return cli


@pytest.mark.parametrize(("words", "said"), WRONG, ids=[" ".join(w) for w, _ in WRONG])
def test_what_is_wrong_is_told_by_what_was_typed(
    company: Cli, words: tuple[str, ...], said: str
) -> None:
    done = company.run(*words)
    assert done.returncode == 2, done.stdout
    assert done.stderr.startswith(f"vpbx: {said}"), done.stderr


def test_all_that_is_wrong_is_told_at_once(company: Cli) -> None:
    done = company.run("domain", "set", ACME, "--ring-time", "1", "--language", "xx")
    told = {each.partition(": ")[0] for each in done.stderr.removeprefix("vpbx: ").split("; ")}
    assert told == {"--ring-time", "--language"}


def test_a_message_speaks_of_options_too(company: Cli) -> None:
    company.json("user", "set", ACME, "admin", "--mobile", "79161234567", "--redirect", "too")
    done = company.run("user", "set", ACME, "admin", "--mobile", "")
    assert done.stderr.strip() == "vpbx: --mobile: is needed while --redirect is enabled"


def test_what_a_document_says_is_told_behind_its_option(company: Cli, tmp_path: Path) -> None:
    file = tmp_path / "route.json"
    file.write_text(json.dumps({"type": "user", "user": "nobody"}))
    done = company.run("number", "set", *NUMBER, "--route", str(file))
    assert done.returncode == 2
    assert done.stderr.startswith("vpbx: --route: user: "), done.stderr


def test_a_number_that_is_short_says_so(company: Cli) -> None:
    assert company.json("number", "add", ACME, "900", "--short")["telnum"] == "900"
