"""One scale of effort, and what each protocol, service and model is sent for it."""

from typing import Any

import pytest

from patchbay.providers.anthropic_messages import AnthropicMessages
from patchbay.providers.effort import chat_effort, ollama_effort, responses_effort
from patchbay.providers.events import JsonObject
from patchbay.providers.messages import (
    AssistantMessage,
    ChatRequest,
    Effort,
    Message,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    ToolResultMessage,
    ToolSpec,
    UserMessage,
)
from patchbay.providers.ollama import Ollama
from patchbay.providers.openai_chat import OpenAIChat
from patchbay.providers.openai_responses import OpenAIResponses
from patchbay.providers.presets import PRESETS
from support.wire import endpoint

SCALE = (Effort.OFF, Effort.LOW, Effort.MEDIUM, Effort.HIGH, Effort.MAX)
PROMPT = UserMessage(blocks=(TextBlock(text="go"),))


def asked(model: str, effort: Effort = Effort.HIGH, *messages: Message, **fields: Any) -> ChatRequest:
    return ChatRequest(model=model, messages=messages or (PROMPT,), effort=effort, **fields)


def words(preset: str, model: str) -> list[JsonObject]:
    style = PRESETS[preset].quirks.effort
    return [chat_effort(style, asked(model, effort)) for effort in SCALE]


def claude(model: str, effort: Effort = Effort.HIGH, *messages: Message, **fields: Any) -> JsonObject:
    made = AnthropicMessages(endpoint("anthropic_messages")).request_body(asked(model, effort, *messages, **fields))
    return {name: made[name] for name in ("thinking", "output_config", "temperature") if name in made}


def test_the_scale_goes_round() -> None:
    seen = [Effort.DEFAULT]
    while (following := seen[-1].next) is not Effort.DEFAULT:
        seen.append(following)
    assert tuple(seen[1:]) == SCALE


@pytest.mark.parametrize(
    ("preset", "model", "told"),
    [
        ("openai", "gpt-5.2", ["none", "low", "medium", "high", "xhigh"]),
        ("openai", "gpt-5.1", ["none", "low", "medium", "high", "high"]),
        ("openai", "gpt-5.1-codex-max", ["none", "low", "medium", "high", "xhigh"]),
        ("openai", "gpt-5-codex", ["low", "low", "medium", "high", "high"]),
        ("openai", "gpt-5-mini", ["minimal", "low", "medium", "high", "high"]),
        ("openai", "o4-mini", ["low", "low", "medium", "high", "high"]),
        ("groq", "openai/gpt-oss-120b", ["low", "low", "medium", "high", "high"]),
        ("groq", "qwen/qwen3-32b", ["none", "default", "default", "default", "default"]),
        ("mistral", "mistral-medium-latest", ["none", "high", "high", "high", "high"]),
        ("xai", "grok-3-mini", ["low", "low", "high", "high", "high"]),
        ("fireworks", "accounts/fireworks/models/kimi-k2p7-code", ["low", "low", "medium", "high", "high"]),
        ("together", "moonshotai/Kimi-K2.7-Code", ["none", "low", "medium", "high", "high"]),
    ],
)
def test_services_that_take_a_word(preset: str, model: str, told: list[str]) -> None:
    assert words(preset, model) == [{"reasoning_effort": word} for word in told]


def test_openrouter_takes_an_object() -> None:
    told = ["none", "low", "medium", "high", "xhigh"]
    assert words("openrouter", "anthropic/claude-sonnet-4.6") == [{"reasoning": {"effort": word}} for word in told]


def test_deepseek_takes_a_switch_and_a_word() -> None:
    off, *on = words("deepseek", "deepseek-v4-pro")
    assert off == {"thinking": {"type": "disabled"}}
    told = ["low", "high", "high", "max"]
    assert on == [{"thinking": {"type": "enabled"}, "reasoning_effort": word} for word in told]


@pytest.mark.parametrize("preset", ["llama.cpp", "vllm"])
def test_servers_with_templates_take_a_switch_for_the_template(preset: str) -> None:
    off, *on = words(preset, "qwen3-8b")
    assert off == {"chat_template_kwargs": {"enable_thinking": False}}
    assert [each.pop("reasoning_effort") for each in on] == ["low", "medium", "high", "high"]
    assert on == [{"chat_template_kwargs": {"enable_thinking": True}}] * 4


def test_responses_ask_to_see_what_was_thought() -> None:
    sent = [responses_effort(asked("gpt-5.2", effort)) for effort in SCALE]
    assert sent[0] == {"reasoning": {"effort": "none"}}
    told = ["low", "medium", "high", "xhigh"]
    assert sent[1:] == [{"reasoning": {"effort": word, "summary": "auto"}} for word in told]


