"""A provider that answers from a script: what the demo is made of, and every test of the engine.

A *step* is the answer to one request: a sequence of events, or a callable that makes them from the
request (any iterable, or an async generator, which may wait on a condition, which is how a test
holds a stream open). The builders below give tuples of events; ``answer`` puts them together::

    ScriptedProvider("fake", [answer(tool_call("c1", "read", {"path": "a.py"}), end()), answer(text("done"), end())])
"""

import asyncio
import json
import re
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import TypeAlias, TypeGuard

from .base import FREE, ModelInfo, ModelRef
from .events import (
    BlockEvent,
    ErrorKind,
    JsonObject,
    OpaqueBlock,
    ResponseEnd,
    ResponseError,
    ResponseEvent,
    ResponseStart,
    StopReason,
    TextDelta,
    TextEnd,
    TextStart,
    ThinkingDelta,
    ThinkingEnd,
    ThinkingStart,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    Usage,
    UsageUpdate,
)
from .messages import ChatRequest

Events: TypeAlias = tuple[ResponseEvent, ...]
Script: TypeAlias = Callable[[ChatRequest], Iterable[ResponseEvent] | AsyncGenerator[ResponseEvent, None]]
Step: TypeAlias = Iterable[ResponseEvent] | Script

_PIECE = re.compile(r"\s?\S{1,5}|\s")
"""About what a tokenizer makes of prose and code; every character belongs to exactly one piece."""


class ScriptedProvider:
    """Answers request *n* with step *n*, or every request with one callable. Implements ``Provider``.

    ``delay_s`` seconds pass before each delta and ``first_delay_s`` before the first event, so that a
    script looks like a stream; with 0 the event loop still gets its turn between two events, so a
    stream can be cancelled anywhere. Requests are kept in ``requests``. A script that is used up, or
    that ends without a terminal event, ends in a ``ResponseError`` of kind ``protocol``.
    """

    def __init__(
        self,
        name: str,
        steps: Sequence[Step] | Script,
        *,
        dialect: str = "scripted",
        models: Sequence[str] = ("demo",),
        context_window: int = 32_768,
        delay_s: float = 0.0,
        first_delay_s: float = 0.0,
    ) -> None:
        self._name = name
        self._steps = steps
        self._dialect = dialect
        self._models = tuple(models)
        self._context_window = context_window
        self._delay_s = delay_s
        self._first_delay_s = first_delay_s
        self.requests: list[ChatRequest] = []
        """Every request so far, oldest first."""

    @property
    def name(self) -> str:
        """The name it was given."""
        return self._name

    @property
    def dialect(self) -> str:
        """The dialect it was told to pass for."""
        return self._dialect

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ResponseEvent, None]:
        """Play the step of this request, up to and including its terminal event."""
        step = self._step(len(self.requests))
        self.requests.append(request)
        await asyncio.sleep(self._first_delay_s)
        script = step(request) if callable(step) else step
        async with aclosing(script if isinstance(script, AsyncGenerator) else _each(script)) as events:
            async for event in events:
                is_delta = isinstance(event, TextDelta | ThinkingDelta | ToolCallDelta)
                await asyncio.sleep(self._delay_s if is_delta else 0)
                yield event
                if isinstance(event, ResponseEnd | ResponseError):
                    return
        yield ResponseError(kind=ErrorKind.PROTOCOL, message="The script ended without an end: finish it with end().")

    def _step(self, number: int) -> Step:
        if callable(self._steps):
            return self._steps
        if number < len(self._steps):
            return self._steps[number]
        message = f"The script has {len(self._steps)} steps and this is request {number + 1}: add a step."
        return fail(ErrorKind.PROTOCOL, message)

    async def list_models(self) -> list[str]:
        """The models it was told to have."""
        return list(self._models)

    async def list_infos(self) -> list[ModelInfo]:
        """What is known of each."""
        told = [(model, await self.model_info(model)) for model in await self.list_models()]
        return [info or ModelInfo(ref=ModelRef(provider=self.name, model=model)) for model, info in told]

    async def model_info(self, model: str) -> ModelInfo | None:
        """A free model with tools and thinking, or None for one it was not told of."""
        if model not in self._models:
            return None
        return ModelInfo(
            ref=ModelRef(provider=self._name, model=model),
            context_window=self._context_window,
            tools=True,
            vision=False,
            thinking=True,
            price=FREE,
        )

    async def is_available(self) -> bool:
        """Always: there is no server to be down."""
        return True

    async def aclose(self) -> None:
        """Nothing to close."""


