"""Form or JSON, and what is learned of a CRM."""

from __future__ import annotations

import json
from urllib.parse import parse_qs

import pytest

from tests.crm.world import integration
from vpbx.crm import Formats
from vpbx.crm.encoding import encode
from vpbx.directory import Format

FIELDS: dict[str, str | int] = {"cmd": "history", "groupRealName": "Отдел & «Co»", "duration": 124}
AUTO = integration("https://crm.example/")


def test_a_form_is_percent_encoded_utf8_with_the_token() -> None:
    body = encode(FIELDS, "to ken&", Format.FORM).decode("ascii")
    assert parse_qs(body, strict_parsing=True) == {
        "cmd": ["history"],
        "groupRealName": ["Отдел & «Co»"],
        "duration": ["124"],
        "crm_token": ["to ken&"],
    }


def test_values_that_are_equal_are_written_each_as_it_is() -> None:
    """What was written is remembered, and 1 and True are one key; a long text is not."""
    text = "я " * 5_000
    for _ in range(2):
        said = encode({"a": 1, "b": "1", "c": True, "d": "True", "e": text}, "t", Format.FORM)
        found = parse_qs(said.decode())
        assert [found[name] for name in "abcd"] == [["1"], ["1"], ["True"], ["True"]]
        assert found["e"] == [text]


def test_json_keeps_numbers() -> None:
    assert json.loads(encode(FIELDS, "t", Format.JSON)) == {**FIELDS, "crm_token": "t"}


@pytest.mark.parametrize("status", [400, 415, 422])
def test_auto_tries_json_once_where_a_form_is_refused(status: int) -> None:
    formats = Formats()
    assert formats.first(1, AUTO) is Format.FORM
    assert formats.second(AUTO, Format.FORM, status) is Format.JSON
    assert formats.second(AUTO, Format.JSON, status) is None


@pytest.mark.parametrize("status", [0, 200, 301, 401, 404, 500])
def test_other_answers_say_nothing_of_the_format(status: int) -> None:
    assert Formats().second(AUTO, Format.FORM, status) is None


@pytest.mark.parametrize("form", [Format.FORM, Format.JSON])
def test_a_format_that_is_set_is_the_only_one(form: Format) -> None:
    formats = Formats()
    fixed = integration("https://crm.example/", format=form)
    assert formats.first(1, fixed) is form
    assert formats.second(fixed, form, 415) is None


def test_what_worked_is_remembered_and_told_once() -> None:
    told: list[tuple[int, Format]] = []
    formats = Formats(lambda domain_id, form, address: told.append((domain_id, form)))
    formats.note(1, AUTO, Format.JSON, 200)
    formats.note(1, AUTO, Format.JSON, 204)
    assert formats.first(1, AUTO) is Format.JSON
    assert formats.first(2, AUTO) is Format.FORM
    assert told == [(1, Format.JSON)]


def test_what_an_earlier_run_learned_counts() -> None:
    learned = integration("https://crm.example/", learned_format=Format.JSON)
    assert Formats().first(1, learned) is Format.JSON


def test_another_address_starts_anew() -> None:
    formats = Formats()
    formats.note(1, AUTO, Format.JSON, 200)
    assert formats.first(1, integration("https://other.example/")) is Format.FORM


def test_a_crm_that_refuses_the_json_it_took_is_asked_as_a_form_next() -> None:
    formats = Formats()
    formats.note(1, AUTO, Format.JSON, 200)
    formats.note(1, AUTO, Format.JSON, 400)
    assert formats.first(1, AUTO) is Format.FORM


def test_a_server_error_unlearns_nothing() -> None:
    formats = Formats()
    formats.note(1, AUTO, Format.JSON, 200)
    formats.note(1, AUTO, Format.JSON, 500)
    assert formats.first(1, AUTO) is Format.JSON
