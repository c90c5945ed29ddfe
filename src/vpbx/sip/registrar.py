"""What a REGISTER does to a list of bindings: RFC 3261 §10.3, RFC 3327, RFC 3581, RFC 5626 §6.

Pure: bindings and a request in, bindings and an answer out. Authentication, storage and the
200's sending belong to whoever calls. A binding remembers the way the request came, so that
a device behind NAT is reached through its open path (`next_hop`).

A device that names itself (`+sip.instance`) replaces its former binding; with `reg-id` it may
have several, one for each flow, and each replaces its own.
"""

from __future__ import annotations

import email.utils
import math
import re
from collections.abc import Callable, Sequence
from functools import partial

from vpbx.frozen import dataclass
from vpbx.sip.dialog import came_through_nat, next_hop
from vpbx.sip.grammar import parse_address
from vpbx.sip.message import Request
from vpbx.sip.parameters import split_list
from vpbx.sip.transport import Hop
from vpbx.sip.uri import Uri, parse_uri

_MAX_CONTACT_CHARS = 4096
"""Push contacts (RFC 8599) hold two tokens of a phone's maker."""
_MAX_PATHS = 8
_INSTANCE = re.compile(r'["\\\x00-\x1f]').sub
_COMPARED = ("transport", "user", "ttl", "method", "maddr")
_DEFAULT_PORT = {"sip": 5060, "sips": 5061}


@dataclass(frozen=True, slots=True)
class RegistrarLimits:
    """Bounds of what a device may ask for; seconds and contacts of one address of record."""

    min_expires_s: int = 60
    max_expires_s: int = 3600
    default_expires_s: int = 3600
    max_contacts: int = 10


@dataclass(frozen=True, slots=True)
class Binding:
    """One device of an address of record."""

    contact: str
    """Contact URI as the device wrote it."""
    hop: Hop
    """Where to send requests for it."""
    path: tuple[str, ...]
    """Path values, the first to be visited first (RFC 3327)."""
    call_id: str
    cseq: int
    expires_at: float
    """By the monotonic clock: one that is set ends no registration."""
    user_agent: str = ""
    instance: str = ""
    """What the device calls itself (RFC 5626 §4.1)."""
    q: float = 1.0
    reg_id: int = 0
    """Which of its flows this is (RFC 5626 §4.2); 0: it has one."""


@dataclass(frozen=True, slots=True)
class RegisterResult:
    """The answer (`code`, `headers`) and the bindings to keep from now on.

    `added` are new or refreshed, `removed` are gone by request, by age or to make room.
    """

    bindings: tuple[Binding, ...]
    code: int
    headers: tuple[tuple[str, str], ...] = ()
    reason: str = ""
    """What to say beside the code; empty: the usual words."""
    added: tuple[Binding, ...] = ()
    removed: tuple[Binding, ...] = ()

    @property
    def changed(self) -> bool:
        return bool(self.added or self.removed)


@dataclass(frozen=True, slots=True)
class _Asked:
    uri: Uri
    text: str
    expires_s: int
    q: float
    instance: str
    reg_id: int


