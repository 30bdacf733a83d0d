"""What a model can do with tools: none of its own, all of them, or a few.

Known from ``ModelInfo.tools`` (what the server or the catalogue says), learnt from a refusal, or asked by a probe
(``text_tools.TextTools.probe``).
"""

import re
from enum import StrEnum

from .base import ModelInfo
from .events import ErrorKind, ResponseError
from .messages import ToolSpec

SMALL_PARAMETERS = 4_000_000_000
"""Models of at most so many parameters lose their way among many tools."""
SMALL_WINDOW = 8192
"""Tokens. In a window of at most this size the descriptions of all tools take too much of the room."""
SMALL_TOOLS = ("read", "list", "edit", "write", "bash")
"""Enough to work on code with; searching goes by ``bash``."""

_SIZE = re.compile(r"(?<![a-z0-9.])(\d{1,4}(?:\.\d{1,3})?)([bm])(?![a-z0-9])", re.IGNORECASE)
_LEAST_MILLIONS = 10
"""``-1m`` in a name is a window of a million tokens, no size."""
_REFUSAL = re.compile(
    r"not support (?:the )?(?:use of )?(?:tools?|functions?)\b"  # Ollama, Groq, Together
    r"|support tool use|tool use is not supported"  # OpenRouter: "No endpoints found that support tool use"
    r"|(?:tools?|tool_choice|tool calling|function calling)\b[^.]{0,40}\b(?:not supported|unsupported)"
    r"|requires --jinja|tools param requires"  # llama.cpp
    r"|--enable-auto-tool-choice",  # vLLM
    re.IGNORECASE,
)


class ToolCalling(StrEnum):
    """How a model calls tools, as a probe found it."""

    NATIVE = "native"
    """By the protocol's own means."""
    TEXT = "text"
    """Only in the text of its answer."""
    NONE = "none"
    """Asked plainly, it made no call."""
    UNCLEAR = "unclear"
    """The answer was cut before it came to a call."""


def parameter_count(model: str) -> int | None:
    """How many parameters a model has by its id (``qwen3:0.6b``, ``smollm2-135m``); None when it does not say.

    The largest number counts: of ``qwen3-30b-a3b`` all 30 billion have to be loaded. ``8x7b`` is not read.
    """
    sizes = [
        int(float(number) * (1e9 if unit in "bB" else 1e6))
        for number, unit in _SIZE.findall(model)
        if unit in "bB" or float(number) >= _LEAST_MILLIONS
    ]
    return max(sizes, default=None)


def why_small(model: ModelInfo) -> str:
    """Why a model gets few tools, in words; empty when it gets all."""
    count = parameter_count(model.ref.model)
    if count is not None and count <= SMALL_PARAMETERS:
        size = f"{count / 1e9:g} billion" if count >= 1e9 else f"{count / 1e6:g} million"
        return f"it has {size} parameters"
    if model.context_window is not None and model.context_window <= SMALL_WINDOW:
        return f"its window has {model.context_window:,} tokens"
    return ""


def few(tools: tuple[ToolSpec, ...]) -> tuple[ToolSpec, ...]:
    """The tools a small model gets; all of them when none is one of ours."""
    return tuple(tool for tool in tools if tool.name in SMALL_TOOLS) or tools


def refuses_tools(error: ResponseError) -> bool:
    """True when a server says that this model, or the server as it was started, takes no tools."""
    refused = error.kind in (ErrorKind.INVALID_REQUEST, ErrorKind.NOT_FOUND)
    return refused and _REFUSAL.search(error.message) is not None
