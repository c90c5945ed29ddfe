"""What is sent until it is acknowledged: 1xx until PRACK, 2xx until ACK."""

from __future__ import annotations

from vpbx.clock import ManualClock
from vpbx.sip.message import Response
from vpbx.sip.reliable import AckWait, ReliableResponses

from .messages import response


class Line:
    """Where responses go."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.sent: list[Response] = []
        self.given_up = 0
        self.reliable = ReliableResponses(self.clock, self.sent.append, self.give_up)

    def give_up(self) -> None:
        self.given_up += 1

    def rseq(self, number: int = -1) -> int:
        return int(self.sent[number].headers["RSeq"])


def test_reliable_response_is_repeated_with_doubling_pauses_then_given_up() -> None:
    line = Line()
    line.reliable.send(response(180))
    counts = []
    for _ in range(8):
        line.clock.advance(0.5)
        counts.append(len(line.sent))
    assert counts == [2, 2, 3, 3, 3, 3, 4, 4]
    line.clock.advance(27.9)
    assert line.given_up == 0
    line.clock.advance(0.2)
    assert line.given_up == 1
    assert len({message.headers["RSeq"] for message in line.sent}) == 1


def test_prack_stops_it_and_lets_the_next_go() -> None:
    line = Line()
    line.reliable.send(response(180))
    line.reliable.send(response(183, body="v=0"))
    assert [message.code for message in line.sent] == [180]
    assert line.reliable.waiting_for_sdp
    assert line.reliable.acknowledge(f"{line.rseq()} 1 INVITE", 1)
    assert [message.code for message in line.sent] == [180, 183]
    assert line.rseq(1) == line.rseq(0) + 1
    assert line.reliable.acknowledge(f"{line.rseq()} 1 INVITE", 1)
    line.clock.advance(100)
    assert len(line.sent) == 2
    assert not line.reliable.waiting


def test_prack_for_something_else_is_refused() -> None:
    line = Line()
    assert not line.reliable.acknowledge("1 1 INVITE", 1)
    line.reliable.send(response(180))
    rseq = line.rseq()
    for rack in ("", "x", f"{rseq + 1} 1 INVITE", f"{rseq} 2 INVITE", f"{rseq} 1 UPDATE"):
        assert not line.reliable.acknowledge(rack, 1)
    assert line.reliable.waiting


def test_after_the_final_response_nothing_is_repeated_but_the_prack_is_taken() -> None:
    line = Line()
    line.reliable.send(response(180))
    line.reliable.send(response(181))
    line.reliable.stop()
    line.clock.advance(100)
    assert len(line.sent) == 1
    assert line.given_up == 0
    assert line.reliable.acknowledge(f"{line.rseq()} 1 INVITE", 1)
    assert len(line.sent) == 1


def test_unacknowledged_responses_do_not_pile_up() -> None:
    line = Line()
    for _ in range(100):
        line.reliable.send(response(180))
    assert len(line.reliable._queue) == 16


def test_answer_is_repeated_until_the_ack() -> None:
    clock, sent, given_up = ManualClock(), [], []
    wait = AckWait(clock, 1, lambda: sent.append(clock.now()), lambda: given_up.append(1))
    start = clock.now()
    clock.advance(10)
    assert [at - start for at in sent] == [0.5, 1.5, 3.5, 7.5]
    wait.stop()
    clock.advance(100)
    assert len(sent) == 4
    assert not given_up


def test_answer_is_given_up_after_64_t1() -> None:
    clock, given_up = ManualClock(), []
    AckWait(clock, 1, lambda: None, lambda: given_up.append(clock.now()))
    start = clock.now()
    clock.advance(100)
    assert [at - start for at in given_up] == [32.0]
