"""What went over the wire: the latest exchanges in memory, and all of them as files when a folder is given.

An exchange is one request and the reply to it, retries and lists of models included. Registered keys are replaced
wherever they turn up, headers that may carry one are never kept, and a file has only those reply headers that a
decoder can use. A file is a case file (see ``recorded``), for ``patchbay wire decode`` and ``patchbay wire replay``.
"""

import json
import os
import re
import time
import zlib
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .base import Exchange
from .events import JsonObject
from .json_values import as_text, parse_object
from .redact import PLACEHOLDER, redact, redact_registered

KEPT_EXCHANGES = 50
"""How many exchanges stay in memory."""
KEPT_BYTES = 256 * 1024
"""How much of a request, and of a reply, stays in memory."""
FILE_BYTES = 64 * 1024 * 1024
"""How much of a reply goes into a file."""

FAMILIES: Mapping[str, str] = {"ollama": "ollama_native"}
"""Dialects whose case files name them otherwise."""

_SECRET_HEADER = re.compile(r"auth|key|token(?!s)|secret|cookie|session|account|organization|project", re.IGNORECASE)
_FILED_HEADER = re.compile(
    r"retry-after(-ms)?|x-should-retry|(x-)?request-id|x-generation-id|([a-z-]+-)?ratelimit[a-z_-]*", re.IGNORECASE
)
_STREAMS = ("event-stream", "ndjson", "jsonl")


@dataclass(slots=True, kw_only=True)
class OpenExchange:
    """An exchange as it happens."""

    number: int
    at: float
    provider: str
    dialect: str
    asks: bool
    """It asks for an answer, not for a list of models."""
    model: str
    method: str
    path: str
    request_headers: Mapping[str, str]
    request_body: bytes
    limit: int
    status: int | None = None
    response_headers: Mapping[str, str] = field(default_factory=dict[str, str])
    received: bytearray = field(default_factory=bytearray)
    response_bytes: int = 0
    whole: bool = False
    ended: bool = False

    def add(self, chunk: bytes) -> None:
        """Take a piece of the reply."""
        self.response_bytes += len(chunk)
        if len(self.received) < self.limit:
            self.received += chunk[: self.limit - len(self.received)]

    @property
    def content_type(self) -> str:
        """What the reply says it is."""
        return self.response_headers.get("content-type", "")

    def body(self, limit: int) -> str:
        """The reply as text, at most so many bytes of it, without keys."""
        raw = _unpacked(bytes(self.received), self.response_headers.get("content-encoding", ""), limit)
        return redact_registered(raw.decode("utf-8", "replace"))

    def shown(self) -> Exchange:
        """The exchange as it is now."""
        return Exchange(
            number=self.number,
            at=self.at,
            provider=self.provider,
            dialect=self.dialect,
            model=self.model,
            method=self.method,
            path=self.path,
            request_headers=_without_secrets(self.request_headers),
            request_body=redact_registered(self.request_body[:KEPT_BYTES].decode("utf-8", "replace")),
            status=self.status,
            response_headers=_without_secrets(self.response_headers),
            response_body=self.body(KEPT_BYTES),
            response_bytes=self.response_bytes,
            clipped=self.response_bytes > KEPT_BYTES,
            ended=self.ended,
            cut=self.ended and not self.whole,
        )

    def to_case(self, name: str) -> JsonObject:
        """The exchange as a case file."""
        text = redact_registered(self.request_body.decode("utf-8", "replace"))
        body = parse_object(text)
        return {
            "id": name,
            "family": FAMILIES.get(self.dialect, self.dialect),
            "provider": self.provider,
            "model": self.model,
            "kind": self._kind(),
            "provenance": "recorded",
            "request": {"method": self.method, "path": self.path, "body": text or None if body is None else body},
            "status": self.status,
            "content_type": self.content_type,
            "response_headers": {
                name: redact(value) for name, value in self.response_headers.items() if _FILED_HEADER.fullmatch(name)
            },
            "body": self.body(FILE_BYTES),
            "cut": not self.whole,
        }

    def _kind(self) -> str:
        if not self.asks:
            return "models"
        if (self.status or 0) >= 400:
            return "error"
        return "stream" if any(sign in self.content_type for sign in _STREAMS) else "json"


