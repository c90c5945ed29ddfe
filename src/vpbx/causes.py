"""Why calls fail, in words: each kind of cause, what it says, and what to do about it.

Call control notes causes as values, history keeps them with the call's row, and whoever shows
one (a page, a command) takes its words from here. The texts are English and keys of the
console's Russian ones; `{who}`, `{code}`, `{detail}` are filled in.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from typing import Any

from vpbx.frozen import dataclass
from vpbx.jsontext import compact
from vpbx.legs import CallLeg, Grade, way_name

__all__ = [
    "CAUSES",
    "Cause",
    "Words",
    "dump_causes",
    "explain",
    "load_causes",
    "of_legs",
    "of_offer",
    "of_phone",
    "of_reason",
    "of_trunk",
]

_MOST = 16
_MOST_DETAIL = 160
_TALK_S = 3
"""Of a shorter talk it is no wonder that nothing was heard."""


@dataclass(frozen=True, slots=True)
class Words:
    """A sentence, and what to do."""

    said: str
    advice: str


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something failed; `kind` is one of `CAUSES`."""

    kind: str
    who: str = ""
    """Name of the employee, the trunk, the number."""
    code: int = 0
    """The SIP status that said so; 0: none did."""
    detail: str = ""


_ENCRYPTION = (
    "Sound is encrypted only where signalling is: have the phone connect by TLS, or make SRTP "
    "optional in it."
)

