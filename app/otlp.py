"""OTLP over HTTP with JSON bodies (OpenTelemetry protocol 1.x): spans and metrics, and the thread that posts them.

Written by hand and not by an SDK: it is one format in one direction, costs no dependency, and nothing of it is imported
unless a collector is configured. A collector that is slow, down or wrong costs a bounded queue of spans and a line
in the local log, never the session.
"""

import contextlib
import json
import logging
import queue
import threading
import time
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from .log_file import note

Value: TypeAlias = str | bool | int | float | tuple[str, ...]
Attributes: TypeAlias = Mapping[str, Value]

INTERNAL, CLIENT = 1, 3
"""Kinds of spans."""
_CUMULATIVE = 2
_WAITING = 4_096
_BATCH = 256
_BATCH_S = 1.0
"""Seconds spans wait for others at most."""
_METRICS_S = 10.0
_TIMEOUT_S = 5.0
_MOST_BACK_OFF_S = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """Something that took time. Times are seconds since the epoch; ``error`` is its class, empty when all was well."""

    trace_id: str
    span_id: str
    parent_id: str = ""
    name: str
    kind: int = INTERNAL
    started_at: float
    ended_at: float
    attributes: Attributes
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instrument:
    """A metric: a histogram when it has ``bounds``, else a sum that only grows."""

    name: str
    unit: str
    description: str
    bounds: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One value of a metric."""

    instrument: Instrument
    value: float
    attributes: Attributes


@dataclass(frozen=True, slots=True, kw_only=True)
class Collector:
    """Where spans and metrics go. ``headers`` may open it and are never logged."""

    traces_url: str
    metrics_url: str
    headers: Mapping[str, str]
    resource: Attributes
    scope_version: str


@dataclass(slots=True)
class _Series:
    """What a metric amounts to for one set of attributes, since the process began."""

    buckets: list[int]
    count: int = 0
    total: float = 0.0
    least: float = float("inf")
    most: float = float("-inf")


@dataclass(slots=True)
class Metrics:
    """Sums up measurements. ``started_at`` is seconds since the epoch."""

    started_at: float
    series: dict[Instrument, dict[frozenset[tuple[str, Value]], _Series]] = field(
        default_factory=dict[Instrument, dict[frozenset[tuple[str, Value]], _Series]]
    )

    def add(self, measured: Measurement) -> None:
        """Take one value."""
        bounds = measured.instrument.bounds
        key = frozenset(measured.attributes.items())
        series = self.series.setdefault(measured.instrument, {}).setdefault(key, _Series([0] * (len(bounds) + 1)))
        series.count += 1
        series.total += measured.value
        series.least, series.most = min(series.least, measured.value), max(series.most, measured.value)
        series.buckets[bisect_left(bounds, measured.value)] += 1

    def body(self, collector: Collector, now: float) -> dict[str, Any]:
        """An ``ExportMetricsServiceRequest``."""
        metrics = [self._metric(instrument, rows, now) for instrument, rows in self.series.items()]
        scoped = {"scope": _scope(collector), "metrics": metrics}
        return {"resourceMetrics": [{"resource": _resource(collector), "scopeMetrics": [scoped]}]}

    def _metric(
        self, instrument: Instrument, rows: Mapping[frozenset[tuple[str, Value]], _Series], now: float
    ) -> dict[str, Any]:
        points: list[dict[str, Any]] = []
        for key, series in rows.items():
            point: dict[str, Any] = {
                "attributes": attribute_list(dict(sorted(key))),
                "startTimeUnixNano": _nanoseconds(self.started_at),
                "timeUnixNano": _nanoseconds(now),
            }
            if instrument.bounds:
                point |= {
                    "count": str(series.count),
                    "sum": series.total,
                    "min": series.least,
                    "max": series.most,
                    "bucketCounts": [str(count) for count in series.buckets],
                    "explicitBounds": list(instrument.bounds),
                }
            else:
                point["asDouble"] = series.total
            points.append(point)
        data: dict[str, Any] = {"aggregationTemporality": _CUMULATIVE, "dataPoints": points}
        if not instrument.bounds:
            data["isMonotonic"] = True
        kind = "histogram" if instrument.bounds else "sum"
        return {"name": instrument.name, "unit": instrument.unit, "description": instrument.description, kind: data}


def traces_body(spans: Sequence[Span], collector: Collector) -> dict[str, Any]:
    """An ``ExportTraceServiceRequest``."""
    scoped = {"scope": _scope(collector), "spans": [_span(span) for span in spans]}
    return {"resourceSpans": [{"resource": _resource(collector), "scopeSpans": [scoped]}]}


def attribute_list(attributes: Attributes) -> list[dict[str, Any]]:
    """Attributes as OTLP has them."""
    return [{"key": name, "value": _value(value)} for name, value in attributes.items()]


class Exporter:
    """Posts what it is given from a thread of its own. ``offer`` never waits."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self._waiting: queue.Queue[Span | Measurement | None] = queue.Queue(_WAITING)
        self._closing = threading.Event()
        self._metrics = Metrics(time.time())
        self._retry_at = 0.0
        self._back_off_s = 1.0
        self.dropped = 0
        """What was lost because the collector did not keep up."""
        self._thread = threading.Thread(target=self._run, name="telemetry", daemon=True)
        self._thread.start()

    def offer(self, item: Span | Measurement) -> None:
        """Take something to be exported; dropped when too much waits."""
        try:
            self._waiting.put_nowait(item)
        except queue.Full:
            self.dropped += 1

    def close(self, timeout_s: float) -> None:
        """Send what waits, for this long at most. Blocks: call it from a thread."""
        self._closing.set()
        with contextlib.suppress(queue.Full):
            self._waiting.put_nowait(None)
        self._thread.join(timeout_s)

    def _run(self) -> None:
        sent_at, changed = 0.0, False
        while not (self._closing.is_set() and self._waiting.empty()):
            spans, measured = self._gather()
            for each in measured:
                self._metrics.add(each)
            changed = changed or bool(measured)
            if spans:
                self._post(self._collector.traces_url, traces_body(spans, self._collector), len(spans))
            if changed and (self._closing.is_set() or time.monotonic() - sent_at >= _METRICS_S):
                changed = not self._post_metrics()
                sent_at = time.monotonic()
        if changed:
            self._post_metrics()

    def _gather(self) -> tuple[list[Span], list[Measurement]]:
        """Whatever comes within a moment."""
        spans: list[Span] = []
        measured: list[Measurement] = []
        until = time.monotonic() + _BATCH_S
        while len(spans) + len(measured) < _BATCH:
            left = 0.0 if self._closing.is_set() else until - time.monotonic()
            try:
                item = self._waiting.get(timeout=max(0.0, left)) if left > 0 else self._waiting.get_nowait()
            except queue.Empty:
                break
            match item:
                case Span():
                    spans.append(item)
                case Measurement():
                    measured.append(item)
                case None:
                    break
        return spans, measured

    def _post_metrics(self) -> bool:
        return self._post(self._collector.metrics_url, self._metrics.body(self._collector, time.time()), 0)

    def _post(self, url: str, body: Mapping[str, Any], count: int) -> bool:
        """Send a body. Spans that cannot be sent are dropped: a collector that is down is left alone for a while."""
        if time.monotonic() < self._retry_at:
            self.dropped += count
            return False
        problem = post(url, json.dumps(body).encode(), self._collector.headers, timeout_s=_TIMEOUT_S)
        if not problem:
            self._back_off_s = 1.0
            return True
        self.dropped += count
        self._retry_at = time.monotonic() + self._back_off_s
        self._back_off_s = min(_MOST_BACK_OFF_S, self._back_off_s * 2)
        note("telemetry was not delivered", {"why": problem, "dropped": self.dropped}, logging.WARNING)
        return False


