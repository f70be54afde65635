"""Counting."""

from hypothesis import given
from hypothesis import strategies as st

from kobza.measures import Histogram

BOUNDS = (0.1, 1.0, 10.0)


@given(st.lists(st.floats(0, 20)))
def test_a_histogram_says_how_many_were_at_most_so_large(values: list[float]) -> None:
    histogram = Histogram(BOUNDS)
    for value in values:
        histogram.observe(value)
    assert histogram.cumulative() == [*(sum(value <= bound for value in values) for bound in BOUNDS), len(values)]
    assert histogram.count == len(values)
    again = Histogram.of(BOUNDS, histogram.counts, histogram.total)
    assert (again.cumulative(), again.total) == (histogram.cumulative(), sum(values))
