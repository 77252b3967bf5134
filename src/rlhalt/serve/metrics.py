"""Counters for Prometheus. A registry of its own for each server, so that two in one process do not mix."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from rlhalt.serve.progress import Progress

_SECONDS = (0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 300)


class Metrics:
    """What a server has done."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self.under_way = Gauge("rlhalt_requests_under_way", "Requests under way.", registry=self._registry)
        self.requests = Counter(
            "rlhalt_requests", "Requests: cut, unscored, passed, refused, upstream-error, gone.",
            ["outcome"], registry=self._registry,
        )  # fmt: skip
        self.fragments = Counter(
            "rlhalt_fragments", "Fragments, by what was decided: said, left-out.", ["decision"], registry=self._registry
        )
        self.halts = Counter("rlhalt_halts", "Responses that halted at a doubtful fragment.", registry=self._registry)
        self.first = Histogram(
            "rlhalt_first_output_seconds", "From a request to the first byte of its response.",
            buckets=_SECONDS, registry=self._registry,
        )  # fmt: skip

    def count(self, progress: Progress) -> None:
        """Count a response that was to be scored."""
        said = sum(one.said for one in progress.decided)
        self.fragments.labels("said").inc(said)
        self.fragments.labels("left-out").inc(len(progress.decided) - said)
        self.halts.inc(progress.halted)
        self.requests.labels("unscored" if progress.unscored else "cut").inc()

    def text(self) -> bytes:
        """The page that Prometheus reads."""
        return generate_latest(self._registry)
