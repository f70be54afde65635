"""The short form of `make fuzz`: some inputs to each target, and what is to be found is found."""

import pytest

from kobza.sip.errors import MalformedMessage
from tests.fuzz.target import Take, Target, inputs, least_time, play
from tests.fuzz.targets import TARGETS

SHORT = 120
"""Inputs: some of them are read, some are not."""


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_nothing_is_found(target: Target) -> None:
    outcome = play(target, 2026, 1, most=SHORT)
    found = [fault for fault in outcome.faults if not fault.what.startswith("takes ")]  # a busy machine is no fault
    assert not found, found[:3]
    assert outcome.inputs == SHORT
    assert outcome.read > 0
    if target.name != "documents":
        assert outcome.read < SHORT


def test_a_fault_is_found_and_the_next_inputs_are_played() -> None:
    def begin() -> Take:
        def take(data: bytes) -> bool:
            if data.count(b"\0") == 1:
                raise MalformedMessage("this one should have been caught", "nowhere")
            return True

        return take

    outcome = play(Target("broken", lambda: [b"INVITE"], begin, 1), 1, 1)
    assert outcome.inputs == 1000
    assert 0 < len(outcome.faults) < 100
    assert outcome.faults[0].what.startswith("MalformedMessage: nowhere: this one should have been caught at ")


def test_what_takes_too_long_is_measured() -> None:
    target = Target("slow", lambda: [b"x"], lambda: lambda data: sum(range(20_000)) > 0, 1)
    assert least_time(target, b"x") > 0


def test_a_round_is_the_same_again() -> None:
    target = TARGETS[0]
    assert inputs(target, 7, 3, target.originals()) == inputs(target, 7, 3, target.originals())
    assert inputs(target, 7, 3, target.originals()) != inputs(target, 7, 4, target.originals())
