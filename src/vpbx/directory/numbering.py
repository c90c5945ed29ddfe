"""The one grammar of phone numbers, for every door: API, SIP headers, files, command line.

People paste numbers with brackets, dashes and invisible marks, carriers write them into URIs
with parameters, phone books add extensions. `read_number` takes them all and gives digits,
E.164 without `+`, as the whole program keeps them. What a national number means depends on a
country: that of the company whose number it is, or who calls it. The numbering plans are those
of `phonenumbers`, Google's data.

    text    = [label] [scheme ":"] number [extension] *(";" parameter) ["@" host]
    scheme  = tel (RFC 3966), callto, phone, sip, sips
    number  = digits of any script with any punctuation; "+" only before the first digit
    extension = ("#" / "," / "ext" / "x" / "доб" / …) digits, "*", "#"; "," in it is a pause
    parameter = "ext=", "postd=", "phone-context=+…" (RFC 3966); what else there is (npdi and rn
              of RFC 4694, tgrp of RFC 4904, isub, cpc, user) says nothing about whom to call
"""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator
from urllib.parse import unquote

import phonenumbers

from vpbx.directory.errors import Invalid
from vpbx.frozen import dataclass

__all__ = [
    "COUNTRIES",
    "E164_DIGITS",
    "SHORT_DIGITS",
    "PhoneNumber",
    "normalize",
    "read_number",
    "visible",
]

COUNTRIES = frozenset(phonenumbers.SUPPORTED_REGIONS)
"""ISO 3166 codes of all that have a numbering plan."""
SHORT_DIGITS = 6
"""Numbers of up to so many digits are internal or service numbers, not E.164."""
MAX_DIGITS = 18
MAX_EXTENSION = 32
_MAX_TEXT = 256
E164_DIGITS = 15
"""The most that E.164 allows, country code included."""
_LONE_EXTENSION = 10
"""After a mere comma, so many digits are a second number rather than an extension."""

_SCHEME = re.compile(r"(?:tel|callto|phone|sips?):(?://)?", re.IGNORECASE)
_LABEL = re.compile(
    r"(?:телефон|тел|моб|сот|раб|дом|факс|т|м|р|ф|phone|mobile|mob|cell|tel|fax|ph|t|m|p)[.:]+\s*",
    re.IGNORECASE,
)
_WORD = (
    r"e?xt(?:ensi[oó]n|n)?|доб(?:авочн\w*|ав)?|доп(?:олнительн\w*)?|вн(?:утр(?:енн\w*)?)?|"
    r"внутрішн\w*|int(?:ern\w*)?|anexo|ramal|poste|durchwahl|dw|wewn?|[xх×pw]"
)
_SIGN = rf"[\s(\[,.:/-]*(?:\#|(?:{_WORD})(?![^\W\d_]))(?:[\s.:=#-]|no)*"
_EXTENSION = re.compile(
    rf"(?P<number>[^#]*?\d[)\]]?){_SIGN}(?P<extension>[\d\s,.*#pw-]*)[)\]\s]*", re.IGNORECASE
)
_IN_BRACKETS = re.compile(r"(?P<number>.*\d\s*)[(\[]\s*(?P<extension>\d{1,6})\s*[)\]]\s*")
_BEGIN_OF_EXTENSION = re.compile(_SIGN, re.IGNORECASE)
_TRUNK_ZERO = re.compile(r"[(\[]\s*0\s*[)\]]")
_PARAMETER = re.compile(r"[A-Za-z0-9_.!%*'-]+(?:=.*)?", re.DOTALL)
_CONTEXT = re.compile(r"\+[\d.()-]+")
_MARKS = "~|\u2212\u260e\u2706\U0001f4de\U0001f4f1"
_NEVER = "*#@%&"


@dataclass(frozen=True, slots=True)
class PhoneNumber:
    """A number that was read.

    `digits` is E.164 without `+`, or a short number as it was. `extension` is what is to be
    sent as DTMF after the answer: 0-9, `*`, `#`, and `,` for a pause; mostly "".
    """

    digits: str
    extension: str = ""


