"""Run the tests: most of them side by side, those that need the machine to themselves after.

`python -m tests.run [pytest arguments]`; what was skipped, and why, is one line at the end.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.support.alone import ALONE

_NOTHING_SELECTED = 5
"""pytest's exit code when no test was asked for."""


# Whoever looks at one test wants to see it run, and may want to stop in it.
_ONE_BY_ONE = ("-n", "--numprocesses", "-x", "--pdb", "-s", "--lf", "--collect-only", "--co")


def main(arguments: list[str]) -> int:
    """Return the exit code for make."""
    with tempfile.TemporaryDirectory() as folder:
        summary = Path(folder) / "summary"
        os.environ["VPBX_TEST_SUMMARY"] = str(summary)
        if any(argument.startswith(_ONE_BY_ONE) for argument in arguments):
            codes = [_pytest([], arguments)]
        else:
            # A file stays whole: its tests may share a company, and go in their order.
            together = ["-m", "not alone", "-n", str(_workers()), "--dist", "loadfile"]
            together += ["--no-loadscope-reorder"]  # but in that of tests/conftest.py
            codes = [_pytest(together, arguments)]
            codes.append(_pytest(["-m", "alone"], arguments or _files(ALONE)))
        parts = [json.loads(line) for line in summary.read_text().splitlines()]
    print(_last_line(parts))
    failed = [code for code in codes if code not in (0, _NOTHING_SELECTED)]
    if failed:
        return failed[0]
    return 0 if 0 in codes else _NOTHING_SELECTED


def _files(tests: Sequence[str]) -> list[str]:
    """Return where these are: nothing else need be looked through."""
    return sorted({test.partition("::")[0] for test in tests})


def _workers() -> int:
    """Tests wait about as much as they compute, and many of them by the clock."""
    return min(8, len(os.sched_getaffinity(0)) + 1)


def _pytest(chosen: list[str], arguments: list[str]) -> int:
    return subprocess.run(
        [sys.executable, "-m", "pytest", *chosen, *arguments], check=False
    ).returncode


def _last_line(parts: list[dict[str, dict[str, int]]]) -> str:
    outcomes, reasons = Counter[str](), Counter[str]()
    for part in parts:
        outcomes.update(part["outcomes"])
        reasons.update(part["skipped"])
    text = ", ".join(f"{count} {outcome}" for outcome, count in outcomes.items() if count)
    why = "; ".join(f"{reason} ({count})" for reason, count in sorted(reasons.items()))
    return f"tests: {text or 'none'}" + (f" | skipped: {why}" if why else " | nothing skipped")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