CAUSES: dict[str, Words] = {
    # An employee and their phones
    "not_registered": Words(
        "{who} had no phone that was switched on and registered.",
        "Switch it on; if it is, its login, password or server address is wrong: My phone tells "
        "what to type in.",
    ),
    "phone_silent": Words(
        "The phone of {who} did not answer the INVITE at all ({code}).",
        "It is probably switched off, or behind a NAT that has closed: have it register more "
        "often, or connect by TCP or TLS.",
    ),
    "phone_gone": Words(
        "The phone of {who} could not be reached: its connection is gone ({code}).",
        "It comes back when it registers next. If that happens often, look at its network.",
    ),
    "phone_codec": Words(
        "The phone of {who} found no codec in common with the caller ({code}).",
        "Switch on G.711 (PCMA and PCMU) in the phone.",
    ),
    "phone_refused": Words(
        "The phone of {who} refused the call ({code}).",
        "The SIP messages of the call show what it said; look at its settings, forwarding and "
        "black list.",
    ),
    "phone_forwards": Words(
        "The phone of {who} redirects its calls by itself ({code}); that is not followed.",
        "Switch forwarding off in the phone, and set the mobile of the employee here instead.",
    ),
    "phone_unknown": Words(
        "The phone of {who} does not know its own login ({code}).",
        "It was set up for somebody else since it registered: restart it.",
    ),
    "no_answer": Words(
        "{who} did not pick up.",
        "Nothing is broken. Who else is to be rung is set with the number or the department.",
    ),
    "busy": Words("{who} was busy.", "With call waiting on, a second call rings too."),
    "declined": Words("{who} declined the call on the phone.", "Nothing is broken."),
    "dnd": Words(
        "{who} takes no calls now: do not disturb is on.",
        "It is switched off under My settings, or with the employee.",
    ),
    # The way out
    "trunk_forbids": Words(
        "{who} refused the call ({code}): the operator does not allow it.",
        "Most often it does not accept the number that is shown, or the account may not call "
        "there: look at Outgoing numbers and ask the operator.",
    ),
    "trunk_password": Words(
        "{who} does not accept our login or password ({code}).",
        "Type them in once more; ask the operator whether the account is in order.",
    ),
    "trunk_silent": Words(
        "{who} does not answer at all.",
        "Look at address and port, and whether a firewall lets SIP through; the operator may "
        "know this server by another address.",
    ),
    "trunk_down": Words(
        "{who} cannot be reached ({code}).",
        "Look at address, port and network; by TLS also whether its certificate is valid and "
        "made out to that name: the log says so.",
    ),
    "trunk_fails": Words(
        "{who} could not put the call through ({code}).",
        "The operator's side failed or is overloaded: try again, then ask the operator.",
    ),
    "trunk_codec": Words(
        "{who} and the caller have no codec in common ({code}).",
        "Ask the operator for G.711 (PCMA); look whether the phone has it switched on.",
    ),
    "trunk_payment": Words(
        "{who} asks for payment ({code}).", "The account with the operator is probably empty."
    ),
    "trunk_refused": Words(
        "{who} refused the call ({code}).",
        "The SIP messages of the call show what it said; the operator can tell why.",
    ),
    "trunk_account": Words(
        "{who} does not know the account ({code}).",
        "Look at login and domain; some operators want the number there, some an account name.",
    ),
    "trunk_off": Words("{who} is switched off.", "Switch it on where trunks are set."),
    "trunk_full": Words(
        "{who} is at its limit of calls.", "Raise the limit, or add another trunk."
    ),
    "trunk_name": Words(
        "The name of {who} leads nowhere: {detail}.",
        "Look whether it is spelt right, and whether this server's DNS works.",
    ),
    "trunk_private": Words(
        "{who} is in a private network, where companies may not register.",
        "Who runs the server can let them.",
    ),
    "trunk_unregistered": Words(
        "{who} has not registered here, so calls cannot go there.",
        "Look at the gateway: its login, its password and the address of this server.",
    ),
    "no_trunk": Words(
        "There is no trunk by which the call could go out.", "Add one, or switch one on."
    ),
    "far_unknown": Words(
        "The number called does not exist, says {who} ({code}).", "Look at the number."
    ),
    "far_busy": Words("The number called was busy, says {who} ({code}).", "Nothing is broken."),
    "far_declined": Words(
        "Who was called refused, says {who} ({code}).", "Nothing is broken here."
    ),
    "far_away": Words(
        "Who was called could not be reached, says {who} ({code}).",
        "Their phone is off or out of reach; try again.",
    ),
    "far_no_answer": Words("Who was called did not pick up.", "Nothing is broken."),
    # Ourselves
    "restricted": Words(
        "The restrictions do not let {who} call this number.",
        "Who may call where is set under Restrictions; what holds for a certain number can be "
        "tried there.",
    ),
    "no_media": Words(
        "The server had no sound for the call.",
        "Who runs the server finds the reason by vpbx doctor.",
    ),
    "caller_codec": Words(
        "The caller offered no sound we can use: {detail}.",
        "Switch on G.711 (PCMA and PCMU) in the phone. " + _ENCRYPTION,
    ),
    "encryption": Words("The caller insists on encrypted sound: {detail}.", _ENCRYPTION),
    "no_sound": Words(
        "Nothing was heard from either side any more, so the call was ended.",
        "One of them lost its network, or a firewall stopped the sound.",
    ),
    "gave_up": Words("The caller hung up before anybody answered.", "Nothing is broken."),
    "stopped": Words("The server was stopped during the call.", "Call again."),
    "restart": Words(
        "The server was cut off during the call, and started anew.",
        "Who runs the server finds the reason in the log of that time.",
    ),
    "failed": Words(
        "The server made a mistake in this call.",
        "Its log says more, under the id of the call.",
    ),
    # The sound of calls that were answered
    "one_way": Words(
        "One-way sound: nothing came from {who}.",
        "A firewall or NAT on their side stops it (the RTP ports of the server must be "
        "reachable), or their microphone is off.",
    ),
    "poor_from": Words(
        "What {who} said came badly: {detail}.",
        "Look at their network: Wi-Fi, a slow uplink, other traffic beside the calls.",
    ),
    "poor_to": Words(
        "{who} heard badly: {detail}.",
        "Look at their network: Wi-Fi, a slow downlink, other traffic beside the calls.",
    ),
}
"""All kinds."""

_OF_PHONE = {
    **dict.fromkeys((486, 600), "busy"),
    603: "declined",
    **dict.fromkeys((415, 488, 606), "phone_codec"),
    404: "phone_unknown",
    480: "phone_refused",
    503: "phone_gone",
}
_OF_TRUNK = {
    **dict.fromkeys((401, 407), "trunk_password"),
    402: "trunk_payment",
    403: "trunk_forbids",
    **dict.fromkeys((404, 410, 484, 604), "far_unknown"),
    **dict.fromkeys((486, 600), "far_busy"),
    **dict.fromkeys((408, 480), "far_away"),
    **dict.fromkeys((415, 488, 606), "trunk_codec"),
    603: "far_declined",
    503: "trunk_down",
}
_OF_REGISTRAR = {**_OF_TRUNK, 404: "trunk_account"}


