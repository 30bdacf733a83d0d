"""Hand-off: random histories become valid for every target, and the examples that matter one by one."""

import copy
import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.providers.base import ProviderConfigError
from patchbay.providers.events import InvalidArguments
from patchbay.providers.handoff import CONTINUE, NO_RESULT, Prepared, prepare
from patchbay.providers.messages import (
    AssistantBlock,
    AssistantMessage,
    Message,
    ServerBlock,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    ToolResultMessage,
    UserMessage,
)
from support.histories import CLAUDE, TARGETS, histories
from support.validators import Target, violations

CHAT = TARGETS[2]


def run(target: Target, *messages: Message, continuation: bool = False) -> Prepared:
    return prepare(messages, **dataclasses.asdict(target), continuation=continuation)


def said(text: str) -> UserMessage:
    return UserMessage(blocks=(TextBlock(text=text),))


def answered(by: Target, *blocks: AssistantBlock) -> AssistantMessage:
    return AssistantMessage(blocks=blocks, provider=by.provider, dialect=by.dialect, model=by.model)


def call(call_id: str, name: str = "read") -> ToolCallBlock:
    return ToolCallBlock(call_id=call_id, name=name, arguments={"path": call_id})


def result(call_id: str, content: str = "ok", name: str = "read") -> ToolResultMessage:
    return ToolResultMessage(call_id=call_id, name=name, content=content)


def calls_of(prepared: Prepared) -> list[str]:
    blocks = [block for m in prepared.messages if isinstance(m, AssistantMessage) for block in m.blocks]
    return [block.call_id for block in blocks if isinstance(block, ToolCallBlock)]


def results_of(prepared: Prepared) -> list[tuple[str, str]]:
    return [(m.call_id, m.content) for m in prepared.messages if isinstance(m, ToolResultMessage)]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"{target.provider}-{target.model}")
@given(history=histories)
def test_any_history_is_valid_for_any_target(target: Target, history: tuple[Message, ...]) -> None:
    before = copy.deepcopy(history)
    prepared = run(target, *history)
    assert violations(prepared.messages, target) == []
    assert history == before, "the history given was changed"
    assert bool(prepared.changes) == (prepared.messages != history), "what was changed is said, and only that"
    assert run(target, *prepared.messages) == Prepared(messages=prepared.messages, changes=())


@given(history=histories, first=st.sampled_from(TARGETS), second=st.sampled_from(TARGETS))
def test_a_history_handed_on_twice_is_valid(history: tuple[Message, ...], first: Target, second: Target) -> None:
    assert violations(run(second, *run(first, *history).messages).messages, second) == []


@given(history=histories, target=st.sampled_from(TARGETS))
def test_nothing_said_is_lost(history: tuple[Message, ...], target: Target) -> None:
    def visible(of: tuple[Message, ...]) -> list[str]:
        spoken = [m for m in of if isinstance(m, UserMessage | AssistantMessage) and m != CONTINUE]
        blocks = [block for m in spoken for block in m.blocks]
        return sorted(block.text for block in blocks if isinstance(block, TextBlock) and block.text.strip())

    assert visible(run(target, *history).messages) == visible(history)


@given(history=histories, target=st.sampled_from(TARGETS))
def test_each_call_keeps_its_own_result(history: tuple[Message, ...], target: Target) -> None:
    """Number every result; with ids that name one call each, no result may end up at another call."""
    numbered: list[Message] = []
    for at, message in enumerate(history):
        match message:
            case AssistantMessage(blocks=blocks):
                own = [
                    dataclasses.replace(block, call_id=f"{at}.{n}", provider_metadata=None)
                    if isinstance(block, ToolCallBlock)
                    else block
                    for n, block in enumerate(blocks)
                ]
                numbered.append(dataclasses.replace(message, blocks=tuple(own)))
                ids = [block.call_id for block in own if isinstance(block, ToolCallBlock)]
                numbered.extend(result(call_id, f"of {call_id}") for call_id in reversed(ids))
            case UserMessage():
                numbered.append(message)
            case ToolResultMessage():
                pass
    given_results = [m.content for m in numbered if isinstance(m, ToolResultMessage)]
    prepared = run(target, *numbered)
    assert sorted(content for _, content in results_of(prepared)) == sorted(given_results)
    originals = [
        f"of {block.call_id}"
        for m in numbered
        if isinstance(m, AssistantMessage)
        for block in m.blocks
        if isinstance(block, ToolCallBlock)
    ]
    assert [content for _, content in results_of(prepared)] == originals, "results stand in call order"


