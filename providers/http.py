"""One endpoint over HTTP: what all dialects share of asking, waiting, and failing.

The wait is limited by events, not bytes: a server that sends only comments is as silent as one that sends nothing.
Redirects are not followed, since the key must not go to another host. Nothing is retried here but a request whose
field the server refused, without that field (see ``learnt``).
"""

import asyncio
import json
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress

import httpx

from .base import ModelInfo, ModelRef, ProviderConfigError
from .compression import body_bytes
from .decoder import AnswerBody, ResponseDecoder
from .endpoint import Endpoint
from .errors import (
    ResponseFailure,
    address,
    classify_reply,
    connection_failed,
    connection_lost,
    too_slow,
    unusable,
    unusable_key,
)
from .events import ErrorKind, JsonObject, JsonValue, Notice, ResponseError, ResponseEvent
from .exchanges import ExchangeLog
from .json_values import parse_json
from .learnt import Learnt
from .messages import ChatRequest
from .model_rows import model_facts, model_id, model_rows
from .recording import listening_hooks
from .sse import MAX_LINE_BYTES

CONNECT_TIMEOUT_S = 10.0
LISTING_TIMEOUT_S = 15.0
AVAILABLE_TIMEOUT_S = 3.0
AFTER_END_S = 5.0
"""How long a server that has answered may take to close the stream: some never send their end mark."""
DRAIN_S = 0.2
"""How long the rest of a body is read after its end mark, so that the connection can be used again."""
DRAIN_CHUNKS = 64
MAX_AMENDMENTS = 4
"""How many fields one request may lose to refusals before it counts as refused."""
MAX_ERROR_BYTES = 1024 * 1024
MAX_LISTING_BYTES = 32 * 1024 * 1024

_LOOPBACK = ("localhost", "127.0.0.1", "::1")
_ABOUT_THE_REQUEST = frozenset({ErrorKind.INVALID_REQUEST, ErrorKind.NOT_FOUND})
"""Refusals that may be for one of its fields."""


