"""What numbers spend outside, in virtual time, with the dialogs of real user agents."""

import logging
from itertools import count

import pytest

from kobza.call.directory import Directory
from kobza.call.group import RingingGroup
from kobza.call.outside import OutsideLimits, Spent
from kobza.pbx.outside_guard import OutsideGuard, windows_begin
from kobza.sip.flow import Flow, Transport
from kobza.sip.headers import NameAddr
from kobza.sip.ua import InviteDialog, InviteReceived, UserAgent
from kobza.sip.uri import SipUri
from kobza.store.outside import SpentBefore
from tests.pbx.office import ANNA, BOHDAN, NOW, OUTSIDE, subscriber

HERE, CARRIER = ("192.0.2.1", 5060), ("192.0.2.9", 5060)
OUT, BACK = Flow(Transport.UDP, HERE, CARRIER), Flow(Transport.UDP, CARRIER, HERE)
ENTERPRISE = "ent-1"
NIGHT = 1_789_937_999.0
"""A second before midnight in Kyiv."""


class Line:
    """The switch and a carrier that answers every call; what goes out is counted by the guard."""

    def __init__(self, defaults: OutsideLimits, **outside: OutsideLimits) -> None:
        numbers = count(1)
        self.ua, self.carrier = (UserAgent(new_token=lambda: f"{next(numbers):016x}", methods=()) for _ in range(2))
        said = {(ENTERPRISE, {"whole": "", "anna": ANNA}[name]): limits for name, limits in outside.items()}
        people = {number: subscriber(number) for number in (ANNA, BOHDAN)}
        groups = {"+380800500500": RingingGroup("+380800500500", ENTERPRISE, "Sales", members=(ANNA,))}
        self.directory = Directory(subscribers=people, groups=groups, outside=said)
        self.guard = OutsideGuard(defaults, lambda: self.directory)
        self.at = NOW

    def call(self, dial: str = OUTSIDE, payer: str = ANNA, *, again: bool = False) -> InviteDialog | str:
        """Call outside; return the call, answered, or why it did not go out."""
        if not again:
            refusal = self.guard.refusal(dial, payer, None, self.at)
            if refusal is not None:
                return refusal.limit
        who = NameAddr("", SipUri("sip", "0671234567", host=HERE[0]))
        dialog = self.ua.invite("sip:1@192.0.2.9", from_=who, to=who, flow=OUT, body=b"v=0\r\n", now=self.at)
        self.guard.took(dial, payer, None, dialog, self.at, again=again)
        self.settle()
        assert dialog.is_standing
        return dialog

    def hang_up(self, call: InviteDialog | str) -> None:
        assert isinstance(call, InviteDialog)
        call.bye(now=self.at)
        self.settle()

    def settle(self) -> None:
        for _ in range(4):
            for transmit in self.ua.take_transmits():
                self.carrier.receive(transmit.data, BACK, self.at)
            for event in self.carrier.take_events():
                if isinstance(event, InviteReceived):
                    event.dialog.accept(b"v=0\r\n", now=self.at)
            for transmit in self.carrier.take_transmits():
                self.ua.receive(transmit.data, OUT, self.at)
            self.ua.take_events()

    def many(self, calls: int, *, dial: str = OUTSIDE, payer: str = ANNA) -> int:
        """Call so often, hang up each time; return how many went out."""
        made = [self.call(dial, payer) for _ in range(calls)]
        for call in made:
            if isinstance(call, InviteDialog):
                self.hang_up(call)
        return sum(isinstance(call, InviteDialog) for call in made)


def test_calls_are_counted_by_minute_hour_and_day() -> None:
    line = Line(OutsideLimits(calls_minute=2, calls_hour=3, calls_day=4))
    line.at = NIGHT - 7800
    assert (line.many(5), line.call()) == (2, "calls_minute")
    line.at += 60
    assert (line.many(5), line.call()) == (1, "calls_hour")
    line.at += 3600
    assert (line.many(5), line.call()) == (1, "calls_day")
    assert line.many(1, payer=BOHDAN) == 1
    line.at = NIGHT + 1
    assert line.many(5) == 2
    assert line.guard.refused["calls_minute"] == 4 + 3


def test_calls_at_once_are_given_back_when_they_end() -> None:
    line = Line(OutsideLimits(at_once=2))
    first, second = line.call(), line.call()
    assert line.call() == "at_once"
    assert isinstance(second, InviteDialog)
    line.hang_up(first)
    assert isinstance(line.call(), InviteDialog)
    assert line.call() == "at_once"


def test_another_trunk_for_the_same_call_is_no_other_call() -> None:
    line = Line(OutsideLimits(calls_minute=1))
    line.hang_up(line.call())
    line.hang_up(line.call(again=True))
    line.at += 60
    assert line.many(3) == 1


