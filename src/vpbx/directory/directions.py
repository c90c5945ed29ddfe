"""Where a number lies: regions (crm-api §12), directions (§13), emergency numbers.

All of it asks `phonenumbers`, Google's numbering-plan data; only area codes of Russia are ours.
Results are cached: a call asks several times about the same number.
"""

from __future__ import annotations

import functools

import phonenumbers
from phonenumbers import PhoneNumber, PhoneNumberType, shortnumberinfo

from vpbx.directory.numbering import SHORT_DIGITS
from vpbx.directory.regions import BY_AREA, Region

_LONGEST_AREA = max(map(len, BY_AREA))
_FIXED = (PhoneNumberType.FIXED_LINE, PhoneNumberType.FIXED_LINE_OR_MOBILE)

DIRECTIONS: dict[str, str] = {
    "RU": "Russia",
    "179": "Cell phone",
    "CIS": "The Commonwealth of Independent States",
    "BALT": "Lithuania, Latvia, Estonia",
    "EURO": "Europe",
    "AUS": "Australia",
    "ASIA": "Asia",
    "AFR": "Africa",
    "NA": "North America",
    "SA": "South America",
    "OTH": "Satellite and others",
    "LOCAL": "Home region",
}
ALL = "ALL"
ALLOWED_DIRECTIONS = (*DIRECTIONS, ALL)

_COUNTRIES: dict[str, str] = {
    "RU": "RU",
    "CIS": "AM AZ BY GE KG KZ MD TJ TM UA UZ",
    "BALT": "EE LT LV",
    "EURO": "AD AL AT AX BA BE BG CH CY CZ DE DK ES FI FO FR GB GG GI GR HR HU IE IM IS IT JE LI "
    "LU MC ME MK MT NL NO PL PT RO RS SE SI SJ SK SM VA XK",
    "AUS": "AS AU CC CK CX FJ FM GU KI MH MP NC NF NR NU NZ PF PG PW SB TK TO TV VU WF WS",
    "ASIA": "AE AF BD BH BN BT CN HK ID IL IN IQ IR JO JP KH KP KR KW LA LB LK MM MN MO MV MY NP "
    "OM PH PK PS QA SA SG SY TH TL TR TW VN YE",
    "AFR": "AC AO BF BI BJ BW CD CF CG CI CM CV DJ DZ EG EH ER ET GA GH GM GN GQ GW IO KE KM LR "
    "LS LY MA MG ML MR MU MW MZ NA NE NG RE RW SC SD SH SL SN SO SS ST SZ TA TD TG TN TZ UG YT "
    "ZA ZM ZW",
    "NA": "AG AI AW BB BL BM BQ BS BZ CA CR CU CW DM DO GD GL GP GT HN HT JM KN KY LC MF MQ MS "
    "MX NI PA PM PR SV SX TC TT US VC VG VI",
    "SA": "AR BO BR CL CO EC FK GF GY PE PY SR UY VE",
}
_MORE_EMERGENCIES = {
    "RU": "104 04",
    "BY": "104",
    "KZ": "104",
    "UA": "104",
    "UZ": "101 102 103 104",
}
"""What the library does not know: 104 is gas (in Russia by the law on number 112)."""
_DIRECTION_OF_COUNTRY = {
    country: direction for direction, words in _COUNTRIES.items() for country in words.split()
}


@functools.lru_cache(maxsize=16_384)
def region_of(telnum: str) -> Region | None:
    """Return the Russian region of a number's area code; None for mobile and foreign ones."""
    if not telnum.startswith("7") or len(telnum) != 11:
        return None
    number = _parse(telnum)
    if number is None or phonenumbers.number_type(number) not in _FIXED:
        return None
    return region_of_area(telnum)


def region_of_area(digits: str) -> Region | None:
    """Return the region of the area code that `digits`, country code included, begin with."""
    fitting = (BY_AREA.get(digits[:length]) for length in range(_LONGEST_AREA, 1, -1))
    return next(filter(None, fitting), None)


def warm_up() -> None:
    """Load the numbering-plan data that is loaded on first use, so that no call waits for it."""
    region_of("74950000000")
    directions_of("79010000000")


def directions_of(called: str, *, home: str = "", country: str = "RU") -> tuple[str, ...]:
    """Return the directions a call to `called` takes, the narrowest first (crm-api §13).

    A call is allowed when any of them is. `home` is the company's main number: in Russia LOCAL
    is its region; for a company elsewhere (`country`) LOCAL is its country. Russian mobiles
    are 179 and RU, regional numbers of the home region LOCAL and RU. Short numbers are LOCAL.
    """
    return _directions_of(called, home, country)


@functools.lru_cache(maxsize=16_384)
def _directions_of(called: str, home: str, country: str) -> tuple[str, ...]:
    if len(called) <= SHORT_DIGITS:
        return ("LOCAL",)
    number = _parse(called)
    if number is None:
        return ("OTH",)
    of_number = phonenumbers.region_code_for_number(number) or (
        phonenumbers.region_code_for_country_code(number.country_code or 0)
    )
    direction = _DIRECTION_OF_COUNTRY.get(of_number, "OTH")
    if of_number != "RU":
        return ("LOCAL", direction) if of_number == country else (direction,)
    if phonenumbers.number_type(number) == PhoneNumberType.MOBILE:
        return ("179", "RU")
    region = region_of(called)
    if country == "RU" and region is not None and region == region_of(home):
        return ("LOCAL", "RU")
    return ("RU",)


def direction_of(called: str, *, home: str = "", country: str = "RU") -> str:
    """Return the narrowest direction of a call to `called`."""
    return directions_of(called, home=home, country=country)[0]


def is_emergency(called: str, country: str) -> bool:
    """Say whether `called` is an emergency number in `country`; 112 and 911 are everywhere."""
    if not called.isdigit() or len(called) > SHORT_DIGITS:
        return False
    known = called in ("112", "911") or called in _MORE_EMERGENCIES.get(country, "").split()
    return known or shortnumberinfo.is_emergency_number(called, country)


def location_of(telnum: str) -> str:
    """Return the name of a number's Russian region, "" when it has none."""
    region = region_of(telnum)
    return region.name if region else ""


def _parse(digits: str) -> PhoneNumber | None:
    try:
        return phonenumbers.parse("+" + digits)
    except phonenumbers.NumberParseException:
        return None


def is_outside_number(digits: str, country: str) -> bool:
    """Say whether somebody outside may have this number: a service number of the country, an
    emergency number, or a number of its plan dialled in full."""
    if is_emergency(digits, country):
        return True
    number = phonenumbers.PhoneNumber(
        country_code=phonenumbers.country_code_for_region(country), national_number=int(digits)
    )
    return phonenumbers.is_valid_number(number) or phonenumbers.is_valid_short_number_for_region(
        number, country
    )
