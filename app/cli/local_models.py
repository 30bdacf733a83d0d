"""Tries local models for the doctor: how fast they answer, whether they call tools, and what to do about it.

Only models that run on the person's machine and cost nothing are tried, one after the other (they share its
processors), each within a time. What is known when time is up, or when the person has enough, is what is told.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from ...providers.base import ModelInfo, ModelRef, Online, Origin, Provider, ProviderConfigError, ProviderStatus
from ...providers.capability import ToolCalling
from ...providers.redact import redact
from ...tools.safe_text import safe_line
from .local_fixes import fixes
from .local_speed import Speeds, Stopwatch

MODEL_TIMEOUT_S = 60.0
"""The longest one model is tried."""
TOOL_TOKENS = 512
"""How much it may write before the tool call: some think first."""


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
    speeds: Speeds = field(default_factory=Speeds)
    problem: str = ""
    """Why not all was found out, in a whole sentence."""

    @property
    def fix(self) -> tuple[str, ...]:
        """What to do, worst first; nothing for a model that is fit for work."""
        found = fixes(
            self.server,
            self.model,
            tools=self.tools,
            tokens_per_s=self.speeds.tokens_per_s,
            prompt_tokens_per_s=self.speeds.prompt_tokens_per_s,
        )
        return (self.problem, *found) if self.problem else found


@dataclass(slots=True)
class _Findings:
    """What is known so far: it outlives the time that ran out."""

    tools: ToolCalling | None = None
    speeds: Speeds = field(default_factory=Speeds)


class Examination:
    """Tries models one after the other.

    ``tell`` is given one line on what is being done; ``clock`` and ``last_reply`` are the stopwatch's.
    """

    def __init__(
        self,
        directory: Tried,
        tell: Callable[[str], None],
        *,
        timeout_s: float = MODEL_TIMEOUT_S,
        clock: Callable[[], float] = time.monotonic,
        last_reply: Callable[[], str] = str,
    ) -> None:
        self._directory = directory
        self._tell = tell
        self._timeout_s = timeout_s
        self._clock = clock
        self._last_reply = last_reply
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
            speeds=known.speeds,
            problem=problem,
        )

    async def _try(self, model: ModelInfo, known: _Findings) -> None:
        """The quickest answer first, so that a slow model still gives the most telling figure."""
        name = safe_line(str(model.ref))
        provider = self._directory.provider(model.ref)
        stopwatch = Stopwatch(provider, model, clock=self._clock, last_reply=self._last_reply)
        self._tell(f"{name}: waiting for its first word (it may have to be loaded; at most {self._timeout_s:g} s)")
        await stopwatch.wake()
        self._tell(f"{name}: measuring its speed")
        await stopwatch.write(known.speeds)
        self._tell(f"{name}: asking it to call a tool")
        known.tools = await self._directory.probe(model.ref, max_tokens=TOOL_TOKENS)
        self._tell(f"{name}: having it read a long prompt")
        await stopwatch.read(known.speeds)


def chosen_models(
    statuses: Sequence[ProviderStatus], wished: ModelRef | None = None, *, every: bool = False
) -> tuple[tuple[ProviderStatus, ModelInfo], ...]:
    """The models to try: of each local server that answers its first, which is a loaded one, or the one wished for.

    With ``every`` all of each server. Raises ``ProviderConfigError`` when the wished model is none that may be tried,
    saying why.
    """
    if wished is None:
        most = None if every else 1
        return tuple((status, model) for status in statuses for model in _local(status)[:most])
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


def _local(status: ProviderStatus) -> tuple[ModelInfo, ...]:
    """What may be tried of a provider; nothing of one that is no local server, or does not answer."""
    if not status.local or status.online is not Online.ONLINE or status.origin is Origin.DEMO:
        return ()
    return tuple(model for model in status.models if may_be_tried(model))


def local_model_row(found: LocalModel) -> dict[str, Any]:
    """For a program: null is unknown; tokens, tokens per second and seconds."""
    return {
        "provider": found.model.ref.provider,
        "model": found.model.ref.model,
        "window": found.model.context_window,
        "trained_window": found.model.trained_window,
        "tools": "unknown" if found.tools in (None, ToolCalling.UNCLEAR) else found.tools.value,
        "prompt_tokens_per_s": _rounded(found.speeds.prompt_tokens_per_s),
        "tokens_per_s": _rounded(found.speeds.tokens_per_s),
        "first_token_s": _rounded(found.speeds.first_token_s),
        "fix": list(found.fix),
    }


def local_model_lines(found: LocalModel) -> tuple[str, ...]:
    """For a person: one line of facts and one a fix."""
    speeds = found.speeds
    facts = (
        _window_words(found.model),
        _TOOLS[found.tools],
        "speed unknown" if speeds.tokens_per_s is None else f"writes {speeds.tokens_per_s:.1f} tokens/s",
        *(() if speeds.prompt_tokens_per_s is None else (f"reads {speeds.prompt_tokens_per_s:.0f} tokens/s",)),
        "first token unknown" if speeds.first_token_s is None else f"first token after {speeds.first_token_s:.2f} s",
    )
    head = f"{safe_line(str(found.model.ref))}: {', '.join(facts)}"
    return (head, *(f"    fix: {safe_line(line)}" for line in found.fix))


def _window_words(model: ModelInfo) -> str:
    window, trained = model.context_window, model.trained_window
    if window is None:
        return "window unknown"
    more = f" (made for {trained:,})" if trained is not None and trained != window else ""
    return f"window {window:,} tokens{more}"


_TOOLS: dict[ToolCalling | None, str] = {
    ToolCalling.NATIVE: "calls tools",
    ToolCalling.TEXT: "calls tools in its text only",
    ToolCalling.NONE: "calls no tools",
    ToolCalling.UNCLEAR: "tool calls unknown",
    None: "tool calls unknown",
}


def _rounded(figure: float | None) -> float | None:
    return None if figure is None else round(figure, 3)
