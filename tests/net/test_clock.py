from kobza.net.clock import CHECK_INTERVAL, MAX_SLEW, AcceleratedClock, SteadyClock


class FakeTime:
    """A monotonic and a wall clock that a test turns."""

    def __init__(self) -> None:
        self.monotonic = 1000.0
        self.wall = 1_700_000_000.0

    def pass_by(self, seconds: float) -> None:
        self.monotonic += seconds
        self.wall += seconds

    def clock(self) -> SteadyClock:
        return SteadyClock(monotonic=lambda: self.monotonic, wall=lambda: self.wall)


def test_starts_at_the_wall_clock_and_counts_with_the_monotonic_one() -> None:
    time = FakeTime()
    clock = time.clock()
    assert clock.now() == 1_700_000_000.0
    time.pass_by(0.25)
    assert clock.now() == 1_700_000_000.25


def test_a_step_of_the_wall_clock_does_not_jump() -> None:
    time = FakeTime()
    clock = time.clock()
    time.wall -= 3600
    before = clock.now()
    for _ in range(1000):
        time.pass_by(0.02)
        now = clock.now()
        assert 0.02 * (1 - MAX_SLEW) - 1e-6 <= now - before <= 0.02 * (1 + MAX_SLEW) + 1e-6
        before = now


def test_an_error_is_taken_out_slowly_and_then_it_stays() -> None:
    time = FakeTime()
    clock = time.clock()
    time.wall += 0.1
    assert abs(clock.error - 0.1) < 1e-6
    seconds = int(0.1 / MAX_SLEW) + 10
    for _ in range(seconds):
        time.pass_by(CHECK_INTERVAL)
        clock.now()
    assert abs(clock.error) < 1e-3
    time.pass_by(CHECK_INTERVAL)
    assert abs(clock.error) < 1e-3


def test_never_runs_backwards_whatever_the_wall_clock_does() -> None:
    time = FakeTime()
    clock = time.clock()
    before = clock.now()
    for step in (5.0, -5.0, 86400.0, -86400.0, 0.001, -0.001) * 20:
        time.wall += step
        time.pass_by(0.7)
        now = clock.now()
        assert now > before
        before = now


def test_reads_the_real_clocks_by_default() -> None:
    clock = SteadyClock()
    first = clock.now()
    assert clock.now() >= first
    assert abs(clock.error) < 1


def test_an_accelerated_clock_begins_now_and_gains() -> None:
    time = FakeTime()
    steady = time.clock()
    clock = AcceleratedClock(60, steady=steady.now)
    begin = clock.now()
    assert begin == steady.now()
    time.pass_by(10)
    assert abs(clock.now() - begin - 600) < 1e-3
    assert (clock.speed, steady.speed) == (60, 1.0)


def test_an_accelerated_clock_stands_on_a_steady_one_by_default() -> None:
    clock = AcceleratedClock(1000)
    first = clock.now()
    assert clock.now() >= first


def test_an_accelerated_clock_stands_where_something_is_to_be_done() -> None:
    time = FakeTime()
    clock = AcceleratedClock(10, steady=lambda: time.monotonic)
    begin = clock.now()
    with clock.standing_at(begin + 5):
        time.pass_by(0.25)
        assert clock.now() == begin + 2.5
        time.pass_by(9)
        assert clock.now() == begin + 5
        with clock.standing_at(begin + 3):  # too late for that: it stands where it is
            time.pass_by(9)
            assert clock.now() == begin + 5
    assert clock.now() == begin + 5
    time.pass_by(0.5)
    assert clock.now() == begin + 10
