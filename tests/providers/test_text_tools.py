import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.providers.base import ModelInfo, ModelRef, ProviderConfigError
from patchbay.providers.capability import ToolCalling
from patchbay.providers.catalogue import Catalogue
from patchbay.providers.directory import ProviderDirectory
from patchbay.providers.events import (
    ErrorKind,
    Notice,
    OpaqueBlock,
    ResponseEnd,
    ResponseError,
    ResponseEvent,
    StopReason,
    TextDelta,
    TextEnd,
    TextStart,
    ThinkingEnd,
)
from patchbay.providers.messages import (
    AssistantMessage,
    ChatRequest,
    TextBlock,
    ToolCallBlock,
    ToolResultMessage,
    ToolSpec,
    UserMessage,
)
from patchbay.providers.registry import ProviderConfig
from patchbay.providers.scripted import (
    Events,
    ScriptedProvider,
    Step,
    answer,
    end,
    fail,
    text,
    thinking,
    tool_call,
    usage,
)
from patchbay.providers.text_tools import TextTools
from patchbay.providers.text_tools_prompt import INLINE_THINKING
from support.wire import calls_of, check_grammar, collect, last_usage, sse, text_of, thinking_of

SCHEMA: Any = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
TOOLS = tuple(ToolSpec(name=name, description=name, parameters=SCHEMA) for name in ("read", "grep", "bash"))
PROMPT = UserMessage(blocks=(TextBlock(text="Look."),))
REQUEST = ChatRequest(model="m", messages=(PROMPT,), system="Rules.", tools=TOOLS)
CALL = '```json\n{"tool": "read", "args": {"path": "a"}}\n```'
TAGGED = '<tool_call>{"name": "read", "arguments": {"path": "a"}}</tool_call>'
REFUSAL = fail(ErrorKind.INVALID_REQUEST, "here: m does not support tools", status=400)


class Setting:
    """A wrapped provider that plays steps, and what is known of its model."""

    def __init__(self, *steps: Step, dialect: str = "openai_chat", **facts: Any) -> None:
        self.inner = ScriptedProvider("here", steps, dialect=dialect)
        self.facts = ModelInfo(ref=ModelRef(provider="here", model="m"), **facts)
        ids = count(1)
        self.provider = TextTools(
            self.inner,
            lambda model: replace(self.facts, ref=ModelRef(provider="here", model=model)),
            new_call_id=lambda: f"made_{next(ids)}",
        )

    async def ask(self, request: ChatRequest = REQUEST) -> list[ResponseEvent]:
        events = await collect(self.provider, request)
        check_grammar(events)
        return events


def stop(events: Sequence[ResponseEvent]) -> StopReason:
    assert isinstance(events[-1], ResponseEnd)
    return events[-1].stop_reason


def notices(events: Sequence[ResponseEvent]) -> list[str]:
    return [event.message for event in events if isinstance(event, Notice)]


def calls(events: Sequence[ResponseEvent]) -> list[tuple[str, Any]]:
    return [(call.name, call.arguments) for call in calls_of(events)]


# --- models without tool calling ----------------------------------------------------------------------------------


async def test_a_model_without_tools_calls_them_in_words() -> None:
    setting = Setting(answer(text(f"I look.\n\n{CALL}\n"), usage(7, 9), end()), tools=False)
    events = await setting.ask()
    assert (text_of(events), calls(events)) == ("I look.", [("read", {"path": "a"})])
    assert (stop(events), calls_of(events)[0].call_id, last_usage(events).output_tokens) == (
        StopReason.TOOL_CALLS,
        "made_1",
        9,
    )
    sent = setting.inner.requests[0]
    assert sent.tools == () and sent.system.startswith("Rules.\n\n# Tools") and "## grep" in sent.system


async def test_its_history_is_told_in_words() -> None:
    history = (
        PROMPT,
        AssistantMessage(
            blocks=(ToolCallBlock(call_id="c", name="read", arguments={"path": "a"}),),
            provider="other",
            dialect="anthropic_messages",
            model="x",
        ),
        ToolResultMessage(call_id="c", name="read", content="contents"),
    )
    for request in (replace(REQUEST, messages=history), replace(REQUEST, messages=history, tools=())):
        setting = Setting(answer(text("Fine."), end()), tools=False)
        await setting.ask(request)
        sent = setting.inner.requests[0].messages
        assert not any(isinstance(message, ToolResultMessage) for message in sent)
        assert "contents" in str(sent[-1]) and isinstance(sent[-1], UserMessage)


