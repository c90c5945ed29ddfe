"""What `vpbx doctor` says about being attacked: guessable passwords, open doors, old packages."""

from __future__ import annotations

import asyncio
import datetime
import ipaddress
import shutil
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from vpbx.app import DataDir
from vpbx.app.control import ControlFault, ask
from vpbx.cli.findings import Finding, ok, warning
from vpbx.config import Endpoint, ServeConfig

if TYPE_CHECKING:
    from vpbx.directory import DomainConfig, Employee

__all__ = ["front", "packages", "public_sip", "weak_passwords"]

_ANSWER_S = 10.0
_LOOK_S = 10.0
"""For guessing all passwords."""
_NAMED = 5
_OLD_DAYS = 180
_PYTHON_ENDS = {(3, 11): 2027, (3, 12): 2028, (3, 13): 2029, (3, 14): 2030}
"""Until October of which year a Python is mended (PEP 664 and its like)."""
_EXPOSED = ("aiohttp", "cryptography", "httptools", "pylibsrtp", "starlette", "uvicorn", "uvloop")
"""Packages that touch what strangers send."""
_COMMON = (
    *("12345678", "123456789", "1234567890", "87654321", "11111111", "00000000", "12341234"),
    *("password", "password1", "Password1", "passw0rd", "qwerty123", "qwertyui", "1q2w3e4r"),
    *("asterisk", "changeme", "welcome1", "admin123", "administrator", "sipphone", "11223344"),
)


async def weak_passwords(directory: DataDir, given: str) -> list[Finding]:
    """Can an employee's password be guessed from their login, ext or name, or is it a common one?

    Passwords are kept as digests, so they are guessed as an attacker would.
    """
    from vpbx.db import Database
    from vpbx.directory import Directory

    url = directory.database_url(given)
    if not url and not (directory.root / "vpbx.sqlite3").exists():
        return []
    opened = Database.from_url(url) if url else Database.for_data_dir(directory.root)
    try:
        async with asyncio.timeout(_ANSWER_S):
            current, newest = await opened.revisions()
            if current is None or current != newest:
                return []
            known = Directory(opened)
            await known.refresh()
            domains = [await known.domain(name) for name in known.domain_names()]
    except Exception:
        return []  # the check of the database says why
    finally:
        await opened.close()
    return [_judge([domain for domain in domains if domain is not None])]


def _judge(domains: list[DomainConfig]) -> Finding:
    subject = "passwords"
    until = time.monotonic() + _LOOK_S
    weak: list[str] = []
    looked = total = 0
    for domain in domains:
        for employee in domain.employees.values():
            total += 1
            if time.monotonic() > until:
                continue
            looked += 1
            if why := _guess(domain, employee):
                weak.append(f"{employee.login}@{domain.name} ({why})")
    seen = f"{looked} employees" if looked == total else f"{looked} of {total} employees"
    if not weak:
        return ok(subject, f"none of {seen} has one that is quickly guessed")
    named = ", ".join(weak[:_NAMED]) + (f" and {len(weak) - _NAMED} more" * (len(weak) > _NAMED))
    return warning(
        subject,
        f"{len(weak)} of {seen} can be guessed: {named}",
        "Strangers try these first, and then call abroad. Give new ones: "
        "`vpbx user set DOMAIN LOGIN --password`.",
    )


def _guess(domain: DomainConfig, employee: Employee) -> str:
    """Return what is wrong with a password, empty when it was not guessed."""
    from vpbx.directory.names import ha1

    kept = employee.ha1_login.md5
    login, realm = employee.login, domain.name
    if not kept:
        return ""
    for why, guesses in (
        ("equal to the login", _variants(login)),
        ("equal to the ext", _variants(employee.ext)),
        ("the company's name", _variants(realm.partition(".")[0])),
        ("login and ext", (login + employee.ext, employee.ext + login)),
        ("a common one", _COMMON),
        ("too short", _short()),
    ):
        if any(ha1(login, realm, guess).md5 == kept for guess in guesses if guess):
            return why
    return ""


def _variants(word: str) -> Iterator[str]:
    """Give what people make of a word when a password must be 8 characters long."""
    if not word:
        return
    for base in {word, word.lower(), word.upper(), word.capitalize(), word[::-1]}:
        yield base
        yield base * 2
        yield base * 3
        yield base * 4
        for tail in ("1", "12", "123", "1234", "12345", "123456", "!", "2024", "2025", "2026"):
            yield base + tail


