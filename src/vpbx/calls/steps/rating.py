"""The customer rates the employee who has hung up, where that is on for the number."""

from __future__ import annotations

from vpbx.calls.call import Call
from vpbx.calls.leg import Digit
from vpbx.events import Direction
from vpbx.media import Side

__all__ = ["rate"]

ANSWER_S = 10.0
ASKED = 2
"""How often the question is put."""
MARKS = "12345"


async def rate(call: Call) -> None:
    """Ask the customer, and tell what they said; nothing where the number is not rated."""
    info, guest = call.info, call.guest
    number = call.domain.numbers.get(info.diversion)
    employee = call.chapter.story.talking
    if number is None or not number.rating or info.direction is not Direction.IN:
        return
    if guest is None or guest.ended or employee is None:
        return
    call.journal.stop(employee)
    await call.bridge.keep_recording()
    for _ in range(ASKED):
        mark = await _ask(call)
        if mark:
            call.journal.rate(employee, mark)
            await call.hear_out("rating-thanks")
            return


async def _ask(call: Call) -> int:
    """Put the question once; 0: no answer."""
    played = call.say("rating-question")
    patience = None
    try:
        while True:
            event = await call.next()
            match event:
                case Digit(leg=leg, digit=digit) if leg is call.guest and digit in MARKS:
                    return int(digit)
                case _ if event == played:
                    patience = call.remind(ANSWER_S)
                case _ if patience is not None and patience.means(event):
                    return 0
    finally:
        if patience is not None:
            patience.cancel()
        await call.bridge.hush(Side.A)
