"""One's own voice mailbox (`*97`): new messages, then old ones; hear again, go on, delete."""

from __future__ import annotations

import structlog

from vpbx.calls.call import Call
from vpbx.calls.leg import Digit
from vpbx.calls.outcome import Outcome, Over, Result
from vpbx.calls.parts import Mailbox, StoredMessage
from vpbx.directory.goals import ToMailbox
from vpbx.media import MediaError, Side
from vpbx.media.phrases import message_from, messages

__all__ = ["mailbox"]

log = structlog.get_logger("vpbx.calls")

AGAIN, NEXT, DELETE, END = "1", "2", "3", "#"
PATIENCE_S = 20.0
"""After the choices were told; then the next message follows."""


async def mailbox(call: Call, goal: ToMailbox) -> Outcome:
    """Let an employee hear what was left for them."""
    caller, box = call.chapter.story.caller, call.switch.mailbox
    if caller is None or box is None:
        return Over(Result.NOT_FOUND)
    await call.pick_up()
    found = await box.messages(call.info.domain_id, caller.login)
    new = sum(not message.heard for message in found)
    await call.hear_out(messages(new, len(found) - new, call.domain.language))
    for message in found:
        if await _hear(call, box, caller.login, message) == END:
            return Over()
    if found:
        await call.hear_out("voicemail-end")
    return Over()


async def _hear(call: Call, box: Mailbox, login: str, message: StoredMessage) -> str:
    """Play a message until the employee wants something else; return what."""
    domain_id = call.info.domain_id
    try:
        sound = await box.sound(message)
    except (MediaError, OSError) as error:
        log.warning("a voicemail cannot be heard", callid=message.callid, error=str(error))
        await call.hear_out("fault")
        return NEXT
    while True:
        head = () if message.heard else ("voicemail-new",)
        chosen = await _choose(call, (*head, *message_from(message.client)), str(sound))
        if not message.heard:
            box.hear(domain_id, login, message.id)
        if chosen == DELETE:
            box.delete(domain_id, login, message.id)
            await call.hear_out("voicemail-deleted")
        if chosen != AGAIN:
            return chosen


async def _choose(call: Call, head: tuple[str, ...], sound: str) -> str:
    """Play a message and the choices; a key counts at any time."""
    played = call.say(head, sound, "voicemail-options")
    patience = None
    try:
        while True:
            event = await call.next()
            match event:
                case Digit(leg=leg, digit=digit) if leg is call.guest and digit in "123#":
                    return digit
                case _ if event == played:
                    patience = call.remind(PATIENCE_S)
                case _ if patience is not None and patience.means(event):
                    return NEXT
    finally:
        if patience is not None:
            patience.cancel()
        await call.bridge.hush(Side.A)
