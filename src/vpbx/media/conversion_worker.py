"""The program that converts one uploaded file, in a process of its own with limits.

A file from outside may be made to crash a decoder or to keep it busy: then this process ends,
and nothing else. The job is the argument, the answer a line on standard output, both JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import sys
from pathlib import Path

from .conversion import UnfitFile, convert

_MEMORY = 1 << 30
_CPU_S = 90
_FILE_BYTES = 1 << 26
_NICENESS = 10


def main() -> None:
    """Do the job."""
    job = json.loads(sys.argv[1])
    with contextlib.suppress(OSError):
        os.nice(_NICENESS)
    for kind, most in (
        (resource.RLIMIT_AS, _MEMORY),
        (resource.RLIMIT_CPU, _CPU_S),
        (resource.RLIMIT_FSIZE, _FILE_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(kind, (most, most))
    answer: dict[str, object]
    try:
        seconds = convert(Path(job["source"]), Path(job["target"]), even=True, max_s=job["max_s"])
        answer = {"seconds": seconds}
    except UnfitFile as error:
        answer = {"unfit": str(error)}
    except OSError as error:
        answer = {"fault": f"{error.strerror or error}"}
    print(json.dumps(answer))


if __name__ == "__main__":
    main()
