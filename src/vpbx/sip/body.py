"""Session descriptions in message bodies (RFC 3261 §7.4, multipart as RFC 5621 asks)."""

from __future__ import annotations

from vpbx.sip.message import Request, Response
from vpbx.sip.parameters import unquote
from vpbx.sip.sdp import MalformedSdp, Sdp

SDP_TYPE = "application/sdp"
ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE, PRACK, REFER, NOTIFY, MESSAGE"
SUPPORTED = "timer, 100rel, replaces"
_MAX_PARTS = 16


class BadBody(ValueError):
    """A body that cannot be taken; `code` is what a request with it is answered."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.headers = (("Accept", SDP_TYPE),) if code == 415 else ()


def session_description(message: Request | Response) -> str | None:
    """Return the SDP of a message, checked; None when there is none.

    Raises `BadBody`: 400 for a broken description, 415 for a type that must be understood.
    """
    if not message.body:
        return None
    value = message.headers.get("Content-Type") or ""
    kind = value.partition(";")[0].strip().lower()
    if kind == SDP_TYPE or (not kind and message.body.lstrip().startswith(b"v=")):
        text = message.text()
    elif kind.startswith("multipart/"):
        text = _from_parts(message.text(), value)
    else:
        text = ""
        disposition = (message.headers.get("Content-Disposition") or "").lower()
        if "handling=optional" not in disposition.replace(" ", ""):
            raise BadBody(415, "Unsupported Media Type")
    if not text:
        return None
    try:
        Sdp.parse(text)
    except MalformedSdp as error:
        raise BadBody(400, f"Bad SDP: {error}") from None
    return text


def _from_parts(body: str, content_type: str) -> str:
    """Find the SDP part of a multipart body; empty when it has none."""
    at = content_type.lower().find("boundary=")
    if at < 0:
        raise BadBody(400, "Multipart body without boundary")
    boundary = content_type[at + len("boundary=") :].strip()
    boundary = unquote(boundary if boundary[:1] == '"' else boundary.partition(";")[0].strip())
    for part in ("\r\n" + body).split(f"\r\n--{boundary}")[1 : _MAX_PARTS + 1]:
        head, blank, text = part.partition("\r\n\r\n")
        if blank and f"content-type:{SDP_TYPE}" in head.lower().replace(" ", ""):
            return text
    return ""
