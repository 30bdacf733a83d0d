"""The one maker of block events: keys of any kind in, the grammar out."""

from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.providers.blocks import BROKEN_OFF, CUT_AT_LIMIT, BlockTracker, parse_arguments
from patchbay.providers.events import (
    ErrorKind,
    InvalidArguments,
    Notice,
    OpaqueBlock,
    ResponseEnd,
    ResponseError,
    ResponseEvent,
    ResponseStart,
    StopReason,
    TextDelta,
    TextEnd,
    ThinkingEnd,
    ToolCallStart,
    Usage,
    UsageUpdate,
)
from support.wire import calls_of, check_grammar, text_of, thinking_of

LOST = ResponseError(kind=ErrorKind.NETWORK, message="lost")


def tracker() -> BlockTracker:
    numbers = count(1)
    return BlockTracker(new_call_id=lambda: f"own{next(numbers)}")


def ended(blocks: BlockTracker, reason: StopReason = StopReason.END_TURN, raw: str = "stop") -> list[ResponseEvent]:
    blocks.end(reason, raw)
    events = blocks.take()
    check_grammar(events)
    return events


def called(*pieces: dict[str, Any], reason: StopReason = StopReason.TOOL_CALLS) -> list[tuple[str, str, Any]]:
    """Ids, names and arguments of the calls that come of pieces."""
    blocks = tracker()
    for piece in pieces:
        blocks.call(piece.pop("slot", None), **piece)
    return [
        (
            call.call_id,
            call.name,
            call.arguments.raw if isinstance(call.arguments, InvalidArguments) else call.arguments,
        )
        for call in calls_of(ended(blocks, reason))
    ]


@pytest.mark.parametrize("raw", ["", "  \n", "null", " null ", "{}"])
def test_no_arguments(raw: str) -> None:
    assert parse_arguments(raw) == {}


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ('{"a": ', "not valid JSON"),
        ("[1]", "a JSON object is needed, not list"),
        ('"text"', "not str"),
        ('{"a": NaN}', "NaN"),
        (r'{"a": "\ud83d"}', "half a character"),
        ("[" * 100_000, "not valid JSON"),
        ('{"a":' * 200 + "1" + "}" * 200, "nesting too deep"),
    ],
)
def test_invalid_arguments_keep_their_text_and_say_why(raw: str, reason: str) -> None:
    found = parse_arguments(raw)
    assert isinstance(found, InvalidArguments)
    assert found.raw == raw
    assert reason in found.reason


def test_start_comes_once_and_before_everything() -> None:
    blocks = tracker()
    blocks.text("a", "hi")
    blocks.start(response_id="late", model="late")
    events = ended(blocks)
    assert events[0] == ResponseStart()
    assert sum(isinstance(event, ResponseStart) for event in events) == 1


def test_indices_ascend_whatever_the_keys() -> None:
    blocks = tracker()
    blocks.text("msg_9", "a")
    blocks.call(7, call_id="c", name="read")
    blocks.thinking(("x", 1), "t")
    blocks.opaque("server_tool_use", {"id": "s"})
    events = ended(blocks)
    assert [event.index for event in events if isinstance(event, OpaqueBlock)] == [3]
    assert [event.index for event in events if isinstance(event, ToolCallStart)] == [1]


def test_empty_pieces_open_nothing() -> None:
    blocks = tracker()
    blocks.text("a", "")
    blocks.thinking("b", "")
    blocks.sign("c", "")
    assert ended(blocks) == [ResponseStart(), ResponseEnd(stop_reason=StopReason.END_TURN, raw_stop_reason="stop")]


def test_a_key_used_again_after_its_end_is_a_new_block() -> None:
    blocks = tracker()
    blocks.text(0, "a")
    blocks.close(0)
    blocks.close(0)
    blocks.text(0, "b")
    assert [event.index for event in ended(blocks) if isinstance(event, TextEnd)] == [0, 1]


def test_signatures_and_redacted_thinking() -> None:
    blocks = tracker()
    blocks.thinking(0, "t")
    blocks.sign(0, "si")
    blocks.sign(0, "gn")
    blocks.close(0)
    blocks.sign(1, "alone")
    blocks.close(1)
    blocks.redacted(2, {"data": "x"})
    blocks.thinking(3, "t")
    blocks.sign(3, "")
    ends = [event for event in ended(blocks) if isinstance(event, ThinkingEnd)]
    assert [end.signature for end in ends] == ["sign", "alone", None, ""]
    assert ends[2].redacted and ends[2].provider_metadata == {"data": "x"}


