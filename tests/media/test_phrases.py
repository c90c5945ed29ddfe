"""What is said with numbers, written out by the words that the prompts are made from."""

import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vpbx.media import phrases
from vpbx.media.phrases import Gender

sys.path.append(str(Path(__file__).parents[2] / "scripts"))

from prompt_texts import PROMPTS, WORDS  # type: ignore[import-not-found]


def said(parts: tuple[str, ...], language: str) -> str:
    """Return the words; a name that the language has no sound for is a KeyError."""
    words = WORDS[language]
    return " ".join(
        words[part] if part in words else getattr(PROMPTS[part], language) for part in parts
    )


@pytest.mark.parametrize(
    ("number", "english", "russian"),
    [
        (0, "zero", "ноль"),
        (1, "one", "один"),
        (2, "two", "два"),
        (11, "eleven", "одиннадцать"),
        (20, "twenty", "двадцать"),
        (21, "twenty one", "двадцать один"),
        (40, "forty", "сорок"),
        (100, "one hundred", "сто"),
        (112, "one hundred twelve", "сто двенадцать"),
        (342, "three hundred forty two", "триста сорок два"),
        (1000, "one thousand", "одна тысяча"),
        (2002, "two thousand two", "две тысячи два"),
        (5011, "five thousand eleven", "пять тысяч одиннадцать"),
        (
            121_999,
            "one hundred twenty one thousand nine hundred ninety nine",
            "сто двадцать одна тысяча девятьсот девяносто девять",
        ),
        (1_000_002, "one zero zero zero zero zero two", "один ноль ноль ноль ноль ноль два"),
    ],
)
def test_numbers_are_said_as_people_say_them(number: int, english: str, russian: str) -> None:
    assert said(phrases.cardinal(number, "en"), "en") == english
    assert said(phrases.cardinal(number, "ru"), "ru") == russian


@pytest.mark.parametrize(
    ("number", "english", "russian"),
    [
        (0, "zero minutes", "ноль минут"),
        (1, "one minute", "одна минута"),
        (2, "two minutes", "две минуты"),
        (4, "four minutes", "четыре минуты"),
        (5, "five minutes", "пять минут"),
        (11, "eleven minutes", "одиннадцать минут"),
        (12, "twelve minutes", "двенадцать минут"),
        (21, "twenty one minutes", "двадцать одна минута"),
        (22, "twenty two minutes", "двадцать две минуты"),
        (25, "twenty five minutes", "двадцать пять минут"),
        (111, "one hundred eleven minutes", "сто одиннадцать минут"),
        (101, "one hundred one minutes", "сто одна минута"),
    ],
)
def test_minutes_agree_with_their_number(number: int, english: str, russian: str) -> None:
    assert said(phrases.minutes(number, "en"), "en") == english
    assert said(phrases.minutes(number, "ru"), "ru") == russian


@pytest.mark.parametrize(
    ("new", "old", "english", "russian"),
    [
        (0, 0, "You have no messages.", "У вас нет сообщений."),
        (1, 0, "You have one new message", "У вас одно новое сообщение"),
        (2, 0, "You have two new messages", "У вас два новых сообщения"),
        (5, 0, "You have five new messages", "У вас пять новых сообщений"),
        (0, 1, "You have one saved message", "У вас одно сохранённое сообщение"),
        (
            21,
            3,
            "You have twenty one new messages and three saved messages",
            "У вас двадцать одно новое сообщение и три сохранённых сообщения",
        ),
    ],
)
def test_messages_are_counted(new: int, old: int, english: str, russian: str) -> None:
    assert said(phrases.messages(new, old, "en"), "en") == english
    assert said(phrases.messages(new, old, "ru"), "ru") == russian


def test_a_place_in_the_queue_is_told() -> None:
    assert said(phrases.queue_position(1, "en"), "en") == "Your place in the queue is one"
    assert said(phrases.queue_position(22, "ru"), "ru") == "Ваш номер в очереди: двадцать два"
    assert said(phrases.queue_wait(3, "ru"), "ru") == "Время ожидания, примерно, три минуты"


def test_numbers_to_dial_are_said_digit_by_digit() -> None:
    assert said(phrases.parked("701"), "en").endswith("dial seven zero one")
    assert said(phrases.message_from("+7 (910) 5"), "ru") == (
        "Сообщение от абонента плюс семь девять один ноль пять"
    )
    assert phrases.digits("*8#") == ("star", "number-8", "pound")
    assert phrases.digits("٣x") == ()  # an Arabic three is no key of a phone
    assert phrases.message_from("") == ("voicemail-hidden",)


def test_a_language_without_a_grammar_is_spoken_in_english() -> None:
    assert phrases.minutes(21, "tr") == phrases.minutes(21, "en")


@given(st.integers(0, 999_999), st.sampled_from(["en", "ru"]), st.sampled_from(Gender))
def test_every_part_of_every_number_has_its_sound(n: int, language: str, gender: Gender) -> None:
    assert said(phrases.cardinal(n, language, gender), language)
    assert said(phrases.minutes(n, language), language)
    assert said(phrases.messages(n, n, language), language)


@given(st.integers(0, 999_999), st.integers(0, 999_999), st.sampled_from(["en", "ru"]))
def test_two_numbers_never_sound_alike(one: int, other: int, language: str) -> None:
    same = phrases.cardinal(one, language) == phrases.cardinal(other, language)
    assert same == (one == other)


def test_a_negative_number_is_refused() -> None:
    with pytest.raises(ValueError, match="-1"):
        phrases.cardinal(-1, "en")


def test_the_docs_list_every_prompt_and_word() -> None:
    docs = (Path(__file__).parents[2] / "docs/prompts.md").read_text()
    for name, prompt in PROMPTS.items():
        assert f"| `{name}` | {prompt.en} | {prompt.ru} | {prompt.heard} |" in docs
    for name in {*WORDS["en"], *WORDS["ru"]}:
        assert f"| `{name}` | {WORDS['en'].get(name, '')} | {WORDS['ru'].get(name, '')} |" in docs
