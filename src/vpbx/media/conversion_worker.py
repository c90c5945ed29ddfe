"""The program that converts one uploaded file, in a process of its own with limits.

A file from outside may be made to crash a decoder or to keep it busy: then this process ends,
and nothing else. The job is the argument, the answer a line on standard output, both JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from .confined import confine
from .conversion import UnfitFile, convert

_CPU_S = 90


def main() -> None:
    """Do the job."""
    job = json.loads(sys.argv[1])
    confine(_CPU_S)
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
