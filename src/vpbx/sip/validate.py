"""What a request must be before it may become a transaction (RFC 3261 §8.2, RFC 4475).

`judge` gives the answer for one that is not; None lets it through. Where RFC 4475 allows
either, the choice here is: display names that should have been quoted, and Date in another
zone than GMT, are let through; all other breaches of the grammar get a 400. Missing
Max-Forwards, From tag and Contact are let through for RFC 2543 peers.
"""

from __future__ import annotations

from vpbx.frozen import dataclass
from vpbx.sip import grammar
from vpbx.sip.message import Request
from vpbx.sip.parameters import is_token
from vpbx.sip.uri import parse_uri

_SINGLE = tuple(
    name.lower()
    for name in (
        *("Call-ID", "Content-Disposition", "Content-Type", "CSeq", "Date", "Event", "Expires"),
        *("From", "Max-Forwards", "Min-SE", "RAck", "Refer-To", "Replaces", "RSeq"),
        *("Session-Expires", "To"),
    )
)
_NEEDED = ("to", "from", "call-id", "cseq", "via")
STANDARD_METHODS = frozenset(
    (
        *("ACK", "BYE", "CANCEL", "INFO", "INVITE", "MESSAGE", "NOTIFY", "OPTIONS", "PRACK"),
        *("PUBLISH", "REFER", "REGISTER", "SUBSCRIBE", "UPDATE"),
    )
)
_SCHEMES = frozenset(("sip", "sips", "tel"))
_ENDS_HERE = frozenset(("OPTIONS", "REGISTER", "CANCEL", "ACK"))
"""Methods that are for us in any case, so that Max-Forwards cannot run out on them."""
_OFFERS = frozenset(("INVITE", "UPDATE", "PRACK"))


@dataclass(frozen=True, slots=True)
class Abilities:
    """What the user agents above can do."""

    methods: frozenset[str] = STANDARD_METHODS
    options: frozenset[str] = frozenset(("100rel", "path", "replaces", "timer"))
    """Option tags that Require may name."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """An answer to give; `malformed` counts against its source."""

    code: int
    reason: str
    headers: tuple[tuple[str, str], ...] = ()
    malformed: bool = False


def judge(request: Request, abilities: Abilities) -> Refusal | None:
    """Return the refusal a request deserves; None when it may go on. Never raises."""
    try:
        _check_syntax(request)
    except ValueError as error:
        return Refusal(400, str(error), malformed=True)
    return _check_method(request, abilities) or _check_meaning(request, abilities)


def is_ack_for_dialog(ack: Request) -> bool:
    """Say whether an ACK has what finds its dialog; nobody may answer it, so no more is asked."""
    try:
        return bool(ack.cseq_method == "ACK" and ack.to_tag and ack.headers.get("Call-ID"))
    except ValueError:
        return False


def _check_syntax(request: Request) -> None:
    values = request.headers.values
    if list in map(type, values.values()):
        for key in _SINGLE:
            if key in values and not isinstance(values[key], str):
                raise ValueError(f"more than one {key}")
    if not all(map(values.get, _NEEDED)):
        raise ValueError(f"no {next(key for key in _NEEDED if not values.get(key))}")
    if request.cseq_method != request.method:
        raise ValueError("method in CSeq is another one")
    _check_addresses(request)
    hops = request.max_forwards
    if hops is not None and hops > 255:
        raise ValueError("Max-Forwards over 255")


def _check_addresses(request: Request) -> None:
    scheme = request.raw_uri.partition(":")[0].lower()
    if scheme in _SCHEMES or not is_token(scheme):
        uri = parse_uri(request.raw_uri)
        if uri.headers:
            raise ValueError("headers in the Request-URI")
    sender = request.from_address
    recipient = request.to_address
    if request.method == "REGISTER" and not {recipient.uri.scheme} <= {"sip", "sips"}:
        raise ValueError("To of a REGISTER is no SIP URI")
    if sender.parameters.get("tag", "-") in ("", None):
        raise ValueError("empty tag")
    values = request.headers.values
    if not isinstance(values["via"], str):
        for value in values["via"]:
            grammar.parse_via(value)
    if values.get("contact") == "*":
        if request.method != "REGISTER":
            raise ValueError("Contact * outside of REGISTER")
        return
    for key in ("contact", "route", "record-route"):
        if key in values:
            for value in request.headers.getlist(key):
                grammar.parse_address(value)


def _check_method(request: Request, abilities: Abilities) -> Refusal | None:
    if request.method in abilities.methods:
        return None
    if request.method in STANDARD_METHODS:
        allow = ", ".join(sorted(abilities.methods))
        return Refusal(405, "method not allowed", (("Allow", allow),))
    return Refusal(501, "unknown method")


def _check_meaning(request: Request, abilities: Abilities) -> Refusal | None:
    if request.raw_uri.partition(":")[0].lower() not in _SCHEMES:
        return Refusal(416, "scheme of the Request-URI")
    if request.method not in _ENDS_HERE and not request.to_tag and request.max_forwards == 0:
        return Refusal(483, "Max-Forwards ran out")
    headers = request.headers
    if "Require" in headers:
        unknown = [one for one in request.require if one.lower() not in abilities.options]
        if unknown:
            return Refusal(420, "Require", (("Unsupported", ", ".join(unknown)),))
    if "Replaces" in headers and (request.method != "INVITE" or "Join" in headers):
        return Refusal(400, "Replaces does not belong here")
    if request.method in _OFFERS:
        return _check_offer(request)
    return None


def _check_offer(request: Request) -> Refusal | None:
    headers = request.headers
    kind = (headers.get("Content-Type") or "").partition(";")[0].strip().lower()
    if request.body and kind not in ("", "application/sdp") and not kind.startswith("multipart/"):
        optional = "handling=optional" in (headers.get("Content-Disposition") or "").lower()
        if not optional:
            return Refusal(415, "body of another type", (("Accept", "application/sdp"),))
    encoding = (headers.get("Content-Encoding") or "identity").strip().lower()
    if request.body and encoding != "identity":
        return Refusal(415, "encoded body", (("Accept-Encoding", "identity"),))
    if request.method == "INVITE" and "Accept" in headers:
        ranges = ",".join(headers.getlist("Accept")).lower().split(",")
        kinds = {one.partition(";")[0].strip() for one in ranges}
        if not kinds & {"application/sdp", "application/*", "*/*"}:
            return Refusal(406, "Accept leaves out SDP")
    return None
