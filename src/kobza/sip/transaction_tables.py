"""The four transaction machines as data: RFC 3261 17 (figures 5 to 8) with RFC 6026 (figures 4 and 5 of it).

A table maps (state, input) to (next state, actions). What is not in a table is absorbed: nothing happens. Actions run
in the order given, after the state has changed. `docs/sip-transactions.md` is drawn from these tables.

Beside the RFC's own inputs there is GIVE_UP: the user of a transaction abandons it (RFC 3261 9.1: no final response
64*T1 after the CANCEL; a non-INVITE request of a dialog that ended). PATIENCE ends a non-INVITE server transaction
whose user never answered: after 64*T1 the client has given up and an answer would only do harm (RFC 4320 4.2).
TRYING_DUE is the 200 ms of RFC 3261 17.2.1 after which an INVITE that nobody has answered yet is answered 100.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum


class State(IntEnum):
    """States of all four machines. Integers: they index the compiled tables."""

    INITIAL = 0
    CALLING = 1
    TRYING = 2
    PROCEEDING = 3
    COMPLETED = 4
    CONFIRMED = 5
    ACCEPTED = 6
    TERMINATED = 7


class Input(IntEnum):
    """What can happen to a transaction."""

    START = 0
    """Client: the user sends the request. Server: the request arrived for the first time."""
    RECEIVE_REQUEST = 1
    """Server: the request arrived again."""
    RECEIVE_ACK = 2
    RECEIVE_1XX = 3
    RECEIVE_2XX = 4
    RECEIVE_300_699 = 5
    RESPOND_1XX = 6
    RESPOND_2XX = 7
    RESPOND_300_699 = 8
    TIMER_A = 9
    TIMER_B = 10
    TIMER_D = 11
    TIMER_E = 12
    TIMER_F = 13
    TIMER_G = 14
    TIMER_H = 15
    TIMER_I = 16
    TIMER_J = 17
    TIMER_K = 18
    TIMER_L = 19
    TIMER_M = 20
    PATIENCE = 21
    TRANSPORT_ERROR = 22
    GIVE_UP = 23
    TRYING_DUE = 24


class Action(StrEnum):
    """What a transaction does. START_x of a timer that is zero on a reliable transport lets it fire at once."""

    SEND_REQUEST = "send request"
    SEND_ACK = "send ACK"
    SEND_TRYING = "send 100"
    SEND_RESPONSE = "send response"
    SEND_RESPONSE_AGAIN = "send last response"
    DELIVER_RESPONSE = "response to TU"
    DELIVER_ACK = "ACK to TU"
    REPORT_TIMEOUT = "timeout to TU"
    REPORT_TRANSPORT_ERROR = "transport error to TU"
    STOP_TIMERS = "stop timers"
    START_A = "start A (UDP)"
    DOUBLE_A = "restart A, doubled"
    START_B = "start B"
    START_D = "start D"
    START_E = "start E (UDP)"
    DOUBLE_E = "restart E, doubled up to T2"
    SLOW_E = "restart E with T2"
    START_F = "start F"
    START_G = "start G (UDP)"
    DOUBLE_G = "restart G, doubled up to T2"
    START_H = "start H"
    START_I = "start I"
    START_J = "start J"
    START_K = "start K"
    START_L = "start L"
    START_M = "start M"
    START_PATIENCE = "start patience"
    START_TRYING = "start the wait for 100"


Table = Mapping[tuple[State, Input], tuple[State, tuple[Action, ...]]]

INVITE_CLIENT: Table = {
    (State.INITIAL, Input.START): (State.CALLING, (Action.SEND_REQUEST, Action.START_A, Action.START_B)),
    (State.CALLING, Input.TIMER_A): (State.CALLING, (Action.SEND_REQUEST, Action.DOUBLE_A)),
    (State.CALLING, Input.TIMER_B): (State.TERMINATED, (Action.REPORT_TIMEOUT,)),
    (State.CALLING, Input.TRANSPORT_ERROR): (State.TERMINATED, (Action.REPORT_TRANSPORT_ERROR,)),
    (State.CALLING, Input.RECEIVE_1XX): (State.PROCEEDING, (Action.STOP_TIMERS, Action.DELIVER_RESPONSE)),
    (State.CALLING, Input.RECEIVE_2XX): (
        State.ACCEPTED,
        (Action.STOP_TIMERS, Action.START_M, Action.DELIVER_RESPONSE),
    ),
    (State.CALLING, Input.RECEIVE_300_699): (
        State.COMPLETED,
        (Action.STOP_TIMERS, Action.SEND_ACK, Action.START_D, Action.DELIVER_RESPONSE),
    ),
    (State.CALLING, Input.GIVE_UP): (State.TERMINATED, ()),
    (State.PROCEEDING, Input.RECEIVE_1XX): (State.PROCEEDING, (Action.DELIVER_RESPONSE,)),
    (State.PROCEEDING, Input.RECEIVE_2XX): (State.ACCEPTED, (Action.START_M, Action.DELIVER_RESPONSE)),
    (State.PROCEEDING, Input.RECEIVE_300_699): (
        State.COMPLETED,
        (Action.SEND_ACK, Action.START_D, Action.DELIVER_RESPONSE),
    ),
    (State.PROCEEDING, Input.GIVE_UP): (State.TERMINATED, ()),
    (State.COMPLETED, Input.RECEIVE_300_699): (State.COMPLETED, (Action.SEND_ACK,)),
    (State.COMPLETED, Input.TIMER_D): (State.TERMINATED, ()),
    (State.COMPLETED, Input.TRANSPORT_ERROR): (State.TERMINATED, ()),
    (State.ACCEPTED, Input.RECEIVE_2XX): (State.ACCEPTED, (Action.DELIVER_RESPONSE,)),
    (State.ACCEPTED, Input.TIMER_M): (State.TERMINATED, ()),
}
"""RFC 3261 17.1.1 with RFC 6026 7.2: the Accepted state passes every 2xx, whichever fork sends it.

