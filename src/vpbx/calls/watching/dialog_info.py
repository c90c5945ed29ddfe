"""dialog-info documents (RFC 4235): what an employee's lines are doing. Pure values.

idle      one dialog, `terminated`: with none at all, some phones leave their lamp as it was
ringing   `early`, direction recipient
talking   `confirmed`, also while they call somebody: their phone is in their hand
offline   no dialog

Whether any phone is registered RFC 4235 cannot say; it stands beside the dialogs in the words
of PIDF (RFC 3863), `<status><basic>`, which phones that do not know it pass over.

The identifiers of a dialog are those of the real leg, as the phone at its end has them, so
that another phone may send an INVITE with `Replaces` (RFC 3891) for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

__all__ = ["CONTENT_TYPE", "Identity", "LineDialog", "Lines", "Teller"]

CONTENT_TYPE = "application/dialog-info+xml"
_USER_SAFE = "-_.!~*'+$"


@dataclass(frozen=True, slots=True)
class Identity:
    """A party as it is shown: the user of a SIP URI, and a name."""

    user: str
    name: str = ""

    def xml(self, side: str, domain: str) -> str:
        """Write it as the `local` or `remote` of a dialog."""
        uri = quoteattr(f"sip:{quote(self.user, safe=_USER_SAFE)}@{domain}")
        name = f" display={quoteattr(_printable(self.name))}" if self.name else ""
        text = uri[1:-1]
        return f"<{side}><identity{name}>{text}</identity><target uri={uri}/></{side}>"


@dataclass(frozen=True, slots=True)
class LineDialog:
    """One call of an employee."""

    id: str
    state: str
    """`early`, `confirmed` or `terminated`."""
    recipient: bool = True
    """Whether their phone was called, not calling."""
    call_id: str = ""
    """"" when no phone of theirs has a dialog yet."""
    local_tag: str = ""
    """That of their phone."""
    remote_tag: str = ""
    remote: Identity | None = None
    """Who is at the other end; None when that is not told."""

    def xml(self, own: Identity, domain: str) -> str:
        """Write it as an element."""
        told = [f"id={quoteattr(self.id)}"]
        if self.call_id:
            told += [
                f"call-id={quoteattr(self.call_id)}",
                f"local-tag={quoteattr(self.local_tag)}",
                f"remote-tag={quoteattr(self.remote_tag)}",
            ]
        told.append(f'direction="{"recipient" if self.recipient else "initiator"}"')
        parties = ""
        if self.state != "terminated":
            parties = own.xml("local", domain)
            parties += self.remote.xml("remote", domain) if self.remote is not None else ""
        return f"<dialog {' '.join(told)}><state>{self.state}</state>{parties}</dialog>"


@dataclass(frozen=True, slots=True)
class Lines:
    """All there is to tell of an employee."""

    online: bool
    """Whether any phone of theirs is registered."""
    dialogs: tuple[LineDialog, ...] = ()


class Teller:
    """Writes the documents of one subscription: numbered from 0, without a gap (§4.1.1)."""

    def __init__(self, entity: Identity, own: Identity, domain: str) -> None:
        self._entity = entity
        self._own = own
        self._domain = domain
        self._version = -1
        self._told: Lines | None = None

    def document(self, now: Lines, *, full: bool) -> bytes | None:
        """Write all of it, or the dialogs that are not as they were told; None: all are.

        That somebody's last phone went, or the first came, is told in full.
        """
        before, self._told = self._told, now
        if full or before is None or before.online != now.online:
            return self._write("full", now.dialogs or _nobody(now), now.online)
        changed = list(_changes(before.dialogs, now.dialogs))
        return self._write("partial", changed, now.online) if changed else None

    def _write(self, state: str, dialogs: Iterable[LineDialog], online: bool) -> bytes:
        self._version += 1
        entity = quoteattr(f"sip:{quote(self._entity.user, safe=_USER_SAFE)}@{self._domain}")
        parts = [
            '<?xml version="1.0" encoding="UTF-8"?>\r\n'
            '<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" '
            f'version="{self._version}" state="{state}" entity={entity}>\r\n',
            *(f"{dialog.xml(self._own, self._domain)}\r\n" for dialog in dialogs),
            '<status xmlns="urn:ietf:params:xml:ns:pidf">'
            f"<basic>{'open' if online else 'closed'}</basic></status>\r\n",
            "</dialog-info>\r\n",
        ]
        return "".join(parts).encode()


def _nobody(now: Lines) -> tuple[LineDialog, ...]:
    return (LineDialog("idle", "terminated"),) if now.online else ()


def _changes(before: Iterable[LineDialog], now: Iterable[LineDialog]) -> Iterable[LineDialog]:
    was = {dialog.id: dialog for dialog in before}
    for dialog in now:
        if was.pop(dialog.id, None) != dialog:
            yield dialog
    for dialog in was.values():
        yield replace(dialog, state="terminated")


def _printable(name: str) -> str:
    return "".join(char if char.isprintable() else " " for char in name)[:80]