class DialectProvider(ABC):
    """A provider in one dialect. A dialect says where it posts, how it translates a request, and how it decodes.

    Concurrency-safe: all streams share one connection pool and nothing else.
    """

    ask_path: str
    """Where requests are posted, after the base URL."""
    models_path: str
    """Where models are listed, after the base URL."""
    json_lines = False
    """True when the dialect streams one JSON object a line instead of server-sent events."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        log: ExchangeLog | None = None,
        learnt: Learnt | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._learnt = Learnt() if learnt is None else learnt
        self._transport = transport
        self._log = log
        self._pool: httpx.AsyncClient | None = None

    @property
    def name(self) -> str:
        """The name it is configured or found under."""
        return self.endpoint.name

    @property
    def dialect(self) -> str:
        """The wire protocol."""
        return self.endpoint.dialect

    @abstractmethod
    def request_body(self, request: ChatRequest) -> JsonObject:
        """The request in this dialect. The history must be valid for it (see ``handoff``)."""

    @abstractmethod
    def key_headers(self, key: str) -> dict[str, str]:
        """The header that carries the key."""

    @abstractmethod
    def new_decoder(self) -> ResponseDecoder:
        """A decoder for one answer."""

    def amended(self, body: JsonObject, error: ResponseError, reply: str) -> tuple[JsonObject, str] | None:
        """A request that was refused with this reply, changed for this once, and what to tell the person.

        None when nothing can be done.
        """
        return None

    def opening(self) -> tuple[Notice, ...]:
        """What to tell the person with the first answer, once."""
        return ()

    def fixed_headers(self) -> dict[str, str]:
        """Headers the dialect wants on every request."""
        return {}

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ResponseEvent]:
        """Answer one request; see ``base.Provider.stream``. Closing the iterator closes the connection."""
        for event in self.opening():
            yield event
        decoder = self.new_decoder()
        try:
            async with aclosing(self._exchange(request, decoder)) as batches:
                async for batch in batches:
                    for event in batch:
                        yield event
            return
        except ResponseFailure as failure:
            error = failure.error
        except httpx.LocalProtocolError:  # quotes the header it refuses
            error = unusable(self.endpoint, "a header cannot be sent; look for line breaks in this provider's headers.")
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            error = unusable(self.endpoint, f"the base URL {self.endpoint.base_url!r} is not usable; correct it.")
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as problem:
            error = connection_failed(self.endpoint, problem)
        except httpx.DecodingError as problem:
            error = unusable(self.endpoint, f"{problem}. What came before it is kept.")
        except httpx.HTTPError as problem:
            error = connection_lost(self.endpoint, problem)
        except Exception as problem:  # the promise is that a stream never raises, so a defect of ours must not either
            error = unusable(self.endpoint, f"the answer could not be read ({type(problem).__name__}: {problem}).")
        for event in decoder.fail(error):
            yield event

    async def list_models(self) -> list[str]:
        """The ids the server offers. Raises ``ProviderConfigError`` with cause and fix."""
        return [name for row in await self._model_rows() if (name := model_id(row))]

    async def list_infos(self) -> list[ModelInfo]:
        """The models the server offers, with what its list says. Raises ``ProviderConfigError``."""
        rows = [(name, row) for row in await self._model_rows() if (name := model_id(row))]
        return [model_facts(ModelRef(provider=self.name, model=name), row) for name, row in rows]

    async def model_info(self, model: str) -> ModelInfo | None:
        """What the server's own list says of the model; None when it says nothing beyond its name."""
        try:
            rows = await self._model_rows()
        except ProviderConfigError:
            return None
        row = next((row for row in rows if model_id(row) == model), None)
        if row is None:
            return None
        info = model_facts(ModelRef(provider=self.name, model=model), row)
        return None if info == ModelInfo(ref=info.ref) else info

    async def is_available(self) -> bool:
        """True when the server answers, be it with a refusal; False, never an exception, when it is down."""
        try:
            async with (
                asyncio.timeout(AVAILABLE_TIMEOUT_S),
                self._client().stream("GET", self.url(self.models_path), headers=self._headers()) as reply,
            ):
                return reply.status_code < 500
        except (httpx.HTTPError, httpx.InvalidURL, ResponseFailure, OSError):  # a timeout is an OSError
            return False

    async def aclose(self) -> None:
        """Close pooled connections. A later request opens new ones."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.aclose()

    def _client(self) -> httpx.AsyncClient:
        if self._pool is None:
            self._pool = httpx.AsyncClient(
                transport=self._transport,
                timeout=httpx.Timeout(None, connect=CONNECT_TIMEOUT_S, write=60.0, pool=CONNECT_TIMEOUT_S),
                follow_redirects=False,
                event_hooks=listening_hooks(self._log, self.endpoint, self.ask_path),
                # A company proxy from the environment cannot reach servers on this machine.
                trust_env=address(self.endpoint).rpartition(":")[0] not in _LOOPBACK,
            )
        return self._pool

    def url(self, path: str) -> str:
        """The address of a path after the base URL."""
        return self.endpoint.base_url.rstrip("/") + path

    def _headers(self) -> dict[str, str]:
        """All headers of a request. Raises ``ResponseFailure`` for a key that cannot be sent."""
        headers = {"User-Agent": "patchbay", **self.fixed_headers()}
        key = (self.endpoint.api_key() or "").strip()
        if key:
            if not (key.isascii() and key.isprintable() and " " not in key):
                raise ResponseFailure(unusable_key(self.endpoint))
            headers |= self.key_headers(key)
        return headers | dict(self.endpoint.headers)

    async def _exchange(self, request: ChatRequest, decoder: ResponseDecoder) -> AsyncGenerator[list[ResponseEvent]]:
        """The events of the answer, batch by batch; a field that is refused is left out. Raises what goes wrong."""
        body = self._learnt.applied(self.endpoint, self.request_body(request))
        for remaining in range(MAX_AMENDMENTS, -1, -1):
            try:
                async with aclosing(self._ask(body, decoder)) as batches:
                    async for batch in batches:
                        yield batch
                return
            except _Refused as refused:
                amended = self._amended(body, refused) if remaining else None
                if amended is None:
                    raise
                body, message = amended
                yield [Notice(message=message)]

    def _amended(self, body: JsonObject, refused: "_Refused") -> tuple[JsonObject, str] | None:
        """The request without what was refused, which is remembered, and what to tell the person."""
        error = refused.error
        if error.kind not in _ABOUT_THE_REQUEST or error.status is None:
            return None
        lesson = self._learnt.learn(self.endpoint, body, error.status, refused.reply)
        return (
            self.amended(body, error, refused.reply)
            if lesson is None
            else (lesson.applied(body), lesson.told(self.name))
        )

    async def _ask(self, request_body: JsonObject, decoder: ResponseDecoder) -> AsyncGenerator[list[ResponseEvent]]:
        """Send a request and give the events of the answer, batch by batch. Raises what goes wrong."""
        content = json.dumps(request_body, ensure_ascii=False).encode("utf-8", "replace")
        headers = {"Content-Type": "application/json", "Accept": "*/*", **self._headers()}
        # Compression makes proxies collect a stream before they pass it on.
        headers = {"Accept-Encoding": "identity", **headers}
        watchdog = _Watchdog(self.endpoint, decoder)
        async with AsyncExitStack() as stack:
            asked = self._client().stream("POST", self.url(self.ask_path), content=content, headers=headers)
            async with watchdog.limit():
                reply = await stack.enter_async_context(asked)
                if not reply.is_success:
                    raise await self._refusal(reply)
            body = AnswerBody(decoder, json_lines=self.json_lines, limit=MAX_LINE_BYTES)
            chunks = await stack.enter_async_context(aclosing(body_bytes(reply)))
            while not decoder.blocks.ended:
                async with watchdog.limit():
                    chunk = await anext(chunks, None)
                batch = body.finish() if chunk is None else body.feed(chunk)
                if decoder.blocks.ended and decoder.complete:
                    # Whoever has the last event leaves, and a connection with an unread rest cannot be used again.
                    yield batch[:-1]
                    await _drain(chunks)
                    batch = batch[-1:]
                if batch:
                    yield batch
                watchdog.saw(body.events_seen)

    async def _refusal(self, reply: httpx.Response) -> "_Refused":
        text = await _read_at_most(reply, MAX_ERROR_BYTES)
        return _Refused(classify_reply(self.endpoint, reply.status_code, text, reply.headers), text)

    async def fetch(self, method: str, path: str, content: JsonObject | None = None) -> JsonValue:
        """A JSON document other than an answer. Raises ``ResponseFailure`` and what httpx raises."""
        async with (
            asyncio.timeout(LISTING_TIMEOUT_S),
            self._client().stream(method, self.url(path), headers=self._headers(), json=content) as reply,
        ):
            if not reply.is_success:
                raise await self._refusal(reply)
            text = await _read_at_most(reply, MAX_LISTING_BYTES)
        try:
            return parse_json(text)
        except ValueError:
            reason = f"{self.url(path)} answered, but not in JSON. Is the base URL right?"
            raise ResponseFailure(unusable(self.endpoint, reason)) from None

    async def _model_rows(self) -> list[JsonObject]:
        """The server's list of models. Raises ``ProviderConfigError``."""
        try:
            return model_rows(await self.fetch("GET", self.models_path))
        except ResponseFailure as failure:
            problem = failure.error.message
        except TimeoutError:
            problem = f"{self.name}: {address(self.endpoint)} did not list its models in {LISTING_TIMEOUT_S:g} s."
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as failure:
            problem = connection_failed(self.endpoint, failure).message
        raise ProviderConfigError(problem)


