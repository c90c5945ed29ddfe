"""A guest who is being served: what happens to them, who is found for them, what they hear.

The part of a call that steps use. How it lives, from its first moment to its end, and how two
legs are joined is said in `call`.

A step asks `next` for what happens and gets only what it must decide: the guest's end, other
descriptions, stale timers and legs that were given up, transfers nobody serves are dealt with
there, once.
"""

from __future__ import annotations

import asyncio
from enum import Enum, auto
from functools import partial

import structlog

from vpbx.calls.addresses import Shown
from vpbx.calls.bridge import Bridge
from vpbx.calls.inbox import Event, Inbox, Reminder, SettingsChanged, Tick
from vpbx.calls.leg import (
    Ended,
    Leg,
    LegEvent,
    Offered,
    Reanswered,
    Referred,
    Repeated,
)
from vpbx.calls.outcome import Ender, Over, Passed
from vpbx.calls.postdial import PostDial
from vpbx.calls.registry import ActiveCall, State
from vpbx.calls.shared.lines import Use
from vpbx.calls.sound import OUR_CODECS, Sound, Unusable
from vpbx.calls.sounds import music
from vpbx.calls.switch import Switch
from vpbx.calls.told.chapter import Chapter
from vpbx.calls.told.journal import Journal
from vpbx.causes import Cause
from vpbx.directory import DomainConfig
from vpbx.directory.goals import Goal
from vpbx.events import CallInfo, Direction
from vpbx.media import MediaError, Side
from vpbx.sip import AudioCodec

__all__ = ["Interrupted", "Phase", "Served"]

log = structlog.get_logger("vpbx.calls")


class Interrupted(Exception):
    """The call was ended where its task could not be cancelled."""


class Phase(Enum):
    """How far a call has come."""

    SERVING = auto()
    OVER = auto()


