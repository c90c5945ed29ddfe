"""SIP messages by the grammar of RFC 3261, nearly right."""

from __future__ import annotations

from collections.abc import Sequence

from tests.hostile.fuzz.chance import Chance, Make
from tests.hostile.fuzz.sdp import description

METHODS = (
    *("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "PRACK", "UPDATE", "INFO"),
    *("REFER", "NOTIFY", "SUBSCRIBE", "MESSAGE", "PUBLISH", "DANCE"),
)
_COMPACT = {
    "Via": "v",
    "From": "f",
    "To": "t",
    "Call-ID": "i",
    "Contact": "m",
    "Content-Length": "l",
    "Content-Type": "c",
    "Subject": "s",
    "Supported": "k",
    "Refer-To": "r",
    "Event": "o",
}


def host(c: Chance) -> str:
    """A host, with or without a port."""
    name = c.choice(
        (
            *("acme.example", "127.0.0.1", "192.0.2.1", "[2001:db8::1]", "[::ffff:1.2.3.4]"),
            *("pbx1", "a_b.example", "0.0.0.0", "255.255.255.255", "anonymous.invalid", "x."),
        )
    )
    return c.sometimes_spoilt(name, 0.04) + (f":{c.number()}" if c.maybe(0.3) else "")


def parameters(c: Chance, names: Sequence[str], most: int = 4) -> str:
    """Parameters with or without values, each with its semicolon."""
    text = ""
    for name in c.some((*names, c.token()), most):
        value = c.choice((c.token(), c.quoted(), c.number(), "", c.odd()))
        text += f";{name}={value}" if c.maybe(0.75) else f";{name}"
    return text


def uri(c: Chance) -> str:
    """A URI of some scheme."""
    scheme = c.choice(("sip", "sip", "sip", "sips", "tel", "SIP", "urn", "mailto", "http"))
    if scheme == "tel":
        number = c.choice(("+7-495-111-22-33", "112", "4951112233", "*97#"))
        return f"tel:{number}{parameters(c, ('phone-context', 'isub', 'ext', 'rn', 'npdi'))}"
    user = c.choice(("ann", "702", "+74951112233", "a%20b", "a;b=c", "%00", "ann:secret", ""))
    tail = parameters(c, ("transport", "user", "lr", "maddr", "ttl", "method", "ob"))
    more = f"?{c.token()}={c.token()}&Route=%3Csip:x%3E" if c.maybe(0.05) else ""
    return c.sometimes_spoilt(f"{scheme}:{user}{'@' if user else ''}{host(c)}{tail}{more}", 0.05)


def address(c: Chance, names: Sequence[str] = ("tag",)) -> str:
    """A name-addr or addr-spec."""
    name = c.choice(("", "", f"{c.token()} ", f"{c.quoted()} ", "Bell, Alexander "))
    text = f"{name}<{uri(c)}>" if name or c.maybe(0.8) else uri(c)
    return text + parameters(c, names)


def via(c: Chance) -> str:
    """A Via value."""
    transport = c.choice(("UDP", "TCP", "TLS", "WS", "WSS", "SCTP"))
    branch = c.choice((f"z9hG4bK{c.token()}", "z9hG4bK", c.token(), "", "z9hG4bKvdeadbeef00"))
    slash = c.choice(("/", "/", "/", " / "))
    more = parameters(c, ("rport", "received", "maddr", "ttl", "alias"))
    return f"SIP{slash}2.0{slash}{transport} {host(c)};branch={branch}{more}"


def credentials(c: Chance) -> str:
    """Digest credentials or a challenge."""
    names = ("username", "realm", "nonce", "uri", "response", "algorithm", "qop", "nc", "cnonce")
    parts = []
    for name in c.sample(names, c.randint(0, len(names))):
        values = (c.quoted(), c.token(), '"acme.example"', "MD5", "auth", "00000001", f'"{uri(c)}"')
        parts.append(f"{name}={c.choice(values)}")
    scheme = c.choice(("Digest", "digest", "Basic", "Bearer", c.token()))
    return f"{scheme} {c.choice((', ', ',', ' , ')).join(parts)}"


def _list(make: Make) -> Make:
    return lambda c: c.choice((", ", ",")).join(make(c) for _ in range(c.randint(1, 3)))


def _of(*values: str) -> Make:
    return lambda c: c.choice(values)


HEADERS: dict[str, Make] = {
    "Via": _list(via),
    "From": address,
    "To": address,
    "Call-ID": lambda c: f"{c.token()}@{host(c)}",
    "CSeq": lambda c: f"{c.number()} {c.choice(METHODS)}",
    "Max-Forwards": lambda c: c.number(80),
    "Contact": _list(lambda c: "*" if c.maybe(0.05) else address(c, ("expires", "q", "reg-id"))),
    "Expires": lambda c: c.number(),
    "Route": _list(address),
    "Record-Route": _list(address),
    "Path": _list(address),
    "Authorization": credentials,
    "Proxy-Authorization": credentials,
    "WWW-Authenticate": credentials,
    "Require": _list(_of("100rel", "timer", "path", "outbound", "nothing")),
    "Supported": _list(_of("100rel", "timer", "path", "replaces", "")),
    "Session-Expires": lambda c: c.number(4000) + parameters(c, ("refresher",)),
    "Min-SE": lambda c: c.number(4000),
    "RSeq": lambda c: c.number(),
    "RAck": lambda c: f"{c.number()} {c.number()} {c.choice(METHODS)}",
    "Refer-To": address,
    "Referred-By": address,
    "Replaces": lambda c: c.token() + parameters(c, ("to-tag", "from-tag", "early-only")),
    "Event": lambda c: c.choice(("message-summary", "dialog", "refer")) + parameters(c, ("id",)),
    "Subscription-State": lambda c: "active" + parameters(c, ("expires", "reason")),
    "P-Asserted-Identity": _list(address),
    "P-Preferred-Identity": address,
    "Remote-Party-ID": lambda c: address(c, ("party", "privacy", "screen")),
    "Diversion": _list(lambda c: address(c, ("reason", "counter"))),
    "History-Info": _list(lambda c: address(c, ("index",))),
    "Privacy": _of("id", "none", "header;user", "id;critical", ""),
    "Reason": _of("SIP;cause=200", 'Q.850;cause=16;text="x"', ""),
    "Accept": _list(_of("application/sdp", "*/*", "text/plain")),
    "Allow": _list(_of(*METHODS)),
    "Content-Type": _of("application/sdp", "multipart/mixed;boundary=b", "application/dtmf-relay"),
    "Content-Disposition": _of("session", "session;handling=optional", "render"),
    "Content-Encoding": _of("identity", "gzip", ""),
    "User-Agent": lambda c: c.token(),
    "Date": _of("Sat, 13 Nov 2027 23:29:00 GMT", "never"),
    "Timestamp": lambda c: c.number(),
    "Subject": lambda c: c.quoted(),
    "Warning": lambda c: f"399 {c.token()} {c.quoted()}",
}
_NEEDED = ("Via", "From", "To", "Call-ID", "CSeq", "Max-Forwards", "Contact")


def header(c: Chance, name: str) -> str:
    """A header line, its name in some spelling."""
    shown = _COMPACT.get(name, name) if c.maybe(0.1) else name
    if c.maybe(0.1):
        shown = c.choice((shown.upper(), shown.lower(), shown + " ", shown + "\t"))
    value = c.sometimes_spoilt(HEADERS[name](c))
    if c.maybe(0.05):
        value = value.replace(" ", "\r\n ")
    return f"{shown}:{c.choice((' ', '', '  ', chr(9)))}{value}"


def message(c: Chance) -> bytes:
    """A request or a response."""
    method = c.choice(METHODS)
    if c.maybe(0.8):
        start = f"{method} {uri(c)} SIP/2.0"
    else:
        start = f"SIP/2.0 {c.choice((100, 180, 183, 200, 302, 401, 407, 422, 486, 491, 503))} Text"
    names = [*(name for name in _NEEDED if c.maybe(0.97)), *c.some(tuple(HEADERS), 8)]
    if c.maybe(0.2):
        c.shuffle(names)
    lines = [header(c, name) for name in names]
    if c.maybe(0.9):
        lines = [line for line in lines if not line.lower().startswith("cseq")]
        lines.append(f"CSeq: {c.randint(1, 9)} {method}")
    body = description(c) if c.maybe(0.4) else c.choice(("", "", "Signal=5\r\nDuration=160"))
    length = c.choice((str(len(body.encode("utf-8", "replace"))),) * 8 + (c.number(),))
    if c.maybe(0.9):
        lines.append(f"Content-Length: {length}")
    text = "\r\n".join([c.sometimes_spoilt(start, 0.05), *lines, "", body])
    return text.encode("utf-8", "replace")[:65_535]