class _Refused(ResponseFailure):
    """A reply that is no success, with its body."""

    def __init__(self, error: ResponseError, reply: str) -> None:
        super().__init__(error)
        self.reply = reply


class _Watchdog:
    """Limits how long no event may come: longer before the first token than between two."""

    def __init__(self, endpoint: Endpoint, decoder: ResponseDecoder) -> None:
        self._endpoint = endpoint
        self._decoder = decoder
        self._seen = 0
        self._left = self._limit

    @property
    def _limit(self) -> float:
        if self._decoder.complete:
            return AFTER_END_S
        if self._decoder.blocks.any_block:
            return self._endpoint.between_tokens_timeout_s
        return self._endpoint.first_token_timeout_s

    def saw(self, events: int) -> None:
        """So many events have come in all; a new one gives the full time again."""
        if events != self._seen:
            self._seen = events
            self._left = self._limit

    @asynccontextmanager
    async def limit(self) -> AsyncGenerator[None]:
        """Wait inside for at most the time that is left; time the reader of the stream takes is not counted.

        Raises ``ResponseFailure``.
        """
        if self._left <= 0:
            raise self._expired()
        loop = asyncio.get_running_loop()
        since = loop.time()
        try:
            async with asyncio.timeout_at(since + self._left):
                yield
        except TimeoutError:
            raise self._expired() from None
        self._left -= loop.time() - since

    def _expired(self) -> ResponseFailure:
        return ResponseFailure(too_slow(self._endpoint, self._limit, first=not self._decoder.blocks.any_block))


async def _read_at_most(reply: httpx.Response, limit: int) -> str:
    """The text of a reply, as far as it comes and up to so many bytes."""
    kept = bytearray()
    with suppress(httpx.HTTPError):  # part of an error message is better than none
        async with aclosing(body_bytes(reply)) as chunks:
            async for chunk in chunks:
                kept += chunk
                if len(kept) >= limit:
                    break
    return kept[:limit].decode("utf-8", "replace")


async def _drain(chunks: AsyncIterator[bytes]) -> None:
    """Read what little may follow the end mark."""
    with suppress(TimeoutError, httpx.HTTPError):
        async with asyncio.timeout(DRAIN_S):
            for _ in range(DRAIN_CHUNKS):
                if await anext(chunks, None) is None:
                    return