class Served:
    """A call, as far as steps use it: `Call`."""

    host: Leg | None = None
    """Who was found for the guest."""
    hidden = False
    """Whether whoever is called outside is not to see who calls (CLIR)."""
    goal: Goal | None = None
    """Where it is on its way to."""
    referred_by: tuple[str, str] = ("", "")
    """Login of who has passed the guest on, and the Referred-By that says so (RFC 3892)."""
    passed_on = False
    """Whether an employee has passed the guest on to somebody else."""
    through_menu = False
    """Whether the guest has been in a menu."""
    ended_by: Ender | None = None
    waits_since: float | None = None
    """When the guest first came to a department, by the clock: their place in lines."""
    settled: Over | None = None
    """What has decided an unanswered call already, though a prompt is still played."""
    phase = Phase.SERVING
    post_dial = ""
    """What is to be dialled once the host has answered: the extension behind their number."""
    supervises = ""
    """The callid of the talk that the guest listens to as a supervisor."""
    mode = ""
    """By whom of those they are heard (`vpbx.media.Mode`)."""
    heeds = False
    """Whether the step in progress is told, by `SettingsChanged`, what is set while it waits."""
    parked = ""
    """The parking place the guest waits at."""
    leaving: Leg | None = None
    """Who has parked the guest and is still to hear where."""
    passing: Passed | None = None
    """Who has passed the guest on and waits to hear how that goes."""
    _post_dialling: PostDial | None = None
    _code = 0
    _task: asyncio.Task[None] | None = None
    _opening = False

    def __init__(
        self,
        switch: Switch,
        domain: DomainConfig,
        info: CallInfo,
        *,
        guest: Leg | None,
        shown: Shown,
        max_forwards: int = 70,
    ) -> None:
        self.switch = switch
        self._domain = domain
        self.chapter = Chapter(info, switch.events, switch.clock, switch.lines)
        """What is told of it now: one callid."""
        self.guest = guest
        """Who is being served: who called; for makecall the employee, once they have answered."""
        self.shown = shown
        """The guest, as those who are rung see them."""
        self.max_forwards = max_forwards
        self.bridge = Bridge(switch.media, domain.language)
        self.inbox = Inbox(self._notice)
        self._engaged: set[str] = set()
        self._trunks: list[str] = []
        if guest is not None:
            guest.inbox = self.inbox
            self.note_leg(guest)
        switch.calls.add(self)

    def note_leg(self, leg: Leg) -> None:
        """Have it known, for whoever traces the call, that `leg` is part of it."""
        if self.switch.on_leg is not None:
            self.switch.on_leg(self.info.callid, leg.session.request.call_id)

    @property
    def domain(self) -> DomainConfig:
        """The company as it is set at this moment; as it was last, once it is gone."""
        current = self.switch.directory.cached_by_id(self._domain.id)
        if current is not None:
            self._domain = current
        return self._domain

    @property
    def info(self) -> CallInfo:
        """What holds for the chapter that is open."""
        return self.chapter.info

    @property
    def journal(self) -> Journal:
        """The events of the chapter that is open."""
        return self.chapter.journal

    # -- told by legs and by the switch ------------------------------------------------------

    def _notice(self, event: Event) -> bool:
        """See an event before the task does: the guest's end is the call's."""
        if type(event) is Ended and event.leg is self.guest:
            self.hang_up(Ender.CALLER)
            return True
        return False

    def settings_changed(self) -> None:
        """Have the step in progress look at what is set now, where it heeds that."""
        if self.heeds:
            self.inbox.put(SettingsChanged())

    def hang_up(self, by: Ender, code: int = 0) -> None:
        """End the call from outside of its task; `code` is what an unanswered guest is told."""
        if self.phase is Phase.OVER or self.ended_by is not None:
            return
        self.ended_by, self._code = by, code
        # Not now: this may be the call's own task, deep in something it asked of a leg.
        asyncio.get_running_loop().call_soon(self._interrupt)

    def _interrupt(self) -> None:
        if self.phase is Phase.SERVING and self._task is not None and not self._opening:
            self._task.cancel()

    def picture(self) -> ActiveCall:
        """Return how it stands now."""
        story, bridge = self.chapter.story, self.bridge
        state = State.WAITING
        if story.answered_at is not None:
            state = State.TALKING
        elif story.ringing or (self.guest is None and self.info.direction is Direction.OUT):
            state = State.RINGING  # in a call made for the CRM first at the employee
        elif story.dialing is not None:
            state = State.DIALING
        return ActiveCall(
            self.info,
            story.owner,
            story.answered_at,
            state,
            story.group,
            story.caller,
            bridge.on_hold,
            bridge.recording,
            self.parked,
            self.supervises,
            self.mode,
            tuple(story.ringing.values()),
        )

    # -- used by routes and steps: what happens ------------------------------------------------

    async def next(self, *, transfers: bool = False, descriptions: bool = False) -> Event:
        """Return the next event that the step in progress must decide.

        Never the guest's end, which cancels the step. `Referred` only where `transfers` are
        served; elsewhere they are declined. `Offered` and `Reanswered` only where the step
        wants other media than sound (`descriptions`).
        """
        event = None
        while event is None:
            event = await self._one(transfers=transfers, descriptions=descriptions)
        return event

    async def _one(self, *, transfers: bool = False, descriptions: bool = False) -> Event | None:
        """Wait for one event, and return it if it is none that can be dealt with here."""
        event = await self.inbox.get()
        if isinstance(event, LegEvent):
            if descriptions and isinstance(event, Offered | Reanswered) and not event.leg.ended:
                return event
            if await self._attended(event.leg, event, transfers=transfers):
                return None
        elif type(event) is Tick and not event.reminder.active:
            return None
        return event

    async def _attended(self, leg: Leg, event: LegEvent, *, transfers: bool) -> bool:
        """Do what concerns only a leg's sound, and say whether that was all."""
        ours = leg.inbox is self.inbox
        if isinstance(event, Referred):
            if transfers and ours:
                return False
            event.drop()
        elif not ours:
            pass  # given up, or taken by somebody else, since it said this
        elif isinstance(event, Repeated):
            await self.bridge.aim(anew=event.leg.side)
        elif isinstance(event, Offered):
            if not leg.ended:
                await self.bridge.renegotiate(leg, event.sdp)
        elif isinstance(event, Reanswered):
            if not leg.ended:
                await self.bridge.renegotiated(leg, event.code, event.sdp)
        else:
            return False
        return True

    def remind(self, delay_s: float) -> Reminder:
        """Put a `Tick` into the inbox `delay_s` seconds from now."""
        return Reminder(self.switch.clock, self.inbox, delay_s)

    @property
    def host_side(self) -> Side:
        """The seat of who is found for the guest; while there is no guest, theirs."""
        return self.guest.side.other if self.guest is not None else Side.A

    def legs(self) -> tuple[Leg, ...]:
        """Return who is in it."""
        return tuple(leg for leg in (self.guest, self.host) if leg is not None)

    def give_up(self, leg: Leg) -> None:
        """Let another call have a leg: this one is over."""
        self.part_with(leg)
        self.hang_up(Ender.CALLEE)

    def part_with(self, leg: Leg) -> None:
        """Have nothing more to do with a leg."""
        self.bridge.vacate(leg.side)
        if leg is self.guest:
            self.guest = None
        elif leg is self.host:
            self.host = None

    def referral(self, login: str = "") -> list[tuple[str, str]]:
        """Return the header that tells whom the call goes to, `login` if an employee of ours,
        who has passed it on; who did that themselves is not told."""
        by, told = self.referred_by
        return [("Referred-By", told)] if told and by != login else []

    # -- used by routes and steps: people and trunks --------------------------------------------

    def engage(self, login: str) -> None:
        """An employee places this call: they are busy from now to its end."""
        self._engaged.add(login)
        self._use(login, Use.PLACING)

    def busy(self, login: str) -> bool:
        """Say whether an employee talks or calls somebody."""
        return self.switch.lines.busy(self.info.domain_id, login)

    def _use(self, login: str, use: Use | None) -> None:
        info, now = self.info, self.switch.clock.now()
        self.switch.lines.move(info.domain_id, login, info.callid, use, now=now)

    def seize(self, trunk: str) -> None:
        """This call uses a trunk, named by its key, until `free` or its end."""
        self._trunks.append(trunk)
        self.switch.calls.seize(trunk)

    def free(self, trunk: str) -> None:
        """This call does not use a trunk any more."""
        self._trunks.remove(trunk)
        self.switch.calls.free(trunk)

    # -- used by routes and steps: sound ----------------------------------------------------------

    @property
    def codecs(self) -> tuple[AudioCodec, ...]:
        """What the next leg may speak: what the guest does, then what else they can; where
        nobody has said that, what we would offer them."""
        guest = self.guest
        if guest is None:
            return OUR_CODECS
        spoken = guest.sound.codecs
        if guest.able is spoken:
            return spoken or OUR_CODECS
        return (*spoken, *(codec for codec in guest.able if codec not in spoken)) or OUR_CODECS

    def offer(self, side: Side, transport: str = "udp", contact: str = "") -> Sound:
        """Return what to offer to a leg of `side`, described: encrypted where signalling is, by
        `transport`, and as a browser needs it where it is one; first in the way that the phone
        at `contact` took last."""
        sound = self.bridge.sound(side)
        ptime_ms = self.guest.sound.ptime_ms if self.guest is not None else 20
        try:
            keys = sound.encryption
            keys.may_encrypt = transport in ("tls", "wss")
            keys.browser = transport in ("ws", "wss")
            if contact and keys.may_encrypt and not keys.browser:
                keys.prefers_dtls = self.switch.tastes.prefers_dtls(contact)
                keys.on_settled = partial(self.switch.tastes.learn, contact)
            sound.describe(self.codecs, ptime_ms)
        except MediaError as error:
            log.warning("a call cannot be encrypted", callid=self.info.callid, error=str(error))
            sound = self.bridge.sound(side)
            sound.describe(self.codecs, ptime_ms)
        return sound

    async def open_media(self, *, soundless: bool = False) -> None:
        """Get media for the call and take the guest's offer, if one is there.

        Raises MediaError, or one of `sound.Unusable`: not where an offer may be `soundless`.
        """
        if self.ended_by is not None:
            raise Interrupted
        self._opening = True  # a half-open session would be lost; it takes a millisecond
        try:
            await self.bridge.open(self.info.callid, self._media_lost)
        except MediaError as error:
            self.switch.media_failed(error)
            raise
        finally:
            self._opening = False
        self.switch.media_serves()
        domain = self.domain
        chosen = domain.settings.holdmusic
        self.bridge.hold_music = music(domain, self.switch.config.uploads, chosen, "holdmusic")
        if self.ended_by is not None:
            raise Interrupted
        guest = self.guest
        if guest is not None:
            guest.sound = self.bridge.sound(guest.side)
            if guest.session.remote_sdp:
                try:
                    guest.agree(guest.session.remote_sdp)
                except Unusable:
                    if not soundless:
                        raise
                guest.able = guest.sound.codecs
            await self.bridge.seat(guest)

    def _media_lost(self) -> None:
        if self.host is None:
            return  # nobody speaks while it rings
        log.info("no sound from either side, call ended", callid=self.info.callid)
        self.journal.because(Cause("no_sound"))
        self.hang_up(Ender.SYSTEM, 480)
