"""Hooks that `schemathesis run` loads: see test_schemathesis.py."""

from __future__ import annotations

import schemathesis

MAX_URL = 60_000


@schemathesis.hook
def filter_case(_context: object, case: schemathesis.Case) -> bool:
    """Leave out addresses beyond what the HTTP server below the API reads (64 KiB)."""
    return len(case.as_transport_kwargs()["url"]) + len(str(case.query)) * 6 < MAX_URL
