"""The four transaction machines of RFC 3261 §17, with RFC 6026's Accepted state, as tables.

This page is the specification; `transaction` only walks it. A machine takes an event, looks up
(state, event) in its table, enters the new state and then does the actions in order. An event
that has no entry does not matter in that state and changes nothing.

Timers keep the RFC's letters, which name both the event and the action that sets it:

====== ===================================== ==================== ==================
timer  what for                              unreliable transport reliable transport
====== ===================================== ==================== ==================
A      INVITE again                          T1, doubling         not set
B      give an INVITE up                     64*T1                64*T1
C      give a cancelled INVITE up (§9.1)     64*T1                64*T1
D      absorb further final responses        32 s or more         none: ends at once
E      request again                         T1 doubling to T2    not set
F      give a request up, on both sides      64*T1                64*T1
G      final response to INVITE again        T1 doubling to T2    not set
H      give up waiting for the ACK           64*T1                64*T1
I      absorb further ACKs                   T4                   none: ends at once
J      absorb further requests               64*T1                none: ends at once
K      absorb further responses              T4                   none: ends at once
L      absorb INVITEs and ACKs after a 2xx   64*T1                64*T1
M      take the 2xx of all forks             64*T1                64*T1
====== ===================================== ==================== ==================

AGE is no timer of the RFC: a second after the final response a server lets go of most of the
request, since thousands of them wait for retransmissions that need only the last response. A
client other than of INVITE lets go of it as soon as its user was told: it answers nothing more.
(Timer C of RFC 3261 is a proxy's; here the letter stands for the wait after a CANCEL. Reliable
transports retransmit by themselves, all but the 2xx of an INVITE, and lose nothing in order.)

Rules the tables follow:

- START is the first event of a client, and of a non-INVITE server; the INVITE server begins
  with what its user does.
- Actions that tell the user come last: the user may act on the transaction at once.
- A client's user hears exactly one of: a final response, a timeout, a transport error; after
  a 2xx to INVITE possibly more 2xx. So a failing ACK in Completed ends the machine silently.
- An INVITE server in Accepted sends what its user gives it and repeats nothing by itself: the
  user retransmits the 2xx until the ACK comes (RFC 3261 §13.3.1.4, RFC 6026 §7.1).
- A transport that fails when nothing was to be sent (INVITE client in Proceeding) is no event:
  the answer may still come another way (RFC 3261 §18.2.2).
"""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias


class State(Enum):
    """States of all four machines."""

    __hash__ = object.__hash__  # Enum's own is written in Python, and the tables are read often

    CALLING = "calling"
    TRYING = "trying"
    PROCEEDING = "proceeding"
    ACCEPTED = "accepted"
    COMPLETED = "completed"
    CONFIRMED = "confirmed"
    TERMINATED = "terminated"


class Event(Enum):
    """What can happen to a transaction.

    PROVISIONAL, SUCCESS and FAILURE are responses (1xx, 2xx, 300-699): from the wire for a
    client, from the user for a server.
    """

    __hash__ = object.__hash__

    START = "start"
    PROVISIONAL = "provisional"
    SUCCESS = "success"
    FAILURE = "failure"
    REQUEST_AGAIN = "request again"
    ACK = "ack"
    CANCEL = "cancel"
    TRANSPORT_ERROR = "transport error"
    A = "A"
    B = "B"
    C = "C"
    D = "D"
    E = "E"
    F = "F"
    G = "G"
    H = "H"
    I = "I"  # noqa: E741 - the RFC's letter
    J = "J"
    K = "K"
    L = "L"
    M = "M"
    AGE = "age"


class Action(Enum):
    """What a machine does on a transition; `transaction` has a method for each."""

    SEND = "send the request, or the user's response"
    SEND_AGAIN = "send again what was sent last"
    SEND_ACK = "acknowledge a final response of 300-699"
    SEND_CANCEL = "send a CANCEL, once"
    REMEMBER_CANCEL = "send a CANCEL when a provisional response comes"
    CANCEL_IF_REMEMBERED = "let CANCEL happen now, if it is remembered"
    STOP_TIMERS = "stop the timers"
    TELL_RESPONSE = "give the response to the user"
    TELL_TIMEOUT = "tell the user that nobody answered"
    TELL_ERROR = "tell the user that sending failed"
    TELL_ACK = "give the ACK of a 2xx to the user"
    END = "forget the transaction"
    SHRINK = "keep of the request only what is needed for what may come still"
    SET_A = "set A"
    SET_B = "set B"
    SET_C = "set C"
    SET_D = "set D"
    SET_E = "set E"
    SET_E_T2 = "set E to T2"
    SET_F = "set F"
    SET_G = "set G"
    SET_H = "set H"
    SET_I = "set I"
    SET_J = "set J"
    SET_K = "set K"
    SET_L = "set L"
    SET_M = "set M"
    SET_AGE = "set AGE"


