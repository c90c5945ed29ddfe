"""Whether a call is recorded, and what becomes of the recording (crm-api §11 record)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from vpbx.events import Direction
from vpbx.media import Recording, Side

if TYPE_CHECKING:
    from vpbx.calls.call import Call

__all__ = ["encode", "left_side", "wanted"]

log = structlog.get_logger("vpbx.calls")


def wanted(call: Call) -> bool:
    """Say whether the company wants this call recorded, and we can.

    Employees who are excepted are never recorded, on whichever side of a call they are.
    """
    domain, switch = call.domain, call.switch
    if switch.records is None or switch.encoder is None or not domain.services.record:
        return False
    inner = call.info.direction is Direction.INNER
    if not (domain.record_inner if inner else domain.record_external):
        return False
    parties = [party.login for party in (call.user, call.from_party) if party is not None]
    return domain.record_exceptions.isdisjoint(parties)


def left_side(direction: Direction) -> Side:
    """Return whose voice is in the left channel: the customer's, of an inner call the caller's.

    Side A is always who the call began with, whether they dialled or the API rang them first.
    """
    return Side.B if direction is Direction.OUT else Side.A


async def encode(call: Call, recording: Recording) -> None:
    """Make the MP3 of a call that is over, its sides as `left_side` says.

    Cancelled, because the server stops, it publishes nothing: the next start takes care of
    what was left.
    """
    records, encoder = call.switch.records, call.switch.encoder
    assert records is not None
    assert encoder is not None
    left = left_side(call.info.direction)
    ok = False
    try:
        result = await encoder.encode(recording, records.path(call.info), left=left)
        ok = result.ok
    except Exception:
        log.exception("recording lost", callid=call.info.callid)
    call.journal.recording_ready(ok)
