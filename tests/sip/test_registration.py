"""Our registration at a registrar, in virtual time: the machine alone, then with a user agent and a bad network."""

from collections.abc import Mapping, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.sip.message import SipResponse
from kobza.sip.registration import (
    ANSWER_WITHIN,
    FIRST_RETRY,
    LEAST_REFRESH,
    LONGEST_RETRY,
    MAX_SECONDS,
    TRANSITIONS,
    RegisterWanted,
    RegistrationClient,
    RegistrationState,
)

CONTACT = "sip:0441234567@192.0.2.1:5060"
START = 1_000.0
REGISTERED, WAITING, TRYING = RegistrationState.REGISTERED, RegistrationState.WAITING, RegistrationState.TRYING
REFRESHING, LEAVING, OFF = RegistrationState.REFRESHING, RegistrationState.LEAVING, RegistrationState.OFF


def response(status: int, headers: Mapping[str, str]) -> SipResponse:
    return SipResponse.create(status, "Said", [(name.replace("_", "-"), value) for name, value in headers.items()])


class Line:
    """A registration and its clock. `chance` is nothing, so a wait is as long as it can be."""

    def __init__(self, servers: int = 1, expires: int = 600, chance: float = 0.0) -> None:
        self.now = START
        self.client = RegistrationClient(CONTACT, expires, chance=lambda: chance)
        self.client.servers = servers
        self.client.start(self.now)

    def sent(self) -> RegisterWanted:
        wanted = self.client.take_request()
        assert wanted is not None
        assert self.client.take_request() is None
        return wanted

    def say(self, status: int = 200, **headers: str) -> None:
        self.client.answered(response(status, headers), self.now)

    def wait(self, seconds: float) -> None:
        """Let time pass, deadline by deadline."""
        until = self.now + seconds
        while (deadline := self.client.deadline) is not None and deadline <= until:
            self.now = max(self.now, deadline)
            self.client.handle_timer(self.now)
            if self.client.deadline == deadline:
                break
        self.now = until

    def due_in(self) -> float:
        assert self.client.deadline is not None
        return self.client.deadline - self.now

    @property
    def state(self) -> RegistrationState:
        return self.client.state

    @property
    def is_registered(self) -> bool:
        return self.client.is_registered(self.now)


def test_it_registers_and_refreshes_in_time() -> None:
    line = Line()
    assert line.sent() == RegisterWanted(0, 600, 1)
    assert (line.state, line.is_registered) == (TRYING, False)
    line.say()
    assert (line.state, line.is_registered, line.due_in()) == (REGISTERED, True, 540)
    line.client.start(line.now)
    line.wait(539)
    assert line.client.take_request() is None
    line.wait(1)
    assert (line.state, line.is_registered) == (REFRESHING, True)
    assert line.sent() == RegisterWanted(0, 600, 3)
    line.say()
    assert line.state is REGISTERED
    line.wait(700)
    assert line.is_registered is False  # nobody answered, and the time is over


@pytest.mark.parametrize(
    ("headers", "granted"),
    [
        ({}, 600),
        ({"Expires": "120"}, 120),
        ({"Contact": f"<{CONTACT}>;expires=90", "Expires": "120"}, 90),
        ({"Contact": f"<sip:other@192.0.2.9>;expires=30, <{CONTACT}>;expires=90"}, 90),
        ({"Contact": "<sip:other@192.0.2.9>;expires=30"}, 600),
        ({"Contact": f"<{CONTACT.replace('sip:', 'SIP:')};ob>;expires=90"}, 90),  # the same by the rules of 19.1.4
        ({"Contact": "<sip:0441234567@203.0.113.5:1024>;expires=70, <sip:0441234567@203.0.113.5:1025>;expires=80"}, 70),
        ({"Contact": f"<{CONTACT}>;expires=soon"}, 600),
        ({"Contact": "<<"}, 600),
        ({"Contact": f"<{CONTACT}>;expires={10**15}"}, MAX_SECONDS),
    ],
)
def test_how_long_it_was_granted(headers: dict[str, str], granted: int) -> None:
    line = Line()
    line.client.answered(response(200, headers), line.now)
    assert line.is_registered
    line.now += granted - 0.5
    assert line.is_registered
    line.now += 0.5
    assert not line.is_registered


@pytest.mark.parametrize(("granted", "refresh"), [(3600, 3240), (100, 90), (60, 50), (20, 10), (12, LEAST_REFRESH)])
def test_when_it_refreshes(granted: int, refresh: float) -> None:
    line = Line()
    line.say(Expires=str(granted))
    assert line.due_in() == refresh


