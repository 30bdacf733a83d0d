"""Tries local models for the doctor: how fast they answer, whether they call tools, and what to do about it.

Only models that run on the person's machine and cost nothing are tried, one after the other (they share its
processors), each within a time. What is known when time is up, or when the person has enough, is what is told.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from ...providers.base import ModelInfo, ModelRef, Online, Origin, Provider, ProviderConfigError, ProviderStatus
from ...providers.capability import ToolCalling
from ...providers.events import (
    ResponseEnd,
    ResponseError,
    ResponseEvent,
    TextDelta,
    ThinkingDelta,
    UsageUpdate,
)
from ...providers.messages import ChatRequest, TextBlock, UserMessage
from ...providers.redact import redact
from ...tools.safe_text import safe_line
from .local_fixes import fixes

MODEL_TIMEOUT_S = 60.0
"""The longest one model is tried."""
SPEED_TOKENS = 64
"""How much a model writes for its speed to be measured."""
TOOL_TOKENS = 512
"""How much it may write before the tool call: some think first."""
LEAST_TOKENS = 8
"""Fewer say nothing of a speed."""

_WAKE = "Say yes."
_STORY = "Tell me a long story about a lighthouse and its keeper."


class Tried(Protocol):
    """What is needed of the directory."""

    def provider(self, ref: ModelRef) -> Provider:
        """The provider of a model. Raises ``ProviderConfigError``."""
        ...

    async def probe(self, ref: ModelRef, *, max_tokens: int) -> ToolCalling:
        """How a model calls tools. Raises ``ProviderConfigError``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalModel:
    """What was found of one model; None is not found out."""

    model: ModelInfo
    server: str
    """The preset of what it runs on."""
    tools: ToolCalling | None = None
    tokens_per_s: float | None = None
    first_token_s: float | None = None
    """Seconds, for a short prompt and a loaded model."""
    problem: str = ""
    """Why not all was found out, in a whole sentence."""

    @property
    def fix(self) -> tuple[str, ...]:
        """What to do, worst first; nothing for a model that is fit for work."""
        found = fixes(self.server, self.model, tools=self.tools, tokens_per_s=self.tokens_per_s)
        return (self.problem, *found) if self.problem else found


@dataclass(slots=True)
class _Findings:
    """What is known so far: it outlives the time that ran out."""

    tools: ToolCalling | None = None
    tokens_per_s: float | None = None
    first_token_s: float | None = None