Table: TypeAlias = dict[tuple[State, Event], tuple[State, tuple[Action, ...]]]

S, V, A = State, Event, Action

INVITE_CLIENT: Table = {
    (S.CALLING, V.START): (S.CALLING, (A.SEND, A.SET_A, A.SET_B)),
    (S.CALLING, V.A): (S.CALLING, (A.SEND_AGAIN, A.SET_A)),
    (S.CALLING, V.B): (S.TERMINATED, (A.END, A.TELL_TIMEOUT)),
    (S.CALLING, V.TRANSPORT_ERROR): (S.TERMINATED, (A.END, A.TELL_ERROR)),
    (S.CALLING, V.CANCEL): (S.CALLING, (A.REMEMBER_CANCEL,)),
    (S.CALLING, V.PROVISIONAL): (
        S.PROCEEDING,
        (A.STOP_TIMERS, A.CANCEL_IF_REMEMBERED, A.TELL_RESPONSE),
    ),
    (S.CALLING, V.SUCCESS): (S.ACCEPTED, (A.STOP_TIMERS, A.SET_M, A.TELL_RESPONSE)),
    (S.CALLING, V.FAILURE): (
        S.COMPLETED,
        (A.STOP_TIMERS, A.SEND_ACK, A.SET_D, A.TELL_RESPONSE),
    ),
    (S.PROCEEDING, V.CANCEL): (S.PROCEEDING, (A.SEND_CANCEL, A.SET_C)),
    (S.PROCEEDING, V.C): (S.TERMINATED, (A.END, A.TELL_TIMEOUT)),
    (S.PROCEEDING, V.PROVISIONAL): (S.PROCEEDING, (A.TELL_RESPONSE,)),
    (S.PROCEEDING, V.SUCCESS): (S.ACCEPTED, (A.STOP_TIMERS, A.SET_M, A.TELL_RESPONSE)),
    (S.PROCEEDING, V.FAILURE): (
        S.COMPLETED,
        (A.STOP_TIMERS, A.SEND_ACK, A.SET_D, A.TELL_RESPONSE),
    ),
    (S.ACCEPTED, V.SUCCESS): (S.ACCEPTED, (A.TELL_RESPONSE,)),
    (S.ACCEPTED, V.M): (S.TERMINATED, (A.END,)),
    (S.COMPLETED, V.FAILURE): (S.COMPLETED, (A.SEND_ACK,)),
    (S.COMPLETED, V.TRANSPORT_ERROR): (S.TERMINATED, (A.END,)),
    (S.COMPLETED, V.D): (S.TERMINATED, (A.END,)),
}
"""RFC 3261 figure 5, with RFC 6026 figure 4 and the CANCEL of §9.1."""

_ANSWERED = (A.STOP_TIMERS, A.SET_K, A.TELL_RESPONSE, A.SHRINK)

NON_INVITE_CLIENT: Table = {
    (S.TRYING, V.START): (S.TRYING, (A.SEND, A.SET_E, A.SET_F)),
    (S.TRYING, V.E): (S.TRYING, (A.SEND_AGAIN, A.SET_E)),
    (S.TRYING, V.F): (S.TERMINATED, (A.END, A.TELL_TIMEOUT)),
    (S.TRYING, V.TRANSPORT_ERROR): (S.TERMINATED, (A.END, A.TELL_ERROR)),
    (S.TRYING, V.PROVISIONAL): (S.PROCEEDING, (A.TELL_RESPONSE,)),
    (S.TRYING, V.SUCCESS): (S.COMPLETED, _ANSWERED),
    (S.TRYING, V.FAILURE): (S.COMPLETED, _ANSWERED),
    (S.PROCEEDING, V.E): (S.PROCEEDING, (A.SEND_AGAIN, A.SET_E_T2)),
    (S.PROCEEDING, V.F): (S.TERMINATED, (A.END, A.TELL_TIMEOUT)),
    (S.PROCEEDING, V.TRANSPORT_ERROR): (S.TERMINATED, (A.END, A.TELL_ERROR)),
    (S.PROCEEDING, V.PROVISIONAL): (S.PROCEEDING, (A.TELL_RESPONSE,)),
    (S.PROCEEDING, V.SUCCESS): (S.COMPLETED, _ANSWERED),
    (S.PROCEEDING, V.FAILURE): (S.COMPLETED, _ANSWERED),
    (S.COMPLETED, V.K): (S.TERMINATED, (A.END,)),
}
"""RFC 3261 figure 6."""

