"""The door in virtual time: who is let in, who is not, and who is answered."""

from collections import Counter
from ipaddress import ip_network
from math import inf
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kobza.defence import door as module
from kobza.defence.bans import Ban, BanList
from kobza.defence.door import Door, Rules
from kobza.defence.pace import Pace
from kobza.sip.flow import Address

NOW = 1_790_000_000.0
FIRST_BAN = 600.0
KNOWN_FOR = 3900.0
DATA = b"REGISTER sip:kobza SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1\r\n\r\n"
NONCE = "01a208cf4014b7383bbbc976eb31cd5c44d5b56c4983"
ANSWER = DATA[:-2] + f'Authorization: Digest username="a", nonce="{NONCE}"\r\n\r\n'.encode()
PHONE, OTHER_PORT, ATTACKER = ("198.51.100.7", 40_000), ("198.51.100.7", 50_000), ("203.0.113.5", 5060)


class Watched:
    """A door at which nonces are good for the source that is named here."""

    def __init__(self, strangers: Pace = Pace.of(0, 0)) -> None:  # noqa: B008 - it never changes
        rules = Rules(
            phone=Pace.of(100, 10),
            source=Pace.of(10, 10),
            strangers=strangers,
            guesses=Pace.of(3, 60),
            known_for=KNOWN_FOR,
        )
        self.given_to: set[str] = set()
        self.floods: list[str] = []
        self.door = Door(
            rules,
            BanList(FIRST_BAN),
            is_ours=lambda nonce, source, _now: nonce == NONCE and source in self.given_to,
            flooded=self.floods.append,
        )

    def __getattr__(self, name: str) -> Any:
        """Do all else as the door does."""
        return getattr(self.door, name)

    def let_in(self, remote: Address, count: int, now: float = NOW, data: bytes = DATA) -> int:
        return sum(self.admits(data, remote, now) for _ in range(count))

    def ban(self, remote: Address, now: float = NOW) -> Ban:
        """Guess until it is banned."""
        ban = None
        while ban is None:
            ban = self.door.guessed(remote, "0671234567", now)
            assert self.door.wrong < 100
        return ban


def test_a_stranger_has_a_pace() -> None:
    door = Watched()
    assert door.let_in(ATTACKER, 5000) == 10
    assert door.let_in(ATTACKER, 5000, NOW + 1) == 1
    assert door.let_in(ATTACKER, 5000, NOW + 100) == 10
    assert door.dropped["flood"] == 14_979
    assert door.floods == ["203.0.113.5", "203.0.113.5"]


def test_a_network_of_64_bits_is_one_source() -> None:
    door = Watched()
    assert sum(door.admits(DATA, (f"2001:db8:1:2::{number:x}", 5060), NOW) for number in range(1, 100)) == 10
    assert door.strangers == 1
    assert door.admits(DATA, ("2001:db8:1:3::1", 5060), NOW)


def test_a_phone_that_has_proven_itself_is_let_in_whatever_strangers_do() -> None:
    """Made-up senders by thousands, also at the phone's own address, at another port."""
    door = Watched(strangers=Pace.of(50, 10))
    assert door.let_in(PHONE, 1) == 1
    door.proved(PHONE, NOW)
    for number in range(5000):
        door.admits(DATA, (f"192.0.{number >> 8}.{number & 255}", 5060), NOW)
        door.admits(DATA, OTHER_PORT, NOW)
    assert door.let_in(PHONE, 100) == 100
    assert door.let_in(PHONE, 1) == 0
    assert (door.dropped["phone"], door.let_in(PHONE, 20, NOW + 1)) == (1, 10)
    assert door.strangers <= 60


def test_who_answers_a_challenge_is_let_in_when_there_are_too_many_strangers() -> None:
    door = Watched(strangers=Pace.of(5, 10))
    for number in range(100):
        door.admits(DATA, ("192.0.2.1", number), NOW)
    assert not door.admits(DATA, ATTACKER, NOW)
    assert not door.admits(ANSWER, ATTACKER, NOW)
    door.given_to.add(ATTACKER[0])
    assert door.admits(ANSWER, ATTACKER, NOW)
    assert door.let_in(ATTACKER, 100, data=ANSWER) == 9, "its own pace is kept all the same"


def test_scanners_hear_nothing_and_use_nothing_up() -> None:
    door = Watched(strangers=Pace.of(5, 10))
    scan = DATA[:-2] + b"User-Agent: friendly-scanner\r\n\r\n"
    assert door.let_in(ATTACKER, 1000, data=scan) == 0
    assert door.dropped["scanner"] == 1000
    assert door.let_in(PHONE, 5) == 5


def test_guesses_bring_a_ban_that_ends() -> None:
    door = Watched()
    ban = door.ban(ATTACKER)
    assert (ban.source, ban.until, ban.times) == ("203.0.113.5", NOW + FIRST_BAN, 1)
    assert "0671234567" in ban.reason
    assert door.wrong == 4
    assert not door.admits(DATA, ATTACKER, NOW + 1)
    assert not door.admits(DATA, (ATTACKER[0], 9), NOW + FIRST_BAN - 1)
    assert door.shuts_out(ATTACKER[0], NOW + 1)
    assert door.dropped["banned"] == 2
    assert door.admits(DATA, ATTACKER, NOW + FIRST_BAN)
    assert not door.shuts_out(ATTACKER[0], NOW + FIRST_BAN)


def test_a_phone_with_an_old_password_that_tries_once_a_minute_is_not_banned() -> None:
    door = Watched()
    assert all(door.guessed(ATTACKER, "0671234567", NOW + 20 * minute) is None for minute in range(1000))