class Examination:
    """Tries models one after the other.

    ``tell`` is given one line on what is being done; ``clock`` gives seconds.
    """

    def __init__(
        self,
        directory: Tried,
        tell: Callable[[str], None],
        *,
        timeout_s: float = MODEL_TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._directory = directory
        self._tell = tell
        self._timeout_s = timeout_s
        self._clock = clock
        self.interrupted = False
        """The person had enough."""

    async def all_of(self, chosen: Sequence[tuple[ProviderStatus, ModelInfo]]) -> tuple[LocalModel, ...]:
        """What was found of each. Ends early, with what is known, when it is cancelled (Ctrl+C)."""
        found: list[LocalModel] = []
        for status, model in chosen:
            found.append(await self._one(status, model))
            if self.interrupted:
                break
        return tuple(found)

    async def _one(self, status: ProviderStatus, model: ModelInfo) -> LocalModel:
        known, problem = _Findings(), ""
        try:
            async with asyncio.timeout(self._timeout_s):
                await self._try(model, known)
        except TimeoutError:
            problem = (
                f"Not all was found out within {self._timeout_s:g} s: the server is busy or this machine too slow for"
                " the model. Try again when it is idle, or take a smaller model."
            )
        except ProviderConfigError as error:
            problem = f"The server failed: {safe_line(redact(str(error)))}"
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None:
                task.uncancel()  # heard: what is known is to be told
            self.interrupted = True
            problem = "Interrupted before all was found out."
        return LocalModel(
            model=model,
            server=status.server or status.dialect,
            tools=known.tools,
            tokens_per_s=known.tokens_per_s,
            first_token_s=known.first_token_s,
            problem=problem,
        )

    async def _try(self, model: ModelInfo, known: _Findings) -> None:
        """The quickest answer first, so that a slow model still gives the most telling figure."""
        name = safe_line(str(model.ref))
        self._tell(f"{name}: waiting for its first word (it may have to be loaded; at most {self._timeout_s:g} s)")
        await self._measure(model, _WAKE, 1, _Findings())
        self._tell(f"{name}: measuring its speed")
        await self._measure(model, _STORY, SPEED_TOKENS, known)
        self._tell(f"{name}: asking it to call a tool")
        known.tools = await self._directory.probe(model.ref, max_tokens=TOOL_TOKENS)

    async def _measure(self, model: ModelInfo, prompt: str, max_tokens: int, known: _Findings) -> None:
        """Time one answer. Raises ``ProviderConfigError`` when the server fails."""
        request = ChatRequest(
            model=model.ref.model,
            messages=(UserMessage(blocks=(TextBlock(text=prompt),)),),
            max_tokens=max_tokens,
            context_window=model.context_window,
            thinks=model.thinking,
        )
        began, first, tokens = self._clock(), None, None
        async with _closed_after(self._directory.provider(model.ref).stream(request)) as events:
            async for event in events:
                match event:
                    case TextDelta() | ThinkingDelta() if first is None:
                        first = self._clock()
                        known.first_token_s = first - began
                    case UsageUpdate(usage=usage):
                        tokens = usage.output_tokens
                    case ResponseError(message=message):
                        raise ProviderConfigError(message)
                    case ResponseEnd() if first is not None and tokens is not None and tokens >= LEAST_TOKENS:
                        took = self._clock() - first
                        known.tokens_per_s = (tokens - 1) / took if took > 0 else None
                    case _:
                        pass


def chosen_models(
    statuses: Sequence[ProviderStatus], wished: ModelRef | None = None
) -> tuple[tuple[ProviderStatus, ModelInfo], ...]:
    """The models to try: of each local server that answers its first, which is a loaded one, or the one wished for.

    Raises ``ProviderConfigError`` when the wished model is none that may be tried, saying why.
    """
    if wished is None:
        firsts = ((status, _first(status)) for status in statuses if _is_local(status))
        return tuple((status, model) for status, model in firsts if model is not None)
    status = next((each for each in statuses if each.name == wished.provider), None)
    if status is None or status.origin is Origin.DEMO or not status.local:
        raise ProviderConfigError(f"{wished} is no local model: only those are tried, for others cost money.")
    if status.online is not Online.ONLINE:
        why = f" {status.problem}" if status.problem else ""
        raise ProviderConfigError(f"{wished} cannot be tried: {status.name} is {status.online.value}.{why}")
    model = next((each for each in status.models if each.ref == wished), ModelInfo(ref=wished))
    if not may_be_tried(model):
        raise ProviderConfigError(f"{wished} is not known to run here for free: only local models are tried.")
    return ((status, model),)


def may_be_tried(model: ModelInfo) -> bool:
    """True for a model that costs nothing: a proxy's are not free, and Ollama passes ``-cloud`` ones on."""
    tag = model.ref.model.lower().rpartition(":")[2]
    return model.price is not None and model.price.free and tag != "cloud" and not tag.endswith("-cloud")


def _is_local(status: ProviderStatus) -> bool:
    return status.local and status.online is Online.ONLINE and status.origin is not Origin.DEMO


def _first(status: ProviderStatus) -> ModelInfo | None:
    return next((model for model in status.models if may_be_tried(model)), None)


def local_model_row(found: LocalModel) -> dict[str, Any]:
    """For a program: null is unknown; tokens, tokens per second and seconds."""
    return {
        "provider": found.model.ref.provider,
        "model": found.model.ref.model,
        "window": found.model.context_window,
        "tools": "unknown" if found.tools in (None, ToolCalling.UNCLEAR) else found.tools.value,
        "tokens_per_s": _rounded(found.tokens_per_s),
        "first_token_s": _rounded(found.first_token_s),
        "fix": list(found.fix),
    }


def local_model_lines(found: LocalModel) -> tuple[str, ...]:
    """For a person: one line of facts and one a fix."""
    window = found.model.context_window
    facts = (
        "window unknown" if window is None else f"window {window:,} tokens",
        _TOOLS[found.tools],
        "speed unknown" if found.tokens_per_s is None else f"{found.tokens_per_s:.1f} tokens/s",
        "first token unknown" if found.first_token_s is None else f"first token after {found.first_token_s:.2f} s",
    )
    head = f"{safe_line(str(found.model.ref))}: {', '.join(facts)}"
    return (head, *(f"    fix: {safe_line(line)}" for line in found.fix))


_TOOLS: dict[ToolCalling | None, str] = {
    ToolCalling.NATIVE: "calls tools",
    ToolCalling.TEXT: "calls tools in its text only",
    ToolCalling.NONE: "calls no tools",
    ToolCalling.UNCLEAR: "tool calls unknown",
    None: "tool calls unknown",
}


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(figure, 3)


@asynccontextmanager
async def _closed_after(events: AsyncIterator[ResponseEvent]) -> AsyncGenerator[AsyncIterator[ResponseEvent], None]:
    """The stream, closed at the end of the block: a server stops writing for nobody."""
    try:
        yield events
    finally:
        if isinstance(events, AsyncGenerator):
            await events.aclose()
