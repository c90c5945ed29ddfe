"""One line in the log for each call, when it is over."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import structlog

from vpbx.events import CallEnded, Direction
from vpbx.story import FAX

__all__ = ["call_log"]

log = structlog.get_logger("vpbx.calls")

_WHY = {
    0: "",
    403: "refused",
    404: "no such number",
    408: "no answer",
    480: "nobody was free or registered",
    486: "busy",
    487: "the caller gave up",
    488: "no common codec",
    503: "no way out or no sound",
    603: "declined",
}


def _why(event: CallEnded) -> str:
    if event.account == FAX and event.sip_code not in (486, 488):
        return "no page of a fax arrived"
    return _WHY.get(event.sip_code, "")


def call_log(event: CallEnded) -> Iterable[Any]:
    """Say of a call that ends who called whom, what came of it and why. A recorder of the bus."""
    call = event.call
    wait_s, talk_s = event.lengths
    answered = event.answered_at is not None
    log.info(
        "call",
        callid=call.callid,
        domain=call.domain,
        direction=str(call.direction),
        phone="" if call.direction is Direction.INNER else call.client or "anonymous",
        number=call.diversion,
        caller=event.caller.login if event.caller is not None else "",
        user=event.user.login if event.user is not None else event.account,
        status=str(event.status),
        why="" if answered else _why(event),
        code=200 if answered else event.sip_code,
        wait_s=wait_s,
        talk_s=talk_s,
    )
    return ()
