"""Which URIs are the same: RFC 3261 §19.1.4, RFC 3966 §4, and what digest needs of it.

The `uri` of an Authorization says what its password was given for; were another request taken
with it, whoever sits on the path could change whom a phone calls. RFC 3261 §22.4 asks that it
be equal to the Request-URI. What phones send there:

    Request-URI                          uri                            taken
    sip:702@acme.example                 the same text                  yes, nearly all phones
    sip:acme.example:5060                sip:acme.example               yes: the default port
    sip:702@acme.example;transport=tcp   sip:702@acme.example           yes: §19.1.4
    sip:702@acme.example;user=phone      sip:702@acme.example           yes: put on afterwards
    sip:702@ACME.example                 sip:702@acme.example           yes
    sip:%3702@acme.example               sip:702@acme.example           yes
    tel:+7-495-111-22-33                 tel:+74951112233               yes
    sip:702@acme.example                 sip:192.0.2.1:5060             yes: SIPp and some ATAs
                                                                        name the server alone
    sip:702@acme.example                 sip:703@acme.example           no
    sip:702@acme.example                 sip:702@other.example          no
    sip:702@acme.example                 sips:702@acme.example          no
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import unquote

from vpbx.sip.uri import Uri, parse_uri

_PORTS = {"sip": 5060, "sips": 5061}
_NEVER_ALONE = ("ttl", "method", "maddr")
"""Parameters that must stand in both or neither. `user` is one by §19.1.4; phones add it."""
_SEPARATORS = re.compile(r"[-.()]").sub


def same_for_digest(given: str, request_uri: str) -> bool:
    """Say whether credentials for `given` are good for a request to `request_uri`."""
    if given == request_uri:
        return True
    try:
        one, other = parse_uri(given), parse_uri(request_uri)
    except ValueError:
        return False
    if one.scheme != other.scheme:
        return False
    if one.scheme == "tel":
        return _same_number(one, other)
    if one.scheme not in _PORTS:
        return False
    return _names_server(one) or _same_sip(one, other)


def _same_sip(one: Uri, other: Uri) -> bool:
    default = _PORTS[one.scheme]
    if (one.user or "", one.host.lower().rstrip("."), one.port or default) != (
        other.user or "",
        other.host.lower().rstrip("."),
        other.port or default,
    ):
        return False
    return one.headers == other.headers and _same_parameters(one, other)


def _same_parameters(one: Uri, other: Uri) -> bool:
    for name in {*one.parameters, *other.parameters}:
        in_both = name in one.parameters and name in other.parameters
        if not in_both:
            if name in _NEVER_ALONE:
                return False
        elif _value(one, name) != _value(other, name):
            return False
    return True


def _value(uri: Uri, name: str) -> str:
    return (uri.parameters[name] or "").lower()


def _same_number(one: Uri, other: Uri) -> bool:
    numbers = [_SEPARATORS("", unquote(uri.user or "")).lower() for uri in (one, other)]
    return numbers[0] == numbers[1] and _same_parameters(one, other)


def _names_server(uri: Uri) -> bool:
    """Say whether a URI names an address and nobody there, as SIPp's credentials do.

    Such a client leaves out whom it calls; one that does not is protected all the same, since
    its credentials have a user part.
    """
    if uri.user:
        return False
    try:
        ipaddress.ip_address(uri.host.strip("[]"))
    except ValueError:
        return uri.host.lower() == "localhost"
    return True
