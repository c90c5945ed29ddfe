"""A menu: the guest hears its prompt and chooses by buttons (crm-api §9 ivr)."""

from __future__ import annotations

from vpbx.calls.call import Call, Played
from vpbx.calls.inbox import Event
from vpbx.calls.leg import Digit
from vpbx.calls.menu import Action, Chosen, DialledExt, GaveUp, Hush, Keypad, Prompt
from vpbx.calls.outcome import Onward, Outcome, Over, Result
from vpbx.calls.sounds import upload
from vpbx.directory import Menu
from vpbx.directory.goals import ToMenu, goal_of, of_item
from vpbx.frozen import dataclass

__all__ = ["menu"]


@dataclass(frozen=True, slots=True)
class Wanted(Event):
    """What the keypad wants done."""

    action: Action


async def menu(call: Call, goal: ToMenu) -> Outcome:
    """Answer the guest and let them choose; menus within the menu are served here, too."""
    await call.pick_up()
    visit = _Visit(call, goal.menu)
    try:
        return await visit.run()
    finally:
        await visit.leave()


class _Exts:
    """Internal numbers of the company at this moment."""

    def __init__(self, call: Call) -> None:
        self._call = call

    def known(self, digits: str) -> bool:
        return digits in self._call.domain.by_ext

    def longer(self, digits: str) -> bool:
        longer = len(digits) + 1
        return any(
            len(ext) >= longer and ext.startswith(digits) for ext in self._call.domain.by_ext
        )


class _Visit:
    """One guest in one menu."""

    def __init__(self, call: Call, chosen: Menu) -> None:
        self._call = call
        self._keypad = Keypad(
            chosen,
            _Exts(call),
            call.switch.clock,
            lambda action: call.inbox.put(Wanted(action)),
        )
        self._played: Played | None = None
        """What ends the prompt that is being heard."""

    async def run(self) -> Outcome:
        self._keypad.begin()
        while True:
            event = await self._call.next()
            match event:
                case Digit(leg=leg, digit=digit) if leg is self._call.guest:
                    self._keypad.press(digit)
                case Wanted(action=action):
                    outcome = await self._do(action)
                    if outcome is not None:
                        return outcome
                case Played() if event == self._played:
                    self._keypad.prompt_ended()

    async def leave(self) -> None:
        """Let nothing of the menu be heard any more."""
        self._keypad.stop()
        if self._call.guest is not None and self._call.bridge.session is not None:
            await self._call.bridge.quiet(self._call.guest.side)

    async def _do(self, action: Action) -> Outcome | None:
        call = self._call
        match action:
            case Prompt(menu=chosen, before=before):
                self._prompt(chosen, before)
            case Hush():
                self._played = None
                if call.guest is not None:
                    await call.bridge.quiet(call.guest.side)
            case Chosen(item=item):
                return Onward(of_item(item))
            case DialledExt(ext=ext):
                found = call.domain.callee(ext)
                return Onward(goal_of(found)) if found is not None else Over(Result.NOT_FOUND)
            case GaveUp():
                if not call.passed_on:  # else it rings back at who has passed them on
                    await call.hear_out("goodbye")
                return Over(Result.NO_ANSWER)
        return None

    def _prompt(self, chosen: Menu, before: str) -> None:
        call = self._call
        sounds = [before] if before else []
        if chosen.greeting:
            file = chosen.greeting_file if chosen.greeting_custom else ""
            sounds.append(upload(call.domain, call.switch.config.uploads, file, "menu"))
        if sounds:
            self._played = call.say(*sounds)
        else:  # nothing to be heard: the time to press a button begins at once
            self._played = None
            self._keypad.prompt_ended()
