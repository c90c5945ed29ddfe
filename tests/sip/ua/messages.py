"""Messages as they come from the network, for tests."""

from __future__ import annotations

from collections.abc import Sequence

from vpbx.sip.message import Request, Response, parse_message


def request(
    method: str = "REGISTER",
    uri: str = "sip:acme.example",
    *,
    headers: Sequence[str] = (),
    call_id: str = "c1",
    cseq: int = 1,
    via: str = "SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKx1;rport",
    from_: str = "<sip:701@acme.example>;tag=their",
    to: str = "<sip:701@acme.example>",
    body: str = "",
) -> Request:
    lines = [
        f"{method} {uri} SIP/2.0",
        f"Via: {via}",
        f"From: {from_}",
        f"To: {to}",
        f"Call-ID: {call_id}",
        f"CSeq: {cseq} {method}",
        *headers,
        f"Content-Length: {len(body.encode())}",
    ]
    message = parse_message("\r\n".join([*lines, "", body]).encode())
    assert isinstance(message, Request)
    return message


def response(
    code: int = 200,
    *,
    headers: Sequence[str] = (),
    to: str = "<sip:bob@acme.example>;tag=their",
    from_: str = "<sip:a@acme.example>;tag=ours",
    cseq: str = "1 INVITE",
    body: str = "",
) -> Response:
    lines = [
        f"SIP/2.0 {code} Text",
        "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKours",
        f"From: {from_}",
        f"To: {to}",
        "Call-ID: c1",
        f"CSeq: {cseq}",
        *headers,
        f"Content-Length: {len(body.encode())}",
    ]
    message = parse_message("\r\n".join([*lines, "", body]).encode())
    assert isinstance(message, Response)
    return message
