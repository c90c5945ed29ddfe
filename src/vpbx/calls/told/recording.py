"""Whether a call is recorded, and what becomes of the recording (crm-api §11 record)."""

from __future__ import annotations

from collections.abc import Iterable

import structlog

from vpbx.calls.switch import Switch
from vpbx.calls.told.chapter import Chapter
from vpbx.directory import DomainConfig
from vpbx.events import CallInfo, Direction
from vpbx.media import Recording

__all__ = ["encode", "wanted"]

log = structlog.get_logger("vpbx.calls")


def wanted(switch: Switch, domain: DomainConfig, info: CallInfo, logins: Iterable[str]) -> bool:
    """Say whether the company wants a call recorded in which these employees talk, and we can.

    Employees who are excepted are never recorded, on whichever side of a call they are.
    """
    if switch.records is None or switch.encoder is None or not domain.services.record:
        return False
    inner = info.direction is Direction.INNER
    if not (domain.record_inner if inner else domain.record_external):
        return False
    return domain.record_exceptions.isdisjoint(logins)


async def encode(switch: Switch, chapter: Chapter, recording: Recording) -> None:
    """Make the MP3 of a chapter that is over, its sides as `left_side` says.

    Cancelled, because the server stops, it publishes nothing: the next start takes care of
    what was left.
    """
    records, encoder = switch.records, switch.encoder
    assert records is not None
    assert encoder is not None
    ok = False
    try:
        path = records.path(chapter.info)
        ok = (await encoder.encode(recording, path, left=chapter.left)).ok
    except Exception:
        log.exception("recording lost", callid=chapter.info.callid)
    chapter.journal.recording_ready(ok)
