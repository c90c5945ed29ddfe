"""Which SIP status tells a caller how it went, and which prompt a waiting employee.

What history says of it: `vpbx.story`.
"""

from __future__ import annotations

from vpbx.calls.outcome import Result
from vpbx.events import Status

__all__ = ["announcement", "code_for_caller", "sip_code"]

_CODE_OF_RESULT = {
    Result.BUSY: 486,
    Result.DECLINED: 480,  # 603 would stop a carrier from trying the next of a hunt group
    Result.NO_ANSWER: 480,
    Result.UNREACHABLE: 480,
    Result.NOT_RECEIVING: 480,
    Result.REFUSED: 403,
    Result.NOT_FOUND: 404,
    Result.NO_MEDIA: 503,
    Result.NOT_ACCEPTABLE: 488,
    Result.FAILED: 500,
}
"""What a caller is told when no SIP answer of somebody else decided."""

_ANNOUNCEMENT = {
    Status.BUSY: "busy",
    Status.NOTALLOWED: "not-allowed",
    Status.NOTFOUND: "not-found",
    Status.NOTAVAILABLE: "not-available",
}


def sip_code(result: Result) -> int:
    """Return the final SIP status that tells a caller of `result`."""
    return _CODE_OF_RESULT.get(result, 480)


def code_for_caller(code: int) -> int:
    """Return what our caller is told when the called side ended with SIP status `code`.

    A redirection is not followed (toll fraud), a challenge concerns us and the carrier, and
    487 answers a CANCEL the caller never sent: all are "temporarily unavailable" to them.
    """
    if code < 400 or code in (401, 407, 487):
        return 480
    return code


def announcement(status: Status) -> str:
    """Return the built-in prompt that tells a waiting employee of `status`, or ""."""
    return _ANNOUNCEMENT.get(status, "")
