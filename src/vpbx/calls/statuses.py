"""Which words and numbers say how a call ended: crm-api §2 `history` and SIP, both ways.

The tables are the specification; everything not in them is "not available".
"""

from __future__ import annotations

from vpbx.calls.outcome import Result
from vpbx.events import Direction, Status

__all__ = ["announcement", "code_for_caller", "sip_code", "status_of"]

_STATUS_OF_CODE = {
    486: Status.BUSY,
    600: Status.BUSY,
    403: Status.NOTALLOWED,
    603: Status.NOTALLOWED,
    404: Status.NOTFOUND,
    484: Status.NOTFOUND,
    604: Status.NOTFOUND,
}
"""What the called network's answer means in the history of an outgoing call."""

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


def status_of(
    direction: Direction, *, answered: bool, gave_up: bool = False, code: int = 0
) -> Status:
    """Return the history status of a call.

    `gave_up`: whoever placed the call ended it unanswered; `code`: the SIP status that decided.
    """
    if answered:
        return Status.SUCCESS
    if direction is Direction.IN:
        return Status.MISSED
    if direction is Direction.INNER:
        return Status.NOANSWER
    if gave_up:
        return Status.CANCEL
    return _STATUS_OF_CODE.get(code, Status.NOTAVAILABLE)


def announcement(status: Status) -> str:
    """Return the built-in prompt that tells a waiting employee of `status`, or ""."""
    return _ANNOUNCEMENT.get(status, "")
