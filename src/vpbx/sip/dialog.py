"""Dialogs, RFC 3261 §12: who, in which order, and which way.

Pure state: tags, sequence numbers, route set, remote target, and the offer/answer of the
dialog. The next hop follows the route set or the Contact where that can work, and the path
the peer's own messages took where it cannot (NAT), see `next_hop`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

from vpbx.sip.grammar import parse_address
from vpbx.sip.message import Request, Response, make_request
from vpbx.sip.offer_answer import OfferAnswer
from vpbx.sip.transport import Hop
from vpbx.sip.uri import parse_uri

_MAX_ROUTES = 16
_CACHED_LENGTH = 256
_PRIVATE = tuple(
    ipaddress.ip_network(net)
    for net in (
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "100.64.0.0/10",
        "169.254.0.0/16",
        "127.0.0.0/8",
        "0.0.0.0/8",
        "fc00::/7",
        "fe80::/10",
        "::/127",
    )
)


@lru_cache(maxsize=4096)
def _realm(host: str) -> int:
    """Which private network an address belongs to: its number, 0 for a public one, -1 for a
    name."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return -1
    if address.version == 6 and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    for number, network in enumerate(_PRIVATE, 1):
        if address.version == network.version and address in network:
            return number
    return 0


@lru_cache(maxsize=4096)
def _place(uri: str) -> tuple[str, str, int] | None:
    """Transport ("" when not said), host and port a URI names; None when it names none."""
    try:
        parsed = parse_uri(uri)
    except ValueError:
        return None
    if parsed.scheme not in ("sip", "sips"):
        return None
    transport = (parsed.parameters.get("transport") or "").lower()
    if parsed.scheme == "sips":
        transport = {"": "tls", "tcp": "tls", "ws": "wss"}.get(transport, transport)
    host = (parsed.parameters.get("maddr") or parsed.host).strip("[]").lower()
    return transport, host, parsed.port or 0


def next_hop(uri: str, source: Hop, *, symmetric: bool = False) -> Hop:
    """Where to send a request for `uri` to a peer whose messages come from (go to) `source`.

    The URI's place, unless it cannot be meant: a name, an address of a private network that
    `source` is not in, or a peer known to sit behind NAT (`symmetric`); then `source`. A
    stream that is open to the same host is kept in either case.
    """
    if symmetric:
        return source
    find = _next_hop if len(uri) <= _CACHED_LENGTH else _next_hop.__wrapped__
    return find(uri, source)


@lru_cache(maxsize=4096)
def _next_hop(uri: str, source: Hop) -> Hop:
    place = _place(uri)
    if place is None:
        return source
    transport, host, port = place
    realm = _realm(host)
    if realm < 0 or (realm and host != source.host and realm != _realm(source.host)):
        return source
    transport = transport or source.transport
    port = port or (5061 if transport == "tls" else 5060)
    if transport not in ("udp", "tcp", "tls", "ws", "wss"):
        return source
    same = host == source.host and transport == source.transport
    return Hop(transport, host, port, source.connection if same else 0)


def came_through_nat(request: Request, source: Hop) -> bool:
    """Whether a request that asks for symmetric response routing (RFC 3581 rport) came from
    elsewhere than its sender believes."""
    if source.transport != "udp" or len(request.headers.getlist("Via")) != 1:
        return False
    try:
        via = request.top_via
    except ValueError:
        return False
    if "rport" not in via.parameters:
        return False
    host = via.host.strip("[]")
    return (via.port or 5060) != source.port or (host != source.host and _realm(host) >= 0)


def beyond_nat(host: str, source: str) -> bool:
    """Whether `host`, as a peer calls itself, is an address of a private network that
    `source`, where its messages come from, is not in."""
    realm = _realm(host)
    return realm > 0 and host != source and realm != _realm(source)


def contact_beyond_nat(uri: str, source: Hop) -> bool:
    """Whether a Contact names another place than messages come from, as behind a NAT."""
    place = _place(uri)
    if place is None:
        return False
    _, host, port = place
    other_port = source.transport == "udp" and host == source.host and (port or 5060) != source.port
    return other_port or beyond_nat(host, source.host)


def _contact_uri(message: Request | Response) -> str | None:
    value = message.headers.get("Contact")
    if value is None:
        return None
    if '"' not in value:
        left, right = value.find("<"), value.find(">")
        if 0 <= left < right:
            uri = value[left + 1 : right]
            return uri if _place(uri) else None
    try:
        uri = str(parse_address(value).uri)
    except ValueError:
        return None
    return uri if _place(uri) else None


def _route_uri(value: str) -> str:
    left, right = value.find("<"), value.find(">")
    return value[left + 1 : right] if 0 <= left < right else value


def _is_loose(uri: str) -> bool:
    try:
        return "lr" in parse_uri(uri).parameters
    except ValueError:
        return True


def along(route: tuple[str, ...], uri: str) -> tuple[str, tuple[str, ...]]:
    """Return the Request-URI and the Route values of a request for `uri` by way of `route`.

    A strict router, one whose URI has no `lr`, wants itself in the Request-URI, and the target
    as the last of the routes (RFC 3261 §12.2.1.1).
    """
    if route and not _is_loose(_route_uri(route[0])):
        return _route_uri(route[0]), (*route[1:], f"<{uri}>")
    return uri, route