def test_halves_of_a_character_meet_again() -> None:
    blocks = tracker()
    blocks.text(0, "a\ud83c")
    blocks.text(0, "\udf89b\udf89")
    blocks.thinking(1, "\ud83c")
    events = ended(blocks)
    assert text_of(events) == "a🎉b\ufffd"
    assert thinking_of(events) == "\ufffd"


def test_usage_is_passed_on_when_it_says_something_new() -> None:
    blocks = tracker()
    blocks.usage(Usage())
    blocks.usage(Usage(input_tokens=1))
    blocks.usage(Usage(input_tokens=1))
    blocks.usage(Usage(input_tokens=1, output_tokens=2))
    assert sum(isinstance(event, UsageUpdate) for event in ended(blocks)) == 2


# -- Tool calls ------------------------------------------------------------------------------------------------------


def test_pieces_by_index() -> None:
    assert called(
        {"slot": 0, "call_id": "a", "name": "read", "arguments": ""},
        {"slot": 1, "call_id": "b", "name": "list", "arguments": '{"x"'},
        {"slot": 0, "arguments": '{"p":'},
        {"slot": 1, "arguments": ":2}"},
        {"slot": 0, "arguments": "1}"},
    ) == [("a", "read", {"p": 1}), ("b", "list", {"x": 2})]


def test_first_index_need_not_be_zero() -> None:
    assert called({"slot": 1, "call_id": "a", "name": "read"}, {"slot": 1, "arguments": '{"p":1}'}) == [
        ("a", "read", {"p": 1})
    ]


def test_whole_calls_without_index() -> None:
    assert called(
        {"call_id": "a", "name": "read", "arguments": '{"p":1}'},
        {"call_id": "b", "name": "read", "arguments": '{"p":2}'},
    ) == [("a", "read", {"p": 1}), ("b", "read", {"p": 2})]


def test_pieces_without_index_belong_to_the_latest_call() -> None:
    assert called({"call_id": "a", "name": "read", "arguments": '{"p"'}, {"arguments": ":1}"}) == [
        ("a", "read", {"p": 1})
    ]


def test_pieces_without_index_find_their_id() -> None:
    assert called(
        {"call_id": "a", "name": "read", "arguments": '{"p"'},
        {"call_id": "b", "name": "list", "arguments": "{}"},
        {"call_id": "a", "arguments": ":1}"},
    ) == [("a", "read", {"p": 1}), ("b", "list", {})]


def test_neither_index_nor_id() -> None:
    assert called({"name": "read", "arguments": '{"p":1}'}, {"name": "read", "arguments": '{"p":2}'}) == [
        ("own1", "read", {"p": 1}),
        ("own2", "read", {"p": 2}),
    ]
    assert called({"name": "read"}, {"name": "list"}) == [("own1", "read", {}), ("own2", "list", {})]


def test_repeated_ids_and_names_are_not_appended() -> None:
    again = {"slot": 0, "call_id": "0", "name": "read"}
    assert called({**again, "arguments": '{"a":{'}, {**again, "arguments": '"b":1'}, {**again, "arguments": "}}"}) == [
        ("0", "read", {"a": {"b": 1}})
    ]


def test_empty_ids_and_names_never_overwrite() -> None:
    assert called(
        {"slot": 0, "call_id": "a", "name": "read"}, {"slot": 0, "call_id": "", "name": "", "arguments": '{"p":1}'}
    ) == [("a", "read", {"p": 1})]


def test_an_index_with_a_new_id_and_name_is_a_new_call() -> None:
    assert called(
        {"slot": 0, "call_id": "a", "name": "read", "arguments": '{"p":1}'},
        {"slot": 0, "call_id": "b", "name": "read", "arguments": '{"p"'},
        {"slot": 0, "arguments": ":2}"},
    ) == [("a", "read", {"p": 1}), ("b", "read", {"p": 2})]


def test_calls_without_arguments_under_one_index_are_told_apart_by_their_ids() -> None:
    assert called({"slot": 0, "call_id": "a", "name": "now"}, {"slot": 0, "call_id": "b", "name": "now"}) == [
        ("a", "now", {}),
        ("b", "now", {}),
    ]