def test_minutes_of_talk_are_counted_while_it_goes_on_and_forgotten_at_midnight() -> None:
    line = Line(OutsideLimits(minutes_day=2))
    line.at = NIGHT - 600
    line.guard.sweep(line.at)
    call = line.call()
    for _ in range(12):
        line.at += 10
        line.guard.sweep(line.at)
    assert line.call() == "minutes_day"
    line.hang_up(call)
    line.at += 5
    line.guard.sweep(line.at)
    assert line.call() == "minutes_day"
    assert isinstance(line.call(payer=BOHDAN), InviteDialog)
    line.at = NIGHT + 1
    line.guard.sweep(line.at)
    assert isinstance(line.call(), InviteDialog)


def test_an_enterprise_has_limits_of_its_own_and_a_number_others() -> None:
    anna = OutsideLimits(calls_minute=5, allowed=("+380900",))
    line = Line(
        OutsideLimits(calls_minute=2, denied=("+380900",)),
        whole=OutsideLimits(calls_minute=6, denied=("+7",)),
        anna=anna,
    )
    assert line.many(9, dial="+380900123456") == 5
    assert line.call("+79991234567", BOHDAN) == "destination"
    assert line.call("+380900123456", BOHDAN) == "destination"
    assert line.many(9, payer=BOHDAN) == 1, "the enterprise has spent the rest"
    line.at += 60
    assert line.many(9, payer="+380800500500") == 2, "a group that sends a call on pays as a number does"


def test_short_codes_are_never_limited() -> None:
    line = Line(OutsideLimits(calls_minute=1, denied=("+",)))
    assert line.many(20, dial="112") == 20
    assert line.call() == "destination"


def test_a_refusal_is_told_once_a_minute_and_says_why(caplog: pytest.LogCaptureFixture) -> None:
    line = Line(OutsideLimits(calls_minute=1, denied=("+979",)), whole=OutsideLimits(calls_hour=2))
    with caplog.at_level(logging.WARNING):
        line.many(10)
        line.call("+979123456789")
        line.at += 60
        line.many(3)
        line.at += 60
        line.many(3)
    assert [record.getMessage() for record in caplog.records] == [
        f"{ANNA} may not call {OUTSIDE}: more than 1 calls outside in a minute",
        f"{ANNA} may not call +979123456789: this destination is not allowed",
        f"{ANNA} may not call {OUTSIDE}: more than 1 calls outside in a minute",
        f"enterprise {ENTERPRISE} may not call {OUTSIDE}: more than 2 calls outside in an hour",
    ]
    refusal = line.guard.refusal("+979123456789", ANNA, None, line.at)
    assert refusal is not None
    assert [str(each) for each in refusal.reasons] == ['Q.850;cause=21;text="this destination is not allowed"']


def test_who_has_spent_nothing_today_is_forgotten() -> None:
    line = Line(OutsideLimits(calls_day=5))
    line.at = NIGHT
    line.many(3)
    assert len(line.guard._spent) == 2  # the number and the whole
    line.at += 2
    line.guard.sweep(line.at)
    assert len(line.guard._spent) == 0


def test_what_was_spent_before_a_start_counts_on() -> None:
    line = Line(OutsideLimits(calls_minute=3, calls_hour=50, minutes_day=11), whole=OutsideLimits(calls_day=80))
    before = [SpentBefore(ENTERPRISE, ANNA, 1, 40, 70, 600.0), SpentBefore(ENTERPRISE, BOHDAN, 0, 2, 5, 30.0)]
    line.guard.remember(before, NOW)
    assert line.guard.allowance(ENTERPRISE, ANNA, NOW).spent == Spent(1, 40, 70, 0, 10)
    assert line.guard.allowance(ENTERPRISE, "", NOW).spent == Spent(1, 42, 75, 0, 10)
    call = line.call()
    allowance = line.guard.allowance(ENTERPRISE, ANNA, NOW)
    assert allowance.spent == Spent(2, 41, 71, 1, 10)
    assert (allowance.limits.calls_minute, allowance.limits.calls_day, allowance.usual.calls_hour) == (3, None, 50)
    assert line.guard.allowance(ENTERPRISE, "", NOW).limits == OutsideLimits(calls_day=80)
    line.hang_up(call)
    assert (line.many(5), line.call()) == (1, "calls_minute")
    line.at += 60
    assert (line.many(3), line.call(payer=BOHDAN)) == (3, "calls_day")  # of all together
    assert line.guard.allowance(ENTERPRISE, "nobody's", line.at).spent == Spent()
    minute, hour, day = windows_begin(NIGHT)
    assert (NIGHT - minute, NIGHT - hour, NIGHT - day) == (59.0, 3599.0, 86_399.0)