class Dialog:
    """One dialog, early until `confirmed`."""

    __slots__ = (
        "call_id",
        "confirmed",
        "early_sdp",
        "last_ack",
        "local",
        "local_cseq",
        "local_tag",
        "media",
        "remote",
        "remote_cseq",
        "remote_tag",
        "route",
        "rseq",
        "source",
        "symmetric",
        "target",
    )

    def __init__(
        self,
        *,
        call_id: str,
        local: str,
        local_tag: str,
        remote: str,
        remote_tag: str,
        local_cseq: int,
        remote_cseq: int | None,
        target: str,
        route: tuple[str, ...],
        source: Hop,
        media: OfferAnswer,
        symmetric: bool = False,
    ) -> None:
        self.call_id = call_id
        self.local = local
        """Our From/To value with tag."""
        self.local_tag = local_tag
        self.remote = remote
        self.remote_tag = remote_tag
        self.local_cseq = local_cseq
        self.remote_cseq = remote_cseq
        self.target = target
        self.route = route
        self.source = source
        """Where the peer's messages come from, or ours first went to."""
        self.symmetric = symmetric
        self.media = media
        self.confirmed = False
        self.early_sdp: str | None = None
        """What an unreliable provisional response described, before the answer proper."""
        self.last_ack: Request | None = None
        """The ACK sent last, for a 2xx that comes again late."""
        self.rseq = 0
        """The last reliable provisional response taken (RFC 3262 §4)."""

    @property
    def key(self) -> tuple[str, str, str]:
        """What identifies it: Call-ID, local tag, remote tag."""
        return self.call_id, self.local_tag, self.remote_tag

    @classmethod
    def of_request(cls, request: Request, source: Hop, tag: str, media: OfferAnswer) -> Dialog:
        """The UAS side (RFC 3261 §12.1.1): a dialog-forming request we answer with `tag`."""
        headers = request.headers
        return cls(
            call_id=request.call_id,
            local=f"{headers['To']};tag={tag}",
            local_tag=tag,
            remote=headers["From"],
            remote_tag=request.from_tag,
            local_cseq=0,
            remote_cseq=request.cseq_number,
            target=_contact_uri(request) or str(request.from_address.uri),
            route=tuple(headers.getlist("Record-Route")[:_MAX_ROUTES]),
            source=source,
            symmetric=came_through_nat(request, source),
            media=media,
        )

    @classmethod
    def of_response(
        cls, request: Request, response: Response, source: Hop, media: OfferAnswer
    ) -> Dialog:
        """The UAC side (RFC 3261 §12.1.2): a response with a tag to our request."""
        return cls(
            call_id=request.call_id,
            local=request.headers["From"],
            local_tag=request.from_tag,
            remote=response.headers["To"],
            remote_tag=response.to_tag,
            local_cseq=request.cseq_number,
            remote_cseq=None,
            target=_contact_uri(response) or request.raw_uri,
            route=tuple(reversed(response.headers.getlist("Record-Route")[:_MAX_ROUTES])),
            source=source,
            media=media,
        )

    def confirm(self, response: Response | None = None) -> None:
        """A 2xx came (its route set and Contact hold from now on, §13.2.2.4) or was sent."""
        if response is not None:
            self.route = tuple(reversed(response.headers.getlist("Record-Route")[:_MAX_ROUTES]))
            self.target = _contact_uri(response) or self.target
        self.confirmed = True

    def refresh(self, message: Request | Response, source: Hop | None = None) -> None:
        """Take the new Contact of a target refresh (§12.2), and where it came from."""
        self.target = _contact_uri(message) or self.target
        if source is not None and isinstance(message, Request):
            self.source = source
            self.symmetric = came_through_nat(message, source)

    def in_order(self, request: Request) -> bool:
        """Count a request of the peer; False when its number is lower than the last (§12.2.2)."""
        number = request.cseq_number
        if self.remote_cseq is not None and number < self.remote_cseq:
            return False
        self.remote_cseq = number
        return True

    @property
    def behind_nat(self) -> bool:
        """Whether the peer's messages show that a NAT lies between it and us."""
        return self.symmetric or (not self.route and contact_beyond_nat(self.target, self.source))

    @property
    def hop(self) -> Hop:
        """Where our next request in the dialog goes."""
        uri = _route_uri(self.route[0]) if self.route else self.target
        return next_hop(uri, self.source, symmetric=self.symmetric and not self.route)

    def request(
        self,
        method: str,
        *,
        cseq: int | None = None,
        headers: Sequence[tuple[str, str]] = (),
        body: bytes = b"",
        content_type: str | None = None,
    ) -> Request:
        """Make a request in the dialog (§12.2.1.1), without Via.

        `cseq` None takes the next number; an ACK or a CANCEL says which it belongs to.
        """
        if cseq is None:
            cseq = self.local_cseq = self.local_cseq + 1
        uri, route = along(self.route, self.target)
        request = make_request(
            method,
            uri,
            route=route,
            from_=self.local,
            to=self.remote,
            call_id=self.call_id,
            cseq=cseq,
            body=body,
        )
        for name, value in headers:
            request.headers.add(name, value)
        if content_type is not None:
            request.headers.set("Content-Type", content_type)
        return request

    def ack(self, invite: Request, sdp: str | None) -> Request:
        """Make the ACK of a 2xx to `invite`, with its credentials (§13.2.2.4, §22.1)."""
        credentials: list[tuple[str, str]] = []
        for name in ("Authorization", "Proxy-Authorization"):
            if name in invite.headers:
                credentials += [(name, value) for value in invite.headers.getlist(name)]
        body = b"" if sdp is None else sdp.encode()
        kind = None if sdp is None else "application/sdp"
        self.last_ack = self.request(
            "ACK", cseq=invite.cseq_number, headers=credentials, body=body, content_type=kind
        )
        return self.last_ack