@pytest.mark.parametrize("dialect", ["openai_chat", "ollama", "anthropic_messages", "openai_responses"])
async def test_whatever_the_dialect(dialect: str) -> None:
    setting = Setting(answer(text(CALL), end()), tools=False, dialect=dialect)
    assert calls(await setting.ask()) == [("read", {"path": "a"})]
    assert setting.provider.dialect == dialect


async def test_what_a_tool_showed_is_not_run_when_it_is_repeated() -> None:
    result = ToolResultMessage(call_id="c", name="read", content=f"notes\n{CALL}\n")
    request = replace(REQUEST, messages=(PROMPT, result))
    events = await Setting(answer(text(f"The file says:\n\n{CALL}"), end()), tools=False).ask(request)
    assert (calls(events), text_of(events), stop(events)) == ([], f"The file says:\n\n{CALL}", StopReason.END_TURN)
    assert "quotation" in notices(events)[-1]


async def test_a_call_that_does_not_fit_is_text_and_said_to_be() -> None:
    broken = CALL.replace('"a"', "3")
    events = await Setting(answer(text(broken), end()), tools=False).ask()
    assert (calls(events), text_of(events)) == ([], broken)
    assert notices(events) == [
        "What looks like a tool call in this answer was not run: the arguments of read do not fit: path must be string."
    ]


async def test_text_after_a_call_makes_it_an_example() -> None:
    events = await Setting(answer(text(f"{CALL}\n[result of read 1]\nmade up"), end()), tools=False).ask()
    assert calls(events) == []
    assert notices(events) == ["What looks like a tool call in this answer was not run: text follows it."]


@pytest.mark.parametrize(
    "reason", [StopReason.MAX_TOKENS, StopReason.REFUSAL, StopReason.CONTENT_FILTER, StopReason.PAUSE_TURN]
)
async def test_an_answer_that_was_cut_has_no_calls(reason: StopReason) -> None:
    events = await Setting(answer(text(CALL), end(reason)), tools=False).ask()
    assert (calls(events), text_of(events), stop(events)) == ([], CALL, reason)


async def test_an_answer_that_broke_off_loses_no_text() -> None:
    events = await Setting((*answer(text(f"Well.\n\n{CALL}\n")), *fail(ErrorKind.NETWORK, "gone")), tools=False).ask()
    assert (calls(events), text_of(events)) == ([], f"Well.\n\n{CALL}\n")
    assert isinstance(events[-1], ResponseError)


async def test_tools_that_are_forbidden_are_not_called() -> None:
    events = await Setting(answer(text(CALL), end()), tools=False).ask(replace(REQUEST, tool_choice="none"))
    assert calls(events) == []


# --- models with tool calling -------------------------------------------------------------------------------------


async def test_calls_by_the_protocol_pass_as_they_are() -> None:
    script = answer(text("I look."), tool_call("c1", "read", {"path": "a"}), usage(1, 2), end(StopReason.TOOL_CALLS))
    setting = Setting(script)
    events = await setting.ask()
    assert [event for event in events if not isinstance(event, TextEnd)] == [
        event for event in script if not isinstance(event, TextEnd)
    ]
    assert setting.inner.requests == [REQUEST]


@pytest.mark.parametrize("said", [TAGGED, CALL, f"I look.\n\n{TAGGED}", f"{TAGGED}\n{TAGGED}"])
@pytest.mark.parametrize("tools", [None, True])
async def test_a_call_printed_as_text_is_caught(said: str, tools: bool | None) -> None:
    events = await Setting(answer(text(said), end()), tools=tools).ask()
    assert calls(events) == [("read", {"path": "a"})] * said.count("path")
    assert (text_of(events), stop(events)) == ("I look." if "look" in said else "", StopReason.TOOL_CALLS)


async def test_a_fenced_block_in_an_answer_is_no_printed_call() -> None:
    events = await Setting(answer(text(f"It goes like this:\n\n{CALL}"), end()), tools=True).ask()
    assert (calls(events), text_of(events)) == ([], f"It goes like this:\n\n{CALL}")


