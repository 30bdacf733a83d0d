"""What to do about a local model, in words for the server it runs on."""

import shlex
from dataclasses import dataclass
from types import MappingProxyType

from ...providers.base import ModelInfo
from ...providers.capability import SMALL_WINDOW, ToolCalling

GOOD_WINDOW = 32_768
"""Tokens. What the advice asks servers for."""
SLOW_TOKENS_PER_S = 5.0
"""An answer of a thousand tokens takes minutes below this."""
SLOW_PROMPT_TOKENS_PER_S = 100.0
"""A prompt of some thousand tokens takes the better part of a minute to read below this."""
_PROMPT_TOKENS = 4000
"""What the advice takes for a prompt with tools and some files in it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Server:
    """How one kind of server is told."""

    window: str
    tools: str
    """How to let it take tool calls by its protocol; empty where only another model helps."""
    gpu: str = ""
    """How to let more of it run on the GPU, or to see how much does."""


_SERVERS = MappingProxyType(
    {
        "ollama": _Server(
            window="Patchbay asks for the window through Ollama's own protocol when it loads the model: unload it"
            " (ollama stop {model}) and leave num_ctx out of the settings, or set it to {good} there",
            tools="",
            gpu="ollama ps shows how much does",
        ),
        "llama.cpp": _Server(
            window="restart llama-server with -c {good}",
            tools="restart llama-server with --jinja, so that it uses the model's own template for tools",
            gpu="-ngl 99",
        ),
        "lm-studio": _Server(
            window="load the model in LM Studio with a larger context length"
            " (lms load {model} --context-length {good})",
            tools="",
            gpu="GPU offload, where the model is loaded",
        ),
        "vllm": _Server(
            window="restart vLLM with --max-model-len {good}",
            tools="restart vLLM with --enable-auto-tool-choice --tool-call-parser PARSER"
            " (hermes for Qwen, llama3_json for Llama, mistral for Mistral)",
        ),
    }
)
_ANY_SERVER = _Server(window="start its server with a context of {good} tokens", tools="")
_TAKE_ANOTHER = "take a model trained for tool calls (qwen2.5-coder and qwen3-coder are)"


def fixes(
    server: str,
    model: ModelInfo,
    *,
    tools: ToolCalling | None,
    tokens_per_s: float | None = None,
    prompt_tokens_per_s: float | None = None,
) -> tuple[str, ...]:
    """Whole sentences, the worst trouble first; none for a model that is fit for work.

    ``server`` is a preset's name; ``tools`` None where the model was not asked.
    """
    told = _SERVERS.get(server, _ANY_SERVER)
    slow = (*_writing_trouble(tokens_per_s), *_reading_trouble(prompt_tokens_per_s))
    return (*_window_fixes(told, model), *_tool_fixes(told, model, tools), *_speed_fixes(told, slow))


def _window_fixes(told: _Server, model: ModelInfo) -> tuple[str, ...]:
    window, trained = model.context_window, model.trained_window
    if trained is not None and trained <= SMALL_WINDOW and (window is None or window <= SMALL_WINDOW):
        if trained < SMALL_WINDOW:
            return (
                f"The model was made for a window of {trained:,} tokens, too small for work (at least"
                f" {SMALL_WINDOW:,}): take another.",
            )
        if window == trained:
            return (
                f"A window of {window:,} tokens is just enough, with few tools, and the model was made for no more:"
                " for more, take another.",
            )
    good = GOOD_WINDOW if trained is None else min(GOOD_WINDOW, trained)
    change = told.window.format(model=shlex.quote(model.ref.model), good=good)
    another = "If the model was not made for that much, take another." if trained is None else ""
    return tuple(line.rstrip() for line in _small_window(window, change, another))


def _small_window(window: int | None, change: str, another: str) -> tuple[str, ...]:
    match window:
        case None:
            return (f"How many tokens its window holds is not known: to be sure, {change}.",)
        case _ if window < SMALL_WINDOW:
            return (
                f"A window of {window:,} tokens is too small for work (at least {SMALL_WINDOW:,}): {change}. {another}",
            )
        case _ if window == SMALL_WINDOW:
            return (f"A window of {window:,} tokens is just enough, with few tools: for more, {change}. {another}",)
        case _:
            return ()


def _tool_fixes(told: _Server, model: ModelInfo, tools: ToolCalling | None) -> tuple[str, ...]:
    # A server that says its template takes tools needs no switch: then it is the model.
    switch = told.tools if model.tools is not True else ""
    match tools:
        case ToolCalling.TEXT if switch:
            return (f"It calls tools only in its text, which Patchbay reads. For real calls {switch}; then ask again.",)
        case ToolCalling.TEXT:
            return (f"It calls tools only in its text, which Patchbay reads, with mistakes: better {_TAKE_ANOTHER}.",)
        case ToolCalling.NONE if switch:
            return (f"It did not call a tool when told to: {switch}. If that does not help, {_TAKE_ANOTHER}.",)
        case ToolCalling.NONE:
            return (f"It did not call a tool when told to: {_TAKE_ANOTHER}.",)
        case ToolCalling.UNCLEAR:
            return ("It talked past the end of the test without a tool call: it may think long, or be lost.",)
        case _:
            return ()


def _speed_fixes(told: _Server, slow: tuple[str, ...]) -> tuple[str, ...]:
    """One advice for all that is slow: it has one cause."""
    if not slow:
        return ()
    gpu = f" ({told.gpu})" if told.gpu else ""
    return (
        f"{'; '.join(slow)}: take a smaller model or a smaller quantisation, or let more of it run on the GPU{gpu}.",
    )


def _writing_trouble(tokens_per_s: float | None) -> tuple[str, ...]:
    if tokens_per_s is None or tokens_per_s >= SLOW_TOKENS_PER_S:
        return ()
    minutes = 1000 / max(tokens_per_s, 0.01) / 60
    return (f"At {tokens_per_s:.1f} tokens/s a thousand tokens take {minutes:.0f} minutes to write",)


def _reading_trouble(prompt_tokens_per_s: float | None) -> tuple[str, ...]:
    if prompt_tokens_per_s is None or prompt_tokens_per_s >= SLOW_PROMPT_TOKENS_PER_S:
        return ()
    seconds = _PROMPT_TOKENS / max(prompt_tokens_per_s, 0.01)
    return (
        f"At {prompt_tokens_per_s:.0f} tokens/s a prompt of {_PROMPT_TOKENS:,} tokens takes {seconds:.0f} s to read",
    )
