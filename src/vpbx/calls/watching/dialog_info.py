"""dialog-info documents (RFC 4235): what an employee's lines are doing. Pure values.

idle      one dialog, `terminated`: with none at all, some phones leave their lamp as it was
ringing   `early`, direction recipient
talking   `confirmed`, also while they call somebody: their phone is in their hand
offline   no dialog

Whether any phone is registered RFC 4235 cannot say; in full documents it stands beside the
dialogs in the words of PIDF (RFC 3863), `<status><basic>`, which phones that do not know it
pass over.

The identifiers of a dialog are those of the real leg, as the phone at its end has them, so
that another phone may send an INVITE with `Replaces` (RFC 3891) for it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from vpbx.frozen import dataclass

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
        target = f"<target uri={uri}/>" if side == "local" else ""  # where a pick-up goes to
        return f"<{side}><identity{name}>{uri[1:-1]}</identity>{target}</{side}>"


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


@dataclass(frozen=True, slots=True)
class Lines:
    """All there is to tell of an employee."""

    online: bool
    """Whether any phone of theirs is registered."""
    dialogs: tuple[LineDialog, ...] = ()
    own: Identity = Identity("")
    """Themselves, as they are called now."""


class Teller:
    """Writes the documents of one subscription: numbered from 0, without a gap (§4.1.1).

    `entity`: who is watched, as the SUBSCRIBE names them.
    """

    def __init__(self, entity: str, domain: str) -> None:
        self._entity = quoteattr(f"sip:{quote(entity, safe=_USER_SAFE)}@{domain}")
        self._domain = domain
        self._version = -1
        self._told: Lines | None = None

    def document(self, now: Lines, *, full: bool) -> bytes | None:
        """Write all of it, or the dialogs that are not as they were told; None: all are.

        That somebody's last phone went, or the first came, is told in full.
        """
        before, self._told = self._told, now
        if full or before is None or before.online != now.online:
            return self._write("full", now, now.dialogs or _nobody(now), _status(now.online))
        changed = list(_changes(before.dialogs, now.dialogs))
        return self._write("partial", now, changed) if changed else None

    def _write(
        self, state: str, now: Lines, dialogs: Iterable[LineDialog], more: str = ""
    ) -> bytes:
        self._version += 1
        elements = "".join(_element(dialog, now.own, self._domain) for dialog in dialogs)
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\r\n'
            '<dialog-info xmlns="urn:ietf:params:xml:ns:dialog-info" '
            f'version="{self._version}" state="{state}" entity={self._entity}>\r\n'
            f"{elements}{more}</dialog-info>\r\n"
        ).encode()


@lru_cache(maxsize=1024)
def _element(dialog: LineDialog, own: Identity, domain: str) -> str:
    """Write a dialog, once for all who watch it."""
    told = [f"id={quoteattr(dialog.id)}"]
    if dialog.call_id:
        told += [
            f"call-id={quoteattr(dialog.call_id)}",
            f"local-tag={quoteattr(dialog.local_tag)}",
            f"remote-tag={quoteattr(dialog.remote_tag)}",
        ]
    told.append(f'direction="{"recipient" if dialog.recipient else "initiator"}"')
    parties = ""
    if dialog.state != "terminated":
        parties = own.xml("local", domain)
        parties += dialog.remote.xml("remote", domain) if dialog.remote is not None else ""
    return f"<dialog {' '.join(told)}><state>{dialog.state}</state>{parties}</dialog>\r\n"


def _status(online: bool) -> str:
    basic = "open" if online else "closed"
    return f'<status xmlns="urn:ietf:params:xml:ns:pidf"><basic>{basic}</basic></status>\r\n'


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
