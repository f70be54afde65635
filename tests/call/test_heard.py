"""How the sides of a call heard each other, in words and numbers."""

import pytest

from kobza.call.heard import HeardCall, HeardSide, NotHeard

SPEAKS, MUTE = HeardSide(500, 0, 0), HeardSide(0, 0, 0)
FELL_SILENT = HeardSide(500, 0, 0, silent_s=12.2)


@pytest.mark.parametrize(
    ("caller", "called", "answered", "not_answered"),
    [
        (SPEAKS, SPEAKS, None, None),
        (MUTE, SPEAKS, "caller", None),
        (SPEAKS, MUTE, "called", None),
        (MUTE, MUTE, "both", None),
        (FELL_SILENT, SPEAKS, "caller", "caller"),
        (SPEAKS, FELL_SILENT, "called", "called"),
        (FELL_SILENT, MUTE, "both", "caller"),
    ],
)
def test_who_was_not_heard(
    caller: HeardSide, called: HeardSide, answered: NotHeard | None, not_answered: NotHeard | None
) -> None:
    heard = HeardCall(caller, called)
    assert heard.not_heard(answered=True) == answered
    assert heard.not_heard(answered=False) == not_answered


def test_for_how_long() -> None:
    assert HeardCall(SPEAKS, MUTE).silent_for == 0
    assert HeardCall(FELL_SILENT, SPEAKS).silent_for == 13
    assert HeardCall(FELL_SILENT, HeardSide(1, 0, 0, silent_s=20.0)).silent_for == 20


def test_each_leg_has_what_came_from_its_phone_and_what_went_to_it() -> None:
    caller = HeardSide(500, 3, 7, 12.5, 40.0, 4.1, 2.5, 4.3, "opus", 1.5)
    assert HeardCall(caller, HeardSide(400, 1, 2)).document(answered=True) == {
        "not_heard": "caller",
        "caller": {
            "codec": "opus",
            "round_trip_ms": 40.0,
            "silent_seconds": 1.5,
            "received": {"packets": 497, "lost": 3, "jitter_ms": 2.5, "mos": 4.3},
            "sent": {"packets": 400, "lost": 7, "jitter_ms": 12.5, "mos": 4.1},
        },
        "called": {
            "codec": None,
            "round_trip_ms": None,
            "silent_seconds": 0.0,
            "received": {"packets": 399, "lost": 1, "jitter_ms": None, "mos": None},
            "sent": {"packets": 500, "lost": 2, "jitter_ms": None, "mos": None},
        },
    }