def read_number(text: str, country: str = "RU", field: str = "phone") -> PhoneNumber:
    """Read a number as people and machines write it.

    A national number of `country` gets its country code, also after the trunk prefix (`8` in
    Russia) or the international one (`810`, `00`); numbers of up to six digits pass as they
    are, and so do digits that no numbering plan knows. Raises Invalid naming `field` when there
    is no phone number in `text`.
    """
    if text.isascii() and text.isdigit() and len(text) <= MAX_DIGITS:
        return PhoneNumber(_e164(text, country).digits)
    if len(text) > _MAX_TEXT:
        raise Invalid.one(field, f"must be at most {_MAX_TEXT} characters long")
    try:
        return _read(text, country)
    except ValueError as error:
        raise Invalid.one(field, str(error)) from None


def normalize(text: str, country: str = "RU", field: str = "phone") -> str:
    """Return a phone number as digits only, where an extension has no place.

    Raises Invalid as `read_number` does, and for an extension.
    """
    number = read_number(text, country, field)
    if number.extension:
        raise Invalid.one(field, "must be a phone number without an extension")
    return number.digits


@functools.lru_cache(maxsize=4096)
def _read(text: str, country: str) -> PhoneNumber:
    plain = visible(text)
    if label := _LABEL.match(plain):
        plain = plain[label.end() :]
    if scheme := _SCHEME.match(plain):
        plain = plain[scheme.end() :].partition("@")[0]
    if "%" in plain:
        plain = visible(unquote(plain))
    number, *parameters = plain.split(";")
    number, extension = _split(number, country)
    for parameter in parameters:
        name, value = _parameter(parameter)
        if name == "phone-context" and "+" not in number and _CONTEXT.fullmatch(value):
            whole = _parse(f"{value}{number}", country)
            if whole.is_valid:  # else a local or service number stays what it is
                number = f"{value}{number}"
        elif name in ("ext", "postd", ""):
            extension = value
    return PhoneNumber(_parse(number, country).digits, _tones(extension))


_LONGEST_TYPED = 500
"""Characters of what can be a number at all."""


def visible(text: str) -> str:
    """Return `text` with wide and other forms made plain, without marks nobody sees.

    Those are direction marks and zero widths (U+200B to U+2069), the soft hyphen, the byte
    order mark and variation selectors: they come along when a number is copied.
    """
    if len(text) > _LONGEST_TYPED:
        return text.strip()
    plain = unicodedata.normalize("NFKC", text)
    if plain.isascii():
        return plain.strip()
    seen = (char for char in plain if unicodedata.category(char) not in ("Cf", "Mn", "Me"))
    return "".join(seen).strip()


def _split(text: str, country: str) -> tuple[str, str]:
    """Return the number and what is to be dialled after the answer."""
    for at, char in enumerate(text):
        if char == "," and _is_number(text[:at], country):
            return text[:at], _second(text[at + 1 :])
    if found := _EXTENSION.fullmatch(text):
        return found["number"], found["extension"]
    if (found := _IN_BRACKETS.fullmatch(text)) and _is_number(found["number"], country):
        return found["number"], found["extension"]
    if "," not in text:
        return text, ""
    first, _, rest = text.partition(",")
    if len(_digits_in(text)) <= E164_DIGITS and len(_digits_in(first)) <= SHORT_DIGITS:
        return text, ""  # a comma like any other mark
    return first, _second(rest)


def _parameter(text: str) -> tuple[str, str]:
    """Return name and value of what stands after a semicolon; digits alone: ("", digits).

    Phones write a semicolon where they are to wait before they dial on.
    """
    part = text.strip()
    if not part.strip("0123456789*#,"):
        return ("", _second(part)) if part else ("-", "")
    if not _PARAMETER.fullmatch(part):
        raise ValueError(f"{part[:40]!r} is not part of a phone number")
    name, _, value = part.partition("=")
    return name.lower(), value


def _second(text: str) -> str:
    """Return what follows a comma or semicolon, unless it is another number."""
    if sign := _BEGIN_OF_EXTENSION.match(text):
        return text[sign.end() :]
    if len(_digits_in(text)) >= _LONE_EXTENSION and not any(char in text for char in ",#*"):
        raise ValueError("must be one phone number, not several")
    return text


def _is_number(text: str, country: str) -> bool:
    try:
        return _parse(text, country).is_valid
    except ValueError:
        return False


def _digits_in(text: str) -> str:
    return "".join(char for char in text if char.isdigit())


