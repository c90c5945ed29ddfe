"""A call whose legs can be exchanged: somebody else takes the place of one who talks.

By INVITE with Replaces (RFC 3891, `replacing`), or put through by an employee who talked to both
(REFER with Replaces, `steps.talk`). The call stays what it is, under its callid: whose it is now
is told, and whether it is recorded looked at anew.
"""

from __future__ import annotations

from vpbx.calls.hearing import Hearing
from vpbx.calls.leg import Ended, Handed, Leg, LegEvent, Replaced
from vpbx.calls.outcome import Ender
from vpbx.calls.shared.lines import Use
from vpbx.calls.sound import Sound, Unusable
from vpbx.calls.told.recording import wanted
from vpbx.media import Side

__all__ = ["Exchanging"]


class Exchanging(Hearing):
    """A call, as far as its legs are exchanged: `Call`."""

    async def _attended(self, leg: Leg, event: LegEvent, *, transfers: bool) -> bool:
        if isinstance(event, Replaced):
            await self._replace(leg, event)
        elif isinstance(event, Handed):
            await self._hand_over(leg, event)
        else:
            return await super()._attended(leg, event, transfers=transfers)
        return True

    async def _replace(self, old: Leg, event: Replaced) -> None:
        """Let who called with Replaces take the place of `old`, which is hung up.

        The other side notices nothing, unless the two have no codec in common: then it is
        asked to speak another one.
        """
        new = event.by
        if new.ended:
            return
        if old.ended or old not in self.legs() or not old.session.answered:
            event.drop()
            return
        side = new.side = old.side
        other = next((leg for leg in self.legs() if leg is not old), None)
        new.sound = self.bridge.sound(side)
        try:
            like = _agree_in_place(new, other)
        except Unusable:
            new.hangup(488)
            return
        new.report_to(self.inbox)
        self.note_leg(new)
        new.accept(like)
        self._take_seat(old, new)
        try:
            await self.bridge.change(new)
            if other is not None and new.sound.described:  # else it chooses of what they share
                self.bridge.follow(other, new)
            await self._changed_hands(old, new)
        finally:  # also when the other side has hung up in this very moment
            old.hangup()

    def _take_seat(self, old: Leg, new: Leg) -> None:
        """Have `new` be the guest or the host that `old` was, so that the end of the call is its
        end, too."""
        if old is self.guest:
            self.guest = new
        else:
            self.host = new

    async def put_through(self, by: Leg, whom: Leg) -> None:
        """Let `whom`, to whom the employee of leg `by` talked elsewhere, talk in their place."""
        self.passed_on = True
        self._take_seat(by, whom)
        whom.report_to(self.inbox)
        self.note_leg(whom)
        try:
            await self.bridge.take_over(whom, by.side)
            await self._changed_hands(by, whom)
        finally:  # also when the other side has hung up in this very moment
            by.tell(200, "OK", over=True)

    async def _hand_over(self, by: Leg, event: Handed) -> None:
        if by.ended or by not in self.legs() or event.whom.ended:
            event.drop()
            return
        try:
            await self.put_through(by, event.whom)
        finally:
            by.hangup()

    async def adopt(self, leg: Leg) -> None:
        """Go on with a leg that has talked in another call as the one who calls."""
        self.guest = leg
        leg.report_to(self.inbox)
        self.note_leg(leg)
        if leg.ended:  # hung up before anybody could look
            self.hang_up(Ender.CALLER)
        await self.bridge.take_over(leg, Side.A)

    async def take_back(self, leg: Leg, side: Side) -> None:
        """Go on with a leg that was away in another call, in its own seat."""
        guest = self.guest
        assert guest is not None
        self.host = leg
        leg.report_to(self.inbox)
        await self.bridge.hush(guest.side)
        await self.bridge.take_over(leg, side)
        if leg.ended:
            self.inbox.put(Ended(leg))

    async def _changed_hands(self, old: Leg, new: Leg) -> None:
        """Note whose call it is now: that of the employee of `new` in the place of `old`'s."""
        was, now = old.party, new.party
        if was is None or (now is not None and now.login == was.login):
            return  # another phone of the same one, or another customer
        places = was.login in self._engaged
        self._engaged.discard(was.login)
        self._use(was.login, None)
        self.journal.put_through(was, now)
        if places and now is not None:
            self._engaged.add(now.login)
            talks = self.journal.answered_at is not None
            self._use(now.login, Use.TALKING if talks else Use.PLACING)
        await self._record_or_not()

    async def _record_or_not(self) -> None:
        """Record what is said from now on, or not, as is wanted of who talks now."""
        if self.journal.answered_at is None:
            return
        if not self.is_recorded:
            await self.bridge.keep_recording()
        elif not self.bridge.recording:
            await self.bridge.record(self.info.callid)

    @property
    def is_recorded(self) -> bool:
        """Whether the company wants to have recorded what those say who are in it now."""
        logins = [leg.party.login for leg in self.legs() if leg.party is not None]
        return wanted(self.switch, self.domain, self.info, logins)


def _agree_in_place(new: Leg, other: Leg | None) -> Sound | None:
    """Take the offer of who takes a place; return whom to answer like, where they can talk."""
    offer = new.session.remote_sdp
    if offer is None:  # ours comes with the answer
        return other.sound if other is not None else None
    new.agree(offer)
    new.able = new.sound.codecs
    if other is None:
        return None
    try:
        new.agree(offer, other.sound.codecs)
    except Unusable:
        return None
    return other.sound
