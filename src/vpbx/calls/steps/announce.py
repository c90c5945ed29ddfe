"""A prompt to the caller."""

from __future__ import annotations

from dataclasses import dataclass

from vpbx.calls.call import Call
from vpbx.calls.outcome import Outcome, Result

__all__ = ["Announce"]


@dataclass(frozen=True, slots=True)
class Announce:
    """Plays a built-in prompt, once, to a caller who has been answered, and waits for its end."""

    prompt: str

    async def run(self, call: Call) -> Outcome:
        caller = call.caller
        if caller is not None and not caller.ended and not caller.waiting:
            await call.bridge.play(caller.side, self.prompt, wait=True)
        return Outcome(Result.DONE)