def of_phone(who: str, code: int, *, heard: bool) -> Cause:
    """Return why a phone of `who` failed with SIP status `code`; `heard`: it had said something
    to the INVITE."""
    if code == 408 and not heard:
        return Cause("phone_silent", who, code)
    if 300 <= code < 400:
        return Cause("phone_forwards", who, code)
    if code in (0, 408, 487):
        return Cause("no_answer", who, code)
    kind = _OF_PHONE.get(code, "phone_refused")
    return Cause("phone_refused" if kind == "phone_gone" and heard else kind, who, code)


def of_trunk(way: str, code: int, *, heard: bool) -> Cause:
    """The same of a way out."""
    who = way_name(way)
    if code == 408 and not heard:
        return Cause("trunk_silent", who, code)
    kind = _OF_TRUNK.get(code, "trunk_fails" if code // 100 == 5 else "trunk_refused")
    return Cause("trunk_fails" if kind == "trunk_down" and heard else kind, who, code)


def of_offer(error: str) -> Cause:
    """Return why there is nothing in a caller's description that can be talked by."""
    encrypted = "SAVP" in error
    return Cause("encryption" if encrypted else "caller_codec", "", 488, error[:_MOST_DETAIL])


def of_reason(who: str, reason: str) -> Cause | None:
    """Return why a trunk or a registration does not work, by the `reason` that is kept of it;
    None: it says nothing that we know more about."""
    status = re.match(r"(\d{3}) ", reason)
    if status is not None:
        code = int(status[1])
        kind = _OF_REGISTRAR.get(code, "trunk_fails" if code // 100 == 5 else "trunk_refused")
        return Cause(kind if kind.startswith("trunk") else "trunk_refused", who, code)
    for words, kind in _REASONS:  # the first that fits
        if words in reason:
            return Cause(kind, who, 503 if kind == "trunk_down" else 0, reason[:_MOST_DETAIL])
    return None


_REASONS = (
    ("name servers", "trunk_name"),
    ("there is no ", "trunk_name"),
    ("has no address", "trunk_name"),
    ("is no name", "trunk_name"),
    ("does not answer", "trunk_silent"),
    ("cannot be reached", "trunk_down"),
    ("private", "trunk_private"),
    ("not registered here", "trunk_unregistered"),
    ("resolve", "trunk_name"),
)


def of_legs(legs: Iterable[CallLeg], talked_s: int) -> list[Cause]:
    """Return what was wrong with the sound of a call that was answered."""
    found: list[Cause] = []
    if talked_s < _TALK_S:
        return found
    for leg in legs:
        if leg.received is None:
            found.append(Cause("one_way", leg.who))
        for kind, sound in (("poor_from", leg.received), ("poor_to", leg.sent)):
            if sound is not None and sound.grade is Grade.POOR:
                jitter = "" if sound.jitter_ms is None else f", ±{sound.jitter_ms:.0f} ms"
                found.append(Cause(kind, leg.who, 0, f"-{sound.loss:.1f} %{jitter}"))
    return found


def explain(cause: Cause, say: Callable[..., str]) -> tuple[str, str]:
    """Return the sentence and the advice; `say(text, **values)` fills in, in some language."""
    words = CAUSES.get(cause.kind)
    if words is None:  # of a later release
        return cause.kind, ""
    who = cause.who or say("an unknown number")
    values = {"who": who, "code": cause.code or "", "detail": cause.detail}
    said = say(words.said, **values).replace(" ()", "")
    return said, say(words.advice)


def dump_causes(causes: Iterable[Cause]) -> str:
    """Return causes as they are kept; "" for none."""
    kept = [
        [each.kind, each.who[:_MOST_DETAIL], each.code, each.detail[:_MOST_DETAIL]]
        for each in tuple(causes)[:_MOST]
    ]
    return compact(kept) if kept else ""


def load_causes(text: str | None) -> tuple[Cause, ...]:
    """Return what `dump_causes` made; of a call that has none, nothing."""
    kept: list[list[Any]] = json.loads(text) if text else []
    return tuple(Cause(*each) for each in kept)