async def test_a_printed_call_beside_a_real_one_is_text() -> None:
    real = tool_call("c1", "read", {"path": "b"})
    for groups in ((text(TAGGED), real), (real, text(TAGGED))):
        events = await Setting(answer(*groups, end(StopReason.TOOL_CALLS))).ask()
        assert (calls(events), text_of(events), notices(events)) == ([("read", {"path": "b"})], TAGGED, [])


@pytest.mark.parametrize("dialect", ["anthropic_messages", "openai_responses"])
async def test_protocols_that_never_leak_are_left_alone(dialect: str) -> None:
    script = answer(text(f"<think>x</think>{TAGGED}"), end())
    assert await Setting(script, dialect=dialect).ask() == list(script)


async def test_blocks_are_numbered_anew_and_keep_what_they_bring() -> None:
    signed = thinking("hm", signature="sig")
    own: Events = (OpaqueBlock(index=0, kind="k", payload={"a": 1}),)
    said: Events = (
        TextStart(index=0),
        TextDelta(index=0, text="<think>a</think>b"),
        TextEnd(index=0, provider_metadata={"m": 1}),
    )
    events = await Setting(answer(signed, said, own, text("c"), end())).ask()
    ends = [event for event in events if isinstance(event, ThinkingEnd | TextEnd | OpaqueBlock)]
    assert ends == [
        ThinkingEnd(index=0, signature="sig"),
        ThinkingEnd(index=1, provider_metadata=INLINE_THINKING),
        TextEnd(index=2, provider_metadata={"m": 1}),
        OpaqueBlock(index=3, kind="k", payload={"a": 1}),
        TextEnd(index=4),
    ]


async def test_what_a_text_block_brings_is_kept_when_it_was_all_calls() -> None:
    said: Events = (TextStart(index=0), TextDelta(index=0, text=TAGGED), TextEnd(index=0, provider_metadata={"m": 1}))
    events = await Setting(answer(said, end())).ask()
    assert TextEnd(index=0, provider_metadata={"m": 1}) in events and calls(events)


async def test_a_refusal_of_tools_is_learnt_and_the_question_asked_again() -> None:
    setting = Setting(REFUSAL, answer(text(CALL), end()), answer(text("Done."), end()))
    events = await setting.ask()
    assert calls(events) == [("read", {"path": "a"})]
    assert notices(events) == ["Tools are described to m in its prompt from now on: here: m does not support tools"]
    assert [bool(request.tools) for request in setting.inner.requests] == [True, False]
    later = await setting.ask()
    assert (text_of(later), notices(later)) == ("Done.", [])
    assert setting.inner.requests[-1].tools == ()


async def test_a_refusal_of_one_model_says_nothing_of_another() -> None:
    setting = Setting(REFUSAL, *[answer(text("Hi."), end())] * 2)
    await setting.ask()
    await setting.ask(replace(REQUEST, model="n"))
    assert setting.inner.requests[-1].tools == TOOLS


async def test_other_errors_are_not_asked_again() -> None:
    for script in (fail(ErrorKind.INVALID_REQUEST, "bad"), fail(ErrorKind.RATE_LIMIT, "does not support tools")):
        setting = Setting(script)
        assert [type(event) for event in await setting.ask()] == [ResponseError]
        assert len(setting.inner.requests) == 1
    setting = Setting(REFUSAL)
    await setting.ask(replace(REQUEST, tools=()))
    assert len(setting.inner.requests) == 1


# --- thinking -----------------------------------------------------------------------------------------------------


async def test_written_thinking_is_thinking() -> None:
    events = await Setting(answer(text("<think>\nHm.\n</think>\n\nHello."), end())).ask()
    assert (thinking_of(events), text_of(events), stop(events)) == ("Hm.\n", "Hello.", StopReason.END_TURN)


async def test_a_template_that_opens_thinking_itself_is_learnt_and_unlearnt() -> None:
    orphan, plain = answer(text("Hm.\n</think>\n\nHello."), end()), answer(text("Hello."), end())
    setting = Setting(orphan, orphan, plain, plain)
    first, second, third, fourth = [await setting.ask() for _ in range(4)]
    assert (thinking_of(first), text_of(first)) == ("", "Hm.\nHello.")
    assert sum(isinstance(event, TextEnd) for event in first) == 2
    assert (thinking_of(second), text_of(second)) == ("Hm.\n", "Hello.")
    assert (thinking_of(third), text_of(third)) == ("Hello.", "Hello.")
    assert (thinking_of(fourth), text_of(fourth)) == ("", "Hello.")


