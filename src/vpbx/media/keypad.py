"""Digits by RFC 4733 that no phone sent: made here, in the place of what the other side says.

The events take the sequence numbers, the SSRC and the timestamp of the sound they replace, so
what is heard is one stream, as a phone would send it.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from .gate import Gate
from .rtp import EVENTS, Packet, event_payloads

if TYPE_CHECKING:
    from vpbx.clock import Clock, Timer

_TICK_S = 0.02
_DIGIT_MS = 100
_PAUSE_TICKS = 3
_WAIT_TICKS = 3
"""So long the sound that is to be replaced is waited for."""
_MOST_WAITING = 32


class Keypad:
    """Sends digits to one side. `send(packet)` sends it there; `gate` is the other side's."""

    def __init__(self, clock: Clock, gate: Gate, send: Callable[[bytes], None]) -> None:
        self._clock = clock
        self._gate = gate
        self._send = send
        self._waiting: deque[tuple[str, int]] = deque()
        self._packets: deque[bytes] = deque()
        self._payload_type = 0
        self._heard: Packet | None = None
        self._sequence = random.getrandbits(15)
        self._timestamp = random.getrandbits(31)
        self._ssrc = random.getrandbits(32)
        self._marker = False
        self._ticks = 0
        self._timer: Timer | None = None

    def press(self, digit: str, payload_type: int) -> None:
        """Send a digit, after those that wait; too many of them are dropped."""
        if digit not in EVENTS or len(self._waiting) >= _MOST_WAITING:
            return
        self._waiting.append((digit, payload_type))
        if self._timer is None:
            self._next()

    def close(self) -> None:
        """Send nothing more."""
        self._waiting.clear()
        self._packets.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._gate.give_back(self._borrowed)

    def _next(self) -> None:
        digit, self._payload_type = self._waiting.popleft()
        self._packets.extend(event_payloads(digit, _DIGIT_MS))
        self._heard, self._marker = None, True
        self._ticks = -_WAIT_TICKS
        self._gate.borrow(self._borrowed)
        self._timer = self._clock.call_later(_TICK_S, self._tick)

    def _borrowed(self, data: bytes) -> None:
        if self._heard is None and (packet := Packet.parse(data)) is not None:
            self._heard = packet
            self._ssrc, self._timestamp = packet.ssrc, packet.timestamp
            self._sequence = packet.sequence
            if self._timer is not None:
                self._timer.cancel()
            self._ticks = 0
            self._tick()

    def _tick(self) -> None:
        self._ticks += 1
        if self._ticks < 0:  # the sound may still come
            self._timer = self._clock.call_later(_TICK_S, self._tick)
        elif self._packets:
            self._send_one(self._packets.popleft())
            self._timer = self._clock.call_later(_TICK_S, self._tick)
        elif self._ticks > 0:
            self._gate.give_back(self._borrowed)
            self._ticks = -_PAUSE_TICKS if self._waiting else 0
            self._timer = None
            if self._waiting:
                self._timer = self._clock.call_later(_PAUSE_TICKS * _TICK_S, self._next)

    def _send_one(self, payload: bytes) -> None:
        packet = Packet(
            self._payload_type,
            self._sequence & 0xFFFF,
            self._timestamp & 0xFFFFFFFF,
            self._ssrc,
            payload,
            self._marker,
        )
        self._sequence += 1
        if self._heard is None and not self._packets:
            self._timestamp += 8 * (_DIGIT_MS + 60)
        self._marker = False
        self._send(bytes(packet))
