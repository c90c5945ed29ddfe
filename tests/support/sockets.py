"""Which sockets this process has, where the server runs in it."""

from __future__ import annotations

import os
from pathlib import Path


def udp_ports() -> set[int]:
    """Return the ports of this process, which is the server too."""
    mine = set()
    for link in Path("/proc/self/fd").iterdir():
        try:
            mine.add(os.readlink(link))
        except OSError:  # closed meanwhile
            continue
    rows = [line.split() for line in Path("/proc/self/net/udp").read_text().splitlines()[1:]]
    return {int(row[1].split(":")[1], 16) for row in rows if f"socket:[{row[9]}]" in mine}