def test_the_maker_gets_its_thinking_back_byte_for_byte() -> None:
    blocks = (
        ThinkingBlock(text="", signature="c2ln"),
        ThinkingBlock(text="", redacted=True, provider_metadata={"data": "x"}),
        ServerBlock(kind="server_tool_use", payload={"id": "srvtoolu_1"}),
        TextBlock(text="so", provider_metadata={"citations": []}),
        ToolCallBlock(call_id="toolu_1", name="read", arguments={}, provider_metadata={"caller": "direct"}),
    )
    history = (said("go"), answered(CLAUDE, *blocks), result("toolu_1"))
    assert run(CLAUDE, *history) == Prepared(messages=history, changes=())


@pytest.mark.parametrize("target", TARGETS[1:], ids=lambda target: f"{target.provider}-{target.model}")
def test_nobody_else_gets_it_not_even_another_model_of_the_same_provider(target: Target) -> None:
    thinking = ThinkingBlock(text="hm", signature="c2ln")
    server = ServerBlock(kind="server_tool_use", payload={"id": "srvtoolu_1"})
    prepared = run(target, said("go"), answered(CLAUDE, thinking, server, TextBlock(text="so")), said("on"))
    assert prepared.messages == (said("go"), answered(CLAUDE, TextBlock(text="so")), said("on"))
    assert prepared.changes == (
        "1 thinking block of anthropic/claude left out",
        "1 provider block of anthropic/claude left out",
    )


def test_ids_get_the_shape_of_the_target_and_results_follow() -> None:
    history = (said("go"), answered(CLAUDE, call("toolu_1"), call("toolu_2")), result("toolu_1"), result("toolu_2"))
    prepared = run(TARGETS[3], *history)
    ids = calls_of(prepared)
    assert [call_id for call_id, _ in results_of(prepared)] == ids
    assert len(set(ids)) == 2
    assert all(len(call_id) == 9 and call_id.isalnum() for call_id in ids)
    assert prepared.changes == ("2 tool-call ids rewritten for mistral",)
    longer = run(TARGETS[3], *history, said("on"), answered(CLAUDE, call("toolu_1")), result("toolu_1"))
    assert calls_of(longer)[:2] == ids, "a longer history begins with the same ids"


def test_reused_ids_stay_as_they_are_for_their_maker_and_become_unique_for_anthropic() -> None:
    history = (
        said("go"),
        answered(CHAT, call("call_0")),
        result("call_0", "first"),
        answered(CHAT, call("call_0")),
        result("call_0", "second"),
    )
    assert run(CHAT, *history) == Prepared(messages=history, changes=())
    prepared = run(CLAUDE, *history)
    first, second = calls_of(prepared)
    assert first != second
    assert results_of(prepared) == [(first, "first"), (second, "second")]


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: f"{target.provider}-{target.model}")
def test_an_id_used_twice_in_one_answer_is_told_apart_by_position(target: Target) -> None:
    twice = answered(CHAT, call("0"), call("0"))
    prepared = run(target, said("go"), twice, result("0", "first"), result("0", "second"))
    first, second = calls_of(prepared)
    assert first != second
    assert results_of(prepared) == [(first, "first"), (second, "second")]


def test_an_interrupted_call_does_not_take_the_result_of_a_later_one_with_its_id() -> None:
    prepared = run(
        CHAT,
        said("go"),
        answered(CHAT, call("call_0")),
        said("again"),
        answered(CHAT, call("call_0")),
        result("call_0", "second"),
    )
    assert [content for _, content in results_of(prepared)] == [NO_RESULT, "second"]


def test_results_stand_in_call_order_before_any_prompt() -> None:
    prepared = run(
        CLAUDE,
        said("go"),
        answered(CLAUDE, call("a"), call("b"), call("c")),
        said("wait"),
        result("c"),
        result("a"),
        result("nobody"),
    )
    assert results_of(prepared) == [("a", "ok"), ("b", NO_RESULT), ("c", "ok")]
    assert prepared.messages[-1] == said("wait")
    assert prepared.changes == (
        "2 tool results put right after the call",
        "1 tool result without a call left out",
        "1 tool call without a result answered with an error",
    )
    orphan = next(m for m in prepared.messages if isinstance(m, ToolResultMessage) and m.call_id == "b")
    assert orphan.is_error


