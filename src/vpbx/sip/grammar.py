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

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from urllib.parse import unquote_to_bytes

import sipmessage
from sipmessage import grammar as rfc3261

MAX_PARAMETERS = 100
"""More in one URI or header value help nobody: RFC 8599's push contacts have five."""
_CACHED_LENGTH = 256
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*").fullmatch
_HOST = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_.])?").fullmatch
_IPV6 = re.compile(r"\[[0-9A-Fa-f:.]{2,45}(?:%[A-Za-z0-9._-]+)?\]").fullmatch
_PORT = re.compile(r"[0-9]{1,5}").fullmatch
_USERINFO = re.compile(f"[{re.escape(rfc3261.C_USER_SAFE)}:#\\[\\]\x80-\U0010ffff%]+").fullmatch
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})").search
_URI_TAIL = re.compile(f'[{re.escape(rfc3261.C_URI_PARAM_SAFE)};=?%|\\\\,@"^`{{}}]*').fullmatch
_TOKEN = re.compile(f"[{re.escape(rfc3261.C_TOKEN)}]+").fullmatch
_OPAQUE = re.compile(r"[^\s<>\"\x00-\x20\x7f]+").fullmatch


def unescape(text: str) -> str:
    """Decode ``%xx``; what is not UTF-8 then becomes U+FFFD."""
    if "%" not in text:
        return text
    return unquote_to_bytes(text).decode("utf-8", "replace")


def is_token(text: str) -> bool:
    """Say whether `text` is a token of RFC 3261 §25.1."""
    return _TOKEN(text) is not None


class Parameters(sipmessage.Parameters):
    """Parameters of a header value or a URI, kept as written.

    Names compare without regard to case (RFC 3261 §7.3.1) and are kept in lower case. Values
    are as they stood, quotes included; `text` gives one without its quotes.
    """

    def __init__(self, items: Iterable[tuple[str, str | None]] = (), /, **more: str | None) -> None:
        self._items: dict[str, str | None] = dict(items)
        self._items.update(more)

    @classmethod
    def of(cls, items: dict[str, str | None]) -> Parameters:
        """Wrap a dictionary whose keys are in lower case; it must not change afterwards."""
        made = cls.__new__(cls)
        made._items = items
        return made

    def __getitem__(self, key: str) -> str | None:
        return self._items[key.lower()]

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and key.lower() in self._items

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"Parameters({self._items!r})"

    def __str__(self) -> str:
        if not self._items:
            return ""
        return "".join(f";{k}" if v is None else f";{k}={v}" for k, v in self._items.items())

    def text(self, key: str) -> str:
        """Return a parameter's value without quotes; empty when it has none or is absent."""
        return unquote(self._items.get(key.lower()) or "")

    def replace(self, **changes: str | None) -> Parameters:
        """Return a copy updated with `changes`."""
        return Parameters({**self._items, **changes}.items())


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
        return Uri(scheme, "", number, None, None, _uri_parameters(semicolon + tail), "", text)
    return Uri(scheme, "", rest, None, None, None, "", text)


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
    return Uri(scheme, host, user, password, port, _uri_parameters(semicolon + tail), headers, text)


def _uri_parameters(text: str) -> Parameters | None:
    if not text:
        return None
    if not _URI_TAIL(text) or _BAD_ESCAPE(text):
        raise ValueError("URI has bad parameters")
    items: list[tuple[str, str | None]] = []
    for part in _proper(text[1:].split(";")):
        name, equal, value = part.partition("=")
        if not name:
            raise ValueError("URI has an empty parameter")
        items.append((unescape(name).lower(), unescape(value) if equal else None))
    return Parameters(items)


def _proper(parts: list[str]) -> list[str]:
    """Drop what a semicolon at the end leaves; `ValueError` for more than anybody needs."""
    if len(parts) > MAX_PARAMETERS:
        raise ValueError(f"more than {MAX_PARAMETERS} parameters")
    if not parts[-1]:
        parts.pop()
    return parts


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


def unquote(text: str) -> str:
    """Take the quotes off a quoted string and resolve its backslashes; else return `text`."""
    if len(text) < 2 or text[0] != '"' or text[-1] != '"':
        return text
    inner = text[1:-1]
    return _ESCAPED_CHAR(r"\1", inner) if "\\" in inner else inner