class _Refused(Exception):
    def __init__(self, code: int, *headers: tuple[str, str], reason: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.reason = reason
        self.headers = headers


def register(
    bindings: Sequence[Binding],
    request: Request,
    hop: Hop,
    *,
    now: float,
    date: float,
    limits: RegistrarLimits | None = None,
    unreachable: Callable[[Hop], str] | None = None,
) -> RegisterResult:
    """Apply a REGISTER (already authenticated) that came from `hop` to `bindings`.

    `now` is by the clock of `Binding.expires_at`, `date` in seconds since 1970 what the answer
    says of the time.

    All of its contacts or none: 400 (malformed), 420 (Path without `Supported: path`), 423
    (too short), 500 (out of order) leave the bindings as they were, but for those expired; so
    does a contact of which `unreachable` says why no request can ever get there.
    A request without Contact only asks for the list.
    """
    limits = limits or RegistrarLimits()
    alive = tuple(binding for binding in bindings if binding.expires_at > now)
    expired = tuple(binding for binding in bindings if binding.expires_at <= now)
    try:
        path = _path(request)
        kept, added = _apply(alive, request, partial(_bound, request, hop, path, now), limits)
        _check_reach(added, unreachable)
    except _Refused as refusal:
        return RegisterResult(alive, refusal.code, refusal.headers, refusal.reason, removed=expired)
    identities = {(b.contact, b.instance, b.reg_id) for b in kept}
    removed = tuple(b for b in alive if (b.contact, b.instance, b.reg_id) not in identities)
    return RegisterResult(
        kept,
        200,
        tuple(_answer_headers(kept, path, now, date)),
        added=added,
        removed=expired + removed,
    )


def _check_reach(added: Sequence[Binding], unreachable: Callable[[Hop], str] | None) -> None:
    for binding in added:
        why = unreachable(binding.hop) if unreachable is not None else ""
        if why:
            warning = ("Warning", f'399 vpbx "{why}"')
            raise _Refused(400, warning, reason=f"Contact Cannot Be Reached: {why}")


def _answer_headers(
    bindings: Sequence[Binding], path: tuple[str, ...], now: float, date: float
) -> list[tuple[str, str]]:
    headers = [
        (
            "Contact",
            f"<{b.contact}>;expires={max(1, math.ceil(b.expires_at - now))};q={b.q:g}{_flow(b)}",
        )
        for b in bindings
    ]
    headers += [("Path", value) for value in path]
    headers.append(("Date", email.utils.formatdate(date, usegmt=True)))
    return headers


def _flow(binding: Binding) -> str:
    """Return how a device named itself and its flow, so that it finds its own in the list."""
    if not binding.instance:
        return ""
    text = f';+sip.instance="{binding.instance}"'
    return f"{text};reg-id={binding.reg_id}" if binding.reg_id else text


def _path(request: Request) -> tuple[str, ...]:
    values = tuple(
        value for line in request.headers.getlist("Path") for value in split_list(line) if value
    )
    if not values:
        return ()
    supported = ",".join(request.headers.getlist("Supported")).lower()
    if "path" not in (option.strip() for option in supported.split(",")):
        raise _Refused(420, ("Unsupported", "path"))
    try:
        for value in values:
            parse_address(value)
    except ValueError:
        raise _Refused(400) from None
    if len(values) > _MAX_PATHS:
        raise _Refused(400)
    return values


def _contact_values(request: Request) -> list[str]:
    return [
        value.strip()
        for line in request.headers.getlist("Contact")
        for value in split_list(line)
        if value.strip()
    ]


def _remove_all(
    bindings: tuple[Binding, ...], request: Request, values: list[str]
) -> tuple[Binding, ...]:
    if len(values) > 1 or (request.headers.get("Expires") or "").strip() != "0":
        raise _Refused(400)
    for binding in bindings:
        _check_order(binding, request)
    return ()


def _asked(value: str, request: Request, limits: RegistrarLimits) -> _Asked:
    try:
        address = parse_address(value)
        text = str(address.uri)
        uri = parse_uri(text)
    except ValueError:
        raise _Refused(400) from None
    if uri.scheme not in _DEFAULT_PORT or len(text) > _MAX_CONTACT_CHARS:
        raise _Refused(400)
    expires = address.parameters.get("expires") or request.headers.get("Expires") or ""
    seconds = limits.default_expires_s
    if expires.strip().isascii() and expires.strip().isdigit():
        # More digits than a 32-bit number has are "as long as you can" (§20.19).
        seconds = int(expires.strip()[:10])
    if 0 < seconds < limits.min_expires_s:
        raise _Refused(423, ("Min-Expires", str(limits.min_expires_s)))
    return _Asked(
        uri=uri,
        text=text,
        expires_s=min(seconds, limits.max_expires_s),
        q=_q(address.parameters.get("q")),
        instance=_INSTANCE("", address.parameters.get("+sip.instance") or "")[:128],
        reg_id=_reg_id(address.parameters.get("reg-id")),
    )


def _reg_id(value: str | None) -> int:
    """Return the number of a flow, 1 to 2**31-1; 0 for none, or for nonsense."""
    if value is None or not value.isascii() or not value.isdigit() or len(value) > 9:
        return 0
    return int(value)


def _q(value: str | None) -> float:
    try:
        number = float(value) if value else 1.0
    except ValueError:
        return 1.0
    return number if 0.0 <= number <= 1.0 else 1.0


def _identity(uri: Uri) -> tuple[object, ...]:
    """What two URIs must share to be the same contact (RFC 3261 §19.1.4)."""
    return (
        uri.scheme,
        uri.user,
        uri.host.lower(),
        uri.port or _DEFAULT_PORT[uri.scheme],
        *((uri.parameters.get(name) or "").lower() for name in _COMPARED),
    )


def _same(binding: Binding, asked: _Asked) -> bool:
    if asked.instance and binding.instance == asked.instance:
        if binding.reg_id == asked.reg_id:
            return True
        if binding.reg_id and asked.reg_id:
            return False  # two flows of one device, which may write the same Contact in both
    if binding.contact == asked.text:
        return True
    try:
        return _identity(parse_uri(binding.contact)) == _identity(asked.uri)
    except (ValueError, KeyError):
        return False


def _check_order(binding: Binding, request: Request) -> None:
    if binding.call_id == request.call_id and request.cseq_number <= binding.cseq:
        raise _Refused(500)


def _apply(
    bindings: tuple[Binding, ...],
    request: Request,
    bound: Callable[[_Asked], Binding],
    limits: RegistrarLimits,
) -> tuple[tuple[Binding, ...], tuple[Binding, ...]]:
    """Return the bindings that there are now, and those of them that are new or refreshed."""
    values = _contact_values(request)
    if "*" in values:
        return _remove_all(bindings, request, values), ()
    asked = [_asked(value, request, limits) for value in values]
    if len(asked) > limits.max_contacts:
        raise _Refused(403)
    kept = list(bindings)
    added: list[Binding] = []
    for item in asked:
        for binding in [b for b in kept if _same(b, item)]:
            _check_order(binding, request)
            kept.remove(binding)
        added = [b for b in added if not _same(b, item)]
        if item.expires_s:
            added.append(bound(item))
    # A device that lost its memory leaves dead contacts behind: the ones that would expire
    # first make room for it.
    kept.sort(key=lambda binding: binding.expires_at)
    room = max(0, limits.max_contacts - len(added))
    kept = kept[len(kept) - room :] if room < len(kept) else kept
    return (*kept, *added), tuple(added)


def _bound(request: Request, hop: Hop, path: tuple[str, ...], now: float, asked: _Asked) -> Binding:
    """Return the binding that a contact asks for, as it is reached from here."""
    first = parse_address(path[0]).uri if path else asked.uri
    symmetric = came_through_nat(request, hop) and not path
    return Binding(
        contact=asked.text,
        hop=next_hop(str(first), hop, symmetric=symmetric),
        path=path,
        call_id=request.call_id,
        cseq=request.cseq_number,
        expires_at=now + asked.expires_s,
        user_agent=(request.headers.get("User-Agent") or "")[:256],
        instance=asked.instance,
        q=asked.q,
        reg_id=asked.reg_id,
    )
