"""Where a customer's card is in the company's CRM, and which sites may embed the phone."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urlsplit

from vpbx.directory.values import Values

__all__ = ["CARD_PLACES", "card_url", "check_card_url", "read_origins"]

CARD_PLACES = ("phone", "callid", "user", "name", "diversion")
"""What `{…}` may stand in a pattern: the customer's number, the call, login of the employee, the
customer's name, our number."""
_MOST = 2000
_MOST_ORIGINS = 50


def check_card_url(text: str) -> str:
    """Return a pattern like `https://crm.example/card?phone={phone}`; ValueError says what it
    must be. Places stand behind the host only, so no caller decides where a link leads."""
    if not text:
        return ""
    if len(text) > _MOST:
        raise ValueError(f"must be at most {_MOST} characters long")
    if not text.isascii() or not text.isprintable() or any(c in " \"'<>\\^`|" for c in text):
        raise ValueError("must be an address without spaces, quotes and letters beyond ASCII")
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise ValueError("must begin with https:// or http:// and a host")
    if "{" in parts.netloc or "}" in parts.netloc:
        raise ValueError("the host cannot depend on the call")
    try:
        int(parts.port or 0)
        text.format(**dict.fromkeys(CARD_PLACES, ""))
        rest = text
        for place in CARD_PLACES:
            rest = rest.replace(f"{{{place}}}", "")
        known = "{" not in rest and "}" not in rest
    except (ValueError, KeyError, IndexError, AttributeError):
        known = False
    if not known:
        names = ", ".join(f"{{{place}}}" for place in CARD_PLACES)
        raise ValueError(f"may have the places {names} and no others")
    return text


def card_url(pattern: str, values: Mapping[str, str]) -> str:
    """Return the address of a customer's card; "" where there is no pattern."""
    for place in CARD_PLACES if pattern else ():
        pattern = pattern.replace(f"{{{place}}}", quote(values.get(place, ""), safe=""))
    return pattern


def read_origins(values: Values, name: str) -> list[str]:
    """Read a list of origins like `https://crm.example:8443`, lower case."""
    origins: list[str] = []
    for text in values.texts(name, max_items=_MOST_ORIGINS):
        origin = _origin(text)
        if origin:
            origins.append(origin)
        else:
            values.wrong(name, f"{text} is not an origin like https://crm.example")
    return list(dict.fromkeys(origins))


def _origin(text: str) -> str:
    text = text.strip().lower().rstrip("/")
    if not text.isascii() or not text.isprintable() or any(c in "*;,'\"<>\\ " for c in text):
        return ""
    try:
        parts = urlsplit(text)
        good = parts.scheme in ("http", "https") and parts.hostname and (parts.port or 1) > 0
    except ValueError:
        return ""
    rest = parts.path or parts.query or parts.fragment or "@" in parts.netloc
    return f"{parts.scheme}://{parts.netloc}" if good and not rest else ""
