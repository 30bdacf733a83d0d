"""Listens in on an HTTP client: what it sends and gets goes into an ``ExchangeLog``, and nothing is delayed."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx

from .endpoint import Endpoint
from .exchanges import ExchangeLog, OpenExchange

_PLACE = "patchbay.exchange"
"""Where a request carries its exchange, among the extensions that the transport ignores."""

EventHooks = dict[str, list[Callable[[Any], Awaitable[None]]]]
"""What ``httpx.AsyncClient(event_hooks=...)`` takes."""


def listening_hooks(log: ExchangeLog | None, endpoint: Endpoint, ask_path: str) -> EventHooks:
    """Hooks that keep every exchange of a client with one endpoint; none without a log.

    Hooks, not a transport around the transport: a client that is given a transport no longer looks for the proxies
    of the environment.
    """
    if log is None:
        return {}

    async def asked(request: httpx.Request) -> None:
        request.extensions[_PLACE] = log.begin(
            provider=endpoint.name,
            dialect=endpoint.dialect,
            asks=request.method == "POST" and request.url.path.endswith(ask_path),
            method=request.method,
            path=request.url.path,
            headers=request.headers.multi_items(),
            body=request.content,
        )

    async def answered(response: httpx.Response) -> None:
        exchange = response.request.extensions.get(_PLACE)
        if isinstance(exchange, OpenExchange) and isinstance(response.stream, httpx.AsyncByteStream):
            log.answered(exchange, response.status_code, response.headers.multi_items())
            response.stream = _Tee(response.stream, log, exchange)

    return {"request": [asked], "response": [answered]}


class _Tee(httpx.AsyncByteStream):
    """A reply's bytes, on their way to the reader and into the log."""

    def __init__(self, stream: httpx.AsyncByteStream, log: ExchangeLog, exchange: OpenExchange) -> None:
        self._stream = stream
        self._log = log
        self._exchange = exchange

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The bytes as they come."""
        async for chunk in self._stream:
            self._exchange.add(chunk)
            yield chunk
        self._exchange.whole = True

    async def aclose(self) -> None:
        """The reader has what it wants, or the connection is gone."""
        try:
            await self._stream.aclose()
        finally:
            self._log.end(self._exchange)
