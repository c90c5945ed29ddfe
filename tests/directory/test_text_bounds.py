"""Text made to be slow to compose is composed in time by its length."""

from __future__ import annotations

import unicodedata

import pytest

from vpbx.directory import composed

FALLING = "\u0345\u0301\u0327\u05b0"
"""Marks whose order has to be changed."""


@pytest.mark.parametrize(
    "marks",
    [FALLING, "\u0f73", "\u0f81\u0f75", "\u0344\u0316"],
    ids=["order", "pair", "pairs", "two"],
)
def test_over_one_letter_are_few_marks(marks: str) -> None:
    """Else their order is found in time by the square of their number: 32,000 took 3 s."""
    made = composed("a" + marks * 20_000 + "b")
    assert len(made) <= 100
    assert made[-1] == "b"


@pytest.mark.parametrize(
    "text",
    [
        "Zo\u0308e\u0301",
        "\u0e17\u0e35\u0e48",
        "\u05e9\u05c1\u05b8\u05dc\u05d5\u05b9\u05dd" * 20,
        "e\u0301" * 500,
    ],
    ids=["latin", "thai", "hebrew", "long"],
)
def test_writing_keeps_its_marks(text: str) -> None:
    assert composed(text) == unicodedata.normalize("NFC", text)
