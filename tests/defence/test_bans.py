"""Bans: how long, and what is remembered of them."""

from kobza.defence.bans import LONGEST, MOST, REMEMBERED_FOR, Ban, BanList

NOW = 1_790_000_000.0
FIRST = 600.0
SOURCE = "198.51.100.9"


def impose(bans: BanList, now: float, *, lenient: bool = False) -> Ban:
    ban = bans.impose(SOURCE, "guessing", now, lenient=lenient)
    assert ban is not None
    assert ban.until is not None
    return ban


def lasts(ban: Ban) -> float:
    assert ban.until is not None
    return ban.until - ban.made_at


def test_who_comes_back_is_banned_for_longer_until_it_is_forgotten() -> None:
    bans, at, told = BanList(FIRST), NOW, []
    for _ in range(6):
        ban = impose(bans, at)
        told.append(lasts(ban))
        assert bans.holds(SOURCE, at)
        assert bans.impose(SOURCE, "again", at + 1, lenient=False) is None
        assert ban.until is not None
        at = ban.until
        assert not bans.holds(SOURCE, at)
    assert told == [600, 3600, 21_600, 129_600, LONGEST, LONGEST]
    assert lasts(impose(bans, at, lenient=True)) == FIRST
    assert lasts(impose(bans, at + FIRST + REMEMBERED_FOR)) == FIRST


def test_without_a_first_ban_there_is_none() -> None:
    assert BanList(0).impose(SOURCE, "guessing", NOW, lenient=False) is None


def test_what_is_not_stored_yet_outlives_what_the_store_says() -> None:
    bans = BanList(FIRST)
    old = impose(bans, NOW)
    assert bans.unwritten() == [old]
    bans.load([])
    assert bans.holds(SOURCE, NOW)
    bans.written([old])
    assert bans.unwritten() == []
    bans.load([])
    assert not bans.holds(SOURCE, NOW)
    by_hand = Ban("203.0.113.7", "calls at night", "olena", NOW, None)
    bans.load([by_hand])
    assert bans.holds("203.0.113.7", NOW + 10 * LONGEST)
    assert bans.in_force(NOW) == 1


def test_a_ban_that_came_while_the_one_before_was_stored_is_to_be_stored_still() -> None:
    bans = BanList(FIRST)
    old = impose(bans, NOW)
    again = impose(bans, NOW + FIRST)
    bans.written([old])
    assert bans.unwritten() == [again]
    bans.written([old, again])
    assert bans.unwritten() == []


def test_there_is_a_bound() -> None:
    bans = BanList(FIRST)
    for number in range(MOST + 5):
        bans.impose(f"source {number}", "guessing", NOW, lenient=False)
    assert bans.in_force(NOW) == MOST
    assert not bans.holds("source 4", NOW)
    assert bans.holds("source 5", NOW)
