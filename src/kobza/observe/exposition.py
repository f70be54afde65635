"""Metrics as Prometheus reads them, those of the two processes included."""

import asyncio
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from kobza.observe.metrics.calls import CALLS
from kobza.observe.metrics.media import MEDIA
from kobza.observe.metrics.metric import Metric
from kobza.observe.metrics.service import SERVICE
from kobza.observe.metrics.signalling import SIP
from kobza.observe.metrics.storage import STORAGE
from kobza.observe.sources import Sources

METRICS: Final[tuple[Metric, ...]] = (*CALLS, *SIP, *MEDIA, *STORAGE, *SERVICE)
"""All metrics of our own."""
MEDIA_TYPE: Final = CONTENT_TYPE_PLAIN_0_0_4
AT_ONCE: Final = 5
"""Metrics that are written in one go: a tenth of a millisecond of CPU to a whole one; all of them take five."""


class _Some(Collector):
    """A few metrics, read when it is asked."""

    def __init__(self, metrics: Sequence[Metric], sources: Sources) -> None:
        self._metrics = metrics
        self._sources = sources

    def collect(self) -> Iterator[Family]:
        """Give each with its values of this moment."""
        for metric in self._metrics:
            yield metric.family(self._sources)


class _MediaProcesses(Collector):
    """What the system says of the media processes; where there are several, `process` tells which."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources

    def collect(self) -> Iterator[Family]:
        """Give each with its values of this moment."""
        families: dict[str, Family] = {}
        for name, pid in self._sources.plane.relay_pids.items():
            of_one = ProcessCollector(namespace="kobza_media", pid=partial(int, pid), registry=None)
            for family in of_one.collect():
                kept = families.setdefault(family.name, family)
                if not name:
                    continue
                samples = [each._replace(labels={**each.labels, "process": name}) for each in family.samples]
                kept.samples = samples if kept is family else [*kept.samples, *samples]
        yield from families.values()


class Exposition:
    """The metrics of one server."""

    def __init__(self, sources: Sources) -> None:
        self._sources = sources
        alone = CollectorRegistry(auto_describe=False)
        GCCollector(alone)
        self._collectors: list[Collector] = [
            *(_Some(METRICS[first : first + AT_ONCE], sources) for first in range(0, len(METRICS), AT_ONCE)),
            alone,
            ProcessCollector(registry=None),
            _MediaProcesses(sources),
        ]

    async def text(self) -> bytes:
        """Return all metrics in the text format of Prometheus, version 0.0.4."""
        await self._sources.ask_store()
        parts = []
        for collector in self._collectors:
            parts.append(generate_latest(collector))
            await asyncio.sleep(0)  # calls have their turn: the whole takes some milliseconds
        return b"".join(parts)
