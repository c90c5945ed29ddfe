"""A prompt to the caller."""

from __future__ import annotations

from dataclasses import dataclass

from vpbx.calls.call import Call
from vpbx.calls.outcome import Outcome, Result

__all__ = ["Announce"]


@dataclass(frozen=True, slots=True)
class Announce:
    """Plays a built-in prompt, once, to a guest who has been answered, and waits for its end."""

    prompt: str

    async def run(self, call: Call) -> Outcome:
        guest = call.guest
        if guest is not None and not guest.ended and not guest.waiting:
            await call.hear_out(self.prompt)
        return Outcome(Result.DONE)