@pytest.mark.parametrize(
    "empty", [(), (TextBlock(text=""), TextBlock(text=" \n")), (ThinkingBlock(text="hm", signature="s"),)]
)
def test_answers_without_content_go(empty: tuple[AssistantBlock, ...]) -> None:
    prepared = run(CLAUDE, said("go"), answered(CLAUDE, *empty), said("on"))
    assert prepared.messages == (said("go"), said("on"))
    assert "1 empty answer left out" in prepared.changes


def test_a_partial_answer_is_kept_and_asked_to_go_on() -> None:
    partial, rest = answered(CHAT, TextBlock(text="Half of")), answered(CHAT, TextBlock(text="it."))
    retried = run(CHAT, said("go"), partial)
    assert retried.messages == (said("go"), partial, CONTINUE)
    later = run(CHAT, said("go"), partial, rest, said("thanks"))
    assert later.messages == (said("go"), partial, CONTINUE, rest, said("thanks")), "the beginning stays the same"


def test_a_turn_the_server_paused_goes_back_unchanged() -> None:
    searching = answered(CLAUDE, TextBlock(text="I look"), ServerBlock(kind="server_tool_use", payload={"id": "s"}))
    done = answered(CLAUDE, ServerBlock(kind="web_search_tool_result", payload={"id": "s"}), TextBlock(text="found"))
    assert run(CLAUDE, said("go"), searching).messages == (said("go"), searching)
    assert run(CLAUDE, said("go"), searching, done, said("on")).messages == (said("go"), searching, done, said("on"))
    elsewhere = run(CHAT, said("go"), searching, done, said("on"))
    assert elsewhere.messages[2] == CONTINUE, "another model sees two answers"


def test_an_answer_of_another_model_after_a_paused_one_gets_a_prompt_between() -> None:
    searching = answered(CLAUDE, ServerBlock(kind="server_tool_use", payload={"id": "s"}))
    other = answered(CHAT, TextBlock(text="I took over"))
    assert run(CLAUDE, said("go"), searching, other, said("on")).messages == (
        said("go"),
        searching,
        CONTINUE,
        other,
        said("on"),
    )


def test_anthropic_gets_no_thinking_that_was_never_signed() -> None:
    unsigned, text = ThinkingBlock(text="hm"), TextBlock(text="so")
    assert run(CLAUDE, said("go"), answered(CLAUDE, unsigned, text), said("on")).messages[1] == answered(CLAUDE, text)
    elsewhere = (said("go"), answered(CHAT, unsigned, text), said("on"))
    assert run(CHAT, *elsewhere).messages == elsewhere
    compatible = (said("go"), answered(CLAUDE, ThinkingBlock(text="hm", signature=""), text), said("on"))
    assert run(CLAUDE, *compatible).messages == compatible, "a look-alike server that signs with nothing"


def test_a_continuation_is_told_by_the_caller_when_it_ends_in_text() -> None:
    paused = answered(CLAUDE, ThinkingBlock(text="hm", signature="s"), TextBlock(text="so far"))
    assert run(CLAUDE, said("go"), paused, continuation=True) == Prepared(messages=(said("go"), paused), changes=())
    assert run(CHAT, said("go"), paused, continuation=True).messages[-1] == CONTINUE


def test_broken_arguments_and_names_become_lawful_and_say_what_they_were() -> None:
    broken = ToolCallBlock(
        call_id="c", name="functions.read:x", arguments=InvalidArguments(raw='{"pa', reason="cut off")
    )
    prepared = run(CHAT, said("go"), answered(CHAT, broken), result("c", name="functions.read:x"))
    _, message, outcome = prepared.messages
    assert message == answered(
        CHAT, ToolCallBlock(call_id="c", name="functions_read_x", arguments={"unparsed_arguments": '{"pa'})
    )
    assert isinstance(outcome, ToolResultMessage)
    assert outcome.name == "functions_read_x"


def test_an_impossible_pattern_names_the_setting() -> None:
    with pytest.raises(ProviderConfigError, match="tool_call_id_pattern"):
        run(dataclasses.replace(CHAT, id_pattern="ö+"), said("go"), answered(CLAUDE, call("c")))


def test_an_empty_history_stays_empty() -> None:
    assert run(CLAUDE) == Prepared(messages=(), changes=())