class ExchangeLog:
    """Keeps exchanges. Belongs to one event loop; writing a file takes milliseconds and happens after the reply."""

    def __init__(self, folder: Path | None = None, *, clock: Callable[[], float] = time.time) -> None:
        """Exchanges go on after those that are in ``folder``. Raises OSError when it cannot be written to."""
        self._folder = folder
        self._clock = clock
        self._kept: deque[OpenExchange] = deque(maxlen=KEPT_EXCHANGES)
        self._last = 0
        self.on_problem: Callable[[str], None] = lambda _message: None
        """Told, once, that exchanges are no longer written."""
        if folder is not None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._last = max((_number(path) for path in folder.iterdir()), default=0)
            if not os.access(folder, os.W_OK | os.X_OK):
                raise PermissionError(f"{folder} cannot be written to")

    def index(self) -> list[tuple[int, float]]:
        """Number and time of the latest exchanges, oldest first; the time is in seconds since the epoch."""
        return [(each.number, each.at) for each in self._kept]

    def exchange(self, number: int) -> Exchange | None:
        """One of them, as it is now; None when it is no longer kept."""
        return next((each.shown() for each in self._kept if each.number == number), None)

    def exchanges(self) -> tuple[Exchange, ...]:
        """All of them, as they are now."""
        return tuple(each.shown() for each in self._kept)

    def begin(
        self,
        *,
        provider: str,
        dialect: str,
        asks: bool,
        method: str,
        path: str,
        headers: Iterable[tuple[str, str]],
        body: bytes,
    ) -> OpenExchange:
        """A request is being sent."""
        self._last += 1
        asked = parse_object(body.decode("utf-8", "replace")) if asks else None
        exchange = OpenExchange(
            number=self._last,
            at=self._clock(),
            provider=provider,
            dialect=dialect,
            asks=asks,
            model=as_text((asked or {}).get("model")),
            method=method,
            path=redact(path),
            request_headers=_lower(headers),
            request_body=body if self._folder else body[:KEPT_BYTES],
            limit=FILE_BYTES if self._folder else KEPT_BYTES,
        )
        self._kept.append(exchange)
        return exchange

    def answered(self, exchange: OpenExchange, status: int, headers: Iterable[tuple[str, str]]) -> None:
        """A reply begins."""
        exchange.status = status
        exchange.response_headers = _lower(headers)

    def end(self, exchange: OpenExchange) -> None:
        """Nothing more will come."""
        if exchange.ended:
            return
        exchange.ended = True
        if self._folder is not None:
            self._write(exchange, self._folder)
            exchange.request_body = exchange.request_body[:KEPT_BYTES]
            del exchange.received[KEPT_BYTES:]

    def _write(self, exchange: OpenExchange, folder: Path) -> None:
        provider = re.sub(r"[^A-Za-z0-9._-]", "_", exchange.provider)
        name = f"{exchange.number:05d}-{provider}"
        text = json.dumps(exchange.to_case(name), ensure_ascii=True, indent=1)
        try:
            # Never over a file that is there: two programs may record into one folder.
            target = os.open(folder / f"{name}.json", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(target, "w", encoding="ascii") as file:
                file.write(text + "\n")
        except FileExistsError:
            exchange.number = self._last = max(map(_number, folder.iterdir())) + 1
            self._write(exchange, folder)
        except OSError as problem:
            self._folder = None
            self.on_problem(
                f"Exchanges are no longer recorded: {folder}: {problem.strerror}. Free some space and start again."
            )


def _number(path: Path) -> int:
    digits, dash, _ = path.name.partition("-")
    return int(digits) if dash and digits.isascii() and digits.isdigit() else 0


def _lower(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers}


def _without_secrets(headers: Mapping[str, str]) -> dict[str, str]:
    return {
        name: PLACEHOLDER if _SECRET_HEADER.search(name) else redact(f"{name}: {value}")[len(name) + 2 :]
        for name, value in headers.items()
    }


def _unpacked(raw: bytes, encoding: str, limit: int) -> bytes:
    """The bytes as a client reads them, as far as they can be unpacked."""
    if encoding.strip().lower() not in ("gzip", "deflate", "x-gzip"):
        return raw[:limit]
    try:
        return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(raw, limit)
    except zlib.error:
        return raw[:limit]