def _short() -> Iterator[str]:
    """Give all passwords of one to three digits."""
    return (f"{number:0{width}d}" for width in (1, 2, 3) for number in range(10**width))


def public_sip(settings: ServeConfig) -> Finding:
    """Do phones from outside have an encrypted way in?"""
    subject = "encryption"
    if not _is_public(settings.sip):
        return ok(subject, "SIP in clear text is not offered to the outside")
    if settings.sip_tls is None:
        return warning(
            subject,
            f"SIP is offered to the outside on {settings.sip} in clear text, and not over TLS",
            "Give --sip-tls HOST:PORT and let phones use it; what they say can be read on the way.",
        )
    return ok(subject, f"phones can use TLS on {settings.sip_tls}")


def front(settings: ServeConfig) -> Finding:
    """Does anything keep strangers in check before they reach us?"""
    subject = "rate limit"
    if not any(map(_is_public, (settings.sip, settings.sip_tls, settings.https))):
        return ok(subject, "nothing is offered to the outside")
    if Path("/run/fail2ban/fail2ban.sock").exists():
        return ok(subject, "fail2ban runs")
    rules = _rules()
    if rules is None:
        return ok(subject, "this user may not see the firewall; docs/security.md has recipes")
    if any(word in rules for word in ("limit rate", "hashlimit", "ct count", "connlimit")):
        return ok(subject, "the firewall limits rates")
    return warning(
        subject,
        "neither fail2ban nor a limit in the firewall stands before SIP and HTTPS",
        "vpbx bounds what one source may do; a firewall stops it earlier: docs/security.md "
        "has recipes for nftables and fail2ban.",
    )


def _rules() -> str | None:
    """Return the firewall's rules; None when they cannot be seen."""
    found = None
    for command in (["nft", "list", "ruleset"], ["iptables-save"]):
        if (program := shutil.which(command[0])) is None:
            continue
        done = subprocess.run(  # noqa: S603
            [program, *command[1:]], capture_output=True, text=True, timeout=10, check=False
        )
        if done.returncode == 0:
            found = (found or "") + done.stdout
    return found


def packages() -> Finding:
    """Are Python, OpenSSL and the packages that touch what strangers send still mended?"""
    subject = "packages"
    now = datetime.datetime.now(datetime.UTC)
    old = []
    end = _PYTHON_ENDS.get(sys.version_info[:2], 0)
    if (now.year, now.month) > (end, 10):
        old.append(f"Python {sys.version_info[0]}.{sys.version_info[1]} is mended no longer")
    if ssl.OPENSSL_VERSION_INFO < (3, 0):
        old.append(f"{ssl.OPENSSL_VERSION} is mended no longer")
    ages = [(now.timestamp() - _installed_at(name)) / 86400 for name in _EXPOSED]
    if max(ages) > _OLD_DAYS:
        old.append(f"the packages were installed {max(ages):.0f} days ago")
    if not old:
        return ok(subject, f"Python {sys.version.split()[0]}, {ssl.OPENSSL_VERSION}")
    return warning(
        subject, "; ".join(old), "Update vpbx and the system: faults that are known are used."
    )


def _installed_at(name: str) -> float:
    try:
        record = metadata.distribution(name).locate_file(f"{name}/__init__.py")
        return Path(str(record)).stat().st_ctime
    except (metadata.PackageNotFoundError, OSError):
        return time.time()


def _is_public(endpoint: Endpoint | None) -> bool:
    """Whether others than this machine can reach it."""
    return endpoint is not None and not ipaddress.ip_address(endpoint.host).is_loopback


def guessing(directory: DataDir) -> Finding:
    """Does somebody guess the phones' passwords?"""
    subject = "passwords"
    try:
        counts = ask(directory.root, "defence")
    except (ControlFault, OSError) as error:
        return warning(subject, f"the server does not say: {error}", "Is it still starting?")
    names = counts["guessed_accounts"]
    if names:
        shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        return warning(
            subject,
            f"being guessed now: {shown}; {counts['wrong_passwords']} wrong ones since the start",
            "See `Wrong password` in the log for the sources; give these phones long passwords.",
        )
    return ok(subject, f"{counts['wrong_passwords']} wrong ones since the server's start")
