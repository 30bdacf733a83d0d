"""The advice fits the server and what was found."""

from typing import Any

import pytest

from patchbay.app.cli.local_fixes import fixes
from patchbay.providers.base import ModelInfo, ModelRef
from patchbay.providers.capability import ToolCalling


def told(server: str, window: int | None, tools: ToolCalling | None, **more: Any) -> str:
    """The advice in one piece; ``able`` is whether the server says that the model takes tools."""
    able, trained = more.pop("able", None), more.pop("trained", None)
    ref = ModelRef(provider="x", model="q 7b")
    model = ModelInfo(ref=ref, context_window=window, trained_window=trained, tools=able)
    return "\n".join(fixes(server, model, tools=tools, **more))


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


@pytest.mark.parametrize(
    ("window", "trained", "words"),
    [
        (4096, 131_072, "restart llama-server with -c 32768."),
        (4096, 16_384, "restart llama-server with -c 16384."),
        (4096, 8192, "restart llama-server with -c 8192."),
        (8192, 8192, "made for no more: for more, take another."),
        (2048, 2048, "made for a window of 2,048 tokens, too small for work (at least 8,192): take another."),
        (2048, 4096, "made for a window of 4,096 tokens, too small for work (at least 8,192): take another."),
        (None, 4096, "made for a window of 4,096 tokens"),
        (None, 131_072, "to be sure, restart llama-server with -c 32768."),
    ],
)
def test_what_a_model_was_made_for_counts(window: int | None, trained: int, words: str) -> None:
    said = told("llama.cpp", window, ToolCalling.NATIVE, trained=trained)
    assert words in said and "If the model was not made" not in said


def test_a_window_stretched_over_what_the_model_was_made_for_is_the_persons_own_choice() -> None:
    assert told("llama.cpp", 32_768, ToolCalling.NATIVE, trained=4096) == ""


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


@pytest.mark.parametrize(
    ("server", "gpu"),
    [("llama.cpp", "(-ngl 99)"), ("ollama", "(ollama ps shows"), ("lm-studio", "(GPU offload"), ("vllm", "the GPU.")],
)
def test_slow_reading(server: str, gpu: str) -> None:
    said = told(server, 32_768, ToolCalling.NATIVE, prompt_tokens_per_s=50.0)
    assert said.startswith("At 50 tokens/s a prompt of 4,000 tokens takes 80 s to read: take a smaller") and gpu in said
    assert told(server, 32_768, ToolCalling.NATIVE, prompt_tokens_per_s=100.0) == ""


def test_what_is_slow_in_both_ways_gets_one_advice() -> None:
    said = told("vllm", 32_768, ToolCalling.NATIVE, tokens_per_s=2.0, prompt_tokens_per_s=0.0)
    assert "to write; At 0 tokens/s" in said and said.count("take a smaller model") == 1
