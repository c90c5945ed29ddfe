"""Lines of departments, by the hands of a clock: who is offered whom, without a phone."""

from __future__ import annotations

from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from vpbx.calls.hunt import Start, Stop
from vpbx.calls.shared.queues import (
    CallBack,
    CallNow,
    Gone,
    Queues,
    Rule,
    Telling,
    Ticket,
    Waiting,
)
from vpbx.clock import ManualClock
from vpbx.directory import CallOrder

ACME = 1
SALES, SUPPORT = "g_sales", "g_support"


@dataclass
class Office:
    """Employees who are free or talk, departments, and what the queues said."""

    clock: ManualClock = field(default_factory=ManualClock)
    order: CallOrder = CallOrder.ALL
    people: dict[str, tuple[str, ...]] = field(
        default_factory=lambda: {SALES: ("a", "b"), SUPPORT: ("b", "c")}
    )
    busy: set[str] = field(default_factory=set)
    story: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.queues = Queues(self.clock, self)

    def rule(self, domain_id: int, group: str, without: str) -> Rule:
        return Rule(self.order, 15, self.people.get(group, ()), group not in self.people)

    def free(self, domain_id: int, login: str, ticket: Ticket) -> bool:
        return login not in self.busy

    def calls(self, name: str, group: str = SALES, domain: int = ACME) -> Waiting:
        """A caller comes in."""
        ticket = Waiting(domain, group, self.clock.now(), lambda a: self._note(name, a))
        self.queues.join(ticket)
        return ticket

    def asks_back(self, name: str, group: str = SALES, since: float | None = None) -> CallBack:
        since = self.clock.now() if since is None else since
        ticket = CallBack(ACME, group, since, lambda a: self._note(name, a), client=name)
        self.queues.join(ticket)
        return ticket

    def _note(self, name: str, told: Telling) -> None:
        sign = {Start: "+", Stop: "-", CallNow: "!", Gone: "x"}[type(told)]
        self.story.append(f"{name}{sign}{getattr(told, 'login', '')}")

    def said(self) -> str:
        told, self.story[:] = " ".join(self.story), []
        return told

    def answers(self, ticket: Ticket, login: str) -> None:
        self.busy.add(login)
        self.queues.leave(ticket)

    def hangs_up(self, login: str) -> None:
        self.busy.discard(login)
        self.queues.freed(ACME, login)


def test_one_caller_rings_everybody_the_next_waits() -> None:
    office = Office()
    first, second = office.calls("1"), office.calls("2")
    assert office.said() == "1+a 1+b"
    assert (office.queues.place(first), office.queues.place(second)) == (1, 2)
    office.answers(first, "a")
    assert office.said() == "2+b"
    assert office.queues.place(second) == 1
    assert office.queues.place(first) == 0


def test_who_gets_free_is_offered_to_the_longest_waiting_alone() -> None:
    office = Office(busy={"a", "b"})
    one, two = office.calls("1"), office.calls("2")
    assert office.said() == ""
    office.hangs_up("b")
    assert office.said() == "1+b"
    office.answers(one, "b")
    assert office.said() == ""
    office.hangs_up("a")
    assert office.said() == "2+a"
    assert office.queues.waiting(ACME, SALES) == 1
    office.queues.leave(two)
    assert office.queues.waiting(ACME, SALES) == 0


def test_who_belongs_to_two_departments_goes_to_the_longest_waiting_of_both() -> None:
    office = Office(busy={"a", "b", "c"})
    office.calls("support", SUPPORT)
    office.clock.advance(1)
    office.calls("sales", SALES)
    office.hangs_up("b")
    assert office.said() == "support+b"


def test_one_by_one_two_callers_ring_two_people() -> None:
    office = Office(order=CallOrder.BYORDER)
    one = office.calls("1")
    office.calls("2")
    assert office.said() == "1+a 2+b"
    office.clock.advance(60)  # nobody else to move on to
    assert office.said() == ""
    office.queues.refused(one, "a")  # the second's time with b was over long ago
    assert office.said() == "2-b 2+a 1+b"


def test_the_next_is_rung_when_the_time_of_the_first_is_over() -> None:
    office = Office(order=CallOrder.BYORDER)
    office.calls("1")
    office.clock.advance(15)
    assert office.said() == "1+a 1-a 1+b"


def test_whom_the_first_leaves_is_there_for_the_second_at_once() -> None:
    office = Office(order=CallOrder.BYORDER, people={SALES: ("a", "b"), SUPPORT: ("a",)})
    office.calls("1")
    office.calls("2", SUPPORT)
    office.clock.advance(15)
    assert office.said() == "1+a 1-a 1+b 2+a"


