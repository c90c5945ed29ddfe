"""SIP messages: bytes to `Request` and `Response`, and back (RFC 3261 §7).

`parse_message` cuts the bytes into a start line, header values and a body, and no more; what a
header says is parsed when somebody asks, once. It does what sipmessage's own parser does not:
folded lines, space before the colon, compact names in any case, comma-joined lists (made one
value each), bytes that are not UTF-8 (they become U+FFFD), a body cut to Content-Length, and
an error that still carries the message, so that a 400 can be sent.

The accessors of `sipmessage.Request` and `Response` stay usable; those that parse addresses,
Via, CSeq and authentication use `grammar` instead of sipmessage's expressions (its docstring
says why) and raise `ValueError` only.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable
from typing import TypeAlias

import sipmessage

from vpbx.sip.accessors import Message, has_break
from vpbx.sip.headers import KEYS, LISTS, Headers
from vpbx.sip.identifiers import is_our_branch, new_branch, new_call_id, new_tag
from vpbx.sip.parameters import is_token, split_list
from vpbx.sip.status import REASONS
from vpbx.sip.transport.framing import MAX_HEAD_BYTES
from vpbx.sip.uri import parse_uri

# fmt: off
__all__ = [
    "MAX_HEADERS", "RESPONSE_COPIES", "AnyMessage", "Headers", "MalformedMessage", "Message",
    "Request", "Response", "is_our_branch", "make_request", "make_response", "new_branch",
    "new_call_id", "new_tag", "parse_message",
]
# fmt: on

MAX_HEADERS = 128
"""Header values a message may have; a fair message with sixty Via values has fewer."""

MAX_LINE_BYTES = 8192
"""Longest header line, its folded parts counted together: the longest that are seen, push
contacts and identity tokens, have 4 KiB."""

RESPONSE_COPIES = ("via", "record-route", "from", "to", "call-id", "cseq")
"""What a response takes over from its request (RFC 3261 §8.2.6.2, §12.1.1)."""
_WITHOUT_ROUTE = tuple(key for key in RESPONSE_COPIES if key != "record-route")
_TAG_KEY = os.urandom(16)

_DIALOG_FORMING = frozenset(("INVITE", "SUBSCRIBE", "REFER", "NOTIFY"))
_FOLD = re.compile(r"\r\n[ \t]+").sub


class MalformedMessage(ValueError):
    """What came is not a SIP message that can be taken.

    `code` is what to answer, None when nothing may be answered (no SIP, or a response);
    `message` is what could be read of it, for the answer and the log.
    """

    def __init__(
        self, code: int | None, reason: str, message: Request | Response | None = None
    ) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.message = message


class Request(Message, sipmessage.Request):
    """A request. `raw_uri` is the Request-URI as it is written; `uri` parses it when asked."""

    headers: Headers

    def __init__(self, method: str, uri: sipmessage.URI | str, body: bytes = b"") -> None:
        self.method = method
        self.raw_uri = uri if isinstance(uri, str) else str(uri)
        self.body = body
        self.headers = Headers()

    @property
    def uri(self) -> sipmessage.URI:
        """The Request-URI; `ValueError` when it is broken."""
        return parse_uri(self.raw_uri)

    @uri.setter
    def uri(self, value: sipmessage.URI) -> None:
        self.raw_uri = str(value)

    def start_line(self) -> str:
        return f"{self.method} {self.raw_uri} SIP/2.0"

    __bytes__ = Message.__bytes__


class Response(Message, sipmessage.Response):
    """A response."""

    headers: Headers

    def __init__(self, code: int, phrase: str = "", body: bytes = b"") -> None:
        self.code = code
        self.phrase = phrase
        self.body = body
        self.headers = Headers()

    def start_line(self) -> str:
        return f"SIP/2.0 {self.code} {self.phrase}"

    __bytes__ = Message.__bytes__


AnyMessage: TypeAlias = Request | Response


def parse_message(
    data: bytes, *, max_bytes: int = 65535, max_headers: int = MAX_HEADERS
) -> AnyMessage:
    """Parse one message; `data` is a datagram, or exactly one message of a stream.

    Bytes after Content-Length are dropped (RFC 3261 §18.3). Headers are not judged here beyond
    what is needed to cut the message (see `validate`). Raises `MalformedMessage`, with 513 when
    the headers are longer than anybody needs; then only their beginning is read, for the answer.
    """
    end = data.find(b"\r\n\r\n", 0, MAX_HEAD_BYTES + 4)
    if end < 0:
        # RFC 4475's own baddn message stops before its blank line: there can be no body.
        head, body = data[: MAX_HEAD_BYTES + 1].rstrip(b"\r\n"), b""
    else:
        head, body = data[:end], data[end + 4 :]
    text = head.decode("utf-8", "replace")
    if "\r\n " in text or "\r\n\t" in text:
        text = _FOLD(" ", text)
    lines = text.split("\r\n")
    too_long = len(head) > MAX_HEAD_BYTES
    if len(head) > MAX_LINE_BYTES:
        fair = [line for line in lines if len(line) <= MAX_LINE_BYTES]
        too_long, lines = too_long or len(fair) < len(lines), fair or [""]
    message, code, reason = _parse_start_line(lines[0])
    code_of_lines, reason_of_lines = _parse_lines(message, lines, max_headers)
    code, reason = (code, reason) if code else (code_of_lines, reason_of_lines)
    if has_break("".join(lines)):
        code, reason = 400, "line end that is not CRLF"
    if too_long:
        code, reason = 513, "headers too long"
    if len(data) > max_bytes:
        code, reason = 513, "message too large"
    if not code:
        code, reason = _cut_body(message, body)
    if code:
        raise MalformedMessage(code if isinstance(message, Request) else None, reason, message)
    return message


def _parse_start_line(line: str) -> tuple[AnyMessage, int, str]:
    """Return the empty message, and what is wrong with its first line (0: nothing)."""
    if line[:4].upper() == "SIP/":
        version, _, rest = line.partition(" ")
        code, _, phrase = rest.partition(" ")
        if version.upper() != "SIP/2.0":
            raise MalformedMessage(None, "response of another SIP version")
        if len(code) != 3 or not code.isascii() or not code.isdigit() or not "1" <= code[0] <= "6":
            raise MalformedMessage(None, "bad status line")
        return Response(int(code), phrase), 0, ""
    parts = line.split(" ")
    if len(parts) == 3 and parts[2] == "SIP/2.0" and parts[1] and is_token(parts[0]):
        return Request(parts[0], parts[1]), 0, ""
    version = next((part for part in reversed(parts) if part), "")
    if len(parts) < 3 or version[:4].upper() != "SIP/":
        raise MalformedMessage(None, "not SIP")
    request = Request(parts[0], parts[1])
    if version.upper() != "SIP/2.0":
        return request, 505, "SIP version is not 2.0"
    if len(parts) != 3 or not parts[1]:
        return request, 400, "request line with wrong spaces"
    if not is_token(parts[0]):
        return request, 400, "method is not a token"
    return request, 0, ""


def _parse_lines(message: AnyMessage, lines: list[str], max_headers: int) -> tuple[int, str]:
    """Fill in the headers, all that can be read; return what is wrong (0: nothing)."""
    headers = message.headers
    store = headers.values
    known = KEYS.get
    code, reason = 0, ""
    too_many = len(lines) - 1 > max_headers
    # For the values of lists beyond the first of each:
    room = max_headers if too_many else max_headers - len(lines) + 1
    for line in lines[1 : max_headers + 1]:
        name, colon, value = line.partition(":")
        key = known(name)
        if key is None or not colon:
            name = name.rstrip(" \t")
            if not colon or not is_token(name):
                code, reason = 400, "line that is no header"
                continue
            key = headers.key(name)
        value = value.strip()
        if key in store or ("," in value and key in LISTS):
            values = _split(value) if key in LISTS else [value]
            room -= len(values) - 1
            if room >= 0:
                headers.extend(key, values)
        else:
            store[key] = value
    return (400, "too many headers") if too_many or room < 0 else (code, reason)


def _split(value: str) -> list[str]:
    """Split a list; a comma too many leaves nothing behind."""
    try:
        return [part for part in split_list(value) if part] or [value]
    except ValueError:
        return [value]


def _cut_body(message: AnyMessage, body: bytes) -> tuple[int, str]:
    """Give the message its body by Content-Length; return what is wrong (0: nothing)."""
    text = message.headers.values.get("content-length")
    if text is None or text == str(len(body)):
        message.body = body
        return 0, ""
    if not isinstance(text, str) or not text.isascii() or not text.isdigit() or len(text) > 10:
        return 400, "bad Content-Length"
    if (length := int(text)) > len(body):
        return 400, "Content-Length is larger than the body"
    message.body = body if length == len(body) else body[:length]
    return 0, ""


def make_response(
    request: Request,
    code: int,
    phrase: str | None = None,
    *,
    to_tag: str | None = None,
    headers: Iterable[tuple[str, str]] = (),
    body: bytes = b"",
    content_type: str | None = None,
) -> Response:
    """Make a response to `request` as RFC 3261 §8.2.6 asks.

    Via, From, To, Call-ID and CSeq are the request's; To gets `to_tag`, or, but for a 100, one
    derived from the request, the same for each response to it. Record-Route comes along when
    the response makes a dialog, Timestamp in a 100.
    """
    response = Response(code, REASONS.get(code, "") if phrase is None else phrase, body)
    forms_dialog = 100 < code < 300 and request.method in _DIALOG_FORMING
    source = request.headers.values
    copied = RESPONSE_COPIES if forms_dialog else _WITHOUT_ROUTE
    response.headers.values = target = {key: source[key] for key in copied if key in source}
    if code == 100:
        if "timestamp" in source:
            target["timestamp"] = source["timestamp"]
    elif isinstance(to := target.get("to"), str) and not request.to_tag:
        target["to"] = f"{to};tag={to_tag or _tag_for(request)}"
    for name, value in headers:
        response.headers.add(name, value)
    if content_type is not None:
        response.headers.set("Content-Type", content_type)
    return response


def make_request(
    method: str,
    uri: str,
    *,
    route: tuple[str, ...],
    from_: str,
    to: str,
    call_id: str,
    cseq: int,
    body: bytes = b"",
) -> Request:
    """Make a request with what each has (RFC 3261 §8.1.1) but a Via; `from_` with its tag."""
    request = Request(method, uri, body)
    values = request.headers.values
    values["max-forwards"] = "70"
    if route:
        values["route"] = list(route) if len(route) > 1 else route[0]
    values["from"] = from_
    values["to"] = to
    values["call-id"] = call_id
    values["cseq"] = f"{cseq} {method}"
    return request


def _tag_for(request: Request) -> str:
    """Derive a To tag: the same for a request and its retransmissions, not to be guessed."""
    get = request.headers.get
    seed = "\n".join(get(name) or "" for name in ("Via", "From", "Call-ID", "CSeq"))
    return hashlib.blake2s(seed.encode("utf-8", "replace"), key=_TAG_KEY, digest_size=8).hexdigest()
