"""The pairs that are bound ahead of calls."""

from kobza.media.port_stock import SHARE, STOCK, PortStock
from kobza.media.ports import BUSY_QUARANTINE, QUARANTINE, PortPool


def stock_of(pairs: int) -> tuple[PortPool, PortStock]:
    pool = PortPool(range(20000, 20000 + 2 * pairs))
    return pool, PortStock(pool)


def test_it_is_filled_when_half_of_it_is_gone() -> None:
    pool, stock = stock_of(SHARE * STOCK)
    first = stock.refill(0.0)
    assert (len(first), len(stock), pool.used) == (STOCK, STOCK, STOCK)
    assert stock.refill(0.0) == []
    assert stock.take(2) == []  # they are still being bound
    stock.arrived(first, [], 0.0)
    taken = [port for _ in range(STOCK // 2 - 1) for port in stock.take(1)]
    assert stock.refill(0.0) == []
    taken += stock.take(1)
    assert taken == first[: STOCK // 2]
    again = stock.refill(0.0)
    assert len(again) == STOCK // 2
    assert set(again).isdisjoint(first)
    assert stock.refill(0.0) == []
    assert pool.used == STOCK + STOCK // 2


def test_it_gives_what_it_has_and_takes_it_back_in_order() -> None:
    _, stock = stock_of(SHARE * STOCK)
    first = stock.refill(0.0)
    stock.arrived(first[:3], [], 0.0)
    taken = stock.take(5)
    assert taken == first[:3]
    stock.put_back(taken)
    assert stock.take(2) == first[:2]


def test_of_a_small_pool_it_takes_little_and_of_a_tiny_one_nothing() -> None:
    _, stock = stock_of(8 * SHARE)
    assert len(stock.refill(0.0)) == 8
    _, stock = stock_of(SHARE - 1)
    assert stock.refill(0.0) == []


def test_it_takes_what_calls_have_left() -> None:
    pool, stock = stock_of(4 * SHARE)
    for _ in range(4 * SHARE - 1):
        pool.take(0.0)
    assert len(stock.refill(0.0)) == 1


def test_what_another_program_has_rests_long() -> None:
    pool, stock = stock_of(2 * SHARE)
    one, other = stock.refill(0.0)
    stock.arrived([one], [other], 0.0)
    assert (len(stock), pool.used) == (1, 1)
    for _ in range(2 * SHARE - 2):
        pool.take(QUARANTINE)
    assert pool.take(BUSY_QUARANTINE) == other


def test_a_relay_that_is_gone_leaves_nothing_bound() -> None:
    pool, stock = stock_of(SHARE * STOCK)
    first = stock.refill(0.0)
    stock.arrived(first[:5], [], 0.0)
    stock.lost(0.0)
    assert (len(stock), pool.used) == (0, 0)
    assert len(stock.refill(0.0)) == STOCK