def test_a_caller_who_hangs_up_makes_room() -> None:
    office = Office()
    first = office.calls("1")
    office.calls("2")
    office.said()
    office.queues.leave(first)
    office.queues.leave(first)
    assert office.said() == "2+a 2+b"


def test_how_long_it_may_take_is_told_by_how_fast_the_line_moves() -> None:
    office = Office(busy={"a", "b"})
    for number in range(3):
        ticket = office.calls(str(number))
        assert office.queues.wait_minutes(ticket) is None
        office.clock.advance(120)
        office.queues.served(ticket)
        office.queues.leave(ticket)
    first, second = office.calls("1"), office.calls("2")
    assert office.queues.wait_minutes(first) == 2
    assert office.queues.wait_minutes(second) == 4
    assert office.queues.wait_minutes(office.calls("3", SUPPORT)) is None
    office.clock.advance(1700)
    assert office.queues.wait_minutes(first) is None, "that was too long ago"


def test_who_refused_talked_and_is_free_again_is_rung_at_once() -> None:
    office = Office(people={SALES: ("a",)})
    ticket = office.calls("1")
    assert office.said() == "1+a"
    office.queues.refused(ticket, "a")
    office.busy.add("a")
    office.queues.changed(ACME)
    office.clock.advance(5)
    assert office.said() == ""
    office.busy.discard("a")
    office.queues.changed(ACME)
    assert office.said() == "1+a"


def test_companies_wait_apart() -> None:
    office = Office()
    office.calls("1")
    office.calls("2", domain=2)
    assert office.said() == "1+a 1+b 2+a 2+b"


def test_a_department_that_was_deleted_rings_nobody_and_loses_nobody() -> None:
    office = Office()
    ticket = office.calls("1")
    del office.people[SALES]
    office.queues.changed(ACME)
    assert office.said() == "1+a 1+b 1-a 1-b"
    assert office.queues.place(ticket) == 1


def test_what_a_deleted_department_promised_is_off() -> None:
    office = Office(busy={"a", "b"})
    office.asks_back("1")
    del office.people[SALES]
    office.queues.changed(ACME)
    assert office.said() == "1x"
    assert office.queues.waiting(ACME, SALES) == 0


def test_a_promise_to_call_back_keeps_its_place_in_line() -> None:
    office = Office(busy={"a", "b"})
    since = office.clock.now()
    office.clock.advance(10)
    office.calls("2")
    office.asks_back("1", since=since)
    assert office.said() == ""
    office.hangs_up("a")
    assert office.said() == "1!a"
    office.hangs_up("b")
    assert office.said() == "2+b"


def test_only_one_employee_is_rung_to_call_back() -> None:
    office = Office()
    office.asks_back("1")
    assert office.said() == "1!a"
    office.queues.freed(ACME, "b")
    assert office.said() == ""


def test_a_customer_is_tried_three_times_five_minutes_apart() -> None:
    office = Office(people={SALES: ("a",)})
    ticket = office.asks_back("1")
    for left in (True, True, False):
        assert office.said() == "1!a"
        office.queues.taken(ticket)
        assert office.queues.not_reached(ticket, "a") is left
        office.clock.advance(299)
        assert office.said() == ""
        office.clock.advance(1)
    assert office.said() == ""
    assert office.queues.waiting(ACME, SALES) == 0


def test_an_employee_who_does_not_take_it_costs_the_customer_no_try() -> None:
    office = Office()
    ticket = office.asks_back("1")
    assert office.said() == "1!a"
    office.queues.not_taken(ticket, "a")
    assert office.said() == "1!b"
    office.queues.not_taken(ticket, "b")
    assert office.said() == ""
    office.clock.advance(30)
    assert office.said() == "1!a"
    assert ticket.tries == 0


def test_a_phone_that_nobody_is_at_is_rung_less_and_less() -> None:
    office = Office(people={SALES: ("a",)})
    ticket = office.asks_back("1")
    for rest_s in (30, 60, 120, 240, 480, 960, 960):
        assert office.said() == "1!a"
        office.queues.not_taken(ticket, "a")
        office.clock.advance(rest_s - 1)
        assert office.said() == ""
        office.clock.advance(1)
    assert office.said() == "1!a"
    office.queues.not_taken(ticket, "a")
    office.queues.freed(ACME, "a")  # they are there after all
    assert office.said() == "1!a"


