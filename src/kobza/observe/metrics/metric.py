"""What a metric is: a definition as data, and the one way from it to Prometheus."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.utils import floatToGoString

from kobza.measures import Histogram
from kobza.observe.sources import Sources

Labels = tuple[str, ...]
Sample = tuple[Labels, float | Histogram]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric. The unit is in the name: seconds, bytes, or else so many."""

    name: str
    """As it is exposed, with `_total` for a counter."""
    kind: Literal["counter", "gauge", "histogram"]
    help: str
    """One sentence; docs/observability.md says the same."""
    read: Callable[[Sources], Iterable[Sample]]
    """Gives the values, each with those of the labels. Runs in the loop's thread, at each scrape."""
    labels: Labels = ()

    def family(self, sources: Sources) -> Family:
        """Return the metric with its values of this moment."""
        if self.kind == "histogram":
            histograms = HistogramMetricFamily(self.name, self.help, labels=self.labels)
            for labels, value in self.read(sources):
                assert isinstance(value, Histogram)  # noqa: S101 - the definition's fault
                histograms.add_metric(labels, _buckets(value), value.total)
            return histograms
        kind = CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily
        family = kind(self.name, self.help, labels=self.labels)
        for labels, value in self.read(sources):
            assert not isinstance(value, Histogram)  # noqa: S101 - as above
            family.add_metric(labels, value)
        return family


def one(value: float | Histogram) -> list[Sample]:
    """Give the one value of a metric without labels."""
    return [((), value)]


def by_label(values: Mapping[Any, float | Histogram]) -> list[Sample]:
    """Give the values of a mapping, whose keys are the label or, as a tuple, the labels."""
    return [(_labels(key), value) for key, value in list(values.items())]


def _labels(key: Any) -> Labels:
    return tuple(map(str, key)) if isinstance(key, tuple) else (str(key),)


def _buckets(histogram: Histogram) -> list[tuple[str, float]]:
    ends = (*map(floatToGoString, histogram.bounds), "+Inf")
    return list(zip(ends, map(float, histogram.cumulative()), strict=True))
