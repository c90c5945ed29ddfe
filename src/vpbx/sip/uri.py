"""URIs as they come: of any scheme, and kept as they were written (RFC 3261 §19.1, RFC 3966)."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import unquote_to_bytes

import sipmessage
from sipmessage import grammar as rfc3261

from vpbx.sip.parameters import Parameters, proper

_CACHED_LENGTH = 256
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*").fullmatch
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_.])?").fullmatch
_IPV6 = re.compile(r"\[[0-9A-Fa-f:.]{2,45}(?:%[A-Za-z0-9._-]+)?\]").fullmatch
_PORT = re.compile(r"[0-9]{1,5}").fullmatch
_USERINFO = re.compile(f"[{re.escape(rfc3261.C_USER_SAFE)}:#\\[\\]\x80-\U0010ffff%]+").fullmatch
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})").search
_URI_TAIL = re.compile(f'[{re.escape(rfc3261.C_URI_PARAM_SAFE)};=?%|\\\\,@"^`{{}}]*').fullmatch
_OPAQUE = re.compile(r"[^\s<>\"\x00-\x20\x7f]+").fullmatch


def unescape(text: str) -> str:
    """Decode ``%xx``; what is not UTF-8 then becomes U+FFFD."""
    if "%" not in text:
        return text
    return unquote_to_bytes(text).decode("utf-8", "replace")


class Uri(sipmessage.URI):
    """A URI of any scheme; it prints as it was written.

    For schemes other than sip, sips and tel, `user` is all that follows the colon and `host`
    is empty. `headers` is the part after ``?`` (RFC 3261 §19.1.1), without the mark. The text
    as written is kept, so that a Contact can be used as Request-URI unchanged.
    """

    headers: str
    raw: str

    def __init__(
        self,
        scheme: str,
        host: str,
        user: str | None = None,
        *,
        password: str | None = None,
        port: int | None = None,
        parameters: sipmessage.Parameters | None = None,
        headers: str = "",
        raw: str = "",
    ) -> None:
        self.__dict__.update(
            scheme=scheme,
            host=host,
            user=user,
            password=password,
            port=port,
            parameters=Parameters() if parameters is None else parameters,
            headers=headers,
            raw=raw,
        )

    def __str__(self) -> str:
        if self.raw:
            return self.raw
        if self.scheme not in ("sip", "sips", "tel"):
            return f"{self.scheme}:{self.user}"
        text = super().__str__()
        return f"{text}?{self.headers}" if self.headers else text


def parse_uri(text: str) -> Uri:
    """Parse a URI of any scheme (RFC 3261 §19.1, RFC 3966)."""
    return _parse_uri_cached(text) if len(text) <= _CACHED_LENGTH else _parse_uri(text)


def _parse_uri(text: str) -> Uri:
    scheme, colon, rest = text.partition(":")
    scheme = scheme.lower()
    if not colon or not rest or not _SCHEME(scheme):
        raise ValueError("URI without a scheme")
    if scheme in ("sip", "sips"):
        return _parse_sip(scheme, rest, text)
    if not _OPAQUE(rest):
        raise ValueError("URI has characters that must be escaped")
    if scheme == "tel":
        number, semicolon, tail = rest.partition(";")
        parameters = _uri_parameters(semicolon + tail)
        return Uri(scheme, "", number, parameters=parameters, raw=text)
    return Uri(scheme, "", rest, raw=text)


_parse_uri_cached = lru_cache(maxsize=2048)(_parse_uri)


def _parse_sip(scheme: str, rest: str, text: str) -> Uri:
    user = password = None
    at = rest.rfind("@")
    if at >= 0:
        userinfo, rest = rest[:at], rest[at + 1 :]
        if not _USERINFO(userinfo) or _BAD_ESCAPE(userinfo):
            raise ValueError("URI has a bad user part")
        user, colon, secret = userinfo.partition(":")
        user = unescape(user)
        password = unescape(secret) if colon else None
    rest, _, headers = rest.partition("?")
    hostport, semicolon, tail = rest.partition(";")
    host, port = parse_hostport(hostport)
    return Uri(
        scheme,
        host,
        user,
        password=password,
        port=port,
        parameters=_uri_parameters(semicolon + tail),
        headers=headers,
        raw=text,
    )


def _uri_parameters(text: str) -> Parameters | None:
    if not text:
        return None
    if not _URI_TAIL(text) or _BAD_ESCAPE(text):
        raise ValueError("URI has bad parameters")
    items: list[tuple[str, str | None]] = []
    for part in proper(text[1:].split(";")):
        name, equal, value = part.partition("=")
        if not name:
            raise ValueError("URI has an empty parameter")
        items.append((unescape(name).lower(), unescape(value) if equal else None))
    return Parameters(items)


def parse_hostport(text: str) -> tuple[str, int | None]:
    """Split ``host[:port]``; an IPv6 host keeps its brackets."""
    if text[:1] == "[":
        end = text.find("]") + 1
        host, tail = text[:end], text[end:]
        if not _IPV6(host) or (tail and tail[0] != ":"):
            raise ValueError("bad IPv6 reference")
        tail = tail[1:] if tail else ""
        colon = text[end : end + 1]
    else:
        host, colon, tail = text.partition(":")
        if not _HOST(host):
            raise ValueError("bad host")
    if not colon:
        return host, None
    if not _PORT(tail) or int(tail) > 65535:
        raise ValueError("bad port")
    return host, int(tail)