def test_what_was_promised_to_a_customer_is_found_by_their_number() -> None:
    office = Office(busy={"a", "b"})
    ticket = office.asks_back("79101234567")
    assert office.queues.callbacks(ACME, "79101234567") == [ticket]
    assert office.queues.callbacks(2, "79101234567") == []
    office.queues.leave(ticket)
    office.hangs_up("a")
    assert office.said() == ""


EVERYBODY = ("a", "b", "c")
Login = st.sampled_from(EVERYBODY)


class Lines(RuleBasedStateMachine):
    """Whatever happens: nobody is offered twice, nobody is lost, the longest waiting is first."""

    @initialize(order=st.sampled_from(list(CallOrder)))
    def open(self, order: CallOrder) -> None:
        self.office = Office(order=order)
        self.tickets: dict[str, Ticket] = {}
        self.ringing: dict[str, str] = {}
        """Who rings → for which ticket."""
        self.begun: set[tuple[str, str]] = set()
        self.names = 0

    def line(self) -> list[tuple[str, Ticket]]:
        return sorted(self.tickets.items(), key=lambda item: item[1].turn)

    def settle(self) -> None:
        self.begun.clear()
        for word in self.office.said().split():
            name, sign, login = word[:-2], word[-2], word[-1]
            if sign == "-":
                assert self.ringing.pop(login) == name
            else:
                assert login not in self.ringing, "one employee was offered two callers"
                assert login not in self.office.busy
                self.ringing[login] = name
                self.begun.add((name, login))

    def silence(self, name: str) -> None:
        """The step of a ticket stops all its phones itself."""
        self.ringing = {who: of for who, of in self.ringing.items() if of != name}

    @rule(group=st.sampled_from([SALES, SUPPORT]), back=st.booleans())
    def somebody_calls(self, group: str, back: bool) -> None:
        self.names += 1
        name = f"n{self.names}"
        join = self.office.asks_back if back else self.office.calls
        self.tickets[name] = join(name, group)
        self.settle()

    @rule(which=st.integers(0, 5))
    def somebody_gives_up(self, which: int) -> None:
        if self.tickets:
            name = list(self.tickets)[which % len(self.tickets)]
            self.silence(name)
            self.office.queues.leave(self.tickets.pop(name))
            self.settle()

    @rule(login=Login)
    def somebody_answers(self, login: str) -> None:
        if login in self.ringing:
            name = self.ringing[login]
            self.silence(name)
            self.office.answers(self.tickets.pop(name), login)
            self.settle()

    @rule(login=Login)
    def somebody_refuses(self, login: str) -> None:
        if login in self.ringing:
            ticket = self.tickets[self.ringing.pop(login)]
            if isinstance(ticket, Waiting):
                self.office.queues.refused(ticket, login)
            elif isinstance(ticket, CallBack):
                self.office.queues.not_taken(ticket, login)
            self.settle()

    @rule(login=Login)
    def somebody_hangs_up(self, login: str) -> None:
        if login in self.office.busy:
            self.office.hangs_up(login)
            self.settle()

    @rule(login=Login)
    def somebody_dials_out(self, login: str) -> None:
        of = self.ringing.get(login)
        if of is None or isinstance(self.tickets[of], Waiting):
            self.office.busy.add(login)
            self.office.queues.changed(ACME)
            self.settle()

    @rule(count=st.integers(0, 3))
    def somebody_edits_the_department(self, count: int) -> None:
        self.office.people[SALES] = EVERYBODY[:count]
        self.office.queues.changed(ACME)
        self.settle()

    @rule(seconds=st.integers(1, 40))
    def time_passes(self, seconds: int) -> None:
        self.office.clock.advance(seconds)
        self.settle()

    @invariant()
    def all_are_in_line(self) -> None:
        places = {SALES: 0, SUPPORT: 0}
        for _, ticket in self.line():
            places[ticket.group] += 1
            assert self.office.queues.place(ticket) == places[ticket.group]

    @invariant()
    def nobody_waits_for_somebody_who_is_free_or_is_overtaken(self) -> None:
        line, now = self.line(), self.office.clock.now()
        for place, (name, ticket) in enumerate(line):
            if name in self.ringing.values() or not isinstance(ticket, Waiting):
                continue
            for login in self.office.people[ticket.group]:
                if login in self.office.busy or ticket.hunt._rest.get(login, 0) > now:
                    continue
                assert login in self.ringing, f"{name} waits though {login} is free"
                later = {each for each, _ in line[place + 1 :]}
                overtaken = [each for each, who in self.begun if who == login and each in later]
                assert not overtaken


TestLines = Lines.TestCase
TestLines.settings = settings(max_examples=150, stateful_step_count=30, deadline=None)
