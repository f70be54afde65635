"""The queue of timers."""

import random

import pytest

from kobza.sip.timers import COMPACT_ABOVE, Timer, TimerQueue, Timers


class Owner:
    def __init__(self) -> None:
        self.fired: list[tuple[int, float]] = []
        self.queue: TimerQueue | None = None
        self.other: Timer | None = None

    def timer_fired(self, kind: int, now: float) -> None:
        self.fired.append((kind, now))
        if self.queue is not None and kind < 5:
            self.queue.start(now, self, kind + 1)
        if self.queue is not None and self.other is not None:
            self.queue.stop(self.other)


def test_base_values_are_those_of_table_4() -> None:
    assert (Timers().t1, Timers().t2, Timers().t4, Timers().timeout, Timers().trying) == (0.5, 4.0, 5.0, 32.0, 0.2)
    assert Timers(t1=0.1).timeout == 6.4
    assert Timers().at_speed(10) == Timers(5.0, 40.0, 50.0, 2.0)
    assert Timers(beat=0.25).at_speed(10).beat == 2.5


def test_what_only_forgets_waits_for_the_beat_and_is_never_early() -> None:
    timers = Timers(beat=0.25)
    moments = [1_790_000_000.0, 1_790_000_000.001, 1_790_000_000.25, 1_790_000_000.9]
    assert [timers.on_the_beat(moment) - 1_790_000_000 for moment in moments] == [0.0, 0.25, 0.25, 1.0]
    assert Timers().on_the_beat(moments[1]) == moments[1]


def test_timers_fire_in_order_at_their_deadline_and_not_before() -> None:
    queue, owner = TimerQueue(), Owner()
    for deadline, kind in ((3.0, 3), (1.0, 1), (2.0, 2), (1.0, 4)):
        queue.start(deadline, owner, kind)
    assert (len(queue), queue.next_deadline()) == (4, 1.0)
    queue.fire_due(0.999)
    assert owner.fired == []
    queue.fire_due(2.0)
    assert owner.fired == [(1, 2.0), (4, 2.0), (2, 2.0)]
    assert (len(queue), queue.next_deadline()) == (1, 3.0)
    queue.fire_due(9.0)
    assert (len(queue), queue.next_deadline(), owner.fired[-1]) == (0, None, (3, 9.0))


def test_a_stopped_timer_never_fires() -> None:
    queue, owner = TimerQueue(), Owner()
    first = queue.start(1.0, owner, 1)
    second = queue.start(2.0, owner, 2)
    queue.stop(first)
    queue.stop(first)
    queue.stop(None)
    assert (len(queue), queue.heap_size) == (1, 2)
    assert (queue.next_deadline(), queue.heap_size) == (2.0, 1)
    assert first.owner is None
    queue.fire_due(5.0)
    queue.stop(second)
    assert owner.fired == [(2, 5.0)]
    assert (len(queue), queue.heap_size) == (0, 0)


class Failing(Owner):
    def timer_fired(self, kind: int, now: float) -> None:
        raise ValueError(kind)


def test_many_that_are_due_together_share_an_entry() -> None:
    queue, owner = TimerQueue(), Owner()
    timers = [queue.share(1.0, owner, kind) for kind in range(10, 14)]
    queue.share(2.0, owner, 20)
    queue.start(1.5, owner, 15)
    queue.stop(timers[1])
    queue.stop(timers[1])
    assert (len(queue), queue.heap_size, queue.next_deadline()) == (5, 3, 1.0)
    queue.fire_due(1.0)
    assert owner.fired == [(kind, 1.0) for kind in (10, 12, 13)]
    assert (len(queue), queue.heap_size) == (2, 2)
    queue.fire_due(2.0)
    assert owner.fired[3:] == [(15, 2.0), (20, 2.0)]
    assert (len(queue), queue.heap_size) == (0, 0)


def test_those_behind_one_that_fails_fire_the_next_time() -> None:
    queue, owner = TimerQueue(), Owner()
    for each, kind in ((owner, 10), (Failing(), 11), (owner, 12), (owner, 13)):
        queue.share(1.0, each, kind)
    with pytest.raises(ValueError, match="11"):
        queue.fire_due(1.0)
    assert (len(queue), queue.next_deadline()) == (2, 1.0)
    queue.fire_due(1.1)
    assert owner.fired == [(10, 1.0), (12, 1.1), (13, 1.1)]
    assert (len(queue), queue.heap_size) == (0, 0)


def test_a_stopped_timer_that_comes_up_is_passed_over() -> None:
    queue, owner = TimerQueue(), Owner()
    queue.stop(queue.start(1.0, owner, 1))
    queue.start(1.5, owner, 2)
    queue.fire_due(2.0)
    assert owner.fired == [(2, 2.0)]
    assert queue.heap_size == 0


def test_what_is_started_meanwhile_counts_too() -> None:
    queue, owner = TimerQueue(), Owner()
    owner.queue = queue
    queue.start(1.0, owner, 1)
    queue.fire_due(1.0)
    assert [kind for kind, _ in owner.fired] == [1, 2, 3, 4, 5]


def test_one_timer_may_stop_another_that_is_due() -> None:
    queue, owner = TimerQueue(), Owner()
    owner.queue = queue
    queue.start(1.0, owner, 7)
    owner.other = queue.start(1.0, owner, 8)
    queue.fire_due(2.0)
    assert [kind for kind, _ in owner.fired] == [7]
    assert len(queue) == 0


def test_stopped_timers_do_not_pile_up() -> None:
    """A server that answers a thousand calls a second stops as many timers of 32 s."""
    queue, owner = TimerQueue(), Owner()
    live = [queue.start(1000.0 + n, owner, n) for n in range(100)]
    for n in range(20_000):
        queue.stop(queue.start(32.0 + n, owner, 0))
        assert queue.heap_size <= 2 * (COMPACT_ABOVE + len(live)) + 1
    assert len(queue) == 100
    queue.fire_due(100_000.0)
    assert [kind for kind, _ in owner.fired] == list(range(100))


def test_against_a_plain_list() -> None:
    chance = random.Random(1)
    queue, owner = TimerQueue(), Owner()
    running: dict[int, tuple[float, Timer]] = {}
    expected: list[int] = []
    now = 0.0
    for number in range(30_000):
        match chance.randrange(5):
            case 0 | 1:
                deadline = now + chance.choice((0.5, 1.0, 4.0, 32.0))
                running[number] = (deadline, queue.start(deadline, owner, number))
            case 2 | 3 if running:
                queue.stop(running.pop(chance.choice(list(running)))[1])
            case _:
                now += chance.choice((0.0, 0.1, 1.0))
                due = sorted((deadline, kind) for kind, (deadline, _) in running.items() if deadline <= now)
                expected += [kind for _, kind in due]
                for _, kind in due:
                    del running[kind]
                queue.fire_due(now)
        assert len(queue) == len(running)
        if number % 50 == 0:
            assert queue.next_deadline() == min((deadline for deadline, _ in running.values()), default=None)
    assert [kind for kind, _ in owner.fired] == expected
    assert len(expected) > 1000
