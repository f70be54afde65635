"""The pool of port pairs."""

import random

import pytest

from kobza.media.ports import BUSY_QUARANTINE, QUARANTINE, NoFreePorts, PortPool


@pytest.mark.parametrize(
    ("ports", "pairs"),
    [
        (range(20000, 20004), [20000, 20002]),
        (range(20001, 20005), [20002]),
        (range(20000, 20005), [20000, 20002]),
        (range(20001, 20006), [20002, 20004]),
        (range(20000, 20001), []),
        (range(20000, 20000), []),
    ],
)
def test_only_whole_pairs_of_the_range(ports: range, pairs: list[int]) -> None:
    pool = PortPool(ports)
    assert pool.size == len(pairs)
    assert [pool.take(0.0) for _ in pairs] == pairs
    with pytest.raises(NoFreePorts):
        pool.take(0.0)


def test_a_pair_rests_after_its_call() -> None:
    pool = PortPool(range(20000, 20002))
    port = pool.take(100.0)
    assert pool.used == 1
    pool.give_back(port, 110.0)
    assert pool.used == 0
    with pytest.raises(NoFreePorts):
        pool.take(110.0 + QUARANTINE - 0.01)
    assert pool.take(110.0 + QUARANTINE) == port


def test_a_pair_that_others_use_rests_longer() -> None:
    pool = PortPool(range(20000, 20002))
    port = pool.take(0.0)
    pool.set_aside(port, 0.0)
    with pytest.raises(NoFreePorts):
        pool.take(BUSY_QUARANTINE - 0.01)
    assert pool.take(BUSY_QUARANTINE) == port


def test_the_pair_that_was_free_longest_is_next() -> None:
    pool = PortPool(range(20000, 20008))
    first, second = pool.take(0.0), pool.take(0.0)
    pool.give_back(second, 0.0)
    pool.give_back(first, 0.0)
    assert [pool.take(99.0) for _ in range(4)] == [20004, 20006, second, first]


def test_what_is_not_handed_out_cannot_be_given_back() -> None:
    pool = PortPool(range(20000, 20004))
    port = pool.take(0.0)
    for _ in range(2):
        pool.give_back(port, 0.0)
        pool.set_aside(port, 0.0)
        pool.give_back(9999, 0.0)
    assert pool.used == 0
    later = 1000.0
    assert sorted((pool.take(later), pool.take(later))) == [20000, 20002]
    with pytest.raises(NoFreePorts):
        pool.take(later)


def test_no_pair_is_lost_or_handed_out_twice() -> None:
    chance = random.Random(5)
    pool = PortPool(range(20000, 20020))
    used: list[int] = []
    now = 0.0
    refused = 0
    for _ in range(5000):
        now += chance.random() * 2
        match chance.randrange(5):
            case 0 | 1 | 2:
                try:
                    port = pool.take(now)
                except NoFreePorts:
                    refused += 1
                else:
                    assert port not in used
                    used.append(port)
            case 3 if used:
                pool.give_back(used.pop(chance.randrange(len(used))), now)
            case 4 if used:
                pool.set_aside(used.pop(chance.randrange(len(used))), now)
        assert pool.used == len(used)
    assert 0 < refused < 2500
    for port in used:
        pool.give_back(port, now)
    assert sorted(pool.take(now + BUSY_QUARANTINE) for _ in range(pool.size)) == list(range(20000, 20020, 2))
