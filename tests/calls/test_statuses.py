"""crm-api §2: the status of a call, out of what ended it."""

import pytest

from vpbx.calls.outcome import Result
from vpbx.calls.statuses import announcement, code_for_caller, sip_code
from vpbx.events import Direction, Status
from vpbx.story import status_of


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (486, Status.BUSY),
        (600, Status.BUSY),
        (480, Status.NOTAVAILABLE),
        (408, Status.NOTAVAILABLE),
        (503, Status.NOTAVAILABLE),
        (0, Status.NOTAVAILABLE),
        (403, Status.NOTALLOWED),
        (603, Status.NOTALLOWED),
        (404, Status.NOTFOUND),
        (484, Status.NOTFOUND),
        (604, Status.NOTFOUND),
        (500, Status.NOTAVAILABLE),
    ],
)
def test_outgoing_status_by_the_answer_of_the_called_side(code: int, status: Status) -> None:
    assert status_of(Direction.OUT, answered=False, code=code) is status


def test_an_employee_who_gives_up_cancels() -> None:
    assert status_of(Direction.OUT, answered=False, gave_up=True, code=487) is Status.CANCEL


def test_an_answered_call_is_a_success_whichever_way() -> None:
    for direction in Direction:
        assert status_of(direction, answered=True) is Status.SUCCESS


def test_unanswered_incoming_is_missed_and_inner_not_answered() -> None:
    assert status_of(Direction.IN, answered=False, gave_up=True) is Status.MISSED
    assert status_of(Direction.IN, answered=False, code=486) is Status.MISSED
    assert status_of(Direction.INNER, answered=False, code=486) is Status.NOANSWER


def test_redirections_and_challenges_are_not_passed_to_the_caller() -> None:
    codes = (302, 401, 407, 487, 404, 486, 503, 603)
    assert [code_for_caller(c) for c in codes] == [480, 480, 480, 480, 404, 486, 503, 603]


def test_every_result_has_a_final_code() -> None:
    assert all(sip_code(result) >= 400 for result in Result)


def test_a_waiting_employee_hears_why() -> None:
    assert announcement(Status.BUSY) == "busy"
    assert announcement(Status.NOTALLOWED) == "not-allowed"
    assert announcement(Status.NOTAVAILABLE) == "not-available"
    assert announcement(Status.SUCCESS) == ""