def _tones(text: str) -> str:
    """Return an extension as what is dialled: digits, `*`, `#`, and `,` for each pause."""
    tones: list[str] = []
    for char in text:
        digit = unicodedata.digit(char, None)
        if digit is not None:
            tones.append(str(digit))
        elif char in "*#":
            tones.append(char)
        elif char in ",pPwW":
            tones.append(",")
        elif not char.isspace() and char not in ".-()":
            raise ValueError(f"{char!r} is not part of an extension")
    if len(tones) > MAX_EXTENSION:
        raise ValueError(f"an extension has at most {MAX_EXTENSION} digits")
    found = "".join(tones).rstrip(",")
    return found if found.strip("#,") else ""  # 84951234567#: the key that sends a number off


@dataclass(frozen=True, slots=True)
class _Parsed:
    digits: str
    is_valid: bool


def _parse(text: str, country: str) -> _Parsed:
    """Return the digits of `text`, and whether the numbering plan knows such a number.

    A zero in brackets is dialled within the country only: it goes after a country code, unless
    it belongs to the number (Italy). Raises ValueError for what is no number.
    """
    text = text.strip()
    if text.lstrip("([").startswith(("+", "00")) and _TRUNK_ZERO.search(text):
        without = _e164(_strip(_TRUNK_ZERO.sub("", text)), country)
        kept = _e164(_strip(text), country)
        return kept if kept.is_valid and not without.is_valid else without
    return _e164(_strip(text), country)


def _strip(text: str) -> str:
    cleaned: list[str] = []
    for char in text:
        digit = unicodedata.digit(char, None)
        if digit is not None:
            cleaned.append(str(digit))
        elif char == "+" and not cleaned:
            cleaned.append("+")
        elif char in _NEVER or char == "+" or not _is_mark(char):
            raise ValueError(f"{char!r} is not part of a phone number")
    result = "".join(cleaned)
    digits = result.lstrip("+")
    if not digits:
        raise ValueError("a phone number is needed: digits, with + or without")
    if len(digits) > MAX_DIGITS:
        raise ValueError(f"a phone number has at most {MAX_DIGITS} digits")
    return result


def _is_mark(char: str) -> bool:
    return char.isspace() or char in _MARKS or unicodedata.category(char)[0] == "P"


@functools.lru_cache(maxsize=16_384)
def _e164(cleaned: str, country: str) -> _Parsed:
    digits = cleaned.lstrip("+")
    if len(digits) <= SHORT_DIGITS:
        return _Parsed(digits, False)
    trunk = "78" if digits == cleaned else "7"
    if country in ("RU", "KZ") and len(digits) == 11 and digits[0] in trunk:
        return _Parsed("7" + digits[1:], True)
    for number in _readings(cleaned, country):
        if number is not None and phonenumbers.is_valid_number(number):
            return _Parsed(_digits_of(number), True)
    return _Parsed(_abroad(cleaned, country) or digits, False)


def _abroad(cleaned: str, country: str) -> str:
    """Return what follows the international prefix; "" without one.

    Also of a number that no plan knows, be it newer than the data: with its prefix it would be
    taken for a number elsewhere (810 44… for Japan) and be sent to the carrier as such.
    """
    try:
        found = phonenumbers.parse(cleaned, country, keep_raw_input=True)
    except phonenumbers.NumberParseException:
        return ""
    with_prefix = phonenumbers.CountryCodeSource.FROM_NUMBER_WITH_IDD
    return _digits_of(found) if found.country_code_source == with_prefix else ""


def _readings(cleaned: str, country: str) -> Iterator[phonenumbers.PhoneNumber | None]:
    """Give what `cleaned` may mean, the likeliest first."""
    if cleaned[0] == "+":
        yield _library(cleaned, None)
        if country in ("RU", "KZ") and cleaned.startswith("+8") and len(cleaned) == 12:
            yield _library("+7" + cleaned[2:], None)
        return
    as_whole = _library("+" + cleaned, None)
    if len(cleaned) > 10:
        yield as_whole
    yield _library(cleaned, country)
    if len(cleaned) <= 10:
        yield as_whole
    if cleaned.startswith("00"):  # the prefix of most countries, where the country has another
        yield _library("+" + cleaned[2:], None)


def _library(text: str, country: str | None) -> phonenumbers.PhoneNumber | None:
    try:
        return phonenumbers.parse(text, country)
    except phonenumbers.NumberParseException:
        return None


def _digits_of(number: phonenumbers.PhoneNumber) -> str:
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)[1:]
