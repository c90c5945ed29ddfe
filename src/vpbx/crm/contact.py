"""Who is calling? Asked of the CRM when an outside call comes in (crm-api §2 contact)."""

from __future__ import annotations

import time
import unicodedata
from collections.abc import Callable
from typing import Any, TypeAlias

import structlog

from vpbx.crm.client import Answer, CrmClient
from vpbx.crm.commands import Fields, contact_command
from vpbx.crm.lenient import read_object
from vpbx.directory import Contact, DomainConfig

log = structlog.get_logger("vpbx.crm")

MAX_NAME = 100
MAX_RESPONSIBLE = 64


Asked: TypeAlias = Callable[[int, str, Fields, Answer, float], None]
"""(domain id, name of the address, question, answer, seconds it took)"""


class Contacts:
    """Asks CRMs who a caller is: of a company's addresses the one that is to be asked.

    `answers` hears of each domain and address that answered, `asked` of each question.
    """

    def __init__(
        self,
        client: CrmClient,
        answers: Callable[[int, str], None] = lambda domain_id, address: None,
        asked: Asked = lambda domain_id, address, fields, answer, took_s: None,
    ) -> None:
        self._asked = asked
        self._client = client
        self._answers = answers
        self._silent: set[int] = set()

    async def contact(
        self, domain: DomainConfig, phone: str, callid: str, diversion: str = ""
    ) -> Contact | None:
        """Return what the CRM knows of `phone`; None: nothing, or it is not to be asked.

        Takes at most the domain's `contact_timeout_s` in all, a second try in the other format
        included. A late, wrong or missing answer is None. Raises nothing but cancellation.
        """
        integration = domain.integration.asked if domain.integration is not None else None
        if integration is None:
            return None
        fields = contact_command(phone, callid, diversion)
        began = time.monotonic()
        answer = await self._client.send(
            domain.id, integration, fields, within_s=domain.contact_timeout_s
        )
        self._asked(domain.id, integration.name, fields, answer, time.monotonic() - began)
        if not answer.taken:
            self._failed(domain, answer.reason)
            return None
        if domain.id in self._silent:
            self._silent.discard(domain.id)
            log.info("the CRM says who is calling again", domain=domain.name)
        self._answers(domain.id, integration.name)
        return parse_contact(answer.body, answer.charset)

    def _failed(self, domain: DomainConfig, reason: str) -> None:
        if domain.id not in self._silent:
            self._silent.add(domain.id)
            log.warning("the CRM does not say who is calling", domain=domain.name, reason=reason)


def parse_contact(body: bytes, charset: str = "") -> Contact | None:
    """Return what an answer says: a JSON object; None when it says nothing we can use.

    The content type is not looked at: many CRMs send JSON as text/html. Nor need it be JSON by
    the book (`lenient`).
    """
    found = read_object(body, charset)
    if found is None:
        return None
    name = clean(found.get("contact_name"), MAX_NAME)
    responsible = clean(found.get("responsible"), MAX_RESPONSIBLE)
    return Contact(name, responsible) if name or responsible else None


def clean(value: Any, limit: int) -> str:
    """Return text fit to be shown on a phone: one line, no control or direction characters.

    A whole number counts as its digits (an ext, say); anything else that is no text is "".
    """
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return ""
    shown = value[: 4 * limit]
    if not shown.isprintable():
        spaced = "".join(" " if c.isspace() else c for c in shown)
        shown = "".join(c for c in spaced if not unicodedata.category(c).startswith("C"))
    return " ".join(shown.split())[:limit].strip()
