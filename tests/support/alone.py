"""Tests that need the machine to themselves: their sound is measured by the clock, or made by
others' programs. tests/run.py runs them after all others, one by one.
"""

from __future__ import annotations

__all__ = ["ALONE"]

ALONE = (
    *("tests/media/", "tests/e2e/test_softphone.py"),
    "tests/e2e/test_browser.py",
    *(f"tests/e2e/web_phone/test_{part}.py" for part in ("calls", "heard", "tabs")),
    "tests/e2e/test_lamp.py",
    "tests/calls/test_transfer.py::test_who_gives_a_transfer_up_is_heard_again",
    *("tests/e2e/test_transfer_keys.py", "tests/e2e/test_branch_transfers.py"),
)
