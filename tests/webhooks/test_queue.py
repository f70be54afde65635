import random

import pytest

from kobza.webhooks.queue import Delivery, EndpointQueue

MANY = 100
"""More attempts than a test has."""


def delivery(leg: str, sequence: int, due_at: float = 0.0) -> Delivery:
    return Delivery(f"{leg}{sequence}", "e", "call", leg, sequence, b"{}", due_at=due_at)


def names(queue: EndpointQueue, now: float, count: int = 100, *, allowed: int = MANY) -> list[str]:
    taken = (queue.take(now, allowed) for _ in range(count))
    return [item.event_id for item in taken if item is not None]


def test_a_leg_has_one_delivery_under_way_and_the_next_follows_it() -> None:
    queue = EndpointQueue()
    for sequence in (1, 2, 3):
        queue.add(delivery("a", sequence))
    first = queue.take(0, MANY)
    assert first is not None
    assert first.event_id == "a1"
    assert queue.take(0, MANY) is None
    queue.done(first)
    assert names(queue, 0) == ["a2"]
    assert len(queue) == 2


def test_legs_do_not_wait_for_each_other() -> None:
    queue = EndpointQueue()
    for leg in "abc":
        queue.add(delivery(leg, 1))
        queue.add(delivery(leg, 2))
    assert names(queue, 0) == ["a1", "b1", "c1"]


def test_deliveries_of_a_leg_go_by_sequence_however_they_came() -> None:
    queue = EndpointQueue()
    for sequence in (3, 1, 2):
        queue.add(delivery("a", sequence))
    seen = []
    while (item := queue.take(0, MANY)) is not None:
        seen.append(item.sequence)
        queue.done(item)
    assert seen == [1, 2, 3]


def test_a_failed_delivery_holds_its_leg_until_it_is_due() -> None:
    queue = EndpointQueue()
    queue.add(delivery("a", 1))
    queue.add(delivery("a", 2))
    queue.add(delivery("b", 1))
    first = queue.take(10, MANY)
    assert first is not None
    queue.retry(first, 15)
    assert names(queue, 10) == ["b1"]
    assert queue.next_due() == 15
    assert names(queue, 14.9) == []
    assert names(queue, 15) == ["a1"]
    assert queue.next_due() is None


def test_what_is_held_is_not_taken_twice() -> None:
    queue = EndpointQueue()
    queue.add(delivery("a", 1))
    queue.add(delivery("a", 1))
    assert len(queue) == 1
    first = queue.take(0, MANY)
    assert first is not None
    queue.add(delivery("a", 1))
    assert "a1" in queue
    queue.done(first)
    assert names(queue, 0) == []
    assert "a1" not in queue


def test_clearing_keeps_what_is_under_way() -> None:
    queue = EndpointQueue()
    queue.add(delivery("a", 1))
    queue.add(delivery("a", 2))
    queue.add(delivery("b", 1, due_at=5))
    first = queue.take(0, MANY)
    assert first is not None
    queue.clear()
    assert (len(queue), queue.in_flight, list(queue)) == (1, 1, [])
    queue.add(delivery("a", 2))
    assert queue.take(9, MANY) is None  # a1 is still under way
    queue.done(first)
    assert names(queue, 9) == ["a2"]


def test_live_deliveries_go_first() -> None:
    queue = EndpointQueue()
    for leg in "abc":
        queue.add(delivery(leg, 1, due_at=5))
    queue.add(delivery("x", 1), live=True)
    queue.add(delivery("x", 2), live=True)
    assert (len(queue), queue.live, queue.backlog) == (5, 2, 3)
    assert names(queue, 9) == ["x1", "a1", "b1", "c1"]
    assert (queue.live, queue.backlog) == (2, 3)


