"""The line to the process that commands are forked from (see command.py); also a program.

`line.py SOCKET WORDS...` has the words run there with its own input, output and signals. It loads
next to nothing, so that a shell has its command at once.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Sequence

__all__ = ["ask", "read"]


def ask(line: socket.socket, argv: Sequence[str], env: dict[str, str], fds: Sequence[int]) -> None:
    """Ask for a command with these three files; its process id and its status are the answer."""
    data = json.dumps({"argv": argv, "env": env, "cwd": os.getcwd()}).encode()
    socket.send_fds(line, [len(data).to_bytes(4, "big")], list(fds))
    line.sendall(data)


def read(line: socket.socket, count: int) -> bytes:
    """Return the next bytes of the answer."""
    data = b""
    while len(data) < count:
        piece = line.recv(count - len(data))
        if not piece:
            raise AssertionError("the process that commands are forked from is gone")
        data += piece
    return data


def main() -> int:
    """Run what the arguments say and return its status."""
    with socket.socket(socket.AF_UNIX) as line:
        line.connect(sys.argv[1])
        ask(line, sys.argv[2:], dict(os.environ), (0, 1, 2))
        pid = int.from_bytes(read(line, 4), "big")
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, _: os.kill(pid, number))
        status = int.from_bytes(read(line, 4), "big", signed=True)
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main())
