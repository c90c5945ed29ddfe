"""Header values: what sipmessage's grammar lacks, beside it.

`sipmessage` gives the value types (`URI`, `Address`, `Via`, `AuthCredentials`…), their
formatting and its character classes. Its parsing is not used for what the network sends:

- quoted strings are matched greedily (``"(?:[^"]|\\")*"``): two addresses in one list melt
  into one, and a crafted ``Authorization`` costs exponential time, a crafted ``tel:``
  quadratic time;
- a URI must be ``sip``, ``sips`` or ``tel`` in lower case, without ``?headers``; a host may
  not be a single label with digits (``pbx1``) or hold an underscore;
- an authentication parameter with a comma in its quotes (``qop="auth,auth-int"``) or an
  empty one fails; a parameter called ``self`` raises `TypeError`;
- parameter names are case-sensitive, and values are percent-decoded and encoded again, which
  changes a Via branch with ``%`` and spoils ``+sip.instance="<urn:…>"``;
- folded lines and names with space before the colon are not understood (see `message`).

The parsers here walk each text once, so their time is linear. All raise `ValueError`, and
nothing else, when the text breaks RFC 3261 §25 in a way that matters. What does not matter,
and phones, ALGs and carriers do send, is passed over: one semicolon with nothing behind it,
spaces around separators.
"""

from __future__ import annotations

from functools import lru_cache

import sipmessage

from vpbx.sip.parameters import (
    TOKEN,
    Parameters,
    end_of_quotes,
    parse_parameters,
    split_quoted,
    unquote,
)
from vpbx.sip.uri import Uri, parse_hostport, parse_uri

_CACHED_LENGTH = 256


def _address(uri: Uri, name: str, parameters: Parameters) -> sipmessage.Address:
    """Make an Address without the price of a frozen dataclass's constructor."""
    made = object.__new__(sipmessage.Address)
    made.__dict__.update(uri=uri, name=name, parameters=parameters)
    return made


def parse_address(text: str) -> sipmessage.Address:
    """Parse a name-addr or addr-spec with parameters (RFC 3261 §20.10).

    A display name with characters that should have been quoted is taken as it is (RFC 4475
    §3.1.2.15 allows it); spaces inside ``<>`` are not. An addr-spec without brackets must not
    hold ``?`` or a comma; what follows its semicolon belongs to the header. Equal texts share.
    """
    parse = _parse_address if len(text) <= _CACHED_LENGTH else _parse_address.__wrapped__
    return parse(text)


@lru_cache(maxsize=2048)
def _parse_address(text: str) -> sipmessage.Address:
    text = text.strip()
    name = ""
    at = 0
    if text[:1] == '"':
        at = end_of_quotes(text, 0)
        name = unquote(text[:at])
        if text[at:].lstrip()[:1] != "<":
            raise ValueError("a quoted name must be followed by <")
    left = text.find("<", at)
    if left >= 0:
        right = text.find(">", left)
        if right < 0:
            raise ValueError("address without >")
        if not at:
            name = text[:left].strip()
            if '"' in name:
                raise ValueError("misplaced quote in a display name")
        uri = parse_uri(text[left + 1 : right])
        return _address(uri, name, parse_parameters(text[right + 1 :]))
    spec, semicolon, tail = text.partition(";")
    spec = spec.rstrip()
    if "?" in spec or "," in spec:
        raise ValueError("this URI needs angle brackets")
    return _address(parse_uri(spec), "", parse_parameters(semicolon + tail))


def parse_via(text: str) -> sipmessage.Via:
    """Parse one Via value (RFC 3261 §20.42); spaces around its slashes are allowed."""
    head, semicolon, tail = text.partition(";")
    read = _sent_by if len(head) <= _CACHED_LENGTH else _sent_by.__wrapped__
    transport, host, port = read(head)
    made = object.__new__(sipmessage.Via)
    made.__dict__.update(
        transport=transport,
        host=host,
        port=port,
        parameters=parse_parameters(semicolon + tail),
    )
    return made


@lru_cache(maxsize=2048)
def _sent_by(head: str) -> tuple[str, str, int | None]:
    """Read what a Via begins with, as all of one sender do: transport, host and port."""
    start, _, sent_by = head.partition(" ")
    transport = _USUAL_PROTOCOLS.get(start)
    if transport is None:
        parts = [part.strip() for part in head.split("/", 2)]
        if len(parts) != 3 or parts[0].upper() != "SIP" or parts[1] != "2.0":
            raise ValueError("Via is not SIP/2.0")
        transport, _, sent_by = parts[2].partition(" ")
        if not TOKEN(transport):
            raise ValueError("Via without a transport")
    if " " in sent_by or "\t" in sent_by:
        sent_by = "".join(sent_by.split())
    return (transport.upper(), *parse_hostport(sent_by))


_USUAL_PROTOCOLS = {f"SIP/2.0/{name}": name for name in ("UDP", "TCP", "TLS", "WS", "WSS")}


def parse_auth(text: str) -> tuple[str, dict[str, str]]:
    """Parse a challenge or credentials: scheme in lower case, parameters without quotes.

    Parameter names are in lower case; a parameter that stands twice is an error. A scheme
    with something else than parameters behind it (a token) gives no parameters.
    """
    scheme, _, rest = text.strip().partition(" ")
    if not TOKEN(scheme):
        raise ValueError("authentication scheme is not a token")
    items: dict[str, str] = {}
    rest = rest.strip()
    if "=" not in rest:
        return scheme.lower(), items
    for part in split_quoted(rest, ","):
        if not part:
            continue
        name, equal, value = part.partition("=")
        name, value = name.strip().lower(), value.strip()
        if not equal or not TOKEN(name) or name in items:
            raise ValueError("bad authentication parameter")
        items[name] = unquote(value)
    return scheme.lower(), items


def auth_parameters(items: dict[str, str]) -> sipmessage.AuthParameters:
    """Make sipmessage's AuthParameters, whose constructor cannot take a key called self."""
    return sipmessage.AuthParameters(**{k: v for k, v in items.items() if k != "self"})