async def _each(events: Iterable[ResponseEvent]) -> AsyncGenerator[ResponseEvent, None]:
    for event in events:
        yield event


def pieces(content: str) -> tuple[str, ...]:
    """Cut text into pieces of a token's size; joined they are the text again."""
    return tuple(_PIECE.findall(content))


def start(response_id: str | None = None, model: str | None = None) -> Events:
    """The server begins to answer."""
    return (ResponseStart(response_id=response_id, model=model),)


def text(content: str, *, index: int = 0) -> Events:
    """A whole block of answer text, in pieces."""
    deltas = (TextDelta(index=index, text=piece) for piece in pieces(content))
    return (TextStart(index=index), *deltas, TextEnd(index=index))


def thinking(content: str, *, signature: str | None = None, index: int = 0) -> Events:
    """A whole block of thinking, in pieces."""
    deltas = (ThinkingDelta(index=index, text=piece) for piece in pieces(content))
    return (ThinkingStart(index=index), *deltas, ThinkingEnd(index=index, signature=signature))


def tool_call(call_id: str, name: str, arguments: JsonObject, *, index: int = 0) -> Events:
    """A whole tool call, its arguments' JSON in pieces."""
    deltas = (ToolCallDelta(index=index, arguments_json=piece) for piece in pieces(json.dumps(arguments)))
    end_event = ToolCallEnd(index=index, call_id=call_id, name=name, arguments=arguments)
    return (ToolCallStart(index=index, call_id=call_id, name=name), *deltas, end_event)


def usage(
    input_tokens: int | None = None,
    output_tokens: int | None = None,
    *,
    cache_read_tokens: int | None = None,
    cache_write_tokens: int | None = None,
    thinking_tokens: int | None = None,
) -> Events:
    """What the response used, in tokens; None where the server would say nothing."""
    counts = Usage(
        input_tokens=input_tokens,
        output_tokens=output_tokens,
        cache_read_tokens=cache_read_tokens,
        cache_write_tokens=cache_write_tokens,
        thinking_tokens=thinking_tokens,
    )
    return (UsageUpdate(usage=counts),)


def end(stop_reason: StopReason = StopReason.END_TURN) -> Events:
    """The response ends in an orderly way."""
    return (ResponseEnd(stop_reason=stop_reason),)


def fail(kind: ErrorKind, message: str, *, status: int | None = None, retryable: bool = False) -> Events:
    """The response fails."""
    return (ResponseError(kind=kind, message=message, status=status, retryable=retryable),)


def answer(*groups: Events) -> Events:
    """A response from its parts: a start in front, and block indexes that count up from group to group."""
    events: list[ResponseEvent] = list(start())
    base = 0
    for group in groups:
        placed = [replace(event, index=base + event.index) if _is_block(event) else event for event in group]
        base = max((event.index + 1 for event in placed if _is_block(event)), default=base)
        events.extend(placed)
    return tuple(events)


def _is_block(event: ResponseEvent) -> TypeGuard[BlockEvent]:
    blocks = (TextStart, TextDelta, TextEnd, ThinkingStart, ThinkingDelta, ThinkingEnd)
    return isinstance(event, (*blocks, ToolCallStart, ToolCallDelta, ToolCallEnd, OpaqueBlock))
