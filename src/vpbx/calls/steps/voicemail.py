"""Voicemail: the caller leaves a message, which goes into boxes and by e-mail.

The message ends when the caller hangs up, presses #, falls silent or has spoken long enough.
Its sound is the call's recording. What is shorter than two seconds of sound is none.
"""

from __future__ import annotations

from dataclasses import dataclass

from vpbx.calls.call import Call
from vpbx.calls.leg import Digit
from vpbx.calls.outcome import Outcome, Over, Result
from vpbx.directory.goals import ToVoicemail
from vpbx.events import Destination
from vpbx.media import Ear

__all__ = ["voicemail"]

LONGEST_S = 180.0
SILENCE_S = 5.0
LEAST_S = 2.0
LOOK_S = 0.5


@dataclass(slots=True)
class _Ended:
    """How a message ended that the caller has not hung up on."""

    by_key: bool = False


async def voicemail(call: Call, goal: ToVoicemail) -> Outcome:
    """Answer the guest, if nobody has, and take a message for whom the goal names."""
    guest = call.guest
    assert guest is not None
    await call.pick_up()
    await _greet(call)
    ear = await Ear.open(call.switch.media.config.inner_host, call.switch.clock.now)
    began_at = call.switch.clock.now()
    try:
        if not await _can_record(call):
            await call.hear_out("call-later")
            return Over(Result.NO_ANSWER)
        began_at = call.switch.clock.now()
        session, other = call.bridge.session, guest.side.other
        assert guest.sound.peer is not None
        assert session is not None
        await call.bridge.point(other, ear.peer(guest.sound.peer, session.source(other)))
        ended = await _listen(call, ear)
    finally:  # also when the guest has hung up, which is how most messages end
        ear.close()
        if ear.sound_s >= LEAST_S:
            _keep(call, goal, call.switch.clock.now() - began_at)
        elif (nothing := await call.bridge.stop_recording()) is not None:
            nothing.discard()
    if ear.sound_s >= LEAST_S and ended.by_key:
        await call.hear_out("voicemail-saved")
    return Over(Result.NO_ANSWER)


async def _greet(call: Call) -> None:
    """Say what this is; who knows it presses # at once, and speaks after the tone."""
    played = call.say("voicemail-greeting", "beep")
    while True:
        match await call.next():
            case Digit(leg=leg, digit="#") if leg is call.guest:
                await call.hear_out("beep")
                return
            case event if event == played:
                return


async def _can_record(call: Call) -> bool:
    switch = call.switch
    if switch.records is None or switch.encoder is None:
        return False
    return await call.bridge.record(call.info.callid)


async def _listen(call: Call, ear: Ear) -> _Ended:
    longest, look = call.remind(LONGEST_S), call.remind(LOOK_S)
    try:
        while True:
            event = await call.next()
            match event:
                case Digit(leg=leg, digit="#") if leg is call.guest:
                    return _Ended(by_key=True)
                case _ if longest.means(event):
                    return _Ended(by_key=True)
                case _ if look.means(event):
                    if ear.silent_s >= SILENCE_S:
                        return _Ended()
                    look = call.remind(LOOK_S)
    finally:
        longest.cancel()
        look.cancel()


def _keep(call: Call, goal: ToVoicemail, seconds: float) -> None:
    domain = call.domain
    boxes = domain.settings.voicemail.boxes(domain, user=goal.user, group=goal.group)
    call.journal.enter(Destination.VM, group=call.chapter.story.group)
    caller = call.chapter.story.caller
    client = call.info.client if caller is None else caller.ext
    call.journal.leave_message(boxes, client, call.shown.name, round(seconds))
