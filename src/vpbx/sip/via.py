"""Via: what we put on requests, what we note on those that come, where responses go.

RFC 3261 §18.1.1, §18.2.1 and §18.2.2, RFC 3581 (rport), RFC 5923 (alias).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import sipmessage

from vpbx.sip.identifiers import BRANCH_COOKIE, is_our_branch
from vpbx.sip.message import Request
from vpbx.sip.transport import Hop

_RPORT = re.compile(r";\s*rport\s*(?=;|$)", re.IGNORECASE)
DEFAULT_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061, "ws": 80, "wss": 443}


def make_via(hop: Hop, local: tuple[str, int], branch: str) -> str:
    """Write the Via of a request of ours that goes to `hop`."""
    host, port = local
    if ":" in host:
        host = f"[{host}]"
    more = "rport" if hop.transport == "udp" else "rport;alias"
    return f"SIP/2.0/{hop.transport.upper()} {host}:{port};branch={branch};{more}"


def note_source(request: Request, via: sipmessage.Via, hop: Hop) -> None:
    """Write into the top Via where the request really came from: received and rport.

    A `received` that the sender put there itself is taken out.
    """
    parameters = via.parameters
    wants_port = "rport" in parameters
    if "received" in parameters:
        clean = {name: value for name, value in parameters.items() if name != "received"}
        text = str(sipmessage.Via(via.transport, via.host, via.port))
        text += "".join(f";{k}" if v is None else f";{k}={v}" for k, v in clean.items())
    elif wants_port or not _same_host(via.host, hop.host):
        text = request.headers["Via"]
    else:
        return
    if wants_port:
        text = _RPORT.sub(f";rport={hop.port}", text, count=1)
    request.headers.replace_first("Via", f"{text};received={hop.host}")


def reply_hop(via: sipmessage.Via, hop: Hop) -> Hop:
    """Say where responses to a request from `hop` with this top Via go.

    Over a connection: back through it. Over UDP: to the source, port included, if the sender
    asked so by rport, or if its Via does not name the address it sent from, that is, behind a
    NAT, where the port in its Via would reach nobody (RFC 3261 §18.2.2 would use that port);
    else to the port in its Via. `maddr` is not followed: it would let anyone point us at others.
    """
    if hop.transport != "udp" or "rport" in via.parameters or not _same_host(via.host, hop.host):
        return hop
    port = via.port or 5060
    return hop if port == hop.port else Hop("udp", hop.host, port, hop.connection)


def reopened_hop(via: sipmessage.Via, hop: Hop) -> Hop:
    """Say where to open a connection for a response when the one it came by is gone."""
    return Hop(hop.transport, hop.host, via.port or DEFAULT_PORTS.get(hop.transport, 5060))


def _same_host(host: str, source: str) -> bool:
    return host == source or host[1:-1].lower() == source.lower()


def our_branches(request: Request) -> Iterator[str]:
    """Find the branches of a request that are ours: where it has been before it came back."""
    for value in request.headers.getlist("Via"):
        at = value.find("branch=")
        branch = value[at + 7 :].partition(";")[0].strip() if at >= 0 else ""
        if is_our_branch(branch):
            yield branch


def merged_by(request: Request) -> str:
    """Return what two requests have in common that came by two ways (RFC 3261 §8.2.2.2)."""
    headers = request.headers
    return f"{headers['Call-ID']}\n{request.from_tag}\n{headers['CSeq']}"


def transaction_keys(request: Request, via: sipmessage.Via) -> tuple[str, str]:
    """Return the key of the request's transaction, and that of the INVITE it is about.

    The second matters for ACK and CANCEL. A branch without RFC 3261's cookie, or with nothing
    behind it, falls back to the rules for RFC 2543 peers (RFC 3261 §17.2.3), which need From,
    Call-ID and CSeq: `ValueError` when these are broken.
    """
    branch = via.parameters.get("branch") or ""
    if branch.startswith(BRANCH_COOKIE) and branch != BRANCH_COOKIE:
        base = f"{branch}|{via.host.lower()}:{via.port or ''}|"
    else:
        parts = (
            request.headers.get("Call-ID") or "",
            request.from_tag,
            str(request.cseq_number),
            request.raw_uri,
            request.headers["Via"],
        )
        base = "\n".join(parts) + "|"
    return base + request.method, base + "INVITE"
