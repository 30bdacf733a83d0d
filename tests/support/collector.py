"""An OpenTelemetry collector on loopback: takes OTLP/HTTP JSON and keeps what it was sent."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Collected:
    """Bodies by path, newest last."""

    url: str = ""
    status: int = 200
    bodies: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    headers: list[dict[str, str]] = field(default_factory=list)

    @property
    def spans(self) -> list[dict[str, Any]]:
        """Every span, its attributes as a plain dictionary."""
        return [
            {**span, "attributes": attributes(span["attributes"])}
            for body in self.bodies.get("/v1/traces", [])
            for resource in body["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]

    @property
    def metrics(self) -> dict[str, dict[str, Any]]:
        """The newest metrics by name."""
        newest = self.bodies["/v1/metrics"][-1]["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]
        return {metric["name"]: metric for metric in newest}

    @property
    def resource(self) -> dict[str, Any]:
        return attributes(self.bodies["/v1/traces"][0]["resourceSpans"][0]["resource"]["attributes"])


def attributes(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """OTLP attributes as plain values."""
    return {row["key"]: _plain(row["value"]) for row in rows}


def _plain(value: dict[str, Any]) -> Any:
    ((kind, inner),) = value.items()
    match kind:
        case "intValue":
            return int(inner)
        case "arrayValue":
            return [_plain(each) for each in inner["values"]]
        case _:
            return inner


@contextmanager
def collector() -> Iterator[Collected]:
    """Collect until the block is left."""
    collected = Collected()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            assert self.headers["Content-Type"] == "application/json"
            collected.bodies.setdefault(self.path, []).append(json.loads(body))
            collected.headers.append({name.lower(): value for name, value in self.headers.items()})
            self.send_response(collected.status)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    collected.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield collected
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
