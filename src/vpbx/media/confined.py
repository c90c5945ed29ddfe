"""Limits for a process of its own that reads what came from outside: memory, time, files."""

from __future__ import annotations

import contextlib
import os
import resource

_MEMORY = 1 << 30
_FILE_BYTES = 1 << 26
_NICENESS = 10


def confine(cpu_s: int) -> None:
    """Let this process take `cpu_s` seconds of processor time, behind everything else, 1 GiB of
    memory and write no file over 64 MiB; it ends with whatever goes beyond."""
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)
    for kind, most in (
        (resource.RLIMIT_AS, _MEMORY),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_FSIZE, _FILE_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))
