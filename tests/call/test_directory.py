"""The directory snapshot: settings that end by themselves, and trunks by prefix."""

import pytest

from kobza.call.directory import Directory, Endpoint, Subscriber
from kobza.call.trunk import Trunk

NOW = 1_700_000_000.0
LATER_MS = 1_700_000_001_000
EARLIER_MS = 1_699_999_999_999


def subscriber(**settings: object) -> Subscriber:
    return Subscriber("+380671110001", "mriia", **settings)  # type: ignore[arg-type]


def test_dnd() -> None:
    assert not subscriber().dnd_at(NOW)
    assert subscriber(dnd=True).dnd_at(NOW)
    assert subscriber(dnd=True, dnd_until=LATER_MS).dnd_at(NOW)
    assert not subscriber(dnd=True, dnd_until=EARLIER_MS).dnd_at(NOW)
    assert not subscriber(dnd=True, dnd_until=1_700_000_000_000).dnd_at(NOW)


def test_clip() -> None:
    plain = subscriber()
    assert plain.presentation_at(NOW) is None
    assert not plain.restricted_at(NOW)
    shown = subscriber(presentation_number="+380445551111", clip_restricted=True, clip_until=LATER_MS)
    assert shown.presentation_at(NOW) == "+380445551111"
    assert shown.restricted_at(NOW)
    assert shown.presentation_at(NOW + 2) is None
    assert not shown.restricted_at(NOW + 2)


def test_secrets_stay_out_of_logs() -> None:
    assert "hash" not in repr(subscriber(ha1_md5="hash", ha1_sha256="hash"))
    assert "hush" not in repr(Endpoint("mriia", "https://crm.example/", "hush", "hush"))


@pytest.mark.parametrize(
    ("prefix", "number", "matched"),
    [
        (None, "+380441234567", 0),
        ("", "101", 0),
        ("044", "+380441234567", 6),
        ("38044", "+380441234567", 6),
        ("+38044", "+380441234567", 6),
        ("0038044", "+380441234567", 6),
        ("044", "+380671234567", -1),
        ("48", "+48221234567", 3),
        ("+48", "+380671234567", -1),
        ("1", "101", 1),
        ("1", "+16502530000", 2),
        ("9", "101", -1),
    ],
)
def test_a_prefix_in_any_spelling(prefix: str | None, number: str, matched: int) -> None:
    assert Trunk("t", "t", "10.0.0.1", 5060, prefix).match(number) == matched


def test_the_longest_prefix_wins_and_among_equals_the_first() -> None:
    everything = Trunk("everything", "", "10.0.0.1", 5060)
    city = Trunk("city", "", "10.0.0.1", 5060, "044")
    same = Trunk("same", "", "10.0.0.1", 5060, "+38044")
    directory = Directory(trunks=(everything, city, same))
    assert directory.trunks_for("+380441234567") == (city, same, everything)
    assert directory.trunks_for("+380671234567") == (everything,)
    assert Directory(trunks=(city,)).trunks_for("+380671234567") == ()
    assert Directory().trunks_for("101") == ()
    first = Trunk("first", "", "10.0.0.1", 5060, "044", priority=9)
    assert Directory(trunks=(everything, city, first)).trunks_for("+380441234567") == (first, city, everything)
