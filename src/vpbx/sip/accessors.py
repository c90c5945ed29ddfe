"""What is read from a message: each value is parsed when somebody asks, once.

These stand in for sipmessage's accessors wherever those would use its expressions (`grammar`
says why not); they raise `ValueError` only.
"""

from __future__ import annotations

import re
from functools import lru_cache

import sipmessage

from vpbx.sip import grammar
from vpbx.sip.headers import Headers

_USUAL_CSEQ_CHARS = 32
"""Most are "1 INVITE", "2 BYE" and the like, and read once for all messages."""
_BREAK = re.compile(r"[\r\n]+").sub


class Message(sipmessage.Message):
    """What requests and responses have in common."""

    headers: Headers
    body: bytes

    def start_line(self) -> str:
        """Return the first line, without its end."""
        raise NotImplementedError

    def __bytes__(self) -> bytes:
        """Write the message, with Content-Length put right; no value can break out of its line."""
        body = self.body
        self.headers.values["content-length"] = str(len(body))
        lines = [self.start_line(), *self.headers.lines()]
        if has_break("".join(lines)):
            lines = [_BREAK(" ", line) for line in lines]
        return "\r\n".join(lines).encode("utf-8", "replace") + b"\r\n\r\n" + body

    def text(self) -> str:
        """Return the body as text; what is not UTF-8 becomes U+FFFD."""
        return self.body.decode("utf-8", "replace")

    @property
    def from_tag(self) -> str:
        """The tag of From, empty when there is none (RFC 2543 peers)."""
        parsed = self.headers.parsed
        if (tag := parsed.get("from_tag")) is None:
            tag = parsed["from_tag"] = _tag_of(self.headers.values.get("from", ""))
        return str(tag)

    @property
    def to_tag(self) -> str:
        """The tag of To, empty outside of a dialog."""
        parsed = self.headers.parsed
        if (tag := parsed.get("to_tag")) is None:
            tag = parsed["to_tag"] = _tag_of(self.headers.values.get("to", ""))
        return str(tag)

    @property
    def call_id(self) -> str:
        """The Call-ID; `KeyError` when it is missing."""
        return _first(self.headers.values["call-id"])

    @call_id.setter
    def call_id(self, value: str) -> None:
        self.headers.set("Call-ID", value)

    @property
    def branch(self) -> str:
        """The branch of the topmost Via, empty when it has none; `ValueError` without Via."""
        via = _first(self.headers.values.get("via", ""))
        at = via.find(";branch=")
        if at > 0:
            branch = via[at + 8 :].partition(";")[0]
            if '"' not in via and " " not in branch:
                return branch
        return str(self.top_via.parameters.get("branch") or "")

    @property
    def top_via(self) -> sipmessage.Via:
        """The topmost Via; `ValueError` when it is missing or broken."""
        parsed = self.headers.parsed
        if (via := parsed.get("top_via")) is None:
            via = parsed["top_via"] = grammar.parse_via(self.headers.get("Via", "") or "")
        return via

    @property
    def via(self) -> list[sipmessage.Via]:
        """The Via values, topmost first."""
        return [grammar.parse_via(value) for value in self.headers.getlist("Via")]

    @via.setter
    def via(self, value: list[sipmessage.Via]) -> None:
        self.headers.setlist("Via", [str(x) for x in value])

    @property
    def cseq(self) -> sipmessage.CSeq:
        """The CSeq; `ValueError` when it is missing, broken or 2**32 and more."""
        return sipmessage.CSeq(*self._numbered_method())

    @cseq.setter
    def cseq(self, value: sipmessage.CSeq) -> None:
        self.headers.set("CSeq", str(value))

    @property
    def cseq_number(self) -> int:
        """The number in CSeq."""
        return self._numbered_method()[0]

    @property
    def cseq_method(self) -> str:
        """The method in CSeq."""
        return self._numbered_method()[1]

    def _numbered_method(self) -> tuple[int, str]:
        parsed: tuple[int, str] | None = self.headers.parsed.get("cseq")
        if parsed is None:
            value = _first(self.headers.values.get("cseq", ""))
            parse = _parse_cseq if len(value) <= _USUAL_CSEQ_CHARS else _parse_cseq.__wrapped__
            self.headers.parsed["cseq"] = parsed = parse(value)
        return parsed

    @property
    def from_address(self) -> sipmessage.Address:
        """The From."""
        return self._address("From")

    @from_address.setter
    def from_address(self, value: sipmessage.Address) -> None:
        self.headers.set("From", str(value))

    @property
    def to_address(self) -> sipmessage.Address:
        """The To."""
        return self._address("To")

    @to_address.setter
    def to_address(self, value: sipmessage.Address) -> None:
        self.headers.set("To", str(value))

    def _address(self, key: str) -> sipmessage.Address:
        parsed = self.headers.parsed
        if (address := parsed.get(key)) is None:
            address = parsed[key] = grammar.parse_address(self.headers.get(key, "") or "")
        return address

    def _get_address_list(self, key: str) -> list[sipmessage.Address]:
        return [grammar.parse_address(value) for value in self.headers.getlist(key)]

    def _get_optional_int(self, key: str) -> int | None:
        value = self.headers.get(key)
        if value is None:
            return None
        if not value.isascii() or not value.isdigit() or len(value) > 100:
            raise ValueError(f"{key} is not a number")
        return int(value)

    def _get_auth_credentials(self, key: str) -> sipmessage.AuthCredentials | None:
        value = self.headers.get(key)
        if value is None:
            return None
        scheme, items = grammar.parse_auth(value)
        if items:
            return sipmessage.AuthCredentials(scheme, grammar.auth_parameters(items))
        return sipmessage.AuthCredentials(scheme, token=value.partition(" ")[2].strip() or "-")

    def _get_auth_challenge(self, key: str) -> sipmessage.AuthChallenge | None:
        value = self.headers.get(key)
        if value is None:
            return None
        scheme, items = grammar.parse_auth(value)
        return sipmessage.AuthChallenge(scheme, grammar.auth_parameters(items))


def has_break(text: str) -> bool:
    """Say whether CR or LF is in `text`; joined lines are looked through faster than counted."""
    return "\n" in text or "\r" in text


def _first(values: str | list[str]) -> str:
    return values if isinstance(values, str) else values[0]


def _tag_of(values: str | list[str]) -> str:
    """Find the tag parameter of a From or To, of several the first; empty when it is broken."""
    value = _first(values)
    tail = value[value.rfind(">") + 1 :]
    at = tail.find(";tag=")
    if at >= 0:
        tag = tail[at + 5 :].partition(";")[0]
        if '"' not in tail and " " not in tag and "\t" not in tag:
            return tag
    elif "tag" not in tail.lower():
        return ""
    try:
        return grammar.parse_address(value).parameters.get("tag") or ""
    except ValueError:
        return ""


@lru_cache(maxsize=1024)
def _parse_cseq(value: str) -> tuple[int, str]:
    parts = value.split()
    if len(parts) != 2:
        raise ValueError("CSeq must be a number and a method")
    number, method = parts
    if not number.isascii() or not number.isdigit() or len(number) > 100:
        raise ValueError("CSeq number is not a number")
    if (sequence := int(number)) > 0xFFFFFFFF:
        raise ValueError("CSeq number is 2**32 or more")
    return sequence, method
