"""The E-model against what ITU-T G.107 and G.113 print."""

import pytest

from vpbx.media import mos
from vpbx.media.emodel import delay_impairment, equipment_impairment, mos_of, rating


@pytest.mark.parametrize(
    ("r", "expected"), [(90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58)]
)
def test_a_mos_is_what_g107_table_b1_says_of_r(r: float, expected: float) -> None:
    assert mos_of(r) == pytest.approx(expected, abs=0.01)


def test_r_has_its_ends() -> None:
    assert mos_of(0) == mos_of(-20) == 1.0
    assert mos_of(100) == mos_of(120) == 4.5
    assert min(mos_of(r / 10) for r in range(1000)) == 1.0


def test_a_clear_line_is_that_of_the_defaults_of_g107() -> None:
    assert round(mos_of(rating(0, equipment_impairment("PCMA", 0))), 2) == 4.41


@pytest.mark.parametrize(
    ("codec", "percent", "expected"),
    [
        ("PCMA", 0, 0.0),
        ("PCMU", 1, 95 / 26.1),
        ("G729", 0, 11.0),
        ("G729", 2, 11 + 84 * 2 / 21),
        ("GSM", 0, 20.0),
        ("pcma", 100, 95 * 100 / 125.1),
    ],
)
def test_losses_cost_by_ie_and_bpl_of_g113(codec: str, percent: float, expected: float) -> None:
    assert equipment_impairment(codec, percent / 100) == pytest.approx(expected)


def test_delay_costs_little_until_177_ms_and_much_after() -> None:
    assert delay_impairment(100) == pytest.approx(2.4)
    assert delay_impairment(177.3) == pytest.approx(4.2552)
    assert delay_impairment(400) == pytest.approx(9.6 + 0.11 * 222.7)


def test_the_worse_the_line_the_worse_the_mos() -> None:
    by_loss = [mos("PCMA", loss / 100, 5, 30) for loss in (0, 1, 3, 10, 30, 100)]
    by_trip = [mos("PCMA", 0, 5, trip) for trip in (0, 100, 400, 900)]
    by_jitter = [mos("PCMA", 0, jitter, 30) for jitter in (None, 5, 60, 200)]
    for row in (by_loss, by_trip, by_jitter):
        assert row == sorted(row, reverse=True)
        assert len(set(row)) == len(row)
