"""The local log, and the export to a person's own collector: begun with a session, ended with it."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote

from ... import __version__
from ...providers.redact import remember_secret
from ..engine.bus import MessageBus
from ..engine.defects import report
from ..paths import Paths
from ..settings import Settings

if TYPE_CHECKING:
    from ..otlp import Collector

CLOSE_S = 2.0
"""Seconds the end of a session waits for a collector at most."""
_DEFAULT_ENDPOINT = "http://127.0.0.1:4318"


@dataclass(slots=True)
class Observing:
    """What watches a session."""

    _closers: list[Callable[[], None]] = field(default_factory=list[Callable[[], None]])

    def begin(self, settings: Settings, bus: MessageBus, paths: Paths, environ: Mapping[str, str]) -> None:
        """Attach to the bus what the settings ask for. Never raises: whoever only watches disturbs nobody."""
        try:
            if settings.log_level != "off":
                self._log(settings, bus, paths)
            if (collector := collector_of(settings, environ)) is not None:
                self._export(collector, bus, content=settings.telemetry.content)
        except Exception as error:  # the session is worth more than what is written about it
            report("watching the session could not begin", error)

    async def aclose(self) -> None:
        """Write and send what waits, off the event loop."""
        while self._closers:
            await asyncio.to_thread(self._closers.pop())

    def _log(self, settings: Settings, bus: MessageBus, paths: Paths) -> None:
        from ..log_file import Log, log_path, note
        from ..session_log import SessionLog

        log = Log(log_path(paths.state_folder), settings.log_level)
        session_id = bus.store.state.session_id
        note("session opened", {"session": session_id, "version": __version__})
        detach = bus.attach(SessionLog(session_id))

        def close() -> None:
            detach()
            note("session closed", {"session": session_id})
            log.close()

        self._closers.append(close)

    def _export(self, collector: "Collector", bus: MessageBus, *, content: bool) -> None:
        from ..otlp import Exporter
        from ..telemetry import Telemetry

        exporter, state = Exporter(collector), bus.store.state
        sink = Telemetry(
            exporter.offer,
            session_id=state.session_id,
            version=__version__,
            content=content,
            ref=None if state.model is None else state.model.ref,
        )
        detach = bus.attach(sink)

        def close() -> None:
            detach()
            exporter.close(CLOSE_S)

        self._closers.append(close)


def collector_of(settings: Settings, environ: Mapping[str, str]) -> "Collector | None":
    """Where to export to; None unless the person's own settings ask for it.

    ``OTEL_...`` variables alone turn nothing on: a shell may have them for other programs.
    """
    table = settings.telemetry
    wanted = table.otlp_endpoint is not None if table.enabled is None else table.enabled
    if not wanted or environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return None
    from ..otlp import Collector  # only for those who export

    given = table.otlp_endpoint
    base = (given or environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or _DEFAULT_ENDPOINT).rstrip("/")

    def url(signal: str) -> str:
        own = "" if given else environ.get(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT", "")
        return own or f"{base}/v1/{signal}"

    headers = _pairs(environ.get("OTEL_EXPORTER_OTLP_HEADERS", ""))
    for value in headers.values():
        remember_secret(value)
    return Collector(
        traces_url=url("traces"),
        metrics_url=url("metrics"),
        headers=headers,
        resource={
            "service.name": environ.get("OTEL_SERVICE_NAME") or "patchbay",
            "service.version": __version__,
            **_pairs(environ.get("OTEL_RESOURCE_ATTRIBUTES", "")),
        },
        scope_version=__version__,
    )


def _pairs(text: str) -> dict[str, str]:
    """``key1=value1,key2=value2``, values percent-encoded, as the OpenTelemetry variables have them."""
    pairs = (item.partition("=") for item in text.split(","))
    return {key.strip(): unquote(value.strip()) for key, found, value in pairs if found and key.strip()}
