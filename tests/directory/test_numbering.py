"""Spelling, regions and directions of real numbers of many countries."""

from __future__ import annotations

import phonenumbers
import pytest
from phonenumbers import geocoder
from phonenumbers.geodata import GEOCODE_DATA

from vpbx.directory import (
    Invalid,
    PhoneNumber,
    direction_of,
    directions_of,
    is_emergency,
    normalize,
    read_number,
    region_of,
)
from vpbx.directory.directions import ALLOWED_DIRECTIONS, region_of_area
from vpbx.directory.regions import REGIONS


@pytest.mark.parametrize(
    ("text", "country", "digits"),
    [
        ("8 (910) 123-45-67", "RU", "79101234567"),
        ("+7 910 123 45 67", "RU", "79101234567"),
        ("79101234567", "RU", "79101234567"),
        ("9101234567", "RU", "79101234567"),
        ("8\u00a0495\u2011765\u201443\u201321", "RU", "74957654321"),
        ("810 49 30 12345678", "RU", "493012345678"),
        ("810 44 7700 900123", "RU", "447700900123"),  # no plan knows it, but it is British
        ("011 44 7700 900123", "US", "447700900123"),
        ("14155552671", "RU", "14155552671"),
        ("+1 (415) 555-2671", "RU", "14155552671"),
        ("375291234567", "RU", "375291234567"),
        ("030 12345678", "DE", "493012345678"),
        ("(415) 555-2671", "US", "14155552671"),
        ("1-415-555-2671", "US", "14155552671"),
        ("00 49 30 12345678", "FR", "493012345678"),
        ("０２０ ７９４６ ０９５８", "GB", "442079460958"),
        ("701", "RU", "701"),
        ("112", "RU", "112"),
        ("99999999999999", "RU", "99999999999999"),
    ],
)
def test_any_spelling_becomes_digits(text: str, country: str, digits: str) -> None:
    assert normalize(text, country) == digits
    assert normalize(digits, country) == digits


@pytest.mark.parametrize(
    ("text", "digits"),
    [
        ("\u202a+79107654321\u202c", "79107654321"),
        ("\u2068+7 910 765-43-21\u2069", "79107654321"),
        ("+7910\u200b7654321\ufeff", "79107654321"),
        ("+7\u00ad910\u00ad7654321", "79107654321"),
        ("\uff0b7\uff08910\uff097654321", "79107654321"),
        ("tel:+7-910-765-43-21", "79107654321"),
        ("callto:+79107654321", "79107654321"),
        ("tel:%2B79107654321", "79107654321"),
        ("sip:+79107654321@carrier.example;user=phone", "79107654321"),
        ("тел. 8 (910) 765-43-21", "79107654321"),
        ("\u260e +7 910 765 43 21", "79107654321"),
        ("(+7) 910 765 43 21", "79107654321"),
        ("+7 (8) 910 765-43-21", "79107654321"),
        ("+8 (910) 765-43-21", "79107654321"),
        ("8~10 44 20 7123 4567", "442071234567"),
        ("+44 (0)20 7123 4567", "442071234567"),
        ("00 44 (0) 20 7123 4567", "442071234567"),
        ("+39 (0)6 1234 5678", "390612345678"),
        ("00 44 20 7123 4567", "442071234567"),
        ("8,910,765,43,21", "79107654321"),
        ("4951112233;phone-context=+7", "74951112233"),
        ("1112233;phone-context=+7495", "74951112233"),
        ("112;phone-context=+7", "112"),
        ("+74951112233;rn=+74990000000;npdi", "74951112233"),
        ("84951234567#", "74951234567"),
    ],
)
def test_a_number_is_read_as_people_and_machines_write_it(text: str, digits: str) -> None:
    assert read_number(text) == PhoneNumber(digits)
    assert normalize(text) == digits