The RFC tells the user when an ACK cannot be sent (Completed). Here it ends in silence: the user has its final response,
and a failure behind it would read as a second outcome of the same request.
"""

NON_INVITE_CLIENT: Table = {
    (State.INITIAL, Input.START): (State.TRYING, (Action.SEND_REQUEST, Action.START_E, Action.START_F)),
    (State.TRYING, Input.TIMER_E): (State.TRYING, (Action.SEND_REQUEST, Action.DOUBLE_E)),
    (State.TRYING, Input.TIMER_F): (State.TERMINATED, (Action.REPORT_TIMEOUT,)),
    (State.TRYING, Input.TRANSPORT_ERROR): (State.TERMINATED, (Action.REPORT_TRANSPORT_ERROR,)),
    (State.TRYING, Input.RECEIVE_1XX): (State.PROCEEDING, (Action.DELIVER_RESPONSE,)),
    (State.TRYING, Input.RECEIVE_2XX): (
        State.COMPLETED,
        (Action.STOP_TIMERS, Action.START_K, Action.DELIVER_RESPONSE),
    ),
    (State.TRYING, Input.RECEIVE_300_699): (
        State.COMPLETED,
        (Action.STOP_TIMERS, Action.START_K, Action.DELIVER_RESPONSE),
    ),
    (State.TRYING, Input.GIVE_UP): (State.TERMINATED, ()),
    (State.PROCEEDING, Input.TIMER_E): (State.PROCEEDING, (Action.SEND_REQUEST, Action.SLOW_E)),
    (State.PROCEEDING, Input.TIMER_F): (State.TERMINATED, (Action.REPORT_TIMEOUT,)),
    (State.PROCEEDING, Input.TRANSPORT_ERROR): (State.TERMINATED, (Action.REPORT_TRANSPORT_ERROR,)),
    (State.PROCEEDING, Input.RECEIVE_1XX): (State.PROCEEDING, (Action.DELIVER_RESPONSE,)),
    (State.PROCEEDING, Input.RECEIVE_2XX): (
        State.COMPLETED,
        (Action.STOP_TIMERS, Action.START_K, Action.DELIVER_RESPONSE),
    ),
    (State.PROCEEDING, Input.RECEIVE_300_699): (
        State.COMPLETED,
        (Action.STOP_TIMERS, Action.START_K, Action.DELIVER_RESPONSE),
    ),
    (State.PROCEEDING, Input.GIVE_UP): (State.TERMINATED, ()),
    (State.COMPLETED, Input.TIMER_K): (State.TERMINATED, ()),
}
"""RFC 3261 17.1.2."""

INVITE_SERVER: Table = {
    (State.INITIAL, Input.START): (State.TRYING, (Action.START_TRYING,)),
    (State.TRYING, Input.TRYING_DUE): (State.PROCEEDING, (Action.SEND_TRYING,)),
    (State.TRYING, Input.RECEIVE_REQUEST): (State.PROCEEDING, (Action.STOP_TIMERS, Action.SEND_TRYING)),
    (State.TRYING, Input.RESPOND_1XX): (State.PROCEEDING, (Action.STOP_TIMERS, Action.SEND_RESPONSE)),
    (State.TRYING, Input.RESPOND_2XX): (
        State.ACCEPTED,
        (Action.STOP_TIMERS, Action.SEND_RESPONSE, Action.START_L),
    ),
    (State.TRYING, Input.RESPOND_300_699): (
        State.COMPLETED,
        (Action.STOP_TIMERS, Action.SEND_RESPONSE, Action.START_G, Action.START_H),
    ),
    (State.TRYING, Input.TRANSPORT_ERROR): (State.TRYING, (Action.REPORT_TRANSPORT_ERROR,)),
    (State.PROCEEDING, Input.RECEIVE_REQUEST): (State.PROCEEDING, (Action.SEND_RESPONSE_AGAIN,)),
    (State.PROCEEDING, Input.RESPOND_1XX): (State.PROCEEDING, (Action.SEND_RESPONSE,)),
    (State.PROCEEDING, Input.RESPOND_2XX): (State.ACCEPTED, (Action.SEND_RESPONSE, Action.START_L)),
    (State.PROCEEDING, Input.RESPOND_300_699): (
        State.COMPLETED,
        (Action.SEND_RESPONSE, Action.START_G, Action.START_H),
    ),
    (State.PROCEEDING, Input.TRANSPORT_ERROR): (State.PROCEEDING, (Action.REPORT_TRANSPORT_ERROR,)),
    (State.COMPLETED, Input.RECEIVE_REQUEST): (State.COMPLETED, (Action.SEND_RESPONSE_AGAIN,)),
    (State.COMPLETED, Input.TIMER_G): (State.COMPLETED, (Action.SEND_RESPONSE_AGAIN, Action.DOUBLE_G)),
    (State.COMPLETED, Input.RECEIVE_ACK): (State.CONFIRMED, (Action.STOP_TIMERS, Action.START_I)),
    (State.COMPLETED, Input.TIMER_H): (State.TERMINATED, (Action.REPORT_TIMEOUT,)),
    (State.COMPLETED, Input.TRANSPORT_ERROR): (State.COMPLETED, (Action.REPORT_TRANSPORT_ERROR,)),
    (State.CONFIRMED, Input.TIMER_I): (State.TERMINATED, ()),
    (State.ACCEPTED, Input.RESPOND_2XX): (State.ACCEPTED, (Action.SEND_RESPONSE,)),
    (State.ACCEPTED, Input.RECEIVE_ACK): (State.ACCEPTED, (Action.DELIVER_ACK,)),
    (State.ACCEPTED, Input.TRANSPORT_ERROR): (State.ACCEPTED, (Action.REPORT_TRANSPORT_ERROR,)),
    (State.ACCEPTED, Input.TIMER_L): (State.TERMINATED, ()),
}
"""RFC 3261 17.2.1 with RFC 6026 7.1: Accepted absorbs a repeated INVITE; the TU repeats its 2xx through it.

