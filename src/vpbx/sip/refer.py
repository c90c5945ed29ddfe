"""What a REFER asks for (RFC 3515, RFC 3891), and how its progress is told."""

from __future__ import annotations

import re
from urllib.parse import unquote

from vpbx.frozen import dataclass
from vpbx.sip.grammar import parse_address
from vpbx.sip.message import Request

__all__ = ["SIPFRAG", "ReferTo", "Replaces", "refer_to", "replaces"]

SIPFRAG = "message/sipfrag;version=2.0"
_NAME = re.compile(r'\s*"(?:[^"\\]|\\.)*"')
_TARGET = re.compile(r"<([^<>]*)>")


@dataclass(frozen=True, slots=True)
class Replaces:
    """A dialog as the one who receives it knows it: `local_tag` is the receiver's own."""

    call_id: str
    local_tag: str
    remote_tag: str
    early_only: bool = False


@dataclass(frozen=True, slots=True)
class ReferTo:
    """Where a peer wants to be put through: `user`@`host`, in the place of a dialog if it says."""

    user: str
    host: str
    replaces: Replaces | None = None


def refer_to(request: Request) -> ReferTo:
    """Read Refer-To; ValueError when there is not exactly one that makes sense."""
    values = request.headers.getlist("Refer-To")
    if len(values) != 1:
        raise ValueError("there must be one Refer-To")
    value = _NAME.sub("", values[0], count=1) if values[0].lstrip()[:1] == '"' else values[0]
    found = _TARGET.search(value)
    text = found[1] if found is not None else value.partition(";")[0].strip()
    plain, _, headers = text.partition("?")
    uri = parse_address(f"<{plain}>").uri
    if uri.scheme.lower() not in ("sip", "sips", "tel"):
        raise ValueError("neither a SIP URI nor a telephone number")
    if (uri.parameters.get("method") or "INVITE").upper() != "INVITE":
        raise ValueError("a call is begun by INVITE and nothing else")
    dialog = None
    for pair in headers.split("&"):
        name, _, value = pair.partition("=")
        if name.strip().lower() == "replaces":
            dialog = replaces(unquote(value))
    return ReferTo((uri.user or "").strip(), uri.host, dialog)


def replaces(text: str) -> Replaces:
    """Read a Replaces header; ValueError when a tag is missing."""
    call_id, *parts = (part.strip() for part in text.split(";"))
    told = {name.strip().lower(): value for name, _, value in (p.partition("=") for p in parts)}
    if not call_id or not told.get("to-tag") or not told.get("from-tag"):
        raise ValueError("Replaces needs a Call-ID, a to-tag and a from-tag")
    return Replaces(call_id, told["to-tag"], told["from-tag"], "early-only" in told)
