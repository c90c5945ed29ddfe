"""G.711, both laws: 16-bit linear sound to one byte a sample and back (ITU-T G.711).

Table driven, so that a 20 ms packet is one `bytes.translate`-like pass; the standard
library's audioop is gone from Python 3.13 on.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from functools import cache

PCMU = 0
PCMA = 8


def _ulaw_to_linear(byte: int) -> int:
    byte = ~byte & 0xFF
    magnitude = (((byte & 0x0F) << 3) + 0x84) << ((byte & 0x70) >> 4)
    return (0x84 - magnitude) if byte & 0x80 else (magnitude - 0x84)


def _alaw_to_linear(byte: int) -> int:
    byte ^= 0x55
    value = (byte & 0x0F) << 4
    segment = (byte & 0x70) >> 4
    value = value + 8 if segment == 0 else (value + 0x108) << (segment - 1)
    return value if byte & 0x80 else -value


@cache
def decode_table(payload: int) -> array[int]:
    """Return the 256 linear values of law `payload` (0 µ-law, 8 A-law)."""
    convert = {PCMU: _ulaw_to_linear, PCMA: _alaw_to_linear}[payload]
    return array("h", (convert(byte) for byte in range(256)))


@cache
def encode_table(payload: int) -> bytes:
    """Return the code byte of each linear value, indexed by the value + 32768."""
    levels = sorted((value, byte) for byte, value in enumerate(decode_table(payload)))
    table = bytearray()
    for index, (value, byte) in enumerate(levels):
        upper = levels[index + 1][0] if index + 1 < len(levels) else None
        end = 65536 if upper is None else (value + upper) // 2 + 32769
        table += bytes((byte,)) * max(0, end - len(table))
    return bytes(table)


def decode(payload: int, data: bytes) -> array[int]:
    """Return the samples of G.711 `data`."""
    table = decode_table(payload)
    return array("h", [table[byte] for byte in data])


def encode(payload: int, samples: Iterable[int]) -> bytes:
    """Return 16-bit `samples` in law `payload`."""
    table = encode_table(payload)
    return bytes([table[sample + 32768] for sample in samples])