def post(url: str, body: bytes, headers: Mapping[str, str], *, timeout_s: float) -> str:
    """Post JSON, following nothing. Returns why it failed; empty when it was taken."""
    import http.client  # only here, in the thread: nobody else needs it

    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    try:
        connection = kind(parts.hostname or "", parts.port, timeout=timeout_s)
        try:
            path = parts.path + (f"?{parts.query}" if parts.query else "")
            connection.request("POST", path or "/", body, {**headers, "Content-Type": "application/json"})
            response = connection.getresponse()
            response.read(10_000)
        finally:
            connection.close()
    except (OSError, http.client.HTTPException, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return "" if 200 <= response.status < 300 else f"HTTP {response.status}"


def _span(span: Span) -> dict[str, Any]:
    row: dict[str, Any] = {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "name": span.name,
        "kind": span.kind,
        "startTimeUnixNano": _nanoseconds(span.started_at),
        "endTimeUnixNano": _nanoseconds(max(span.started_at, span.ended_at)),
        "attributes": attribute_list(span.attributes),
        "status": {"code": 2, "message": span.error} if span.error else {},
    }
    return row | ({"parentSpanId": span.parent_id} if span.parent_id else {})


def _value(value: Value) -> dict[str, Any]:
    match value:
        case bool():
            return {"boolValue": value}
        case int():
            return {"intValue": str(value)}
        case float():
            return {"doubleValue": value}
        case str():
            return {"stringValue": value}
        case tuple():
            return {"arrayValue": {"values": [{"stringValue": item} for item in value]}}


def _nanoseconds(seconds: float) -> str:
    return str(round(seconds * 1e9))


def _resource(collector: Collector) -> dict[str, Any]:
    return {"attributes": attribute_list(collector.resource)}


def _scope(collector: Collector) -> dict[str, Any]:
    return {"name": "patchbay", "version": collector.scope_version}