# --- small models -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("model", "facts"), [("tiny:0.5b", {}), ("m", {"context_window": 4096})])
@pytest.mark.parametrize("tools", [True, False])
async def test_small_models_get_few_tools_and_it_is_said_once(model: str, facts: Any, tools: bool) -> None:
    setting = Setting(*[answer(text("Hi."), end())] * 2, tools=tools, **facts)
    first, second = [await setting.ask(replace(REQUEST, model=model)) for _ in range(2)]
    sent = setting.inner.requests[0]
    assert ([tool.name for tool in sent.tools] == ["read", "bash"]) is tools
    assert "## grep" not in sent.system and ("## bash" in sent.system) is not tools
    assert notices(first)[0].startswith(f"{model} gets only the tools read, bash: it")
    assert notices(second) == []


async def test_nothing_is_said_where_nothing_is_left_out() -> None:
    request = replace(REQUEST, tools=TOOLS[:1])
    setting = Setting(answer(text("Hi."), end()), context_window=4096)
    assert notices(await setting.ask(request)) == [] and setting.inner.requests == [request]


async def test_a_small_model_cannot_call_what_it_was_not_given() -> None:
    said = CALL.replace("read", "grep")
    assert calls(await Setting(answer(text(said), end()), tools=False).ask()) == [("grep", {"path": "a"})]
    assert calls(await Setting(answer(text(said), end()), tools=False, context_window=4096).ask()) == []


# --- the wrapper as a provider ------------------------------------------------------------------------------------


async def test_the_rest_is_the_wrapped_provider() -> None:
    setting = Setting()
    assert (setting.provider.name, setting.provider.inner) == ("here", setting.inner)
    assert await setting.provider.list_models() == ["demo"]
    assert await setting.provider.model_info("demo") == await setting.inner.model_info("demo")
    assert await setting.provider.is_available()
    await setting.provider.aclose()


@pytest.mark.parametrize("tools", [None, False])
@pytest.mark.parametrize("dialect", ["openai_chat", "openai_responses"])
async def test_closing_early_closes_the_wrapped_stream(tools: bool | None, dialect: str) -> None:
    closed = asyncio.Event()

    async def script(_: ChatRequest) -> AsyncGenerator[ResponseEvent, None]:
        try:
            for event in answer(text("a b c d")):
                yield event
            await asyncio.Event().wait()
        finally:
            closed.set()

    stream = Setting(script, tools=tools, dialect=dialect).provider.stream(REQUEST)
    async for event in stream:
        if isinstance(event, TextDelta):
            break
    await stream.aclose()
    assert closed.is_set()


async def test_two_answers_at_once_do_not_mix() -> None:
    setting = Setting(answer(text(f"One.\n\n{CALL}"), end()), answer(text("Two."), end()), tools=False)
    one, two = await asyncio.gather(setting.ask(), setting.ask())
    assert (text_of(one), len(calls(one)), text_of(two), calls(two)) == ("One.", 1, "Two.", [])


@given(
    st.lists(
        st.sampled_from(["text ", "\n", "\n\n", CALL, TAGGED, "```json\n", "```", "<think>", "</think>", "{", "> "]),
        max_size=8,
    ).map("".join),
    st.lists(st.integers(1, 40), min_size=1, max_size=5),
    st.sampled_from([None, False]),
    st.sampled_from([end(), end(StopReason.MAX_TOKENS), fail(ErrorKind.NETWORK, "gone")]),
    st.integers(0, 3),
)
def test_any_chunks_give_a_lawful_stream_and_the_same_answer(
    said: str, sizes: list[int], tools: bool | None, last: Events, around: int
) -> None:
    def script(chunked: bool) -> Events:
        pieces, at = [], 0
        while at < len(said):
            size = sizes[len(pieces) % len(sizes)] if chunked else len(said)
            pieces.append(TextDelta(index=0, text=said[at : at + size]))
            at += size
        block: Events = (TextStart(index=0), *pieces, TextEnd(index=0)) if pieces else ()
        before = thinking("hm", signature="s") if around & 1 else ()
        after = tool_call("c", "read", {"path": "z"}) if around & 2 else ()
        return (*answer(before, block, after), *last)

    one, other = [asyncio.run(Setting(script(chunked), tools=tools).ask()) for chunked in (True, False)]
    assert (text_of(one), thinking_of(one), calls(one)) == (text_of(other), thinking_of(other), calls(other))
    assert [type(e) for e in one if not isinstance(e, TextDelta)] == [
        type(e) for e in other if not isinstance(e, TextDelta)
    ] or "<think>" in said
    assert type(one[-1]) is type(last[-1])


