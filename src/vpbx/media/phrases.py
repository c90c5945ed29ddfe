"""What is said with numbers in it, as the prompts to play one after the other.

Pure: a number and a language → names of prompts (`MediaSession.play` takes them in a row). Each
language has its grammar here: English one and many; Russian three forms after a number (одна
минута, две минуты, пять минут) and numbers that agree in gender with what is counted. A language
without a grammar is spoken in English, as its prompts are.

Numbers go from 0 to 999,999; what is larger is said digit by digit.
"""

from __future__ import annotations

from enum import StrEnum

__all__ = [
    "Gender",
    "cardinal",
    "digits",
    "message_from",
    "messages",
    "minutes",
    "parked",
    "queue_position",
    "queue_wait",
]

Parts = tuple[str, ...]

_MOST = 999_999
_SIGNS = {"+": "plus", "*": "star", "#": "pound"}


class Gender(StrEnum):
    """What a number agrees with, where a language cares."""

    MASCULINE = ""
    FEMININE = "feminine"
    NEUTER = "neuter"


def digits(text: str) -> Parts:
    """Say a phone number, an ext or a parking place digit by digit; other signs are left out."""
    return tuple(
        f"number-{char}" if char in "0123456789" else _SIGNS[char]
        for char in text
        if char in "0123456789" or char in _SIGNS
    )


def cardinal(number: int, language: str, gender: Gender = Gender.MASCULINE) -> Parts:
    """Say how many: "twenty one", «двадцать одна»."""
    if number < 0:
        raise ValueError(f"no number of things: {number}")
    if number > _MOST:
        return digits(str(number))
    if number == 0:
        return ("number-0",)
    thousands, rest = divmod(number, 1000)
    if language == "ru":
        return _russian_thousands(thousands) + _russian(rest, gender)
    head = (*_english(thousands), "number-1000") if thousands else ()
    return head + _english(rest)


def _english(number: int) -> Parts:
    """0 to 999; nothing for 0."""
    hundreds, rest = divmod(number, 100)
    head: Parts = (f"number-{hundreds}", "number-100") if hundreds else ()
    return head + _tens(rest)


def _tens(number: int) -> Parts:
    if number == 0:
        return ()
    if number < 20 or number % 10 == 0:
        return (f"number-{number}",)
    return (f"number-{number // 10 * 10}", f"number-{number % 10}")


def _russian(number: int, gender: Gender) -> Parts:
    hundreds, rest = divmod(number, 100)
    parts = ((f"number-{hundreds * 100}",) if hundreds else ()) + _tens(rest)
    if parts and (parts[-1], gender) in _AGREEING:
        parts = (*parts[:-1], f"{parts[-1]}-{gender}")
    return parts


_AGREEING = {
    ("number-1", Gender.FEMININE),
    ("number-2", Gender.FEMININE),
    ("number-1", Gender.NEUTER),
}
"""Of 2 the neuter is the masculine."""


def _russian_thousands(thousands: int) -> Parts:
    if not thousands:
        return ()
    return (*_russian(thousands, Gender.FEMININE), f"number-1000-{_form(thousands, 'ru')}")


def _form(number: int, language: str) -> str:
    """Return which form a noun takes after a number: one, few, many."""
    if language != "ru":
        return "one" if number == 1 else "many"
    if number % 100 in range(11, 15):
        return "many"
    return {1: "one", 2: "few", 3: "few", 4: "few"}.get(number % 10, "many")


def _counted(number: int, noun: str, language: str, gender: Gender) -> Parts:
    return (*cardinal(number, language, gender), f"{noun}-{_form(number, language)}")


def minutes(number: int, language: str) -> Parts:
    """Say "one minute", «двадцать две минуты»."""
    return _counted(number, "minute", language, Gender.FEMININE)


def queue_position(place: int, language: str) -> Parts:
    """Tell a waiting caller their place; 1 is who is served next."""
    return ("queue-position", *cardinal(place, language))


def queue_wait(number: int, language: str) -> Parts:
    """Tell a waiting caller how many minutes it may take."""
    return ("queue-wait", *minutes(number, language))


def messages(new: int, old: int, language: str) -> Parts:
    """Tell an employee how many voicemail messages they have."""
    if not new and not old:
        return ("voicemail-none",)
    counts = [
        _counted(count, noun, language, Gender.NEUTER)
        for count, noun in ((new, "message-new"), (old, "message-old"))
        if count
    ]
    parts: Parts = ("voicemail-you-have", *counts[0])
    return (*parts, "and", *counts[1]) if len(counts) == 2 else parts


def message_from(caller: str) -> Parts:
    """Tell who left a voicemail message; "" is somebody who hid."""
    said = digits(caller)
    return ("voicemail-from", *said) if said else ("voicemail-hidden",)


def parked(place: str) -> Parts:
    """Tell who parked a call what to dial for it."""
    return ("park-slot", *digits(place))
