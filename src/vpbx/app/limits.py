"""What the operating system lets this process have."""

from __future__ import annotations

import contextlib
import resource

__all__ = ["raise_open_files"]

_ENOUGH = 1 << 20


def raise_open_files() -> int:
    """Raise the soft limit of open files to the hard one; return what holds now.

    A call takes eight files or so: shells and old service managers allow 1,024, which is for
    programs that use select().
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _ENOUGH if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _ENOUGH if soft == resource.RLIM_INFINITY else soft