_ESCAPED_CHAR = re.compile(r"\\(.)", re.DOTALL).sub


_QUOTED = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"', re.DOTALL).match


def end_of_quotes(text: str, start: int) -> int:
    """Return the index after the quoted string that opens at `start`."""
    found = _QUOTED(text, start)
    if found is None:
        raise ValueError("unterminated quoted string")
    return found.end()


def split_quoted(text: str, separator: str, *, brackets: bool = False) -> list[str]:
    """Split at `separator` outside of quotes (and of ``<>``), stripping each part."""
    if '"' not in text and not (brackets and "<" in text):
        return [part.strip() for part in text.split(separator)]
    parts: list[str] = []
    start = at = 0
    length = len(text)
    while at < length:
        char = text[at]
        if char == '"':
            at = end_of_quotes(text, at)
            continue
        if char == "<" and brackets:
            close = text.find(">", at)
            at = length if close < 0 else close
        elif char == separator:
            parts.append(text[start:at].strip())
            start = at + 1
        at += 1
    parts.append(text[start:].strip())
    return parts


def split_list(text: str) -> list[str]:
    """Split a comma-joined list (RFC 3261 §7.3.1) outside of quotes and angle brackets."""
    return split_quoted(text, ",", brackets=True) if "," in text else [text]


def parse_parameters(text: str) -> Parameters:
    """Parse ``;name[=value]…`` as after an address or a Via; names must be tokens."""
    if not text:
        return _NO_PARAMETERS
    if '"' in text or " " in text or "\t" in text:
        text = text.strip()
        if not text:
            return _NO_PARAMETERS
        parts = split_quoted(text[1:], ";")
    else:
        parts = text[1:].split(";")
    if text[0] != ";":
        raise ValueError("parameters must begin with a semicolon")
    items: dict[str, str | None] = {}
    for part in _proper(parts):
        name, equal, value = part.partition("=")
        if equal:
            name, value = name.rstrip(), value.lstrip()
            if not value or (value[0] != '"' and (" " in value or "," in value)):
                raise ValueError("parameter without a proper value")
        if name not in _COMMON_PARAMETERS:
            if not _TOKEN(name):
                raise ValueError("parameter name is not a token")
            name = name.lower()
        items[name] = value if equal else None
    return Parameters.of(items)


_NO_PARAMETERS = Parameters()
_COMMON_PARAMETERS = frozenset(("tag", "branch", "rport", "received", "alias", "expires", "q"))


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
    start, _, sent_by = head.partition(" ")
    transport = _USUAL_PROTOCOLS.get(start)
    if transport is None:
        parts = [part.strip() for part in head.split("/", 2)]
        if len(parts) != 3 or parts[0].upper() != "SIP" or parts[1] != "2.0":
            raise ValueError("Via is not SIP/2.0")
        transport, _, sent_by = parts[2].partition(" ")
        if not _TOKEN(transport):
            raise ValueError("Via without a transport")
    if " " in sent_by or "\t" in sent_by:
        sent_by = "".join(sent_by.split())
    host, port = parse_hostport(sent_by)
    made = object.__new__(sipmessage.Via)
    made.__dict__.update(
        transport=transport.upper(),
        host=host,
        port=port,
        parameters=parse_parameters(semicolon + tail),
    )
    return made


_USUAL_PROTOCOLS = {f"SIP/2.0/{name}": name for name in ("UDP", "TCP", "TLS", "WS", "WSS")}


def parse_auth(text: str) -> tuple[str, dict[str, str]]:
    """Parse a challenge or credentials: scheme in lower case, parameters without quotes.

    Parameter names are in lower case; a parameter that stands twice is an error. A scheme
    with something else than parameters behind it (a token) gives no parameters.
    """
    scheme, _, rest = text.strip().partition(" ")
    if not _TOKEN(scheme):
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
        if not equal or not _TOKEN(name) or name in items:
            raise ValueError("bad authentication parameter")
        items[name] = unquote(value)
    return scheme.lower(), items


def auth_parameters(items: dict[str, str]) -> sipmessage.AuthParameters:
    """Make sipmessage's AuthParameters, whose constructor cannot take a key called self."""
    return sipmessage.AuthParameters(**{k: v for k, v in items.items() if k != "self"})