def test_an_id_that_changes_without_a_name_goes_on() -> None:
    assert called(
        {"slot": 0, "call_id": "a", "name": "read", "arguments": '{"p"'},
        {"slot": 0, "call_id": "z", "arguments": ":1}"},
    ) == [("a", "read", {"p": 1})]


def test_whole_calls_under_one_index_and_id_are_told_apart() -> None:
    assert called(
        {"slot": 0, "call_id": "call_0", "name": "read", "arguments": '{"p":1}'},
        {"slot": 0, "call_id": "call_0", "name": "read", "arguments": '{"p":2}'},
    ) == [("call_0", "read", {"p": 1}), ("own1", "read", {"p": 2})]


def test_two_calls_with_one_id_get_two() -> None:
    found = called({"slot": 0, "call_id": "x", "name": "a"}, {"slot": 1, "call_id": "x", "name": "b"})
    assert found == [("x", "a", {}), ("own1", "b", {})]


def test_the_name_may_come_late() -> None:
    assert called(
        {"slot": 0, "call_id": "a", "arguments": '{"p"'}, {"slot": 0, "name": "read", "arguments": ":1}"}
    ) == [("a", "read", {"p": 1})]


def test_a_call_without_a_name_is_dropped_and_said_so() -> None:
    blocks = tracker()
    blocks.call(0, call_id="a", arguments="{}")
    events = ended(blocks, StopReason.TOOL_CALLS)
    assert calls_of(events) == []
    assert any(isinstance(event, Notice) and "without naming" in event.message for event in events)
    assert events[-1] == ResponseEnd(stop_reason=StopReason.END_TURN, raw_stop_reason="stop")


def test_what_is_not_known_of_a_call_goes_along() -> None:
    blocks = tracker()
    blocks.call(0, call_id="a", name="read", metadata={"extra_content": {"signature": "s"}})
    assert calls_of(ended(blocks))[0].provider_metadata == {"extra_content": {"signature": "s"}}


@pytest.mark.parametrize(
    ("said", "calls", "meant"),
    [
        (StopReason.END_TURN, True, StopReason.TOOL_CALLS),
        (StopReason.OTHER, True, StopReason.TOOL_CALLS),
        (StopReason.TOOL_CALLS, False, StopReason.END_TURN),
        (StopReason.MAX_TOKENS, True, StopReason.MAX_TOKENS),
        (StopReason.PAUSE_TURN, False, StopReason.PAUSE_TURN),
        (StopReason.REFUSAL, False, StopReason.REFUSAL),
    ],
)
def test_calls_decide_what_the_end_means(said: StopReason, calls: bool, meant: StopReason) -> None:
    blocks = tracker()
    if calls:
        blocks.call(0, call_id="a", name="read")
    assert ended(blocks, said)[-1] == ResponseEnd(stop_reason=meant, raw_stop_reason="stop")


@pytest.mark.parametrize("closed", [True, False])
def test_a_last_call_without_arguments_is_not_whole_at_the_output_limit(closed: bool) -> None:
    blocks = tracker()
    for slot, name in enumerate(("first", "last")):
        blocks.call(slot, call_id=name, name=name)
        if closed:
            blocks.close_call(slot)
    first, last = calls_of(ended(blocks, StopReason.MAX_TOKENS))
    assert first.arguments == {}
    assert last.arguments == InvalidArguments(raw="", reason=CUT_AT_LIMIT)


def test_a_call_without_arguments_is_whole_when_something_follows() -> None:
    blocks = tracker()
    blocks.call(0, call_id="a", name="read")
    blocks.close_call(0)
    blocks.text(1, "and")
    assert calls_of(ended(blocks, StopReason.MAX_TOKENS))[0].arguments == {}


def test_failure_keeps_text_and_disarms_open_calls() -> None:
    blocks = tracker()
    blocks.text(0, "partial")
    blocks.call(0, call_id="whole", name="read", arguments='{"p":1}')
    blocks.close_call(0)
    blocks.call(1, call_id="open", name="write", arguments='{"p":1}')
    blocks.fail(LOST)
    blocks.end(StopReason.END_TURN)
    blocks.text(0, "too late")
    events = blocks.take()
    check_grammar(events)
    assert text_of(events) == "partial"
    whole, still_open = calls_of(events)
    assert whole.arguments == {"p": 1}
    assert still_open.arguments == InvalidArguments(raw='{"p":1}', reason=BROKEN_OFF)
    assert events[-1] == LOST


