"""Both languages say everything."""

from __future__ import annotations

import re

import pytest

from tests.console import words
from vpbx.console.agents import browser_of
from vpbx.console.reasons import explained
from vpbx.console.texts import texts

FOUND = sorted(
    {
        message
        for message in (*words.in_templates(), *words.in_code(), *words.of_causes())
        if message
    }
)


def test_every_text_has_russian_words() -> None:
    catalogue = texts("ru").translations._catalog  # type: ignore[attr-defined]
    missing = [m for m in FOUND if (m[0] if len(m) == 1 else (m[0], 0)) not in catalogue]
    assert len(FOUND) > 100
    assert missing == []


def test_what_is_filled_in_is_filled_in_in_both_languages() -> None:
    catalogue = texts("ru").translations._catalog  # type: ignore[attr-defined]
    for key, translated in catalogue.items():
        text = key if isinstance(key, str) else key[0]
        if text:
            assert set(re.findall(r"\{(\w+)\}", text)) == set(
                re.findall(r"\{(\w+)\}", translated)
            ), key


@pytest.mark.parametrize(
    ("message", "words"),
    [
        ("must be at most 255 characters long", "Не длиннее 255 символов"),
        ("must be from 1 to 5", "От 1 до 5"),
        ("'x' is not part of a phone number", "'x' не бывает в номере телефона"),
        (
            "there is no built-in prompt 'x' (like busy?); docs/prompts.md lists them",
            "Встроенной подсказки 'x' нет (может быть, busy?); имена подсказываются в поле",
        ),
        ("something nobody has translated", "Something nobody has translated"),
    ],
)
def test_what_operations_say_is_said_in_russian(message: str, words: str) -> None:
    assert texts("ru").error(message) == words


def test_where_somebody_is_logged_in_is_said_by_the_names_of_browsers() -> None:
    said = "Mozilla/5.0 ({}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0 Safari/537.36{}"
    assert browser_of(said.format("Windows NT 10.0; Win64; x64", "")) == "Chrome · Windows"
    assert browser_of(said.format("X11; Linux x86_64", " Edg/156.0")) == "Edge · Linux"
    phone = "Mozilla/5.0 (iPhone; CPU iPhone OS 19_0 like Mac OS X) Version/19.0 Safari/604.1"
    assert browser_of(phone) == "Safari · iPhone"
    assert browser_of("widget at https://crm.example") == "widget at https://crm.example"


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("403 Forbidden", "оператор не принимает логин или пароль (403 Forbidden)"),
        ("there is no sip.x.example", "имя sip.x.example не найдено (DNS)"),
        ("sip.x.example: there is no sip.x.example", "имя sip.x.example не найдено (DNS)"),
        ("it cannot be reached", "недоступен: верен ли адрес?"),
        ("488 Not Acceptable Here", "488 Not Acceptable Here"),
        ("something of their own: new", "something of their own: new"),
        ("", ""),
    ],
)
def test_why_a_registration_fails_is_said_so_that_somebody_can_mend_it(
    reason: str, words: str
) -> None:
    assert explained(reason, texts("ru")) == words


def test_a_calendar_heads_its_columns_as_people_write_them() -> None:
    days = [texts("ru").weekday(day, short=True) for day in range(7)]
    assert days == ["Пн", "Вт", "Ср", "Чт", "Пт", "Сб", "Вс"]


def test_numbers_take_their_own_forms() -> None:
    spoken = texts("ru")
    forms = [spoken.count("{n} employee", "{n} employees", n) for n in (1, 3, 11, 21, 1000)]
    assert forms == [
        "1 сотрудник",
        "3 сотрудника",
        "11 сотрудников",
        "21 сотрудник",
        "1\xa0000 сотрудников",
    ]