# --- the probe ----------------------------------------------------------------------------------------------------

ADD = '```json\n{"tool": "add", "args": {"a": 17, "b": 25}}\n```'
CRASH = fail(ErrorKind.SERVER_ERROR, "here: output does not match the expected format", status=500)
NATIVE = answer(tool_call("c", "add", {"a": 17, "b": 25}), end(StopReason.TOOL_CALLS))


@pytest.mark.parametrize(
    ("steps", "found"),
    [
        ((NATIVE,), ToolCalling.NATIVE),
        ((REFUSAL, answer(text(ADD), end())), ToolCalling.TEXT),
        ((answer(text("42"), end()), answer(text(ADD), end())), ToolCalling.TEXT),
        ((answer(text("42"), end()), answer(text("42"), end())), ToolCalling.NONE),
        ((answer(text("Let me"), end(StopReason.MAX_TOKENS)),) * 2, ToolCalling.UNCLEAR),
        # a server that was busy once, and ones that cannot read what their models call
        ((CRASH, NATIVE), ToolCalling.NATIVE),
        ((CRASH, CRASH, answer(text(ADD), end())), ToolCalling.TEXT),
        ((CRASH, CRASH, answer(text("42"), end())), ToolCalling.NONE),
    ],
)
async def test_the_probe(steps: tuple[Step, ...], found: ToolCalling) -> None:
    setting = Setting(*steps)
    assert await setting.provider.probe("m", max_tokens=64) is found
    asked = len(setting.inner.requests)
    assert await setting.provider.probe("m") is found
    assert len(setting.inner.requests) == asked, "asked once"
    assert {request.max_tokens for request in setting.inner.requests} == {64}


async def test_what_the_probe_found_is_used() -> None:
    setting = Setting(answer(text("42"), end()), answer(text(ADD), end()), answer(text(CALL), end()))
    await setting.provider.probe("m")
    assert calls(await setting.ask()) == [("read", {"path": "a"})]
    assert setting.inner.requests[-1].tools == ()


async def test_a_server_that_fails_is_not_probed() -> None:
    setting = Setting(fail(ErrorKind.NETWORK, "here: nobody answers"), NATIVE)
    with pytest.raises(ProviderConfigError, match="nobody answers"):
        await setting.provider.probe("m")
    assert await setting.provider.probe("m") is ToolCalling.NATIVE


@pytest.mark.parametrize("steps", [(CRASH, CRASH, CRASH), (CRASH, fail(ErrorKind.NETWORK, "here: output lost"))])
async def test_a_server_that_fails_in_every_way_teaches_nothing(steps: tuple[Step, ...]) -> None:
    setting = Setting(*steps, NATIVE)
    with pytest.raises(ProviderConfigError, match="here: output"):
        await setting.provider.probe("m")
    assert await setting.provider.probe("m") is ToolCalling.NATIVE


# --- in its place -------------------------------------------------------------------------------------------------


async def test_a_provider_of_the_directory_learns_that_its_model_takes_no_tools() -> None:
    """Over HTTP, through everything that stands between: the body of the second request has no tools."""
    refused = json.dumps({"error": {"message": "registry.ollama.ai/library/m does not support tools"}}).encode()
    said = sse({"choices": [{"delta": {"content": CALL}, "finish_reason": "stop"}]}, done=True)
    bodies: list[Any] = []

    def reply(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        return httpx.Response(200, content=said) if "tools" not in bodies[-1] else httpx.Response(400, content=refused)

    directory = ProviderDirectory(
        [ProviderConfig(name="mine", preset="custom", base_url="http://127.0.0.1:9/v1")],
        {},
        Catalogue({}),
        transport=httpx.MockTransport(reply),
    )
    events = await collect(directory.provider(ModelRef(provider="mine", model="m")), REQUEST)
    check_grammar(events)
    assert calls(events) == [("read", {"path": "a"})]
    assert ["tools" in body for body in bodies] == [True, False]
    assert "## grep" in bodies[1]["messages"][0]["content"]
    await directory.aclose()
