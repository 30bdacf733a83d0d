"""What tests of the wire layer share: a server in a transport, event streams in short, and the grammar of answers."""

import json
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import httpx

from patchbay.providers.base import Provider
from patchbay.providers.endpoint import Endpoint
from patchbay.providers.events import (
    OpaqueBlock,
    ResponseEnd,
    ResponseError,
    ResponseEvent,
    ResponseStart,
    TextDelta,
    TextEnd,
    TextStart,
    ThinkingDelta,
    ThinkingEnd,
    ThinkingStart,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    UsageUpdate,
)
from patchbay.providers.messages import ChatRequest, TextBlock, UserMessage

HELLO = ChatRequest(model="m", messages=(UserMessage(blocks=(TextBlock(text="hello"),)),))

Body = bytes | Iterable[bytes] | Callable[[], AsyncIterator[bytes]]


class Server(httpx.AsyncBaseTransport):
    """Answers every request the same way and keeps what it was asked."""

    def __init__(
        self,
        body: Body = b"",
        *,
        status: int = 200,
        headers: dict[str, str] | None = None,
        fails: Exception | None = None,
    ) -> None:
        self.body = body
        self.status = status
        self.headers = headers or {}
        self.fails = fails
        self.requests: list[httpx.Request] = []
        self.closed = 0
        """Replies whose connection was let go."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        if self.fails is not None:
            raise self.fails
        return httpx.Response(self.status, headers=self.headers, stream=_Stream(self))

    @property
    def asked(self) -> Any:
        """The JSON of the last request."""
        return json.loads(self.requests[-1].content)


class _Stream(httpx.AsyncByteStream):
    def __init__(self, server: Server) -> None:
        self._server = server

    async def __aiter__(self) -> AsyncIterator[bytes]:
        body = self._server.body
        if isinstance(body, bytes):
            yield body
        elif callable(body):
            async for piece in body():
                yield piece
        else:
            for piece in body:
                yield piece

    async def aclose(self) -> None:
        self._server.closed += 1


def endpoint(dialect: str = "openai_chat", **changes: Any) -> Endpoint:
    return Endpoint(**{"name": "here", "dialect": dialect, "base_url": "https://api.example.test/v1"} | changes)


def sse(*events: Any, done: bool = False) -> bytes:
    """Server-sent events of JSON values (or ready data), without ``event:`` lines."""
    data = [each if isinstance(each, str) else json.dumps(each) for each in events]
    return "".join(f"data: {each}\n\n" for each in [*data, *(["[DONE]"] if done else [])]).encode()


async def collect(provider: Provider, request: ChatRequest = HELLO) -> list[ResponseEvent]:
    return [event async for event in provider.stream(request)]


def text_of(events: Iterable[ResponseEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


def thinking_of(events: Iterable[ResponseEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, ThinkingDelta))


def calls_of(events: Iterable[ResponseEvent]) -> list[ToolCallEnd]:
    return [event for event in events if isinstance(event, ToolCallEnd)]


def last_usage(events: Iterable[ResponseEvent]) -> Any:
    return [event.usage for event in events if isinstance(event, UsageUpdate)][-1]


def check_grammar(events: list[ResponseEvent]) -> None:
    """The rules of ``providers.events``, read off its docstring."""
    assert events, "a stream says something"
    assert isinstance(events[-1], ResponseEnd | ResponseError), "the last event is terminal"
    assert not any(isinstance(event, ResponseEnd | ResponseError) for event in events[:-1]), "nothing follows it"
    assert sum(isinstance(event, ResponseStart) for event in events) <= 1
    started = False
    open_blocks: dict[int, str] = {}
    next_index = 0
    pieces: dict[int, list[str]] = {}
    for event in events[:-1]:
        if isinstance(event, ResponseStart):
            started = True
        kind = type(event).__name__.removesuffix("Start").removesuffix("Delta").removesuffix("End")
        match event:
            case TextStart() | ThinkingStart() | ToolCallStart():
                assert started and event.index == next_index
                next_index += 1
                open_blocks[event.index] = kind
                pieces[event.index] = []
            case TextDelta() | ThinkingDelta():
                assert open_blocks.get(event.index) == kind and event.text
                event.text.encode()
            case ToolCallDelta():
                assert open_blocks.get(event.index) == kind and event.arguments_json
                pieces[event.index].append(event.arguments_json)
            case ToolCallEnd():
                assert open_blocks.pop(event.index) == kind and event.name and event.call_id
                raw = "".join(pieces[event.index])
                if isinstance(event.arguments, dict):
                    assert event.arguments == (json.loads(raw) or {} if raw.strip() else {})
                else:
                    assert event.arguments.raw == raw
            case TextEnd() | ThinkingEnd():
                assert open_blocks.pop(event.index) == kind
            case OpaqueBlock():
                assert started and event.index == next_index
                next_index += 1
            case UsageUpdate():
                assert started
            case _:
                pass
    assert not open_blocks, "every block is closed before the terminal event"
    if isinstance(events[-1], ResponseEnd):
        assert started
    calls = calls_of(events)
    assert len({call.call_id for call in calls}) == len(calls), "ids are unique"