def test_too_brief_asks_for_longer_at_once_and_from_then_on() -> None:
    line = Line(expires=60)
    assert line.sent().expires == 60
    line.say(423, Min_Expires="1800")
    assert line.sent() == RegisterWanted(0, 1800, 3)
    line.say(423, Min_Expires="1800")  # a registrar that will not have what it asked for
    assert (line.state, line.client.detail) == (WAITING, "423 Said")
    line.wait(FIRST_RETRY)
    assert line.sent().expires == 1800
    line.say()
    line.client.stop(line.now)
    assert line.sent().expires == 0
    line.say(423, Min_Expires="3600")
    assert (line.sent().expires, line.state) == (0, LEAVING)


@pytest.mark.parametrize("status", [401, 403, 404, 407, 423])
def test_a_refusal_counts_at_once_and_is_tried_again_ever_more_rarely(status: int) -> None:
    line = Line(servers=2)
    line.say()
    line.wait(540)
    line.sent()
    waits = []
    for _ in range(8):
        line.say(status)
        assert (line.state, line.is_registered, line.client.detail) == (WAITING, False, f"{status} Said")
        waits.append(line.due_in())
        line.wait(line.due_in())
        assert line.sent().server == 0  # the other one would say the same
        assert line.state is TRYING
    assert waits == [10, 20, 40, 80, 160, 300, 300, 300]
    line.say()
    assert (line.state, line.client.detail) == (REGISTERED, "")
    line.wait(540)
    line.say(status)
    assert line.due_in() == FIRST_RETRY  # it begins anew


def test_chance_spreads_tries_over_half_the_time() -> None:
    for chance in (0.0, 0.5, 1.0):
        line = Line(chance=chance)
        line.say(403)
        assert line.due_in() == FIRST_RETRY * (1 - chance / 2)


@pytest.mark.parametrize(
    ("text", "wait"),
    [
        ("60", 60),
        ("60;duration=3600", 60),
        ("18000 (Wartung)", LONGEST_RETRY),
        ("soon", FIRST_RETRY),
        ("5", FIRST_RETRY),
    ],
)
def test_retry_after(text: str, wait: float) -> None:
    line = Line()
    line.say(503, Retry_After=text)
    assert line.due_in() == wait


@pytest.mark.parametrize("failure", [503, 500, 408, "silence", "transport"])
def test_failover(failure: int | str) -> None:
    line = Line(servers=3)
    line.say()
    line.wait(540)

    def fail() -> None:
        if failure == "silence":
            line.wait(ANSWER_WITHIN)
        elif failure == "transport":
            line.client.failed(503, line.now)
        else:
            line.say(int(failure))

    for server in (0, 1, 2):
        assert line.sent().server == server
        assert (line.state, line.is_registered) == (REFRESHING, True)  # what was granted still holds
        fail()
    assert line.state is WAITING
    assert line.client.detail in ("503 Said", "500 Said", "408 Said", "no answer", "it cannot be reached")
    line.wait(FIRST_RETRY)
    assert line.sent().server == 0
    assert line.state is REFRESHING
    line.wait(60)  # by now the time is over that was granted
    while line.state is not WAITING:
        fail()
    line.wait(LONGEST_RETRY)
    assert line.state in (TRYING, WAITING)
    assert not line.is_registered


def test_it_stays_at_the_server_that_answered_and_leaves_it_when_it_is_found_dead() -> None:
    line = Line(servers=2)
    line.sent()
    line.client.lose_server(line.now)  # nothing to lose yet
    assert line.client.take_request() is None
    line.say(503)
    assert line.sent().server == 1
    line.say()
    line.wait(540)
    assert line.sent().server == 1
    line.say()
    line.client.lose_server(line.now)
    assert (line.sent().server, line.state) == (0, REFRESHING)
    line.client.servers = 1  # its name has one address now
    line.say(503)
    line.wait(FIRST_RETRY)
    assert line.sent().server == 0


def test_it_takes_its_contact_away() -> None:
    line = Line()
    line.sent()
    line.say()
    line.client.stop(line.now)
    line.client.stop(line.now)
    assert line.sent().expires == 0
    line.say()
    assert (line.state, line.is_registered, line.client.deadline) == (OFF, False, None)
    line.say()  # a late one
    line.client.failed(408, line.now)
    line.client.stop(line.now)
    assert line.client.take_request() is None


