"""`vpbx doctor` looks at the server as an attacker would."""

from __future__ import annotations

import json

import pytest

from vpbx.cli import security_checks
from vpbx.config import ServeConfig

from .conftest import Cli


def test_passwords_that_are_quickly_guessed_are_named_without_showing_them(cli: Cli) -> None:
    cli.json("domain", "add", "acme.example", "--password", "Xk3-unguessable")
    for login, ext, password in (
        ("olga", "702", "olga2025"),
        ("petr", "703", "703703703"),
        ("ann", "704", "12345678"),
        ("bob", "705", "a-good-one-77"),
        ("eve", "706", "Acme123!x"),
    ):
        cli.json(
            *("user", "add", "acme.example", login.title(), "--login", login, "--ext", ext),
            *("--password", password),
        )
    done = cli.run("doctor", "--json")
    assert "Traceback" not in done.stderr
    (found,) = [finding for finding in _findings(done.stdout) if finding["check"] == "passwords"]
    assert found["result"] == "warning"
    assert found["found"].startswith("3 of 6 employees can be guessed: ")
    for named in (
        "olga@acme.example (equal to the login)",
        "petr@acme.example (equal to the ext)",
        "ann@acme.example (a common one)",
    ):
        assert named in found["found"]
    assert "olga2025" not in done.stdout


def _findings(text: str) -> list[dict[str, str]]:
    found: list[dict[str, str]] = json.loads(text)
    return found


@pytest.mark.parametrize(
    ("sip", "sip_tls", "result"),
    [
        ("0.0.0.0:5060", "off", "warning"),
        ("192.0.2.7:5060", "off", "warning"),
        ("0.0.0.0:5060", "0.0.0.0:5061", "ok"),
        ("127.0.0.1:5060", "off", "ok"),
    ],
)
def test_public_sip_without_tls_is_warned_of(sip: str, sip_tls: str, result: str) -> None:
    settings = ServeConfig.parse(sip=sip, sip_tls=sip_tls)
    assert security_checks.public_sip(settings).result == result


@pytest.mark.parametrize(
    ("rules", "result"),
    [
        ("table inet filter { chain input { udp dport 5060 accept } }", "warning"),
        ("udp dport 5060 limit rate over 50/second drop", "ok"),
        (None, "ok"),
    ],
)
def test_missing_limit_in_front_is_warned_of(
    monkeypatch: pytest.MonkeyPatch, rules: str | None, result: str
) -> None:
    monkeypatch.setattr(security_checks, "_rules", lambda: rules)
    assert security_checks.front(ServeConfig()).result == result


def test_packages_installed_long_ago_are_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    assert security_checks.packages().result == "ok"
    monkeypatch.setattr(security_checks, "_installed_at", lambda _name: 1_600_000_000.0)
    assert "days ago" in security_checks.packages().found
