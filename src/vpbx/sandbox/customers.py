"""Who calls the sandbox's company: few customers often, many once."""

from __future__ import annotations

import random
from functools import lru_cache

__all__ = ["Customers"]

_COUNT = 4000
_SKEW = 2.2
_MOBILE = ("903", "905", "910", "915", "916", "921", "925", "926", "962", "965", "977", "985")
_CITY = ("495", "499", "812", "343", "383")
_CITY_SHARE = 0.12


@lru_cache(maxsize=4)
def _numbers(seed: int) -> tuple[str, ...]:
    chance = random.Random(f"customers of {seed}")
    found: dict[str, None] = {}
    while len(found) < _COUNT:
        area = chance.choice(_CITY if chance.random() < _CITY_SHARE else _MOBILE)
        found[f"7{area}{chance.randrange(2_000_000, 10_000_000)}"] = None
    return tuple(found)


class Customers:
    """The numbers of all customers; the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self.numbers = _numbers(seed)

    def somebody(self, chance: random.Random) -> str:
        """Return one of them; the first ones much oftener than the last."""
        return self.numbers[int(chance.random() ** _SKEW * _COUNT)]
