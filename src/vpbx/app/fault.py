"""Why a server could not start."""

from __future__ import annotations


class StartError(Exception):
    """`str()` is one sentence that says what is wrong, and one how to mend it."""


class PortTaken(StartError):
    """Another program has a port that was asked for."""
