"""What a running server tells Prometheus."""

import httpx
from prometheus_client.parser import text_string_to_metric_families

from tests.interop.server import Server

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


class Scrape:
    """The metrics of one moment."""

    def __init__(self, server: Server) -> None:
        answer = httpx.get(f"http://{server.site.http}/metrics", timeout=120)
        assert answer.status_code == 200, answer.text
        assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        self.text = answer.text
        self.families = list(text_string_to_metric_families(answer.text))
        self._series: Series = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families
            for sample in family.samples
        }

    def sample(self, name: str, **labels: str) -> float:
        """Return a value that is told.

        Raises: KeyError: if it is not.
        """
        return self._series[name, frozenset(labels.items())]

    def __call__(self, name: str, **labels: str) -> float:
        """Return a value, or 0 where nothing is told yet."""
        return self._series.get((name, frozenset(labels.items())), 0.0)

    def grown(self, before: "Scrape", name: str, **labels: str) -> float:
        """Return what was added to a counter after `before`."""
        return self(name, **labels) - before(name, **labels)

    def each(self, name: str, label: str) -> dict[str, float]:
        """Return the values of a metric that has this label alone, or none (then "")."""
        return {dict(labels).get(label, ""): value for (of, labels), value in self._series.items() if of == name}
