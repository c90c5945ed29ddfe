"""Names that need no DNS: those of /etc/hosts, and addresses."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from vpbx.addresses import is_address

__all__ = ["EtcHosts"]


@dataclass(slots=True)
class EtcHosts:
    """/etc/hosts, read again when it changes."""

    path: Path
    seen: float = -1.0
    names: dict[str, list[str]] = field(default_factory=dict)

    def find(self, host: str) -> list[str]:
        """Return the addresses of a name in lower case; none: it is not there."""
        try:
            changed = self.path.stat().st_mtime
            if changed != self.seen:
                self.names = _read_hosts(self.path.read_text(errors="replace"))
                self.seen = changed
        except OSError:
            self.names = {}
        found = self.names.get(host)
        return found or (["127.0.0.1", "::1"] if host == "localhost" else [])


def _read_hosts(text: str) -> dict[str, list[str]]:
    names: dict[str, list[str]] = {}
    for line in text.splitlines():
        address, *hosts = line.partition("#")[0].split() or [""]
        if is_address(address):
            for host in hosts:
                names.setdefault(host.lower().rstrip("."), []).append(address)
    return names
