"""How a command is written into a request: form or JSON, and which the CRM takes.

What it refused as a form is sent once as JSON.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from urllib.parse import quote_plus

from vpbx.directory import Format, Integration

REFUSED = frozenset({400, 415, 422})
"""Answers after which `auto` tries the other format."""

CONTENT_TYPE = {
    Format.FORM: "application/x-www-form-urlencoded; charset=utf-8",
    Format.JSON: "application/json; charset=utf-8",
}


_as_it_is = re.compile(r"[A-Za-z0-9_.~-]*").fullmatch
"""Whether a text stands for itself in a form; most do, and to ask is cheaper than to quote."""


_CACHED_LENGTH = 64
"""Of what the commands of a call, and those of a company, say over and over: names, numbers."""


def _quoted(value: str | int) -> str:
    text = str(value)
    return _kept(text) if len(text) <= _CACHED_LENGTH else _kept.__wrapped__(text)


@lru_cache(4096)
def _kept(text: str) -> str:
    return text if _as_it_is(text) else quote_plus(text)


def encode(fields: Mapping[str, str | int], token: str, form: Format) -> bytes:
    """Return the body of a command. JSON keeps numbers as numbers."""
    complete = {**fields, "crm_token": token}
    if form is Format.JSON:
        return json.dumps(complete, ensure_ascii=False, separators=(",", ":")).encode()
    return "&".join([f"{name}={_quoted(value)}" for name, value in complete.items()]).encode()


class Formats:
    """What each CRM was found to take.

    `learned` is told what is new (domain id, format, name of the address), so that it may be
    kept over a restart; what it kept comes back in `Integration.learned_format`.
    """

    def __init__(
        self,
        learned: Callable[[int, Format, str], None] = lambda domain_id, form, address: None,
    ) -> None:
        self._learned = learned
        self._known: dict[tuple[int, str], tuple[str, Format]] = {}

    def first(self, domain_id: int, integration: Integration) -> Format:
        """Return the format to send in: the one set, else the one learned, else form."""
        if integration.format is not Format.AUTO:
            return integration.format
        url, form = self._known.get((domain_id, integration.name), ("", Format.AUTO))
        if url != integration.url:  # another CRM: what is known of the last one does not count
            form = integration.learned_format
        return Format.JSON if form is Format.JSON else Format.FORM

    def second(self, integration: Integration, first: Format, status: int) -> Format | None:
        """Return the format to try once more in after `status`; None: not again now."""
        if integration.format is Format.AUTO and first is Format.FORM and status in REFUSED:
            return Format.JSON
        return None

    def note(self, domain_id: int, integration: Integration, form: Format, status: int) -> None:
        """Remember what an answer says about `form`.

        A CRM that refuses the JSON it took before is asked again from the start: form first.
        """
        if integration.format is not Format.AUTO:
            return
        if 200 <= status < 300:
            known = form
        elif form is Format.JSON and status in REFUSED:
            known = Format.FORM
        else:
            return
        if self.first(domain_id, integration) is known:
            return
        self._known[domain_id, integration.name] = (integration.url, known)
        self._learned(domain_id, known, integration.name)
