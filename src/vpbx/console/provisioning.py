"""What sets up a phone without typing: links of a few minutes, and the files they lead to.

A file holds what its employee's phones register with: for Linphone the digest's HA1, which is
what we keep ourselves; for desk phones, which take nothing else, the password, so theirs can be
made only in the moment in which a new one is. So a link is 128 random bits, known for a quarter
of an hour, to this process alone, and worth nothing once there is another password.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from xml.etree import ElementTree

from vpbx.clock import Clock
from vpbx.directory import DomainConfig, Employee

__all__ = ["FILES", "LIFE_S", "Line", "Provisioning", "Server"]

LIFE_S = 900.0
_MAX = 10_000
_EXPIRES_S = "600"


@dataclass(frozen=True, slots=True)
class Server:
    """Where SIP is taken. `transport`: udp, tcp or tls."""

    transport: str
    host: str
    port: int

    @property
    def address(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Line:
    """What a phone is set up with; `password` empty: it is not known."""

    company: DomainConfig
    employee: Employee
    server: Server
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class _Given:
    domain_id: int
    login: str
    server: Server
    until: float
    ha1: str = field(repr=False)
    password: str = field(repr=False)


class Provisioning:
    """The links that count now."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._given: dict[str, _Given] = {}

    def give(self, line: Line) -> str:
        """Return the secret part of a link for an employee's phone."""
        now, who = self._clock.now(), (line.company.id, line.employee.login)
        kept = {
            key: each
            for key, each in self._given.items()
            if each.until > now and (each.domain_id, each.login) != who
        }
        while len(kept) >= _MAX:
            del kept[next(iter(kept))]
        self._given = kept
        token = secrets.token_urlsafe(16)
        self._given[_key(token)] = _Given(
            line.company.id,
            line.employee.login,
            line.server,
            now + LIFE_S,
            line.employee.ha1_login.md5,
            line.password,
        )
        return token

    def company_of(self, token: str) -> int:
        """Return the id of the company a link is for; 0: it counts no more, or never did."""
        given = self._given.get(_key(token))
        return given.domain_id if given is not None and given.until > self._clock.now() else 0

    def line(self, token: str, company: DomainConfig) -> Line | None:
        """Return what a link is for, if it counts."""
        if self.company_of(token) != company.id or not company.enabled:
            return None
        given = self._given[_key(token)]
        employee = company.employees.get(given.login)
        if employee is None or employee.ha1_login.md5 != given.ha1:
            return None
        return Line(company, employee, given.server, given.password)


def _key(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def linphone(line: Line) -> str:
    """Return a configuration of Linphone (lpconfig.xsd), which an installed one fetches."""
    employee, domain, server = line.employee, line.company.name, line.server
    transport = f";transport={server.transport}"
    sections = {
        "misc": {"transient_provisioning": "1"},
        "sip": {"default_proxy": "0"},
        "auth_info_0": {
            "username": employee.login,
            "ha1": employee.ha1_login.md5,
            "realm": domain,
            "domain": domain,
            "algorithm": "MD5",
        },
        "proxy_0": {
            "reg_proxy": f"<sip:{server.address}{transport}>",
            "reg_route": f"<sip:{server.address}{transport};lr>",
            "reg_identity": f"<sip:{employee.login}@{domain}>",
            "realm": domain,
            "reg_expires": _EXPIRES_S,
            "reg_sendregister": "1",
            "publish": "0",
        },
    }
    root = ElementTree.Element("config", xmlns="http://www.linphone.org/xsds/lpconfig.xsd")
    for name, entries in sections.items():
        section = ElementTree.SubElement(root, "section", name=name)
        for key, value in entries.items():
            ElementTree.SubElement(section, "entry", name=key, overwrite="true").text = value
    head = '<?xml version="1.0" encoding="UTF-8"?>\n'
    return head + ElementTree.tostring(root, encoding="unicode") + "\n"


def yealink(line: Line) -> str:
    """Return a configuration of a Yealink desk phone, for its first account."""
    employee, server = line.employee, line.server
    values = {
        "enable": "1",
        "label": f"{employee.ext} {employee.name}".strip(),
        "display_name": employee.name,
        "user_name": employee.login,
        "auth_name": employee.login,
        "password": line.password,
        "sip_server.1.address": line.company.name,
        "sip_server.1.expires": _EXPIRES_S,
        "sip_server.1.transport_type": {"udp": "0", "tcp": "1", "tls": "2"}[server.transport],
        "outbound_proxy_enable": "1",
        "outbound_proxy.1.address": server.host,
        "outbound_proxy.1.port": str(server.port),
        "dtmf.type": "1",
        "subscribe_mwi": "1",
    }
    lines = [f"account.1.{key} = {value}" for key, value in values.items()]
    return "\n".join(["#!version:1.0.0.1", *lines, "voice_mail.number.1 = *97", ""])


def baresip(line: Line) -> str:
    """Return a line of baresip's file `accounts`."""
    employee, server = line.employee, line.server
    return (
        f"<sip:{employee.login}@{line.company.name}>;auth_pass={line.password}"
        f';outbound="sip:{server.address};transport={server.transport}";regint={_EXPIRES_S}\n'
    )


FILES: dict[str, tuple[str, bool, Callable[[Line], str]]] = {
    "linphone.xml": ("application/xml", False, linphone),
    "yealink.cfg": ("text/plain", True, yealink),
    "baresip.txt": ("text/plain", True, baresip),
}
"""By name: media type, whether it needs the password, what makes it."""
