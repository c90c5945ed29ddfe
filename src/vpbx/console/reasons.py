"""Why a trunk or a registration does not work, in words that say what to look at."""

from __future__ import annotations

import re

from vpbx.console.texts import Texts

__all__ = ["explained"]

_CODE_WORDS = {
    401: "the other side refuses the login or the password",
    403: "the other side refuses the login or the password",
    404: "the other side does not know this login",
    407: "the other side refuses the login or the password",
    482: "the address leads back to this server",
    503: "the other side is out of service for now",
}
"""By the status of an answer to REGISTER (RFC 3261 §21)."""
_PLAIN_WORDS = {
    "it does not answer": "no answer: is the address right, and does the network let SIP through?",
    "it cannot be reached": "cannot be reached: is the address right?",
    "the name servers do not answer": "the server's name servers (DNS) do not answer",
    "the name servers cannot say": "the server's name servers (DNS) do not answer",
    "this machine has no name servers": "the server has no name servers (DNS)",
    "it has not registered here": "it has not registered here",
    "its name is being looked up": "its name is being looked up",
}
"""By what the parts below say of themselves."""
_ANSWER = re.compile(r"([3-6]\d\d) .*")
_NO_NAME = re.compile(r"(?:there is no (\S+)|(\S+) has no address)")
_LATER = re.compile(r"failed several times, tried again in (\d+) s")


def explained(reason: str, say: Texts) -> str:
    """Return a reason in somebody's language; what nobody has words for as it is."""
    return "; ".join(_one(part, say) for part in reason.split("; ")) if reason else ""


def _one(part: str, say: Texts) -> str:
    host, found, problem = part.partition(": ")
    if found and (plain := _plain(problem, say)):
        # a name that is not there is said once
        return plain if _NO_NAME.fullmatch(problem) else f"{host}: {plain}"
    return _plain(part, say) or part


def _plain(said: str, say: Texts) -> str:
    if said in _PLAIN_WORDS:
        return say(_PLAIN_WORDS[said])
    if (name := _NO_NAME.fullmatch(said)) is not None:
        return say("the name {name} is not found (DNS)", name=name[1] or name[2])
    if (later := _LATER.fullmatch(said)) is not None:
        return say("failed several times; next try in {n} s", n=later[1])
    answer = _ANSWER.fullmatch(said)
    words = _CODE_WORDS.get(int(answer[1])) if answer is not None else None
    return f"{say(words)} ({said})" if words else ""