@pytest.mark.parametrize(
    ("text", "extension"),
    [
        ("+79107654321#4048", "4048"),
        ("+79107654321 # 40-48", "4048"),
        ("+79107654321,4048", "4048"),
        ("8 910 765-43-21, доб. 4048", "4048"),
        ("8 910 765-43-21 доб 4048", "4048"),
        ("8 910 765-43-21 (доб.4048)", "4048"),
        ("8 910 765-43-21 добавочный №4048", "4048"),
        ("8 910 765-43-21 вн. 4048", "4048"),
        ("8 910 765-43-21 (4048)", "4048"),
        ("8,910,765,43,21 доб. 4048", "4048"),
        ("+79107654321 ext. 4048", "4048"),
        ("+79107654321 Extension: 4048", "4048"),
        ("+79107654321x4048", "4048"),
        ("+79107654321 х4048", "4048"),
        ("tel:+7-910-765-43-21;ext=4048", "4048"),
        ("+79107654321;postd=pp22", ",,22"),
        ("+79107654321;4048", "4048"),
        ("+79107654321p4048", "4048"),
        ("+79107654321,,4048,,2#", ",4048,,2#"),
        ("+79107654321,,85712345678#", ",85712345678#"),
        ("+79107654321#*12", "*12"),
    ],
)
def test_an_extension_is_kept_apart_from_the_number(text: str, extension: str) -> None:
    assert read_number(text) == PhoneNumber("79107654321", extension)
    with pytest.raises(Invalid):
        normalize(text)


@pytest.mark.parametrize(
    "text",
    [
        "79107654321, 79101234567",
        "79107654321; 79101234567",
        "79107654321/79101234567",
        "*43",
        "olga@acme.example",
        "100%",
        "7+9107654321",
        "+79107654321 доб. Анна",
        "+79107654321;перезвонить",
        "79107654321#" + "1" * 40,
        "1" * 300,
    ],
)
def test_what_names_no_single_number_is_refused(text: str) -> None:
    with pytest.raises(Invalid) as error:
        read_number(text, field="phone")
    assert [each.field for each in error.value.errors] == ["phone"]


@pytest.mark.parametrize("text", ["", "+", "call me", "79101234567x1", "1" * 40, "()-"])
def test_what_is_no_number_is_refused_by_field(text: str) -> None:
    with pytest.raises(Invalid) as error:
        normalize(text, field="mobile")
    assert [each.field for each in error.value.errors] == ["mobile"]


@pytest.mark.parametrize(
    ("number", "direction"),
    [
        ("74957654321", "RU"),  # Russia, Moscow
        ("79101234567", "179"),  # Russia, mobile
        ("78005553535", "RU"),  # Russia, toll free
        ("77272581111", "CIS"),  # Kazakhstan
        ("375172222222", "CIS"),  # Belarus
        ("380442345678", "CIS"),  # Ukraine
        ("998711234567", "CIS"),  # Uzbekistan
        ("37410123456", "CIS"),  # Armenia
        ("99412345678", "CIS"),  # Azerbaijan
        ("37052123456", "BALT"),  # Lithuania
        ("37167123456", "BALT"),  # Latvia
        ("3726123456", "BALT"),  # Estonia
        ("493012345678", "EURO"),  # Germany
        ("442079460958", "EURO"),  # United Kingdom
        ("33123456789", "EURO"),  # France
        ("390612345678", "EURO"),  # Italy
        ("34911234567", "EURO"),  # Spain
        ("48221234567", "EURO"),  # Poland
        ("302101234567", "EURO"),  # Greece
        ("3545812345", "EURO"),  # Iceland
        ("383491234567", "EURO"),  # Kosovo
        ("61212345678", "AUS"),  # Australia
        ("6493123456", "AUS"),  # New Zealand
        ("6793123456", "AUS"),  # Fiji
        ("861012345678", "ASIA"),  # China
        ("81312345678", "ASIA"),  # Japan
        ("911112345678", "ASIA"),  # India
        ("842412345678", "ASIA"),  # Vietnam
        ("902121234567", "ASIA"),  # Turkey
        ("97231234567", "ASIA"),  # Israel
        ("97141234567", "ASIA"),  # United Arab Emirates
        ("20212345678", "AFR"),  # Egypt
        ("27111234567", "AFR"),  # South Africa
        ("254201234567", "AFR"),  # Kenya
        ("212512345678", "AFR"),  # Morocco
        ("14155552671", "NA"),  # United States
        ("14165552671", "NA"),  # Canada
        ("18765551234", "NA"),  # Jamaica
        ("525512345678", "NA"),  # Mexico
        ("5072123456", "NA"),  # Panama
        ("551112345678", "SA"),  # Brazil
        ("541112345678", "SA"),  # Argentina
        ("56212345678", "SA"),  # Chile
        ("870773111632", "OTH"),  # Inmarsat
        ("881612345678", "OTH"),  # Iridium
        ("99999999999999", "OTH"),  # nobody's
        ("04", "LOCAL"),  # service numbers
    ],
)
def test_direction_of_real_numbers(number: str, direction: str) -> None:
    assert direction_of(number) == direction


