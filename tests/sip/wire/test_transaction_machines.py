"""The four machines of RFC 3261 §17 and RFC 6026, timer by timer, on a clock turned by hand."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable

import pytest

from vpbx.clock import ManualClock
from vpbx.sip.machines import Event
from vpbx.sip.message import Request, Response, make_response, parse_message
from vpbx.sip.timers import Delayed, Timers
from vpbx.sip.transaction import (
    ClientTransaction,
    ServerTransaction,
    Transaction,
    TransactionState,
)
from vpbx.sip.transport import Hop

UDP = Hop("udp", "192.0.2.9", 5060)
TCP = Hop("tcp", "192.0.2.9", 5060)


class Wire:
    """The layer's place: keeps what is sent, and when."""

    def __init__(self, clock: ManualClock) -> None:
        self.clock = clock
        self.timers = Timers(clock)
        self.started = clock.now()
        self.sent: list[tuple[float, str]] = []
        self.forgotten: list[Transaction] = []
        self.cancels: list[Request] = []
        self.acks: list[Request] = []

    def transmit(self, tx: Transaction, data: bytes) -> None:
        first = data.split(b" ")[:2]
        word = first[1] if first[0] == b"SIP/2.0" else first[0]
        self.sent.append((round(self.clock.now() - self.started, 3), word.decode()))

    def forget(self, tx: Transaction) -> None:
        self.forgotten.append(tx)

    def send_cancel(self, tx: ClientTransaction, cancel: Request) -> None:
        self.cancels.append(cancel)

    def take_ack(self, ack: Request, hop: Hop) -> None:
        self.acks.append(ack)

    def at(self, word: str) -> list[float]:
        return [when for when, what in self.sent if what == word]


class Heard:
    """A client's user."""

    def __init__(self) -> None:
        self.events: list[str | int] = []

    def on_response(self, tx: ClientTransaction, response: Response) -> None:
        self.events.append(response.code)

    def on_timeout(self, tx: ClientTransaction) -> None:
        self.events.append("timeout")

    def on_transport_error(self, tx: ClientTransaction, reason: str) -> None:
        self.events.append(reason)


@pytest.fixture
def wire(clock: ManualClock) -> Wire:
    return Wire(clock)


@pytest.fixture
def heard() -> Heard:
    return Heard()


@pytest.fixture
def parsed(make_request: Callable[..., bytes]) -> Callable[..., Request]:
    def parse(method: str, **changes: str | None) -> Request:
        request = parse_message(make_request(method, **changes))
        assert isinstance(request, Request)
        return request

    return parse


@pytest.fixture
def client(
    wire: Wire, heard: Heard, parsed: Callable[..., Request]
) -> Callable[..., ClientTransaction]:
    def start(method: str, hop: Hop = UDP) -> ClientTransaction:
        request = parsed(method)
        tx = ClientTransaction(wire, request, hop, "key", heard)
        tx.start(hop, bytes(request))
        return tx

    return start


@pytest.fixture
def server(wire: Wire, parsed: Callable[..., Request]) -> Callable[..., ServerTransaction]:
    def start(method: str, hop: Hop = UDP) -> ServerTransaction:
        return ServerTransaction(wire, parsed(method), hop, "key")

    return start


Client = Callable[..., ClientTransaction]
Server = Callable[..., ServerTransaction]


def answer(tx: ClientTransaction, code: int, to_tag: str = "to1") -> None:
    tx.receive(make_response(tx.request, code, to_tag=to_tag))


def respond(tx: ServerTransaction, code: int) -> None:
    tx.respond(make_response(tx.request, code, to_tag="to1"))