@pytest.mark.parametrize(("allowed", "most"), [(16, 12), (8, 6), (5, 4), (3, 2), (2, 1)])
def test_each_kind_leaves_some_attempts_to_the_other(allowed: int, most: int) -> None:
    queue = EndpointQueue()
    for number in range(20):
        queue.add(delivery(f"old{number}", 1, due_at=5))
    assert len(names(queue, 9, allowed=allowed)) == most  # the rest is for calls, at every moment
    for number in range(20):
        queue.add(delivery(f"new{number}", 1), live=True)
    assert names(queue, 9, allowed=allowed) == [f"new{number}1" for number in range(allowed - most)]
    queue = EndpointQueue()
    for number in range(20):
        queue.add(delivery(f"new{number}", 1), live=True)
    assert len(names(queue, 9, allowed=allowed)) == allowed  # there is nothing else
    taken: list[Delivery] = []
    queue = EndpointQueue()
    for number in range(20):
        queue.add(delivery(f"new{number}", 1), live=True)
        queue.add(delivery(f"old{number}", 1, due_at=5))
    while (item := queue.take(9, allowed)) is not None:
        taken.append(item)
    assert sum(item.event_id.startswith("new") for item in taken) == most
    assert len(taken) == allowed


def test_a_single_attempt_goes_to_both_kinds_in_turn() -> None:
    queue = EndpointQueue()
    for number in range(3):
        queue.add(delivery(f"new{number}", 1), live=True)
        queue.add(delivery(f"old{number}", 1, due_at=5))
    seen = []
    while (item := queue.take(9, 1)) is not None:
        seen.append(item.call_control_id)
        assert queue.take(9, 1) is None
        queue.done(item)
    assert seen == ["new0", "old0", "new1", "old1", "new2", "old2"]


def test_what_failed_is_not_live_any_more() -> None:
    queue = EndpointQueue()
    queue.add(delivery("a", 1), live=True)
    first = queue.take(0, MANY)
    assert first is not None
    queue.retry(first, 5)
    assert (queue.live, queue.backlog) == (0, 1)
    queue.add(delivery("b", 1), live=True)
    assert names(queue, 9) == ["b1", "a1"]


def test_with_a_dead_receiver_all_is_the_backlog() -> None:
    queue = EndpointQueue()
    queue.add(delivery("a", 1, due_at=5))
    queue.add(delivery("b", 1), live=True)
    queue.age()
    assert (queue.live, queue.backlog) == (0, 2)
    queue.add(delivery("c", 1), live=True)
    assert names(queue, 9) == ["c1", "b1", "a1"]


def test_a_leg_may_be_dropped_but_for_what_is_under_way() -> None:
    queue = EndpointQueue()
    for sequence in (1, 2, 3):
        queue.add(delivery("a", sequence), live=True)
    queue.add(delivery("b", 1), live=True)
    first = queue.take(0, MANY)
    assert first is not None
    queue.drop("a")
    assert ("a1" in queue, "a2" in queue, queue.live) == (True, False, 2)
    assert queue.has_leg("a")
    queue.done(first)
    assert not queue.has_leg("a")
    assert names(queue, 0) == ["b1"]


@pytest.mark.parametrize("seed", range(20))
def test_order_and_completeness_under_chance(seed: int) -> None:
    """Whatever fails and whenever things come: each is delivered exactly once, in order within its leg."""
    chance = random.Random(seed)
    queue = EndpointQueue()
    coming = [delivery(leg, sequence) for leg in "abcdefgh" for sequence in range(1, 6)]
    chance.shuffle(coming)
    coming.sort(key=lambda item: item.sequence)  # a leg's states are stored in order
    under_way: list[Delivery] = []
    delivered: list[Delivery] = []
    now = 0.0
    for _ in range(10_000):
        now += chance.random()
        if coming and chance.random() < 0.3:
            queue.add(coming.pop(0), live=chance.random() < 0.5)
        if chance.random() < 0.01:
            queue.age()
        if (item := queue.take(now, chance.randint(1, 8))) is not None:
            assert all(other.call_control_id != item.call_control_id for other in under_way)
            under_way.append(item)
        if under_way and chance.random() < 0.5:
            item = under_way.pop(chance.randrange(len(under_way)))
            if chance.random() < 0.4:
                queue.retry(item, now + chance.random() * 10)
            else:
                queue.done(item)
                delivered.append(item)
    assert len(delivered) == 40
    for leg in "abcdefgh":
        assert [item.sequence for item in delivered if item.call_control_id == leg] == [1, 2, 3, 4, 5]
    assert (len(queue), queue.live, queue.in_flight, queue.next_due()) == (0, 0, 0, None)
