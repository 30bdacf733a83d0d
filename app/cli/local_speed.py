"""Times the answers of a local model: the first token, writing, and reading a prompt.

A server's own figures are taken where it tells them; else what passes here between the request and the events.
"""

import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from secrets import token_hex

from ...providers.base import ModelInfo, Provider, ProviderConfigError
from ...providers.events import ResponseEnd, ResponseError, ResponseEvent, TextDelta, ThinkingDelta, Usage, UsageUpdate
from ...providers.messages import ChatRequest, TextBlock, UserMessage
from ...providers.server_timings import LEAST_COUNTED, server_timings

SPEED_TOKENS = 64
"""How much a model writes for its speed to be measured."""
LEAST_WINDOW = 1024
"""Tokens. In a smaller window no long prompt is tried."""

_WAKE = "Say yes."
_STORY = "Tell me a long story about a lighthouse and its keeper."
_LINES = 24
"""Of a long prompt: some 500 tokens."""


@dataclass(slots=True)
class Speeds:
    """What is known so far; None is not found out."""

    first_token_s: float | None = None
    """Seconds, for a short prompt and a loaded model."""
    tokens_per_s: float | None = None
    """Written."""
    prompt_tokens_per_s: float | None = None
    """Read, of a prompt that no cache holds."""


@dataclass(slots=True)
class _Answer:
    """One answer: seconds since the request, and what the server counted."""

    first_s: float | None = None
    took_s: float | None = None
    usage: Usage = field(default_factory=Usage)


class Stopwatch:
    """Times one model. What it finds goes into ``speeds`` at once, so that it outlives a time that ran out.

    ``clock`` gives seconds; ``last_reply`` the last reply as it came over the wire, empty where it is not kept;
    ``fresh`` a text that no prompt began with before. All methods raise ``ProviderConfigError`` when the server fails.
    """

    def __init__(
        self,
        provider: Provider,
        model: ModelInfo,
        *,
        clock: Callable[[], float] = time.monotonic,
        last_reply: Callable[[], str] = str,
        fresh: Callable[[], str] = token_hex,
    ) -> None:
        self._provider = provider
        self._model = model
        self._clock = clock
        self._last_reply = last_reply
        self._fresh = fresh

    async def wake(self) -> None:
        """Have the model loaded."""
        await self._time(_WAKE, 1, _Answer())

    async def write(self, speeds: Speeds) -> None:
        """How soon it begins, and how fast it writes."""
        answer = _Answer()
        try:
            await self._time(_STORY, SPEED_TOKENS, answer)
        finally:
            speeds.first_token_s = answer.first_s
        told = server_timings(self._last_reply()).tokens_per_s
        speeds.tokens_per_s = _writing(answer) if told is None else told

    async def read(self, speeds: Speeds) -> None:
        """How fast it reads. A window too small for the prompt is left alone."""
        window = self._model.context_window
        if window is not None and window < LEAST_WINDOW:
            return
        answer = _Answer()
        await self._time(long_prompt(self._fresh()), 1, answer)
        told = server_timings(self._last_reply()).prompt_tokens_per_s
        speeds.prompt_tokens_per_s = _reading(answer) if told is None else told

    async def _time(self, prompt: str, max_tokens: int, answer: _Answer) -> None:
        request = ChatRequest(
            model=self._model.ref.model,
            messages=(UserMessage(blocks=(TextBlock(text=prompt),)),),
            max_tokens=max_tokens,
            context_window=self._model.context_window,
            thinks=self._model.thinking,
        )
        began = self._clock()
        async with _closed_after(self._provider.stream(request)) as events:
            async for event in events:
                match event:
                    case TextDelta() | ThinkingDelta() if answer.first_s is None:
                        answer.first_s = self._clock() - began
                    case UsageUpdate(usage=usage):
                        answer.usage = usage
                    case ResponseError(message=message):
                        raise ProviderConfigError(message)
                    case ResponseEnd():
                        answer.took_s = self._clock() - began
                    case _:
                        pass


def long_prompt(fresh: str) -> str:
    """Some 500 tokens to read. ``fresh`` goes first: a cache holds a prompt as far as it begins like another."""
    lines = (
        f"{at}. At {at % 12 + 1} o'clock the keeper lit lamp {at * 37 % 101} and wrote it down." for at in range(_LINES)
    )
    return "\n".join((f"Log {fresh}", *lines, "Was a lamp lit? Say yes or no."))


def _writing(answer: _Answer) -> float | None:
    """Tokens per second after the first; None where too few came or nobody counted."""
    tokens = answer.usage.output_tokens
    if answer.first_s is None or answer.took_s is None or tokens is None or tokens < LEAST_COUNTED:
        return None
    took = answer.took_s - answer.first_s
    return (tokens - 1) / took if took > 0 else None


def _reading(answer: _Answer) -> float | None:
    """Tokens per second to the first one written; those from a cache were not read."""
    tokens = answer.usage.input_tokens
    took = answer.took_s if answer.first_s is None else answer.first_s
    if tokens is None or tokens < LEAST_COUNTED or not took:
        return None
    return tokens / took


@asynccontextmanager
async def _closed_after(events: AsyncIterator[ResponseEvent]) -> AsyncGenerator[AsyncIterator[ResponseEvent], None]:
    """The stream, closed at the end of the block: a server stops writing for nobody."""
    try:
        yield events
    finally:
        if isinstance(events, AsyncGenerator):
            await events.aclose()