class TestInviteClient:
    def test_invite_is_repeated_with_doubling_pauses_and_given_up(
        self, client: Client, wire: Wire, heard: Heard, clock: ManualClock
    ) -> None:
        tx = client("INVITE")
        clock.advance(31.999)
        assert wire.at("INVITE") == [0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
        assert heard.events == []
        clock.advance(0.001)
        assert heard.events == ["timeout"]
        assert tx.terminated
        assert wire.forgotten == [tx]
        clock.advance(100)
        assert len(wire.sent) == 7

    def test_invite_over_tcp_is_sent_once_and_given_up_at_the_same_time(
        self, client: Client, wire: Wire, heard: Heard, clock: ManualClock
    ) -> None:
        client("INVITE", TCP)
        clock.advance(32)
        assert wire.at("INVITE") == [0]
        assert heard.events == ["timeout"]

    def test_provisional_stops_repetition_and_waits_without_end(
        self, client: Client, wire: Wire, heard: Heard, clock: ManualClock
    ) -> None:
        tx = client("INVITE")
        answer(tx, 100)
        answer(tx, 180)
        clock.advance(3600)
        assert wire.at("INVITE") == [0]
        assert heard.events == [100, 180]
        assert tx.state is TransactionState.PROCEEDING

    @pytest.mark.parametrize("first", [None, 180])
    def test_every_2xx_is_passed_on_until_timer_m(
        self,
        client: Client,
        wire: Wire,
        heard: Heard,
        clock: ManualClock,
        first: int | None,
    ) -> None:
        tx = client("INVITE")
        if first:
            answer(tx, first)
        answer(tx, 200, "fork1")
        clock.advance(31.9)
        answer(tx, 200, "fork2")
        assert tx.state is TransactionState.ACCEPTED
        assert heard.events[-2:] == [200, 200]
        assert wire.at("ACK") == []
        clock.advance(0.1)
        assert tx.terminated
        assert wire.forgotten == [tx]

    def test_late_rejection_after_a_2xx_does_not_matter(self, client: Client, heard: Heard) -> None:
        tx = client("INVITE")
        answer(tx, 200)
        answer(tx, 486)
        answer(tx, 180)
        assert heard.events == [200]

    def test_rejection_is_acknowledged_each_time_and_told_once_until_timer_d(
        self, client: Client, wire: Wire, heard: Heard, clock: ManualClock
    ) -> None:
        tx = client("INVITE")
        answer(tx, 486)
        clock.advance(1)
        answer(tx, 486)
        assert wire.at("ACK") == [0, 1]
        assert heard.events == [486]
        clock.advance(30.9)
        assert tx.state is TransactionState.COMPLETED
        clock.advance(0.1)
        assert tx.terminated

    def test_rejection_over_tcp_ends_at_once_after_its_ack(
        self, client: Client, wire: Wire, heard: Heard
    ) -> None:
        tx = client("INVITE", TCP)
        answer(tx, 404)
        assert wire.at("ACK") == [0]
        assert heard.events == [404]
        assert tx.terminated

    def test_ack_of_a_rejection_has_the_branch_of_the_invite_and_the_tag_of_the_answer(
        self, parsed: Callable[..., Request], clock: ManualClock, heard: Heard
    ) -> None:
        written: list[bytes] = []
        wire = Wire(clock)
        wire.transmit = lambda tx, data: written.append(data)  # type: ignore[method-assign]
        request = parsed("INVITE", Route="<sip:p1;lr>, <sip:p2;lr>")
        tx = ClientTransaction(wire, request, UDP, "key", heard)
        tx.start(UDP, bytes(request))
        answer(tx, 486, "theirs")
        ack = parse_message(written[-1])
        assert isinstance(ack, Request)
        assert (ack.method, ack.raw_uri) == ("ACK", request.raw_uri)
        assert ack.headers.getlist("Via") == [request.headers["Via"]]
        assert ack.to_tag == "theirs"
        assert ack.headers["CSeq"] == "1 ACK"
        assert ack.headers.getlist("Route") == ["<sip:p1;lr>", "<sip:p2;lr>"]
        assert ack.headers["From"] == request.headers["From"]

    def test_transport_error_is_told_once(self, client: Client, heard: Heard) -> None:
        tx = client("INVITE")
        tx.transport_failed("no route")
        tx.transport_failed("no route")
        assert heard.events == ["no route"]
        assert tx.terminated

    def test_transport_error_while_it_rings_changes_nothing(
        self, client: Client, heard: Heard
    ) -> None:
        tx = client("INVITE")
        answer(tx, 180)
        tx.transport_failed("no route")
        answer(tx, 200)
        assert heard.events == [180, 200]

    def test_transport_error_on_the_ack_ends_silently(self, client: Client, heard: Heard) -> None:
        tx = client("INVITE")
        answer(tx, 486)
        tx.transport_failed("no route")
        assert heard.events == [486]
        assert tx.terminated


class TestCancel:
    def test_cancel_waits_for_a_provisional_response(self, client: Client, wire: Wire) -> None:
        tx = client("INVITE")
        tx.cancel((("Reason", "SIP;cause=200"),))
        assert wire.cancels == []
        answer(tx, 100)
        assert len(wire.cancels) == 1
        cancel = wire.cancels[0]
        assert cancel.headers["Via"] == tx.request.headers["Via"]
        assert cancel.headers["CSeq"] == "1 CANCEL"
        assert cancel.headers["To"] == tx.request.headers["To"]
        assert cancel.headers["Reason"] == "SIP;cause=200"
        assert cancel.raw_uri == tx.request.raw_uri

    def test_cancel_while_it_rings_goes_out_at_once_and_only_once(
        self, client: Client, wire: Wire, heard: Heard
    ) -> None:
        tx = client("INVITE")
        answer(tx, 180)
        tx.cancel()
        tx.cancel()
        answer(tx, 183)
        assert len(wire.cancels) == 1
        answer(tx, 487)
        assert heard.events == [180, 183, 487]
        assert wire.at("ACK") == [0]

    def test_answer_that_crosses_the_cancel_is_passed_on(
        self, client: Client, wire: Wire, heard: Heard, clock: ManualClock
    ) -> None:
        tx = client("INVITE")
        answer(tx, 180)
        tx.cancel()
        answer(tx, 200)
        clock.advance(40)
        assert heard.events == [180, 200]

    def test_final_response_before_any_provisional_means_no_cancel(
        self, client: Client, wire: Wire, heard: Heard
    ) -> None:
        tx = client("INVITE")
        tx.cancel()
        answer(tx, 200)
        tx.cancel()
        assert wire.cancels == []
        assert heard.events == [200]

    def test_cancelled_invite_without_final_response_is_given_up(
        self, client: Client, heard: Heard, clock: ManualClock
    ) -> None:
        tx = client("INVITE")
        answer(tx, 180)
        tx.cancel()
        clock.advance(31.9)
        assert heard.events == [180]
        clock.advance(0.1)
        assert heard.events == [180, "timeout"]
        assert tx.terminated

    def test_cancel_before_anything_came_still_ends_by_timer_b(
        self, client: Client, wire: Wire, heard: Heard, clock: ManualClock
    ) -> None:
        client("INVITE").cancel()
        clock.advance(32)
        assert heard.events == ["timeout"]
        assert wire.cancels == []

    def test_cancel_of_another_method_does_nothing(self, client: Client, wire: Wire) -> None:
        tx = client("OPTIONS")
        answer(tx, 100)
        tx.cancel()
        assert wire.cancels == []


class TestNonInviteClient:
    def test_request_is_repeated_up_to_every_t2_and_given_up(
        self, client: Client, wire: Wire, heard: Heard, clock: ManualClock
    ) -> None:
        tx = client("OPTIONS")
        clock.advance(31.999)
        assert wire.at("OPTIONS") == [0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
        assert heard.events == []
        clock.advance(0.001)
        assert heard.events == ["timeout"]
        assert tx.terminated

    def test_request_over_tcp_is_sent_once(
        self, client: Client, wire: Wire, heard: Heard, clock: ManualClock
    ) -> None:
        client("OPTIONS", TCP)
        clock.advance(32)
        assert wire.at("OPTIONS") == [0]
        assert heard.events == ["timeout"]

    def test_provisional_slows_repetition_down_but_does_not_stop_it(
        self, client: Client, wire: Wire, heard: Heard, clock: ManualClock
    ) -> None:
        tx = client("OPTIONS")
        answer(tx, 100)
        clock.advance(9)
        assert wire.at("OPTIONS") == [0, 0.5, 4.5, 8.5]
        clock.advance(23)
        assert heard.events == [100, "timeout"]
        assert tx.terminated

    @pytest.mark.parametrize("first", [None, 100])
    @pytest.mark.parametrize("code", [200, 404])
    def test_final_response_is_told_once_and_absorbed_until_timer_k(
        self,
        client: Client,
        wire: Wire,
        heard: Heard,
        clock: ManualClock,
        code: int,
        first: int | None,
    ) -> None:
        tx = client("OPTIONS")
        if first:
            answer(tx, first)
        answer(tx, code)
        answer(tx, code)
        assert heard.events[-1:] == [code]
        assert heard.events.count(code) == 1
        clock.advance(4.999)
        assert tx.state is TransactionState.COMPLETED
        clock.advance(0.001)
        assert tx.terminated
        assert wire.at("OPTIONS") == [0]

    def test_final_response_over_tcp_ends_at_once(self, client: Client) -> None:
        tx = client("OPTIONS", TCP)
        answer(tx, 200)
        assert tx.terminated

    def test_little_is_kept_of_what_was_answered(
        self, client: Client, clock: ManualClock, heard: Heard
    ) -> None:
        """Hundreds a second are sent to watchers: what waits for nothing more than timer K must
        not be there for the garbage collector to look through."""
        done = [client("NOTIFY") for _ in range(50)]
        requests = [weakref.ref(tx.request) for tx in done]
        for tx in done:
            answer(tx, 200)
        assert [ref() for ref in requests] == [None] * 50
        waiting = [each for each in gc.get_objects() if type(each) is Delayed]
        assert {each.event for each in waiting if each.who in done} == {Event.K}
        assert len([each for each in waiting if each.who is None]) < 50
        clock.advance(5)
        assert all(tx.terminated for tx in done)
        assert heard.events == [200] * 50

    @pytest.mark.parametrize("first", [None, 100])
    def test_transport_error_is_told(self, client: Client, heard: Heard, first: int | None) -> None:
        tx = client("BYE")
        if first:
            answer(tx, first)
        tx.transport_failed("reset")
        assert heard.events[-1] == "reset"
        assert tx.terminated


class TestInviteServer:
    def test_repeated_invite_gets_the_last_provisional_again(
        self, server: Server, wire: Wire
    ) -> None:
        tx = server("INVITE")
        tx.receive_again()
        assert wire.sent == []
        respond(tx, 100)
        respond(tx, 180)
        tx.receive_again()
        assert [word for _, word in wire.sent] == ["100", "180", "180"]

    def test_rejection_is_repeated_until_the_ack(
        self, server: Server, wire: Wire, parsed: Callable[..., Request], clock: ManualClock
    ) -> None:
        tx = server("INVITE")
        respond(tx, 486)
        clock.advance(12)
        assert wire.at("486") == [0, 0.5, 1.5, 3.5, 7.5, 11.5]
        tx.receive_again()
        tx.receive_ack(parsed("ACK"))
        assert tx.state is TransactionState.CONFIRMED
        clock.advance(4.999)
        tx.receive_ack(parsed("ACK"))
        assert not tx.terminated
        clock.advance(0.001)
        assert tx.terminated
        assert len(wire.at("486")) == 7
        assert wire.acks == []

    def test_rejection_without_ack_is_given_up_by_timer_h(
        self, server: Server, wire: Wire, clock: ManualClock
    ) -> None:
        told: list[str] = []
        tx = server("INVITE")
        tx.on_timeout = lambda: told.append("timeout")
        respond(tx, 486)
        clock.advance(32)
        assert told == ["timeout"]
        assert tx.terminated
        assert wire.forgotten == [tx]

    def test_rejection_over_tcp_is_sent_once_and_ends_with_its_ack(
        self, server: Server, wire: Wire, parsed: Callable[..., Request], clock: ManualClock
    ) -> None:
        tx = server("INVITE", TCP)
        respond(tx, 486)
        clock.advance(20)
        assert wire.at("486") == [0]
        assert not tx.terminated
        tx.receive_ack(parsed("ACK"))
        assert tx.terminated

    def test_2xx_is_repeated_only_by_its_user(
        self, server: Server, wire: Wire, clock: ManualClock
    ) -> None:
        tx = server("INVITE")
        respond(tx, 200)
        assert tx.state is TransactionState.ACCEPTED
        clock.advance(1)
        tx.receive_again()
        assert wire.at("200") == [0]
        respond(tx, 200)
        assert wire.at("200") == [0, 1]
        clock.advance(30.9)
        assert not tx.terminated
        clock.advance(0.1)
        assert tx.terminated
        respond(tx, 200)
        assert wire.at("200") == [0, 1]

    def test_ack_that_shares_the_branch_of_an_accepted_invite_is_passed_on(
        self, server: Server, wire: Wire, parsed: Callable[..., Request]
    ) -> None:
        tx = server("INVITE")
        respond(tx, 200)
        ack = parsed("ACK")
        tx.receive_ack(ack)
        assert wire.acks == [ack]

    def test_second_final_response_is_dropped(self, server: Server, wire: Wire) -> None:
        tx = server("INVITE")
        respond(tx, 200)
        respond(tx, 486)
        respond(tx, 180)
        assert [word for _, word in wire.sent] == ["200"]

    def test_cancel_is_told_once_while_there_is_no_final_response(self, server: Server) -> None:
        told: list[str] = []
        tx = server("INVITE")
        tx.on_cancel = lambda: told.append("cancel")
        respond(tx, 180)
        tx.receive_cancel()
        tx.receive_cancel()
        assert told == ["cancel"]

    def test_cancel_after_the_answer_comes_too_late(self, server: Server) -> None:
        told: list[str] = []
        tx = server("INVITE")
        tx.on_cancel = lambda: told.append("cancel")
        respond(tx, 200)
        tx.receive_cancel()
        assert told == []

    @pytest.mark.parametrize("code", [180, 486])
    def test_transport_error_ends_it_and_is_told(self, server: Server, code: int) -> None:
        told: list[str] = []
        tx = server("INVITE")
        tx.on_transport_error = told.append
        respond(tx, code)
        tx.transport_failed("gone")
        assert told == ["gone"]
        assert tx.terminated

    def test_transport_error_after_a_2xx_is_told_and_the_2xx_may_be_tried_again(
        self, server: Server, wire: Wire
    ) -> None:
        told: list[str] = []
        tx = server("INVITE")
        tx.on_transport_error = told.append
        respond(tx, 200)
        tx.transport_failed("gone")
        respond(tx, 200)
        assert told == ["gone"]
        assert len(wire.at("200")) == 2


class TestNonInviteServer:
    def test_repeated_request_waits_for_the_first_answer(self, server: Server, wire: Wire) -> None:
        tx = server("OPTIONS")
        tx.receive_again()
        assert wire.sent == []
        respond(tx, 100)
        tx.receive_again()
        respond(tx, 200)
        tx.receive_again()
        assert [word for _, word in wire.sent] == ["100", "100", "200", "200"]

    @pytest.mark.parametrize("first", [None, 100])
    @pytest.mark.parametrize("code", [200, 401])
    def test_final_response_is_kept_until_timer_j(
        self, server: Server, clock: ManualClock, code: int, first: int | None
    ) -> None:
        tx = server("REGISTER")
        clock.advance(5)
        if first:
            respond(tx, first)
        respond(tx, code)
        respond(tx, 500)
        clock.advance(31.999)
        assert tx.state is TransactionState.COMPLETED
        clock.advance(0.001)
        assert tx.terminated

    def test_final_response_over_tcp_ends_at_once(self, server: Server, wire: Wire) -> None:
        tx = server("REGISTER", TCP)
        respond(tx, 200)
        assert tx.terminated
        assert wire.at("200") == [0]

    @pytest.mark.parametrize("first", [None, 100])
    def test_unanswered_request_is_dropped_when_its_client_has_given_up(
        self, server: Server, clock: ManualClock, first: int | None
    ) -> None:
        told: list[str] = []
        tx = server("MESSAGE")
        tx.on_timeout = lambda: told.append("timeout")
        if first:
            respond(tx, first)
        clock.advance(32)
        assert told == ["timeout"]
        assert tx.terminated

    @pytest.mark.parametrize("code", [100, 200])
    def test_transport_error_is_told(self, server: Server, code: int) -> None:
        told: list[str] = []
        tx = server("BYE")
        tx.on_transport_error = told.append
        respond(tx, code)
        tx.transport_failed("gone")
        assert told == ["gone"]
        assert tx.terminated


class TestTimers:
    class Taker:
        """Writes down when it is fed, and may do something then."""

        def __init__(self, clock: ManualClock, then: Callable[[], object] = lambda: None) -> None:
            self.clock = clock
            self.started = clock.now()
            self.then = then
            self.times: list[float] = []

        def feed(self, event: Event) -> None:
            self.times.append(round(self.clock.now() - self.started, 3))
            self.then()

    def test_a_failing_one_does_not_stop_the_others(self, clock: ManualClock) -> None:
        timers = Timers(clock)

        def fail() -> None:
            raise RuntimeError("on purpose")

        bad, good = self.Taker(clock, fail), self.Taker(clock)
        timers.feed_later(0.5, bad, Event.A)
        timers.feed_later(0.5, good, Event.A)
        clock.advance(0.5)
        assert bad.times == good.times == [0.5]

    def test_one_may_set_the_same_delay_again_and_cancel_another(self, clock: ManualClock) -> None:
        timers = Timers(clock)
        again, late = self.Taker(clock), self.Taker(clock)

        def happens() -> None:
            other.cancel()
            timers.feed_later(1.0, again, Event.A)

        timers.feed_later(1.0, self.Taker(clock, happens), Event.A)
        clock.advance(0.25)
        other = timers.feed_later(1.0, late, Event.A)
        clock.advance(5)
        assert again.times == [2.0]
        assert late.times == []

    def test_what_falls_due_nearly_together_happens_together(self, clock: ManualClock) -> None:
        timers = Timers(clock)
        takers = [self.Taker(clock) for _ in range(3)]
        for taker in takers:
            timers.feed_later(10.0, taker, Event.J)
            clock.advance(0.09)
        clock.advance(20)
        assert [taker.times for taker in takers] == [[10.0], [10.0], [10.18]]

    def test_clear_forgets_everything(self, clock: ManualClock) -> None:
        timers = Timers(clock)
        never, later = self.Taker(clock), self.Taker(clock)
        timers.feed_later(1.0, never, Event.A)
        timers.clear()
        clock.advance(5)
        timers.feed_later(1.0, later, Event.A)
        clock.advance(5)
        assert (never.times, later.times) == ([], [6.0])


@pytest.mark.parametrize("method", ["INVITE", "BYE"])
def test_a_server_lets_go_of_its_request_but_not_of_what_responses_need(
    server: Server, clock: ManualClock, method: str
) -> None:
    tx = server(method)
    full = tx.request
    respond(tx, 200)
    assert tx.request is full
    clock.advance(1)
    assert tx.request is not full
    assert "Contact" not in tx.request.headers
    assert "Contact" in full.headers
    assert bytes(make_response(tx.request, 200)) == bytes(make_response(full, 200))