def test_taking_empties() -> None:
    blocks = tracker()
    blocks.text(0, "a")
    assert blocks.take()[-1] == TextDelta(index=0, text="a")
    assert blocks.take() == []


TEXT = st.text(st.sampled_from('a {}":,1\ud83c\udf89é'), max_size=4)
KEYS = st.integers(0, 2)
ACTIONS = st.one_of(
    st.tuples(st.just("text"), KEYS, TEXT),
    st.tuples(st.just("thinking"), KEYS, TEXT),
    st.tuples(st.just("sign"), KEYS, TEXT),
    st.tuples(st.just("redacted"), KEYS, st.just({"data": "x"})),
    st.tuples(st.just("annotate"), KEYS, st.just({"m": 1})),
    st.tuples(st.just("opaque"), TEXT, st.just({"type": "x"})),
    st.tuples(st.just("close"), KEYS),
    st.tuples(st.just("close_call"), KEYS),
    st.tuples(st.just("call"), st.none() | KEYS, TEXT, TEXT, TEXT),
    st.tuples(st.just("usage"), st.integers(0, 1)),
    st.tuples(st.just("end"), st.sampled_from(StopReason)),
    st.tuples(st.just("fail"), st.just(LOST)),
)


@given(st.lists(ACTIONS, max_size=30), st.booleans())
def test_any_sequence_obeys_the_grammar(actions: list[tuple[Any, ...]], fails: bool) -> None:
    blocks = tracker()
    events: list[ResponseEvent] = []
    for name, *arguments in actions:
        match name:
            case "call":
                slot, call_id, tool, piece = arguments
                blocks.call(slot, call_id=call_id, name=tool, arguments=piece)
            case "usage":
                blocks.usage(Usage(output_tokens=arguments[0]))
            case _:
                getattr(blocks, name)(*arguments)
        events += blocks.take()
    if fails:
        blocks.fail(LOST)
    blocks.end(StopReason.END_TURN)
    check_grammar(events + blocks.take())


WHOLE = '{"key": 1}'


def calls(events: list[ResponseEvent]) -> list[tuple[str, Any]]:
    return [(event.call_id, event.arguments) for event in calls_of(events)]


@pytest.mark.parametrize("slots", [(0, 0), (0, 1), (None, None)])
def test_a_whole_call_that_came_twice_is_one(slots: tuple[int | None, int | None]) -> None:
    blocks = tracker()
    for slot in slots:
        blocks.call(slot, call_id="a", name="write", arguments=WHOLE)
    blocks.end(StopReason.END_TURN)
    assert calls(blocks.take()) == [("a", {"key": 1})]


def test_a_beginning_that_came_twice_is_one() -> None:
    blocks = tracker()
    blocks.call(0, call_id="a", name="write")
    blocks.close_call(0)
    blocks.call(0, call_id="a", name="write")
    blocks.call(0, arguments=WHOLE)
    blocks.close_call(0)
    blocks.end(StopReason.END_TURN)
    assert calls(blocks.take()) == [("a", {"key": 1})]


@pytest.mark.parametrize("again", ["", WHOLE])
def test_an_end_that_came_twice_is_one(again: str) -> None:
    blocks = tracker()
    blocks.call(0, call_id="a", name="write", arguments=WHOLE)
    blocks.close_call(0)
    blocks.call(0, call_id="a", name="write", arguments=again)
    blocks.close_call(0)
    blocks.end(StopReason.END_TURN)
    assert calls(blocks.take()) == [("a", {"key": 1})]


@pytest.mark.parametrize(("call_id", "name", "arguments"), [("b", "write", WHOLE), ("", "write", WHOLE)])
def test_the_same_call_under_another_id_or_none_is_another(call_id: str, name: str, arguments: str) -> None:
    blocks = tracker()
    blocks.call(0, call_id="a" if call_id else "", name="write", arguments=WHOLE)
    blocks.call(1, call_id=call_id, name=name, arguments=arguments)
    blocks.end(StopReason.END_TURN)
    assert len(calls(blocks.take())) == 2


def test_other_arguments_under_a_repeated_id_are_another_call() -> None:
    blocks = tracker()
    blocks.call(0, call_id="a", name="write", arguments=WHOLE)
    blocks.call(1, call_id="a", name="write", arguments='{"key": 2}')
    blocks.end(StopReason.END_TURN)
    assert [arguments for _, arguments in calls(blocks.take())] == [{"key": 1}, {"key": 2}]
