"""Header fields: their names (RFC 3261 §7.3.3 compact forms) and their storage."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sipmessage
from sipmessage.message import COMPACT_FORMS

# fmt: off
_NAMES = (
    "Accept", "Accept-Contact", "Accept-Encoding", "Accept-Language", "Alert-Info", "Allow",
    "Allow-Events", "Authentication-Info", "Authorization", "Call-ID", "Call-Info", "Contact",
    "Content-Disposition", "Content-Encoding", "Content-Language", "Content-Length",
    "Content-Type", "CSeq", "Date", "Diversion", "Error-Info", "Event", "Expires", "From",
    "History-Info", "Identity", "In-Reply-To", "Max-Forwards", "MIME-Version", "Min-Expires",
    "Min-SE", "Organization", "P-Asserted-Identity", "P-Preferred-Identity", "Path", "Priority",
    "Privacy", "Proxy-Authenticate", "Proxy-Authorization", "Proxy-Require", "RAck", "Reason",
    "Record-Route", "Refer-To", "Referred-By", "Remote-Party-ID", "Replaces", "Reply-To",
    "Require", "Retry-After", "Route", "RSeq", "Server", "Service-Route", "Session-Expires",
    "SIP-ETag", "SIP-If-Match", "Subject", "Subscription-State", "Supported", "Timestamp", "To",
    "Unsupported", "User-Agent", "Via", "Warning", "WWW-Authenticate",
)
LISTS = frozenset((
    "accept-contact", "allow", "allow-events", "contact", "diversion", "history-info",
    "in-reply-to", "path", "p-asserted-identity", "p-preferred-identity", "proxy-require",
    "record-route", "require", "route", "service-route", "supported", "unsupported", "via",
))
"""Headers whose value may be a list joined by commas, in lower case."""
# fmt: on

SHOWN = {name.lower(): name for name in (*_NAMES, *COMPACT_FORMS.values())}
"""How a known header is written, by its name in lower case."""
_PREFIXES = {key: f"{name}: " for key, name in SHOWN.items()}
_COMPACT = {short: name.lower() for short, name in COMPACT_FORMS.items()}
KEYS = {name: key for key, name in SHOWN.items()}
"""The usual spellings of known headers, and what they are stored under."""
KEYS.update({key: key for key in SHOWN})
KEYS.update(_COMPACT)
KEYS.update({short.upper(): key for short, key in _COMPACT.items()})


class Headers(sipmessage.Headers):
    """Header values by name, without regard to case; several values of a name keep their order.

    Lists joined by commas are split while parsing, for the headers RFC 3261 §7.3.1 means.
    A list of values is never changed but replaced by another, so messages may share it.
    `parsed` keeps what the message's accessors have parsed, until a header changes. Most
    headers have one value, and that is stored bare: thousands of messages wait in completed
    transactions, and what holds no list costs the garbage collector nothing.
    """

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self.values: dict[str, str | list[str]] = {}
        self.parsed: dict[str, Any] = {}
        self._spelled: dict[str, str] | None = None
        for key, value in items:
            self.add(key, value)

    def key(self, name: str) -> str:
        """Return what `name` is stored under, remembering how an unknown name is written."""
        key = KEYS.get(name)
        if key is None:
            key = name.lower()
            key = _COMPACT.get(key, key)
            if key not in SHOWN:
                if self._spelled is None:
                    self._spelled = {}
                self._spelled.setdefault(key, name)
        return key

    def extend(self, key: str, values: list[str]) -> None:
        """Add values under what `key` returned."""
        there = self.values.get(key)
        if there is not None:
            values = [there, *values] if isinstance(there, str) else [*there, *values]
        self.values[key] = values if len(values) != 1 else values[0]

    def add(self, key: str, value: str) -> None:
        """Add a value after those of the same name."""
        self.parsed.clear()
        name = KEYS.get(key) or self.key(key)
        if name in self.values:
            self.extend(name, [value])
        else:
            self.values[name] = value

    def get(self, key: str, default: str | None = None) -> str | None:
        """Return the first value of a header, or `default`."""
        values = self.values.get(KEYS.get(key) or key.lower())
        if values is None:
            return default
        return values if isinstance(values, str) else values[0]

    def getlist(self, key: str) -> list[str]:
        """Return all values of a header in a list of their own."""
        values = self.values.get(KEYS.get(key) or key.lower())
        if values is None:
            return []
        return [values] if isinstance(values, str) else list(values)

    def count(self, key: str) -> int:
        """Return how many values a header has."""
        values = self.values.get(KEYS.get(key) or key.lower())
        if values is None:
            return 0
        return 1 if isinstance(values, str) else len(values)

    def keys(self) -> list[str]:
        """Return the names, as they are written."""
        spelled = self._spelled or {}
        return [SHOWN.get(key) or spelled[key] for key in self.values]

    def remove(self, key: str) -> None:
        """Remove a header with all its values; harmless when it is not there."""
        self.parsed.clear()
        self.values.pop(KEYS.get(key) or key.lower(), None)

    def set(self, key: str, value: str) -> None:
        """Replace all values of a header by one."""
        self.parsed.clear()
        self.values[KEYS.get(key) or self.key(key)] = value

    def setlist(self, key: str, values: list[str]) -> None:
        """Replace all values of a header; no values remove it."""
        self.parsed.clear()
        name = self.key(key)
        if values:
            self.values[name] = list(values) if len(values) > 1 else values[0]
        else:
            self.values.pop(name, None)

    def push(self, key: str, value: str) -> None:
        """Put a value before those of the same name; a new header goes before all others."""
        self.parsed.clear()
        name = self.key(key)
        if (there := self.values.get(name)) is None:
            self.values = {name: value, **self.values}
        else:
            self.values[name] = [value, there] if isinstance(there, str) else [value, *there]

    def replace_first(self, key: str, value: str) -> None:
        """Replace the first value of a header that is there."""
        self.parsed.clear()
        name = self.key(key)
        there = self.values[name]
        self.values[name] = value if isinstance(there, str) else [value, *there[1:]]

    def __getitem__(self, key: str) -> str:
        values = self.values[KEYS.get(key) or key.lower()]
        return values if isinstance(values, str) else values[0]

    def __contains__(self, key: str) -> bool:
        return (KEYS.get(key) or key.lower()) in self.values

    def lines(self) -> list[str]:
        """Return ``Name: value`` for each value."""
        prefixes = _PREFIXES
        try:
            return [prefixes[key] + value for key, value in self.values.items()]  # type: ignore[operator]
        except (KeyError, TypeError):
            pass  # a name we do not know, or several values
        lines: list[str] = []
        for key, values in self.values.items():
            prefix = prefixes.get(key) or f"{(self._spelled or {})[key]}: "
            if isinstance(values, str):
                lines.append(prefix + values)
            else:
                lines.extend([prefix + value for value in values])
        return lines

    def __str__(self) -> str:
        return "".join(f"{line}\r\n" for line in self.lines()) + "\r\n"
