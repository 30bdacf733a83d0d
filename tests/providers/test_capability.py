import pytest

from patchbay.providers.base import ModelInfo, ModelRef
from patchbay.providers.capability import few, parameter_count, refuses_tools, why_small
from patchbay.providers.events import ErrorKind, ResponseError
from patchbay.providers.messages import ToolSpec


@pytest.mark.parametrize(
    ("model", "count"),
    [
        ("qwen3:0.6b", 600_000_000),
        ("smollm2:135m", 135_000_000),
        ("SmolLM2-135M-Instruct-Q4", 135_000_000),
        ("llama3.2:1b", 1_000_000_000),
        ("Qwen/Qwen2.5-Coder-32B-Instruct", 32_000_000_000),
        ("qwen3-30b-a3b", 30_000_000_000),
        ("hf.co/org/model-4B.gguf", 4_000_000_000),
        ("llama3.1:70b", 70_000_000_000),
        ("mixtral-8x7b", None),
        ("gpt-4o", None),
        ("claude-sonnet-5-1m", None),
        ("gemma-3n-e4b", None),
        ("phi-3-mini-128k", None),
    ],
)
def test_parameters_by_the_id(model: str, count: int | None) -> None:
    assert parameter_count(model) == count


def known(model: str, window: int | None) -> ModelInfo:
    return ModelInfo(ref=ModelRef(provider="here", model=model), context_window=window)


@pytest.mark.parametrize(
    ("model", "window", "why"),
    [
        ("qwen3:0.6b", 32_768, "it has 600 million parameters"),
        ("qwen3:4b", None, "it has 4 billion parameters"),
        ("smollm2:135m", None, "it has 135 million parameters"),
        ("nameless", 8192, "its window has 8,192 tokens"),
        ("qwen3:8b", 4096, "its window has 4,096 tokens"),
    ],
)
def test_small_models(model: str, window: int | None, why: str) -> None:
    assert why_small(known(model, window)).startswith(why)


@pytest.mark.parametrize(("model", "window"), [("qwen3:8b", 8193), ("qwen3:8b", None), ("gpt-5", 400_000)])
def test_others_get_all_tools(model: str, window: int | None) -> None:
    assert why_small(known(model, window)) == ""


def test_few_tools_are_those_to_work_on_code_with() -> None:
    tools = tuple(ToolSpec(name=name, description="", parameters={}) for name in ("glob", "read", "bash", "web_fetch"))
    assert [tool.name for tool in few(tools)] == ["read", "bash"]
    foreign = (ToolSpec(name="weather", description="", parameters={}),)
    assert few(foreign) == foreign


@pytest.mark.parametrize(
    "message",
    [
        "registry.ollama.ai/library/gemma:2b does not support tools",
        "No endpoints found that support tool use. Try disabling the search tool.",
        "tools param requires --jinja flag",
        '"auto" tool choice requires --enable-auto-tool-choice and --tool-call-parser to be set',
        "`tool calling` is not supported with this model",
        "This model does not support function calling",
    ],
)
def test_refusals_of_tools(message: str) -> None:
    assert refuses_tools(ResponseError(kind=ErrorKind.INVALID_REQUEST, message=message))
    assert not refuses_tools(ResponseError(kind=ErrorKind.RATE_LIMIT, message=message))


@pytest.mark.parametrize(
    "message", ["tools.0.name: String should match pattern", "messages: tool result without a call", "no such model"]
)
def test_other_errors_about_tools_are_none(message: str) -> None:
    assert not refuses_tools(ResponseError(kind=ErrorKind.INVALID_REQUEST, message=message))