INVITE_SERVER: Table = {
    (S.PROCEEDING, V.REQUEST_AGAIN): (S.PROCEEDING, (A.SEND_AGAIN,)),
    (S.PROCEEDING, V.PROVISIONAL): (S.PROCEEDING, (A.SEND,)),
    (S.PROCEEDING, V.SUCCESS): (S.ACCEPTED, (A.SEND, A.SET_L, A.SET_AGE)),
    (S.PROCEEDING, V.FAILURE): (S.COMPLETED, (A.SEND, A.SET_G, A.SET_H, A.SET_AGE)),
    (S.PROCEEDING, V.TRANSPORT_ERROR): (S.TERMINATED, (A.END, A.TELL_ERROR)),
    (S.ACCEPTED, V.SUCCESS): (S.ACCEPTED, (A.SEND,)),
    (S.ACCEPTED, V.ACK): (S.ACCEPTED, (A.TELL_ACK,)),
    (S.ACCEPTED, V.TRANSPORT_ERROR): (S.ACCEPTED, (A.TELL_ERROR,)),
    (S.ACCEPTED, V.AGE): (S.ACCEPTED, (A.SHRINK,)),
    (S.ACCEPTED, V.L): (S.TERMINATED, (A.END,)),
    (S.COMPLETED, V.REQUEST_AGAIN): (S.COMPLETED, (A.SEND_AGAIN,)),
    (S.COMPLETED, V.G): (S.COMPLETED, (A.SEND_AGAIN, A.SET_G)),
    (S.COMPLETED, V.AGE): (S.COMPLETED, (A.SHRINK,)),
    (S.COMPLETED, V.H): (S.TERMINATED, (A.END, A.TELL_TIMEOUT)),
    (S.COMPLETED, V.ACK): (S.CONFIRMED, (A.STOP_TIMERS, A.SET_I)),
    (S.COMPLETED, V.TRANSPORT_ERROR): (S.TERMINATED, (A.END, A.TELL_ERROR)),
    (S.CONFIRMED, V.I): (S.TERMINATED, (A.END,)),
}
"""RFC 3261 figure 7, with RFC 6026 figure 5."""

NON_INVITE_SERVER: Table = {
    (S.TRYING, V.START): (S.TRYING, (A.SET_F,)),
    (S.TRYING, V.F): (S.TERMINATED, (A.END, A.TELL_TIMEOUT)),
    (S.TRYING, V.PROVISIONAL): (S.PROCEEDING, (A.SEND,)),
    (S.TRYING, V.SUCCESS): (S.COMPLETED, (A.STOP_TIMERS, A.SEND, A.SET_J, A.SET_AGE)),
    (S.TRYING, V.FAILURE): (S.COMPLETED, (A.STOP_TIMERS, A.SEND, A.SET_J, A.SET_AGE)),
    (S.PROCEEDING, V.REQUEST_AGAIN): (S.PROCEEDING, (A.SEND_AGAIN,)),
    (S.PROCEEDING, V.PROVISIONAL): (S.PROCEEDING, (A.SEND,)),
    (S.PROCEEDING, V.SUCCESS): (S.COMPLETED, (A.STOP_TIMERS, A.SEND, A.SET_J, A.SET_AGE)),
    (S.PROCEEDING, V.FAILURE): (S.COMPLETED, (A.STOP_TIMERS, A.SEND, A.SET_J, A.SET_AGE)),
    (S.PROCEEDING, V.F): (S.TERMINATED, (A.END, A.TELL_TIMEOUT)),
    (S.PROCEEDING, V.TRANSPORT_ERROR): (S.TERMINATED, (A.END, A.TELL_ERROR)),
    (S.COMPLETED, V.REQUEST_AGAIN): (S.COMPLETED, (A.SEND_AGAIN,)),
    (S.COMPLETED, V.TRANSPORT_ERROR): (S.TERMINATED, (A.END, A.TELL_ERROR)),
    (S.COMPLETED, V.AGE): (S.COMPLETED, (A.SHRINK,)),
    (S.COMPLETED, V.J): (S.TERMINATED, (A.END,)),
}
"""RFC 3261 figure 8, and F: after it the client no longer listens (RFC 4320 §4.2)."""
