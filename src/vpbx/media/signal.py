"""Tones, and measuring what is in a sound: for the sim, the tests and the prompts."""

from __future__ import annotations

import cmath
import math
from array import array
from collections.abc import Sequence

RATE = 8000
"""Samples a second of telephone sound."""


def tone(frequency: float, seconds: float, *, level: float = 0.3, rate: int = RATE) -> array[int]:
    """Return a sine of `frequency` Hz; `level` 1.0 is full scale."""
    step = 2 * math.pi * frequency / rate
    peak = 32767 * level
    return array("h", [int(peak * math.sin(step * n)) for n in range(int(seconds * rate))])


def rms(samples: Sequence[int]) -> float:
    """Return the loudness, 0 (silence) to 1 (full-scale square wave)."""
    if not samples:
        return 0.0
    return math.sqrt(sum(sample * sample for sample in samples) / len(samples)) / 32768


def goertzel(samples: Sequence[int], frequency: float, *, rate: int = RATE) -> float:
    """Return the share (0 to 1) of the sound's energy that is the tone `frequency` Hz."""
    energy = float(sum(sample * sample for sample in samples))
    if not energy:
        return 0.0
    coefficient = 2 * math.cos(2 * math.pi * frequency / rate)
    before = last = 0.0
    for sample in samples:
        before, last = last, sample + coefficient * last - before
    power = last * last + before * before - coefficient * last * before
    return min(1.0, 2 * power / (len(samples) * energy))


def dominant_frequency(samples: Sequence[int], *, rate: int = RATE) -> float:
    """Return the loudest frequency in Hz (0.0 for silence or under 64 samples).

    Looks at up to 8192 samples, Hann window, parabola through the top three bins: within
    a few Hz for a clean tone of 0.1 s, within 1 Hz for half a second.
    """
    size = 1 << min(13, len(samples).bit_length() - 1) if samples else 0
    if size < 64 or not any(samples[:size]):
        return 0.0
    window = 2 * math.pi / (size - 1)
    spectrum = _fft([samples[n] * (0.5 - 0.5 * math.cos(window * n)) + 0j for n in range(size)])
    power = [abs(value) for value in spectrum[: size // 2]]
    power[0] = power[1] = 0.0
    top = max(range(2, len(power) - 1), key=power.__getitem__)
    left, middle, right = power[top - 1], power[top], power[top + 1]
    bend = left - 2 * middle + right
    offset = 0.5 * (left - right) / bend if bend else 0.0
    return (top + offset) * rate / size


def _fft(values: list[complex]) -> list[complex]:
    size = len(values)
    if size == 1:
        return values
    even, odd = _fft(values[::2]), _fft(values[1::2])
    turn = -2j * math.pi / size
    turned = [cmath.exp(turn * k) * odd[k] for k in range(size // 2)]
    return [a + b for a, b in zip(even, turned, strict=True)] + [
        a - b for a, b in zip(even, turned, strict=True)
    ]
