"""What a guest hears while they are served: ringing, prompts, the company's own sounds.

The part of a call that steps use to let the guest know and to ask them.
"""

from __future__ import annotations

from vpbx.calls.inbox import Event
from vpbx.calls.leg import Leg
from vpbx.calls.served import Served
from vpbx.calls.sound import Sound
from vpbx.calls.sounds import Spoken, music, spoken
from vpbx.events import Destination, Direction
from vpbx.frozen import dataclass

__all__ = ["Hearing", "Played"]

RINGBACK = "ringback"


@dataclass(frozen=True, slots=True)
class Played(Event):
    """The prompts that `say` began under this number have been heard to their end."""

    number: int


class Hearing(Served):
    """A call, as far as its guest is let hear something: `Call`."""

    _spoken = 0
    """How often something was said."""

    async def progress(self, leg: Leg | None = None) -> None:
        """Let the guest know that it rings; with `leg`, hear its early media instead."""
        guest = self.guest
        if guest is None or guest.ended:
            return
        if leg is not None:
            await self.bridge.preview(leg)
            await self.bridge.hush(guest.side)
            if guest.waiting:
                guest.ring(leg.sound)
                await self.bridge.aim()
        else:
            await self._ring_back(guest)

    async def _ring_back(self, guest: Leg) -> None:
        """Let the guest hear that it rings: in a department or after a menu what the company
        has chosen (crm-api §11 music), else the tone that is theirs or ours."""
        domain, sound = self.domain, RINGBACK
        if self.info.direction is Direction.IN and (
            self.through_menu or self.chapter.story.group is not None
        ):
            chosen = domain.settings.ringback
            sound = music(domain, self.switch.config.uploads, chosen, RINGBACK)
        listens = guest.hears_early or (sound != RINGBACK and self.ring_early())
        if guest.waiting and not listens:
            guest.ring()
        elif not self.bridge.loops(guest.side):
            await self.bridge.loop(guest.side, sound)

    def say(self, *prompts: Spoken) -> Played:
        """Begin to let the guest hear prompts; the event returned comes when they were heard.

        A prompt is the name of a built-in one, which the company may have replaced, or the path
        of an upload; a tuple is a phrase, said in a row (`vpbx.media.phrases`). The guest must
        have been answered (`pick_up`). The event does not come when other prompts, `hush` or a
        talk put an end to them.
        """
        assert self.guest is not None
        self._spoken += 1
        played = Played(self._spoken)
        sounds = self.sounds(*prompts)
        self.bridge.speak(self.guest.side, sounds, lambda: self.inbox.put(played))
        return played

    def sounds(self, *prompts: Spoken) -> list[Spoken]:
        """Return what is heard for prompts: the company's own sounds where it has some."""
        domain, uploads = self.domain, self.switch.config.uploads
        return [spoken(domain, uploads, each) for each in prompts]

    async def hear_out(self, *prompts: Spoken) -> None:
        """Let the guest hear prompts to their end; digits and all else is ignored meanwhile."""
        played = self.say(*prompts)
        while await self.next() != played:
            pass

    async def greet(self, sound: str = "greeting") -> None:
        """Answer the guest and let them hear a greeting; who hangs up in it ended at `hello`."""
        self.journal.enter(Destination.HELLO, group=self.chapter.story.group)
        await self.pick_up()
        await self.hear_out(sound)

    def ring_early(self) -> bool:
        """Let a guest who waits hear us without an answer (early media); False: they cannot."""
        guest = self.guest
        if guest is None or not guest.waiting or not guest.sound.described:
            return False
        guest.ring(guest.sound)
        return True

    async def pick_up(self, other: Sound | None = None) -> None:
        """Answer a guest who waits, so that we hear each other, in their codecs or in those of
        `other`; does nothing if somebody has."""
        guest = self.guest
        if guest is not None and guest.waiting:
            guest.accept(other)
            while not guest.sound.described:  # their description comes with the ACK
                await self._one()
            await self.bridge.attend()
