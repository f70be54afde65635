"""Token buckets in virtual time, against a model that keeps every unit as a fraction."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kobza.api.buckets import NANOSECONDS, Buckets, Policy, Taken

T0 = 1_776_675_600.0


def test_a_new_bucket_is_full_and_gives_all_it_has() -> None:
    buckets = Buckets(Policy("read", 3, 60))
    assert [buckets.take("a", T0) for _ in range(4)] == [
        Taken(True, 2, 20),
        Taken(True, 1, 20),
        Taken(True, 0, 20),
        Taken(False, 0, 20),
    ]


def test_units_come_back_one_by_one() -> None:
    buckets = Buckets(Policy("read", 3, 60))
    for _ in range(3):
        buckets.take("a", T0)
    assert buckets.take("a", T0 + 19.5) == Taken(False, 0, 1)
    assert buckets.take("a", T0 + 20) == Taken(True, 0, 20)
    assert buckets.take("a", T0 + 50) == Taken(True, 0, 10)
    assert buckets.take("a", T0 + 500) == Taken(True, 2, 20)


def test_what_is_refused_takes_nothing() -> None:
    buckets = Buckets(Policy("read", 1, 10))
    buckets.take("a", T0)
    for _ in range(100):
        assert not buckets.take("a", T0 + 1).allowed
    assert buckets.take("a", T0 + 10).allowed


def test_each_key_has_a_bucket_of_its_own() -> None:
    buckets = Buckets(Policy("read", 1, 10))
    assert buckets.take("a", T0).allowed
    assert buckets.take("b", T0).allowed
    assert not buckets.take("a", T0).allowed


@pytest.mark.parametrize("quota", [1, 3, 7, 60, 6000])
def test_a_quota_is_had_to_the_last_unit(quota: int) -> None:
    """Also where the interval is no whole number of anything."""
    buckets = Buckets(Policy("read", quota, 60))
    assert all(buckets.take("a", T0).allowed for _ in range(quota))
    assert not buckets.take("a", T0).allowed


def test_full_buckets_are_forgotten() -> None:
    buckets = Buckets(Policy("read", 2, 10))
    for number in range(1000):
        buckets.take(f"once {number}", T0 + number)
    assert len(buckets) <= 7, "those of the last five seconds, in which one unit comes back"


def test_at_the_bound_the_one_used_longest_ago_is_forgotten() -> None:
    buckets = Buckets(Policy("read", 1, 1000), most=3)
    for key in ("a", "b", "c", "d"):
        buckets.take(key, T0)
    assert len(buckets) == 3
    assert not buckets.take("b", T0).allowed
    assert buckets.take("a", T0).allowed
    assert len(buckets) == 3


MOMENTS = st.lists(st.tuples(st.integers(0, 3_000), st.sampled_from("ab")), max_size=120)
"""Pauses in hundredths of a second, and who asks after them."""


@settings(max_examples=300, deadline=None)
@given(quota=st.integers(1, 20), window=st.integers(1, 120), asked=MOMENTS)
def test_as_many_pass_as_a_bucket_of_fractions_lets_pass(quota: int, window: int, asked: list[tuple[int, str]]) -> None:
    policy = Policy("read", quota, window)
    buckets = Buckets(policy, most=2)
    interval = Fraction(policy.interval, NANOSECONDS)
    level, seen = {"a": Fraction(quota), "b": Fraction(quota)}, {"a": Fraction(0), "b": Fraction(0)}
    passed: dict[str, list[Fraction]] = {"a": [], "b": []}
    at = Fraction(0)
    for pause, key in asked:
        at += Fraction(pause, 100)
        level[key] = min(Fraction(quota), level[key] + (at - seen[key]) / interval)
        seen[key] = at
        taken = buckets.take(key, float(at))
        doubt = abs(level[key] - 1) < Fraction(1, 1000)  # the floats of the moments are not exact
        if not doubt:
            assert taken.allowed == (level[key] >= 1)
        if taken.allowed:
            level[key] -= 1
            passed[key].append(at)
            assert abs(taken.remaining - level[key]) <= 1
        assert 0 <= taken.remaining < quota
        assert 1 <= taken.wait <= window + 1
        if not taken.allowed:
            assert Buckets.take(_copy(buckets), key, float(at) + taken.wait).allowed, "Retry-After can be trusted"
    for times in passed.values():
        for first in range(len(times)):
            for last in range(first, len(times)):
                span = times[last] - times[first]
                assert last - first + 1 <= quota + span / interval + Fraction(1, 100)


def _copy(buckets: Buckets) -> Buckets:
    copied = Buckets(buckets.policy)
    copied._full_at.update(buckets._full_at)
    return copied
