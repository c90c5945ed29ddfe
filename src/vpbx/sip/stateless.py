"""Answers without a transaction, and how short they can be made."""

from __future__ import annotations

from vpbx.sip.message import RESPONSE_COPIES, Response, serialize

_COMPACT = {"via": "v", "from": "f", "to": "t", "call-id": "i"}
_KEPT_ONCE = ("www-authenticate", "proxy-authenticate")


def fitted(response: Response, room: int) -> bytes:
    """Write a response in at most `room` bytes; empty when it cannot be.

    What is left out first is what only helps (Allow, Accept…), and all challenges but the
    first; then header names become compact ones (RFC 3261 §7.3.3).
    """
    data = serialize(response)
    if len(data) <= room:
        return data
    headers = response.headers
    for name in tuple(headers.values):
        if name in _KEPT_ONCE:
            headers.set(name, headers[name])
        elif name not in RESPONSE_COPIES:
            headers.remove(name)
    data = serialize(response)
    if len(data) <= room:
        return data
    lines = [f"SIP/2.0 {response.code} {response.phrase}"]
    for name in tuple(headers.values):
        shown = _COMPACT.get(name, name)
        lines += [f"{shown}:{value}" for value in headers.getlist(name) if name != "content-length"]
    data = "\r\n".join([*lines, "l:0", "", ""]).encode("utf-8", "replace")
    return data if len(data) <= room else b""