@pytest.mark.parametrize("status", [200, 403, 503, None])
def test_it_is_off_whatever_the_registrar_says_to_that(status: int | None) -> None:
    line = Line(servers=2)  # the first REGISTER may have arrived already
    line.sent()
    line.client.stop(line.now)
    assert line.sent().expires == 0
    if status is None:
        line.wait(ANSWER_WITHIN)
    else:
        line.say(status)
    assert (line.state, line.client.deadline) == (OFF, None)


def test_stopping_while_it_waits() -> None:
    line = Line()
    line.sent()
    line.say(403)
    line.client.stop(line.now)
    assert (line.state, line.client.take_request(), line.client.deadline) == (OFF, None, None)
    line.client.handle_timer(line.now + 1000)
    line.client.start(line.now)
    line.sent()
    line.say()
    line.wait(540)
    line.sent()
    line.say(503)
    assert (line.state, line.is_registered) == (WAITING, True)
    line.client.stop(line.now)
    assert (line.sent().expires, line.state) == (0, LEAVING)


@pytest.mark.parametrize("how", ["timer", "dead server", "stop"])
def test_a_machine_that_stood_longer_than_the_registration_lasts(how: str) -> None:
    line = Line()
    line.sent()
    line.say()
    line.now += 700
    assert (line.state, line.is_registered) == (REGISTERED, False)
    if how == "stop":
        line.client.stop(line.now)
        assert (line.state, line.client.take_request(), line.client.deadline) == (OFF, None, None)
        return
    if how == "timer":
        line.client.handle_timer(line.now)
    else:
        line.client.lose_server(line.now)
    assert (line.sent().expires, line.state) == (600, TRYING)
    line.say()
    assert (line.state, line.is_registered) == (REGISTERED, True)


def test_a_step_that_the_table_does_not_have_is_a_fault() -> None:
    line = Line()
    with pytest.raises(RuntimeError, match="cannot go from trying to trying"):
        line.client._enter(TRYING)
    assert set(TRANSITIONS) == set(RegistrationState)


WORDS = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "S", "Zs"]), max_size=40)
CONTACTS = WORDS | st.builds("<{}>;expires={}".format, st.just(CONTACT) | WORDS, WORDS | st.integers().map(str))


@given(CONTACTS, WORDS | st.integers().map(str), WORDS | st.integers().map(str))
def test_whatever_a_registrar_writes_is_read(contact: str, expires: str, wait: str) -> None:
    line = Line()
    line.client.answered(response(423, {"Min-Expires": expires}), line.now)
    line.client.answered(response(503, {"Retry-After": wait}), line.now)
    if line.state is WAITING:
        assert 0 < line.due_in() <= LONGEST_RETRY
        line.wait(line.due_in())
    line.client.answered(response(200, {"Contact": contact, "Expires": expires}), line.now)
    assert line.is_registered
    assert line.due_in() >= LEAST_REFRESH


STEPS = st.lists(
    st.sampled_from(["200", "403", "423", "503", "408", "transport", "lose", "stop", "start", "servers", "early"])
    | st.floats(0, 700),
    max_size=60,
)


@given(STEPS)
def test_whatever_happens_it_has_something_to_wait_for_and_ends_registered(steps: Sequence[str | float]) -> None:
    line = Line(servers=2)
    seen = 0
    for step in steps:
        match step:
            case "transport":
                line.client.failed(503, line.now)
            case "lose":
                line.client.lose_server(line.now)
            case "stop":
                line.client.stop(line.now)
            case "start":
                line.client.start(line.now)
            case "servers":
                line.client.servers = 3 - line.client.servers
            case "early":
                line.client.handle_timer(line.now)
            case str():
                line.say(int(step), Min_Expires="900", Retry_After="1")
            case _:
                line.wait(step)
        if (wanted := line.client.take_request()) is not None:
            assert wanted.cseq > seen
            assert wanted.server < line.client.servers
            seen = wanted.cseq
        assert (line.client.deadline is None) is (line.state is OFF)
        assert line.client.deadline is None or line.client.deadline <= line.now + max(3600.0, LONGEST_RETRY)
    if line.state is LEAVING:
        line.say()
    line.client.start(line.now)
    while line.state is WAITING:
        line.wait(line.due_in())
    line.say()
    assert line.is_registered


def test_a_way_that_is_there_again_ends_the_wait() -> None:
    line = Line()
    line.client.retry(line.now)
    line.sent()  # one is under way, and stays the only one
    line.client.failed(503, line.now)
    assert line.client.state is WAITING
    line.client.retry(line.now)
    line.sent()
    line.say(200)
    line.client.retry(line.now)
    assert (line.client.state, line.client.take_request()) == (REGISTERED, None)