def test_home_region_and_home_country_are_local() -> None:
    assert directions_of("74991112233", home="74957654321") == ("LOCAL", "RU")
    assert directions_of("78121112233", home="74957654321") == ("RU",)
    assert directions_of("74991112233", home="79101112233") == ("RU",)
    assert directions_of("79101112233", home="74957654321") == ("179", "RU")
    assert directions_of("14155552671", home="12125551234", country="US") == ("LOCAL", "NA")


def test_every_country_of_the_library_has_a_direction() -> None:
    for country in phonenumbers.SUPPORTED_REGIONS:
        example = phonenumbers.example_number(country)
        assert example is not None
        found = direction_of(f"{example.country_code}{example.national_number}")
        assert found in ALLOWED_DIRECTIONS
        assert found != "OTH", country


def test_every_area_of_russia_has_the_region_it_has_in_the_library() -> None:
    named: dict[str, set[str | None]] = {}
    for prefix, words in GEOCODE_DATA.items():
        if prefix.startswith("7") and not prefix.startswith("77"):
            found = region_of_area(prefix)
            named.setdefault(words["ru"], set()).add(found and found.id)
    assert named
    assert all(len(found) == 1 and None not in found for found in named.values())
    areas = {id for found in named.values() for id in found}
    assert areas == REGIONS.keys()


def test_regions_have_the_documented_ids() -> None:
    assert REGIONS["2"].name == "Altai Republic"
    assert REGIONS["43"].name == "Moscow and Moscow region"
    assert list(REGIONS) == [str(number) for number in range(1, len(REGIONS) + 1)]


@pytest.mark.parametrize(
    ("number", "region"),
    [
        ("74957654321", "43"),
        ("74967654321", "43"),
        ("73882221234", "2"),
        ("78121234567", "57"),
        ("78131234567", "57"),
        ("79101234567", None),
        ("493012345678", None),
        ("701", None),
    ],
)
def test_region_of_a_number(number: str, region: str | None) -> None:
    found = region_of(number)
    assert (found.id if found else None) == region


def test_library_describes_numbers_in_russian() -> None:
    number = phonenumbers.parse("+73882221234")
    assert geocoder.description_for_number(number, "ru") == "Республика Алтай"


@pytest.mark.parametrize(
    ("called", "country", "emergency"),
    [
        ("112", "RU", True),
        ("103", "RU", True),
        ("104", "RU", True),
        ("102", "UZ", True),
        ("999", "GB", True),
        ("110", "DE", True),
        ("701", "RU", False),
        ("79101234567", "RU", False),
    ],
)
def test_emergency_numbers(called: str, country: str, emergency: bool) -> None:
    assert is_emergency(called, country) is emergency