def test_ollama_has_a_switch_and_one_family_with_words() -> None:
    assert [ollama_effort(asked("qwen3:4b", e)) for e in SCALE] == [{"think": on} for on in (False, *[True] * 4)]
    told = ["low", "low", "medium", "high", "high"]
    assert [ollama_effort(asked("gpt-oss:20b", e)) for e in SCALE] == [{"think": word} for word in told]


@pytest.mark.parametrize("model", ["claude-opus-4-6", "claude-sonnet-4.6", "claude-opus-4-7", "claude-sonnet-5"])
def test_newer_claude_models_decide_for_themselves(model: str) -> None:
    thinking = {"type": "adaptive", "display": "summarized"}
    for effort in SCALE[1:]:
        assert claude(model, effort) == {"thinking": thinking, "output_config": {"effort": effort.value}}
    assert claude(model, Effort.OFF) == {"thinking": {"type": "disabled"}}


@pytest.mark.parametrize("model", ["claude-3-7-sonnet-20250219", "claude-opus-4-20250514", "claude-haiku-4-5"])
def test_older_ones_get_a_budget_below_their_limit(model: str) -> None:
    budgets: list[int] = []
    for effort in SCALE[1:]:
        thinking: Any = claude(model, effort)["thinking"]
        assert thinking["type"] == "enabled"
        budgets.append(thinking["budget_tokens"])
    assert budgets == sorted(budgets) and budgets[0] >= 1024
    assert budgets[-1] < (32_000 if "opus" in model else 64_000)
    assert claude(model, Effort.OFF) == {}
    tight: Any = claude(model, Effort.MAX, max_tokens=2_000)["thinking"]
    assert 1024 <= tight["budget_tokens"] < 2_000
    assert claude(model, Effort.MAX, max_tokens=1_000) == {}


@pytest.mark.parametrize("model", ["claude-3-5-haiku-20241022", "claude-3-opus-20240229"])
def test_models_from_before_thinking_are_left_alone(model: str) -> None:
    assert [claude(model, effort) for effort in SCALE] == [{}] * 5


def test_other_makers_models_behind_messages() -> None:
    assert claude("glm-5", Effort.OFF) == {"thinking": {"type": "disabled"}}
    assert claude("glm-5", Effort.LOW) == {"thinking": {"type": "enabled", "budget_tokens": 4096}}


CALL = ToolCallBlock(call_id="c", name="read", arguments={})
RESULT = ToolResultMessage(call_id="c", name="read", content="R")


def loop(*blocks: Any) -> tuple[Message, ...]:
    origin = {"provider": "here", "dialect": "anthropic_messages", "model": "claude-opus-4-5"}
    return (PROMPT, AssistantMessage(blocks=(*blocks, CALL), **origin), RESULT)


def test_a_budget_is_not_given_in_the_middle_of_a_loop_that_began_without() -> None:
    assert claude("claude-opus-4-5", Effort.HIGH, *loop()) == {}
    thought = ThinkingBlock(text="T", signature="s")
    assert "thinking" in claude("claude-opus-4-5", Effort.HIGH, *loop(thought))
    assert "thinking" in claude("claude-opus-4-5", Effort.HIGH, *loop(), PROMPT)
    assert "thinking" in claude("claude-opus-4-6", Effort.HIGH, *loop())


def test_thinking_and_a_forced_call_or_a_temperature_do_not_go_together() -> None:
    tools = (ToolSpec(name="read", description="R", parameters={}),)
    assert claude("claude-sonnet-4-6", tools=tools, tool_choice="required") == {}
    assert "temperature" not in claude("claude-sonnet-4-6", temperature=0.5)
    assert claude("claude-sonnet-4-6", Effort.OFF, temperature=0.5)["temperature"] == 0.5
    assert claude("claude-opus-4-5", Effort.DEFAULT, temperature=0.5) == {"temperature": 0.5}
    assert claude("claude-opus-4-7", Effort.DEFAULT, temperature=0.5) == {}


DIALECTS = (OpenAIChat, OpenAIResponses, AnthropicMessages, Ollama)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_nothing_is_sent_by_default_nor_to_a_model_that_does_not_think(dialect: Any) -> None:
    provider = dialect(endpoint())
    plain = provider.request_body(asked("gpt-5.2", Effort.DEFAULT))
    assert provider.request_body(asked("gpt-5.2", Effort.HIGH, thinks=False)) == plain
    for thinks in (None, True):
        assert provider.request_body(asked("gpt-5.2", Effort.HIGH, thinks=thinks)) != plain


@pytest.mark.parametrize("dialect", DIALECTS)
def test_what_the_person_wrote_into_the_settings_goes_before(dialect: Any) -> None:
    fields = ("reasoning_effort", "reasoning", "thinking", "think")
    made = dialect(endpoint()).request_body(asked("gpt-5.2", extra=dict.fromkeys(fields, "mine")))
    assert all(made[field] == "mine" for field in fields)
