"""The advice fits the server and what was found."""

from typing import Any

import pytest

from patchbay.app.cli.local_fixes import fixes
from patchbay.providers.base import ModelInfo, ModelRef
from patchbay.providers.capability import ToolCalling


def told(server: str, window: int | None, tools: ToolCalling | None, **more: Any) -> str:
    """The advice in one piece; ``able`` is whether the server says that the model takes tools."""
    speed, able = more.get("tokens_per_s"), more.get("able")
    model = ModelInfo(ref=ModelRef(provider="x", model="q 7b"), context_window=window, tools=able)
    return "\n".join(fixes(server, model, tools=tools, tokens_per_s=speed))


@pytest.mark.parametrize(
    ("server", "words"),
    [
        ("ollama", "asks for the window through Ollama's own protocol"),
        ("llama.cpp", "restart llama-server with -c 32768"),
        ("lm-studio", "larger context length (lms load 'q 7b' --context-length 32768)"),
        ("vllm", "restart vLLM with --max-model-len 32768"),
        ("custom", "start its server with a context of 32768 tokens"),
    ],
)
def test_a_small_window(server: str, words: str) -> None:
    small = told(server, 4096, ToolCalling.NATIVE)
    assert "4,096 tokens is too small for work (at least 8,192)" in small and words in small
    edge = told(server, 8192, ToolCalling.NATIVE)
    assert "too small" not in edge and words in edge
    assert words in told(server, None, ToolCalling.NATIVE)
    assert told(server, 16_384, ToolCalling.NATIVE) == ""


@pytest.mark.parametrize("tools", [ToolCalling.TEXT, ToolCalling.NONE])
@pytest.mark.parametrize(
    ("server", "words"),
    [
        ("llama.cpp", "--jinja"),
        ("vllm", "--enable-auto-tool-choice --tool-call-parser"),
        ("ollama", ""),
        ("custom", ""),
    ],
)
def test_no_tool_calls_by_the_protocol(server: str, words: str, tools: ToolCalling) -> None:
    said = told(server, 32_768, tools)
    assert words in said and ("restart" in said) is bool(words)
    if tools is ToolCalling.NONE or not words:
        assert "take a model trained for tool calls" in said
    knows = told(server, 32_768, tools, able=True)
    assert "restart" not in knows and "take a model trained for tool calls" in knows


def test_cut_off_and_not_asked() -> None:
    assert "without a tool call" in told("vllm", 32_768, ToolCalling.UNCLEAR)
    assert told("vllm", 32_768, None) == ""


@pytest.mark.parametrize(("speed", "words"), [(2.0, "a thousand tokens take 8 minutes"), (5.0, ""), (0.0, "tokens/s")])
def test_a_slow_model(speed: float, words: str) -> None:
    said = told("vllm", 32_768, ToolCalling.NATIVE, tokens_per_s=speed)
    assert words in said and bool(said) is bool(words)
