"""The console's words in both languages, and how it writes times, numbers and phone numbers.

English texts are the keys; `locale/ru.po` has the Russian ones, and is read as it stands.
"""

from __future__ import annotations

import datetime as dt
import gettext
import io
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache, lru_cache
from importlib import resources
from zoneinfo import ZoneInfo

import phonenumbers
from babel import Locale
from babel.dates import format_date, format_datetime, format_time
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

__all__ = ["LANGUAGES", "Texts", "texts"]

LANGUAGES = {"en": "English", "ru": "Русский"}


class Texts:
    """One language."""

    def __init__(self, language: str) -> None:
        self.language = language
        self.locale = Locale.parse("en_GB" if language == "en" else language)
        self.translations = _translations(language)
        self._patterns = list(_with_places(self.translations))

    def __call__(self, text: str, **values: object) -> str:
        """Return `text` in this language, with `{name}`s filled in."""
        said = self.translations.gettext(text)
        return said.format(**values) if values else said

    def count(self, one: str, many: str, number: int) -> str:
        """Return the form for a number, which stands for `{n}` in it."""
        said = self.translations.ngettext(one, many, number)
        return said.format(n=format_decimal(number, locale=self.locale))

    def error(self, message: str) -> str:
        """Return what an operation said is wrong, in this language, as a sentence."""
        said = self.translations.gettext(message)
        if said == message:
            for pattern, translated in self._patterns:
                found = pattern.fullmatch(message)
                if found:
                    said = translated.format(**found.groupdict())
                    break
        return said[:1].upper() + said[1:]

    # Times are epoch seconds or aware moments

    def moment(self, at: float | datetime, zone: ZoneInfo) -> str:
        """Return day and time in a company's zone: `Thu 26 Nov, 14:05`."""
        return format_datetime(_aware(at), "EEE d MMM, HH:mm", tzinfo=zone, locale=self.locale)

    def clock(self, at: float | datetime, zone: ZoneInfo) -> str:
        """Return the time of day, with seconds."""
        return format_time(_aware(at), "HH:mm:ss", tzinfo=zone, locale=self.locale)

    def day(self, at: float | datetime, zone: ZoneInfo) -> str:
        """Return the day in words."""
        moment = _aware(at).astimezone(zone)
        return format_date(moment.date(), "EEEE, d MMMM y", locale=self.locale)

    def date(self, at: float | datetime, zone: ZoneInfo) -> str:
        """Return the day as `26 Nov 2026`."""
        return format_date(_aware(at).astimezone(zone).date(), "d MMM y", locale=self.locale)

    def iso_day(self, at: float | datetime, zone: ZoneInfo) -> str:
        """Return the day as `2026-11-26`, for the names of files."""
        return _aware(at).astimezone(zone).date().isoformat()

    def short_day(self, day: dt.date) -> str:
        """Return a day as `Thu 26 Nov 2026`."""
        return format_date(day, "EEE d MMM y", locale=self.locale)

    def number(self, value: float) -> str:
        """Return a number with its thousands apart."""
        return format_decimal(value, locale=self.locale)

    def month(self, first: dt.date) -> str:
        """Return a month as `November 2026`."""
        said = format_date(first, "LLLL y", locale=self.locale)
        return said[:1].upper() + said[1:]

    def weekday(self, number: int, *, short: bool = False) -> str:
        """Return the name of a day, 0 Monday; `short`: as in the head of a calendar."""
        name: str = self.locale.days["stand-alone"]["short" if short else "wide"][number]
        return name[:1].upper() + name[1:]


def duration(seconds: float) -> str:
    """Return a length as `1:02:03` or `2:03`."""
    minutes, second = divmod(max(0, int(seconds)), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


@lru_cache(maxsize=4096)
def _readable(digits: str) -> str:
    try:
        parsed = phonenumbers.parse("+" + digits)
    except phonenumbers.NumberParseException:
        return digits
    if not phonenumbers.is_possible_number(parsed):
        return digits
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL)


def phone(digits: str) -> str:
    """Return a phone number as people write it; anything else as it is."""
    if digits.isascii() and digits.isdigit() and 8 <= len(digits) <= 15:
        return _readable(digits)
    return digits


@cache
def texts(language: str) -> Texts:
    """Return the texts of a language; of one we do not have, English ones."""
    return Texts(language if language in LANGUAGES else "en")


def _aware(at: float | datetime) -> datetime:
    return at if isinstance(at, datetime) else datetime.fromtimestamp(at, UTC)


def _translations(language: str) -> gettext.NullTranslations:
    if language == "en":
        return gettext.NullTranslations()
    source = resources.files("vpbx.console").joinpath(f"locale/{language}.po").read_bytes()
    compiled = io.BytesIO()
    write_mo(compiled, read_po(io.BytesIO(source), locale=language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


def _with_places(
    translations: gettext.NullTranslations,
) -> Iterable[tuple[re.Pattern[str], str]]:
    """Return what messages with `{places}` look like once filled in, and their translations."""
    catalogue: dict[object, str] = getattr(translations, "_catalog", {})
    for text, translated in catalogue.items():
        if isinstance(text, str) and "{" in text:
            pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+)", re.escape(text))
            yield re.compile(pattern), translated