def test_other_phones_of_a_banned_office_stay() -> None:
    door = Watched()
    door.proved(PHONE, NOW)
    ban = door.ban(OTHER_PORT)
    assert ban.until == NOW + FIRST_BAN
    assert door.admits(DATA, PHONE, NOW)
    assert not door.admits(DATA, OTHER_PORT, NOW)
    assert door.ban(OTHER_PORT, NOW + FIRST_BAN).until == NOW + 2 * FIRST_BAN, "no longer than a first one"


def test_a_phone_that_guesses_is_none_any_more() -> None:
    door = Watched()
    door.proved(PHONE, NOW)
    door.ban(PHONE)
    assert not door.admits(DATA, PHONE, NOW)


def test_who_bans_by_hand_bans_the_phones_as_well() -> None:
    door = Watched()
    door.proved(PHONE, NOW)
    door.bans.load([Ban(PHONE[0], "by hand", "olena", NOW, None)])
    door.expel({PHONE[0]})
    assert not door.admits(DATA, PHONE, NOW)


def test_trunks_and_networks_of_the_settings_are_neither_limited_nor_banned() -> None:
    door = Watched(strangers=Pace.of(5, 10))
    door.let_in(ATTACKER, 100)
    door.proved(PHONE, NOW)
    door.trust([ip_network("203.0.113.0/24"), ip_network("198.51.100.7")])
    assert (door.known, door.strangers) == (0, 0)
    for remote in (ATTACKER, PHONE, ("::ffff:203.0.113.9", 5060)):
        assert door.let_in(remote, 1000) == 1000
        assert door.may_answer(b"x" * 1400, remote)
        assert all(door.guessed(remote, "0671234567", NOW) is None for _ in range(100))
        door.proved(remote, NOW)
    assert door.known == 0
    door.trust([])
    assert door.let_in(ATTACKER, 1000) < 10


def test_strangers_are_forgiven_by_other_networks_only() -> None:
    """The settings are read anew now and then, mostly to say the same."""
    door = Watched()
    networks = [ip_network("198.51.100.0/24"), ip_network("2001:db8::/32")]
    door.trust(networks)
    assert door.let_in(ATTACKER, 100) == 10
    door.trust(networks.copy())
    assert door.let_in(ATTACKER, 100) == 0
    door.trust(networks[:1])
    assert door.let_in(ATTACKER, 100) == 10


def test_what_one_phone_has_proven_lets_answers_go_to_every_port_of_its_source() -> None:
    door = Watched()
    door.proved(PHONE, NOW)
    assert all(door.may_answer(b"x" * 1400, remote) for remote in (PHONE, OTHER_PORT))
    assert not door.may_answer(b"x", ATTACKER)
    door.sweep(NOW + KNOWN_FOR)
    assert not any(door.may_answer(b"x", remote) for remote in (PHONE, OTHER_PORT))
    assert door.dropped["amplifying"] == 3


def test_a_trunk_that_proves_itself_has_no_pace() -> None:
    door = Watched()
    door.proved(PHONE, NOW, unlimited=True)
    assert door.let_in(PHONE, 5000) == 5000


def test_what_was_proven_is_forgotten_some_day() -> None:
    door = Watched()
    door.proved(PHONE, NOW)
    door.proved(OTHER_PORT, NOW + 10)
    door.proved(PHONE, NOW + 20)
    door.sweep(NOW + KNOWN_FOR + 15)
    assert door.known == 1
    assert door.room_for(OTHER_PORT) == inf, "another phone of the source is known"
    door.sweep(NOW + KNOWN_FOR + 20)
    assert (door.known, door.room_for(PHONE)) == (0, 0)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    door = Watched()
    monkeypatch.setattr(module, "MOST_STRANGERS", 50)
    monkeypatch.setattr(module, "MOST_KNOWN", 20)
    monkeypatch.setattr(module, "MOST_TRUSTED", 30)
    for number in range(500):
        remote = (f"192.0.{number >> 8}.{number & 255}", 5060)
        door.admits(DATA, remote, NOW)
        door.guessed(remote, "0671234567", NOW)
    for number in range(100):
        door.proved(("198.51.100.1", number), NOW)
    assert (door.strangers, door.known) == (50, 20)
    door.trust([ip_network("10.0.0.0/8")])
    for number in range(100):
        assert door.let_in((f"10.0.0.{number}", 5060), 20) == 20
        assert len(door._trusted) <= 30


REMOTES = st.sampled_from([PHONE, OTHER_PORT, ATTACKER, ("2001:db8::1", 5060), ("2001:db8::2", 5060)])


@given(
    st.lists(st.tuples(st.booleans(), REMOTES, st.integers(1, 1500), st.floats(0, 5)), max_size=60),
)
def test_no_source_is_sent_more_than_came_from_it(steps: list[tuple[bool, Address, int, float]]) -> None:
    door, now = Watched(), NOW
    came: Counter[str] = Counter()
    went: Counter[str] = Counter()
    for asks, remote, size, later in steps:
        now += later
        source = "v6" if ":" in remote[0] else remote[0]
        room = door.room_for(remote)
        assert room <= came[source] - went[source]
        if asks:
            came[source] += size * door.admits(bytes(size), remote, now)
        else:
            answered = door.may_answer(bytes(size), remote)
            assert answered is (size <= room)
            went[source] += size * answered
    assert all(went[source] <= came[source] for source in went)


@given(st.lists(st.tuples(REMOTES, st.binary(max_size=200), st.floats(-1, 1e6)), max_size=30))
def test_anything_may_come(messages: list[tuple[Address, bytes, float]]) -> None:
    door = Watched(strangers=Pace.of(3, 1))
    for remote, data, later in messages:
        assert isinstance(door.admits(data, remote, NOW + later), bool)
