"""What is found by its words: prompts, answers, and what came of an answer that broke off."""

from hypothesis import given
from hypothesis import strategies as st

from patchbay.app.engine.events import PromptSubmitted, ProviderActivity, RequestStarted, SessionEvent, Stamped
from patchbay.app.engine.reducer import reduce
from patchbay.app.engine.searchable import SearchableTexts
from patchbay.app.engine.state import SessionState
from patchbay.providers.base import ModelRef
from patchbay.providers.events import (
    ErrorKind,
    ResponseEnd,
    ResponseError,
    StopReason,
    TextDelta,
    TextEnd,
    TextStart,
    ThinkingDelta,
    ThinkingStart,
)

ENDS = (
    ResponseEnd(stop_reason=StopReason.CANCELLED),
    ResponseError(kind=ErrorKind.NETWORK, message="gone", retryable=True),
)
REF = ModelRef(provider="p", model="m")


def part(event) -> ProviderActivity:
    return ProviderActivity(turn_id="t", request_id="r", event=event)


def stamped(*events: SessionEvent) -> list[Stamped]:
    return [Stamped(seq=seq, at=1.0, session_id="s", event=event) for seq, event in enumerate(events, 1)]


def found(texts: SearchableTexts, events: list[Stamped]) -> list[tuple[int, str, str]]:
    return [text for each in events for text in texts.of(each)]


ANSWER = (
    PromptSubmitted(prompt_id="p1", text="where is it"),
    RequestStarted(turn_id="t", request_id="r", ref=REF, dialect="d", estimated_input_tokens=1),
    part(ThinkingStart(index=0)),
    part(ThinkingDelta(index=0, text="secretly")),
    part(TextStart(index=1)),
    part(TextDelta(index=1, text="In the ")),
    part(TextDelta(index=1, text="harbour.")),
    part(TextEnd(index=1)),
    part(TextStart(index=2)),
    part(TextDelta(index=2, text="Or in the light")),
    part(TextDelta(index=2, text="house")),
)
WHOLE = [(1, "prompt", "where is it"), (8, "answer", "In the harbour.")]


def test_prompts_and_whole_texts_are_found_when_they_end_and_thinking_is_not() -> None:
    assert found(SearchableTexts(), stamped(*ANSWER)) == WHOLE


def test_what_came_of_an_answer_is_found_when_it_is_stopped_or_fails() -> None:
    for ending in ENDS:
        assert found(SearchableTexts(), stamped(*ANSWER, part(ending))) == [
            *WHOLE,
            (12, "answer", "Or in the lighthouse"),
        ]


def test_an_answer_that_ends_as_it_should_is_found_once() -> None:
    events = stamped(*ANSWER, part(TextEnd(index=2)), part(ResponseEnd(stop_reason=StopReason.END_TURN)))
    assert found(SearchableTexts(), events) == [*WHOLE, (12, "answer", "Or in the lighthouse")]


@given(st.integers(0, len(ANSWER)), st.sampled_from(ENDS))
def test_a_process_that_died_anywhere_loses_no_text(cut: int, ending) -> None:
    events = stamped(*ANSWER, part(ending))
    before, state = SearchableTexts(), SessionState(session_id="s")
    for each in events[:cut]:
        state = reduce(state, each)
    texts = found(before, events[:cut]) + found(SearchableTexts(state.answer), events[cut:])
    assert texts == found(SearchableTexts(), events)


def test_a_surrogate_is_no_obstacle() -> None:
    events = stamped(PromptSubmitted(prompt_id="p", text="a\ud800b"))
    assert found(SearchableTexts(), events) == [(1, "prompt", "a?b")]
