"""Text on its way in: composed, and without characters that nobody sees."""

from __future__ import annotations

import pytest

from vpbx.directory.text import composed
from vpbx.directory.values import Values


@pytest.mark.parametrize(
    "sign",
    ["\u200b", "\u200e", "\u202e", "\u2060", "\u2066", "\ufeff", "\u00ad", "\U000e0041", "\u200d"],
)
def test_format_characters_are_left_out_of_names(sign: str) -> None:
    assert composed(f"Ol{sign}ga") == "Olga"
    assert composed(f"{sign}Ольга{sign}") == "Ольга"
    assert Values({"name": f"{sign} Olga"}).text("name") == "Olga"


def test_name_of_format_characters_alone_is_no_name() -> None:
    values = Values({"name": "\u200b\u2060"})
    values.text("name", required=True)
    assert [error.message for error in values.errors] == ["must not be empty"]


@pytest.mark.parametrize("word", ["می\u200cخواهم", "👩\u200d💻", "क्\u200dष"])
def test_joiners_stay_where_scripts_and_pictures_need_them(word: str) -> None:
    assert composed(word) == word


@pytest.mark.parametrize("number", [10**400, 2**31, -(2**31) - 1, "9" * 30])
def test_number_without_bounds_of_its_own_fits_a_database(number: object) -> None:
    values = Values({"count": number})
    assert values.integer("count") == 0
    assert [error.field for error in values.errors] == ["count"]
