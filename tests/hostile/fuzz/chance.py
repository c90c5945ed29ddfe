"""Chance with a seed, and the small ways in which text goes wrong."""

from __future__ import annotations

import random
import string
from collections.abc import Callable, Sequence
from typing import TypeVar

T = TypeVar("T")

_TOKEN = string.ascii_letters + string.digits + "-.!%*_+`'~"
_ODD = (
    *("", " ", "\t", "\0", "\x7f", "\xff", "é", "🙂", "\u202e", "\ufeff"),
    *("\r", "\n", "\r\n", "\r\n ", '"', "\\", '\\"', "<", ">", "<>", "@", ":", "::", ";", ";;"),
    *(",", ",,", "=", "?", "&", "/", "%", "%00", "%zz", "%0d%0a", "[", "]", "{", "}", "(", ")"),
    *("*", "#", "'", "|", "^", "-", "+", "$"),
)
_NUMBERS = (
    *("0", "-1", "00", "1", "255", "256", "65535", "65536", "2147483648", "4294967295"),
    *("4294967296", "18446744073709551616", "9" * 40, "1e9", "0x10", "1.5", "٣", "+1", " 7", "NaN"),
)


class Chance(random.Random):
    """`random.Random` with what grammars need."""

    def maybe(self, share: float = 0.5) -> bool:
        """Say yes with this share."""
        return self.random() < share

    def token(self, most: int = 12) -> str:
        """A token of RFC 3261 or RFC 9110."""
        return "".join(self.choices(_TOKEN, k=self.randint(1, most)))

    def quoted(self) -> str:
        """A quoted string, rightly escaped."""
        inner = "".join(self.choices((*_TOKEN, " ", ",", ";", "<", ">", '\\"', "\\\\", "é"), k=8))
        return f'"{inner}"'

    def number(self, most: int = 70_000) -> str:
        """A number, now and then one at an edge."""
        return self.choice(_NUMBERS) if self.maybe(0.15) else str(self.randint(0, most))

    def odd(self) -> str:
        """A piece of text that stands where it should not."""
        return self.choice(_ODD)

    def some(self, choices: Sequence[T], most: int) -> list[T]:
        """Up to `most` of the choices, in any order, with repetitions."""
        return self.choices(choices, k=self.randint(0, most))

    def spoil(self, text: str) -> str:
        """Break a text a little, or make it much too long."""
        at = self.randint(0, len(text))
        way = self.randrange(7)
        if way == 0:
            return text[:at] + self.odd() + text[at:]
        if way == 1:
            return text[:at]
        if way == 2:
            return text[at:]
        if way == 3:
            return text + text[at:]
        if way == 4:
            return (text[: at + 1] or "x") * self.choice((2, 50, 2000))
        if way == 5:
            return text[:at] + text[min(len(text), at + self.randint(1, 6)) :]
        return "".join(self.choice((c, c, c, c.swapcase(), self.odd())) for c in text[:400])

    def sometimes_spoilt(self, text: str, share: float = 0.08) -> str:
        """The text, or a broken one."""
        return self.spoil(text)[:40_000] if self.maybe(share) else text

    def mutated(self, data: bytes, others: Sequence[bytes], separator: bytes = b"\r\n") -> bytes:
        """A message with lines cut, doubled, swapped or taken from another, and bytes changed."""
        lines = data.split(separator)
        for _ in range(self.randint(1, 4)):
            at = self.randrange(len(lines))
            way = self.randrange(6)
            if way == 0 and len(lines) > 1:
                del lines[at]
            elif way == 1:
                lines.insert(at, lines[at])
            elif way == 2:
                lines.insert(at, self.choice(self.choice(others).split(separator)))
            elif way == 3:
                other = self.randrange(len(lines))
                lines[at], lines[other] = lines[other], lines[at]
            elif way == 4:
                text = lines[at].decode("latin-1")
                lines[at] = self.spoil(text)[:40_000].encode("utf-8", "replace")
            else:
                cut = self.randint(0, len(lines[at]))
                lines[at] = lines[at][:cut] + self.randbytes(self.randint(0, 4)) + lines[at][cut:]
        return separator.join(lines)


Make = Callable[[Chance], str]