Trying is the first 200 ms of the RFC's Proceeding, in which no 100 has to be sent: mostly something better comes in
that time, such as the 180 or the challenge. An INVITE that comes again is answered at once.
"""

NON_INVITE_SERVER: Table = {
    (State.INITIAL, Input.START): (State.TRYING, (Action.START_PATIENCE,)),
    (State.TRYING, Input.RESPOND_1XX): (State.PROCEEDING, (Action.SEND_RESPONSE,)),
    (State.TRYING, Input.RESPOND_2XX): (
        State.COMPLETED,
        (Action.STOP_TIMERS, Action.SEND_RESPONSE, Action.START_J),
    ),
    (State.TRYING, Input.RESPOND_300_699): (
        State.COMPLETED,
        (Action.STOP_TIMERS, Action.SEND_RESPONSE, Action.START_J),
    ),
    (State.TRYING, Input.PATIENCE): (State.TERMINATED, ()),
    (State.PROCEEDING, Input.RECEIVE_REQUEST): (State.PROCEEDING, (Action.SEND_RESPONSE_AGAIN,)),
    (State.PROCEEDING, Input.RESPOND_1XX): (State.PROCEEDING, (Action.SEND_RESPONSE,)),
    (State.PROCEEDING, Input.RESPOND_2XX): (
        State.COMPLETED,
        (Action.STOP_TIMERS, Action.SEND_RESPONSE, Action.START_J),
    ),
    (State.PROCEEDING, Input.RESPOND_300_699): (
        State.COMPLETED,
        (Action.STOP_TIMERS, Action.SEND_RESPONSE, Action.START_J),
    ),
    (State.PROCEEDING, Input.TRANSPORT_ERROR): (State.TERMINATED, (Action.REPORT_TRANSPORT_ERROR,)),
    (State.PROCEEDING, Input.PATIENCE): (State.TERMINATED, ()),
    (State.COMPLETED, Input.RECEIVE_REQUEST): (State.COMPLETED, (Action.SEND_RESPONSE_AGAIN,)),
    (State.COMPLETED, Input.TRANSPORT_ERROR): (State.TERMINATED, (Action.REPORT_TRANSPORT_ERROR,)),
    (State.COMPLETED, Input.TIMER_J): (State.TERMINATED, ()),
}
"""RFC 3261 17.2.2."""
