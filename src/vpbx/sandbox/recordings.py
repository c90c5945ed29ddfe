"""Recordings of the last calls before the sandbox was there: as long as the call, stereo, MP3.

Customer and employee take turns to say a tone. Older calls have no recording and no link, as
where recordings are kept for a while only: a link always plays.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
from av.audio.codeccontext import AudioCodecContext

from vpbx.history import RECORD_READY, recording_path
from vpbx.media.rtp import tone
from vpbx.sandbox.past import Row

__all__ = ["record"]

_MOST = 40
_LONGEST_S = 300
_RATE, _BIT_RATE = 8000, 16_000
_FRAME = 576
"""Samples a channel in a frame of MP3 at 8 kHz (MPEG 2.5)."""
_TURN_S = 3.0
_CUSTOMER_HZ, _EMPLOYEE_HZ = 440.0, 1000.0


def record(rows: Sequence[Row], records_dir: Path) -> int:
    """Make recordings of the last answered calls of `rows`, and say so there; how many."""
    wanted = [row for row in rows if row["answered_ms"] and not row["is_inner"]]
    wanted = [row for row in wanted if row["ended_ms"] - row["answered_ms"] < _LONGEST_S * 1000]
    frames = _frames()
    for row in wanted[-_MOST:]:
        started_at = row["started_ms"] / 1000
        path = recording_path(records_dir, row["domain_id"], str(row["callid"]), started_at)
        count = max(1, (row["ended_ms"] - row["answered_ms"]) * _RATE // (_FRAME * 1000))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"".join(frames[n % len(frames)] for n in range(count)))
        row["record"] = RECORD_READY
    return len(wanted[-_MOST:])


def _frames() -> list[bytes]:
    """Return the MP3 frames of both turns, each of which stands for itself (no bit reservoir)."""
    turn = -(-int(_TURN_S * _RATE) // _FRAME) * _FRAME
    quiet = bytes(2 * turn)
    customer, employee = (
        tone(hz, turn / _RATE).tobytes()[: 2 * turn] for hz in (_CUSTOMER_HZ, _EMPLOYEE_HZ)
    )
    left, right = customer + quiet, quiet + employee
    codec = av.CodecContext.create("libmp3lame", "w")
    assert isinstance(codec, AudioCodecContext)
    codec.sample_rate, codec.layout, codec.format = _RATE, "stereo", "s16p"
    codec.bit_rate = _BIT_RATE
    codec.options = {"joint_stereo": "0", "reservoir": "0"}
    frame = av.AudioFrame("s16p", "stereo", len(left) // 2)
    frame.sample_rate = _RATE
    for plane, sound in zip(frame.planes, (left, right), strict=True):
        plane.update(sound)
    return [bytes(packet) for packet in (*codec.encode(frame), *codec.encode(None))]
