"""Room in the window, through whole sessions with scripted models."""

import asyncio
import threading
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

import pytest

from patchbay.app.engine import compacting
from patchbay.app.engine.budget_events import BudgetChoice, BudgetScope, SpendingRead
from patchbay.app.engine.codec import decode_stamped, encode
from patchbay.app.engine.compacting import PASSES
from patchbay.app.engine.compaction import plan
from patchbay.app.engine.compaction_events import Compacted, CompactionCause, CompactionMethod
from patchbay.app.engine.context import calibration
from patchbay.app.engine.events import CallPriced, CallPurpose, NoticePosted, Rewound, TurnOutcome
from patchbay.app.engine.history import history
from patchbay.app.engine.reducer import reduce
from patchbay.app.engine.request_builder import LONG_ENTRIES
from patchbay.app.engine.state import AnswerEntry, CompactionEntry, PromptEntry, SessionState
from patchbay.app.engine.token_estimate import request_weight
from patchbay.providers.base import FREE, ModelInfo
from patchbay.providers.events import ErrorKind, StopReason
from patchbay.providers.messages import (
    AssistantMessage,
    ChatRequest,
    TextBlock,
    ToolCallBlock,
    ToolResultMessage,
    UserMessage,
)
from patchbay.providers.scripted import ScriptedProvider, answer, end, fail, text, tool_call, usage
from support.past_turns import publish_turn
from support.sessions import FakeToolbox, make_session, model, until

LONG = "The quick brown fox jumps over the lazy dog, again and again. " * 12
SUMMARY = "## Goal\nKeep the fox going."


def assert_valid(messages):
    """Every call has exactly one result, right after its message, in order; a prompt comes first."""
    assert isinstance(messages[0], UserMessage)
    expected = []
    for message in messages:
        match message:
            case AssistantMessage():
                assert not expected
                expected = [block.call_id for block in message.blocks if isinstance(block, ToolCallBlock)]
            case ToolResultMessage():
                assert expected.pop(0) == message.call_id
            case UserMessage():
                assert not expected
    assert not expected


def said(messages):
    return "\n".join(
        block.text
        for message in messages
        if not isinstance(message, ToolResultMessage)
        for block in message.blocks
        if isinstance(block, TextBlock)
    )


def is_summary(request: ChatRequest) -> bool:
    return request.system.startswith("You summarise")


class Server:
    """A model with a window: refuses what does not fit, counts what does, as ``factor`` times our own weight."""

    def __init__(self, window: int, *, steps=None, factor: float = 1.0, summary=None) -> None:
        self.window, self.factor = window, factor
        self.steps = steps
        self.summary = summary or answer(text(SUMMARY), usage(50, 20), end())
        self.refused = 0
        self.sizes: list[int] = []

    def __call__(self, request: ChatRequest):
        size = round(request_weight(request) * self.factor)
        if size >= self.window:
            self.refused += 1
            return fail(ErrorKind.CONTEXT_OVERFLOW, f"request ({size} tokens) exceeds {self.window}")
        if is_summary(request):
            return self.summary(request) if callable(self.summary) else self.summary
        self.sizes.append(size)
        if request.max_tokens is not None and self.factor == 1 and size < self.window * 0.9:
            assert size + request.max_tokens <= self.window * 1.02
        made = self.steps(request) if self.steps else (text(f"answer {len(self.sizes)}. {LONG}"),)
        stop = StopReason.TOOL_CALLS if any(hasattr(e, "call_id") for group in made for e in group) else None
        return answer(*made, usage(size, 200), end(stop) if stop else end())


def session_with(server: Server, *, window: int | None = 2000, toolbox=None, step_limit=40, **fields):
    provider = ScriptedProvider("fake", server)
    chosen = replace(model("fake", window=window), price=FREE, **fields)
    session, recording = make_session(provider, toolbox=toolbox, select=chosen, step_limit=step_limit)
    return session, recording, provider


async def ask(session, *prompts: str):
    for prompt in prompts:
        session.submit(prompt)
        assert await session.wait_idle() is TurnOutcome.DONE


async def test_a_conversation_of_several_windows_goes_on_by_summaries():
    server = Server(2000)
    session, recording, provider = session_with(server)
    await ask(session, *(f"prompt {n}. {LONG}" for n in range(14)))
    compactions = recording.of(Compacted)
    assert len(compactions) >= 2 and server.refused == 0
    assert all(each.cause is CompactionCause.THRESHOLD for each in compactions)
    assert all(each.method is CompactionMethod.MODEL and SUMMARY in each.summary for each in compactions)
    assert all(each.after_tokens < each.before_tokens for each in compactions)
    assert max(server.sizes) <= 2000 * 0.85 + 60
    last = provider.requests[-1]
    assert_valid(last.messages)
    assert said(last.messages[:1]).startswith("<patchbay-summary>") and "prompt 13" in said(last.messages)
    assert "prompt 0" not in said(last.messages)
    # Nothing is lost: every prompt and answer is still in the transcript.
    assert sum(isinstance(entry, PromptEntry) for entry in session.state.transcript) == 14
    rows = [row for row in recording.of(CallPriced) if row.purpose is CallPurpose.COMPACTION]
    assert len(rows) == len(compactions) and all(row.usage.input_tokens == 50 for row in rows)


async def test_a_model_chosen_while_room_is_made_gets_the_next_request_with_room_of_its_own():
    server, chosen = Server(2000), list[ModelInfo]()

    def summary(_request):
        if not chosen:
            chosen.append(replace(model("fake", "narrow", window=1200), price=FREE))
            session.select_model(chosen[0], "scripted")
        return answer(text(SUMMARY), usage(50, 20), end())

    server.summary = summary
    session, recording, provider = session_with(server)
    prompts = iter(range(40))
    while not chosen:
        await ask(session, f"prompt {next(prompts)}. {LONG}")
    assert provider.requests[-1].model == "narrow"
    assert request_weight(provider.requests[-1]) <= 1200 * 0.85
    assert recording.of(Compacted)[-1].after_tokens <= 1200 * 0.85


async def test_the_next_summary_carries_on_the_one_before():
    server = Server(2000)
    session, _, provider = session_with(server)
    await ask(session, *(f"prompt {n}. {LONG}" for n in range(14)))
    requests = [request for request in provider.requests if is_summary(request)]
    assert SUMMARY not in said(requests[0].messages) and SUMMARY in said(requests[1].messages)


async def test_between_two_compactions_what_was_sent_keeps_every_byte():
    session, recording, provider = session_with(Server(2000))
    await ask(session, *(f"prompt {n}. {LONG}" for n in range(12)))
    turns = [request.messages for request in provider.requests if not is_summary(request)]
    kept = sum(later[: len(earlier)] == earlier for earlier, later in pairwise(turns))
    assert kept == len(turns) - 1 - len(recording.of(Compacted))


@pytest.mark.parametrize(
    ("summary", "why"),
    [
        (fail(ErrorKind.SERVER_ERROR, "down"), "gave none"),
        (answer(usage(5, 0), end()), "empty"),
        (answer(text("and so on"), end(StopReason.MAX_TOKENS)), "did not come to an end"),
        (answer(text(LONG * 8), end()), "saved nothing"),
    ],
)
async def test_a_digest_stands_in_for_a_summary_that_fails_is_empty_or_too_long(summary, why):
    session, recording, provider = session_with(Server(2000, summary=summary))
    await ask(session, *(f"prompt {n}. {LONG}" for n in range(6)))
    done = recording.of(Compacted)[0]
    assert done.method is CompactionMethod.DIGEST and why in done.why_digest
    assert "The user asked" in done.summary and "prompt 0" in done.summary
    assert_valid(provider.requests[-1].messages)


async def test_a_long_turn_with_tools_goes_on_and_keeps_its_prompt():
    async def look(arguments, _emit, _approve):
        return f"{arguments['n']} {LONG}"

    calls = iter(range(20))

    def steps(_request):
        number = next(calls, 20)
        return (tool_call(f"c{number}", "look", {"n": number}),) if number < 20 else (text("all done"),)

    server = Server(1600, steps=steps)
    session, recording, provider = session_with(server, window=1600, toolbox=FakeToolbox(look=look))
    await ask(session, "look twenty times")
    assert len(recording.of(Compacted)) >= 2 and server.refused == 0
    turns = [request.messages for request in provider.requests if not is_summary(request)]
    for messages in turns:
        assert_valid(messages)
        assert "look twenty times" in said(messages)
    assert any(isinstance(message, ToolResultMessage) and message.content.startswith("19 ") for message in turns[-1])


async def test_an_overflow_the_estimate_did_not_foresee_is_followed_by_one_retry():
    server = Server(2000, factor=1.5)
    session, recording, _ = session_with(server, window=6000)  # the server's window is smaller than anybody knows
    await ask(session, *(f"prompt {n}. {LONG}" for n in range(7)))
    (first, *_) = recording.of(Compacted)
    assert first.cause is CompactionCause.OVERFLOW
    assert server.refused == len([each for each in recording.of(Compacted) if each.cause is CompactionCause.OVERFLOW])
    # The failed attempt is no part of the conversation; its row is in the ledger.
    assert not any(isinstance(entry, AnswerEntry) and entry.error for entry in session.state.transcript)
    assert [row.error_kind for row in recording.of(CallPriced)].count("context_overflow") == server.refused


async def test_an_unknown_window_is_found_by_running_into_it():
    session, recording, _ = session_with(Server(2500), window=None)
    await ask(session, *(f"prompt {n}. {LONG}" for n in range(10)))
    assert {each.cause for each in recording.of(Compacted)} == {CompactionCause.OVERFLOW}


async def test_a_huge_newest_result_is_shortened_as_a_last_step():
    async def look(_arguments, _emit, _approve):
        return LONG * 12

    steps = iter([(tool_call("c", "look", {}),), (text("seen"),)])
    session, recording, provider = session_with(
        Server(1800, steps=lambda _: next(steps)), window=1800, toolbox=FakeToolbox(look=look)
    )
    await ask(session, "look once")
    (done,) = recording.of(Compacted)
    assert done.shortened and done.kept_prompts == () and done.kept_from
    result = provider.requests[-1].messages[-1]
    assert isinstance(result, ToolResultMessage) and "characters left out to fit the window" in result.content
    assert session.state.runs[0].content == LONG * 12  # the journal has it all


async def test_a_hopeless_prompt_is_refused_with_what_helps():
    session, recording, provider = session_with(Server(900), window=900)
    session.submit(LONG * 40)
    assert await session.wait_idle() is TurnOutcome.FAILED
    failed = session.state.transcript[-1]
    assert isinstance(failed, AnswerEntry) and failed.error.kind is ErrorKind.CONTEXT_OVERFLOW
    assert "900 tokens" in failed.error.message and "larger window" in failed.error.message
    assert not provider.requests and not recording.of(Compacted)


async def test_three_passes_without_an_answer_end_the_turn():
    session, recording, provider = session_with(Server(100_000), window=None)
    await ask(session, *(f"prompt {n}. {LONG}" for n in range(8)))
    provider._steps = lambda _: fail(ErrorKind.CONTEXT_OVERFLOW, "never enough")
    session.submit("once more")
    assert await session.wait_idle() is TurnOutcome.FAILED
    assert 1 <= len(recording.of(Compacted)) <= PASSES
    assert "does not fit" in recording.of(NoticePosted)[-1].message
    asked = len(provider.requests)
    assert session.retry()
    assert await session.wait_idle() is TurnOutcome.FAILED
    assert len(provider.requests) - asked <= 1 + 2 * PASSES


async def test_a_server_that_takes_less_than_its_window_is_told_apart_from_a_full_window():
    session, recording, provider = session_with(Server(100_000), window=32_000)
    await ask(session, *(f"prompt {n}. {LONG}" for n in range(4)))
    provider._steps = lambda _: fail(ErrorKind.CONTEXT_OVERFLOW, "maximum context length is 900 tokens")
    session.submit("once more")
    assert await session.wait_idle() is TurnOutcome.FAILED
    said = recording.of(NoticePosted)[-1].message
    assert "takes less than the window of 32,000 tokens that is known of it" in said
    assert "as short as it gets" in said and "its window of 32,000 tokens would have to hold" not in said


async def test_compaction_on_demand_takes_a_focus_and_can_be_cancelled():
    held = asyncio.Event()

    async def slow(_request):
        await held.wait()
        for event in answer(text(SUMMARY), usage(9, 9), end()):
            yield event

    server = Server(20_000)
    session, recording, provider = session_with(server, window=20_000)
    assert session.compact() == "" and session.busy
    await session.wait_idle()
    assert "nothing to compact" in recording.of(NoticePosted)[-1].message
    await ask(session, *(f"prompt {n}. {LONG}" for n in range(4)))
    server.summary = slow
    assert session.compact("the fox") == ""
    assert "turn runs" in session.compact()
    await until(lambda: is_summary(provider.requests[-1]))
    assert "the fox" in said(provider.requests[-1].messages)
    session.cancel()
    assert await session.wait_idle() is TurnOutcome.CANCELLED
    assert not recording.of(Compacted) and not session.state.side_calls
    held.set()
    session.compact("the fox")
    session.submit("go on")  # waits for the end of it
    await until(lambda: not session.busy and not session.state.queued)
    (done,) = recording.of(Compacted)
    assert done.cause is CompactionCause.ASKED and done.focus == "the fox"
    assert "go on" in said(provider.requests[-1].messages)


@pytest.mark.parametrize(("turns", "in_a_thread"), [(8, False), (LONG_ENTRIES, True)])
async def test_a_long_conversation_is_compacted_off_the_loop(monkeypatch, turns, in_a_thread):
    server = Server(100_000)
    session, recording, _ = session_with(server, window=100_000)
    for number in range(turns):
        publish_turn(session.bus, str(number), prompt=f"prompt {number}", text=LONG)
    planned: list[threading.Thread] = []

    def planning(state, keep, *, bare):
        planned.append(threading.current_thread())
        return plan(state, keep, bare=bare)

    monkeypatch.setattr(compacting, "plan", planning)
    assert session.compact() == ""
    session.notice("meanwhile")
    await session.wait_idle()
    (done,) = recording.of(Compacted)
    assert done.method is CompactionMethod.MODEL and done.after_tokens < done.before_tokens
    assert {thread is not threading.main_thread() for thread in planned} == {in_a_thread}
    await ask(session, "go on")
    assert_valid(history(session.state))


@pytest.mark.parametrize(
    ("window", "why"),
    [
        (None, "there is too little for a summary"),
        (50_000, "there is too little for a summary"),
        (700, "the window is too small for a summary"),
    ],
)
async def test_why_no_model_writes_the_summary_is_what_is_the_case(window, why):
    server = Server(50_000)
    session, recording, _ = session_with(server, window=window)
    for number in range(3):
        publish_turn(session.bus, str(number), prompt=f"prompt {number}", text=LONG[:500])
    session.compact()
    await session.wait_idle()
    (done,) = recording.of(Compacted)
    assert (done.method, done.why_digest) == (CompactionMethod.DIGEST, why)


async def test_no_room_is_made_when_the_person_does_not_want_it():
    server = Server(1500)
    session, recording, _ = session_with(server, window=1500)
    session._runner._room._settings = replace(session._runner._room._settings, auto=False)
    for number in range(8):
        session.submit(f"prompt {number}. {LONG}")
        if await session.wait_idle() is TurnOutcome.FAILED:
            break
    assert server.refused == 1 and not recording.of(Compacted)
    assert "/compact" in recording.of(NoticePosted)[-1].message


async def test_rewinding_to_before_a_compaction_brings_everything_back():
    session, recording, _provider = session_with(Server(2000))
    await ask(session, *(f"prompt {n}. {LONG}" for n in range(5)))
    (done, *_) = recording.of(Compacted)
    prompts = [entry.prompt_id for entry in session.state.transcript if isinstance(entry, PromptEntry)]
    assert done.kept_from in prompts
    before = session.state
    early = reduce(before, stamped(Rewound(prompt_id=prompts[1], conversation=True, files=False)))
    assert not any(isinstance(entry, CompactionEntry) for entry in early.transcript)
    assert "prompt 0" in said(history(early))
    # After what it dropped it still holds: the rest would not fit again without it.
    late = reduce(before, stamped(Rewound(prompt_id=prompts[-1], conversation=True, files=False)))
    assert isinstance(late.transcript[-1], CompactionEntry) or any(
        isinstance(entry, CompactionEntry) for entry in late.transcript
    )
    assert "prompt 0" not in said(history(late)) and "prompt 4" not in said(history(late))


def stamped(event):
    from patchbay.app.engine.events import Stamped

    return Stamped(seq=1, at=1.0, session_id="s1", event=event)


async def test_a_replayed_journal_gives_the_same_requests():
    session, recording, _ = session_with(Server(2000))
    await ask(session, *(f"prompt {n}. {LONG}" for n in range(8)))
    state = SessionState(session_id="s1")
    for each in recording.stamped:
        state = reduce(state, decode_stamped(encode(each)))
    assert history(state) == history(session.state)
    assert state.context_tokens == session.state.context_tokens


async def test_the_meter_learns_from_what_the_server_counts():
    server = Server(50_000, factor=1.37)
    session, _recording, _ = session_with(server, window=50_000)
    estimates = []
    for number in range(6):
        session.submit(f"prompt {number}. {LONG}")
        estimates.append(session._runner._room.tokens(session.state, session.state.model))
        await session.wait_idle()
    off = [abs(estimate / counted - 1) for estimate, counted in zip(estimates, server.sizes, strict=True)]
    assert off[0] > 0.2 and max(off[1:]) < 0.1 and max(off[2:]) < 0.03, off
    assert calibration(session.state, session.state.model.ref).counted


async def test_after_a_switch_the_window_of_the_new_model_counts():
    session, recording, _ = session_with(Server(100_000), window=100_000)
    await ask(session, *(f"prompt {n}. {LONG}" for n in range(6)))
    assert not recording.of(Compacted)
    small = replace(model("fake", "small", window=1500), price=FREE)
    session.select_model(small, "scripted")
    await ask(session, "now you")
    assert len(recording.of(Compacted)) == 1


async def test_no_summary_is_paid_for_when_others_spent_the_days_budget():
    async def read(today):
        return SpendingRead(today=today.isoformat(), day=Decimal(5), month=Decimal(5))

    server = Server(20_000)
    provider = ScriptedProvider("fake", server)
    session, recording = make_session(provider, select=model(window=20_000), read_spending=read)
    await ask(session, *(f"prompt {n}. {LONG}" for n in range(4)))
    session.set_budget(BudgetScope.DAY, Decimal(5))
    assert session.state.budget.others is None, "nothing was read without a budget"
    session.compact()
    await session.wait_idle()
    assert not any(map(is_summary, provider.requests))
    (done,) = recording.of(Compacted)
    assert done.method is CompactionMethod.DIGEST
    assert "quota" in done.why_digest


async def test_what_others_spent_is_known_before_room_is_made_for_a_turn():
    async def read(today):
        return SpendingRead(today=today.isoformat(), day=Decimal(5), month=Decimal(5))

    server = Server(2000)
    provider = ScriptedProvider("fake", server)
    session, recording = make_session(provider, select=model(window=2000), read_spending=read)
    server.summary = fail(ErrorKind.INVALID_REQUEST, "no summaries here")
    number = 0
    while session.state.context_tokens is None or session.state.context_tokens < 1500:
        await ask(session, f"prompt {number}. {LONG}")
        number += 1
    session.set_budget(BudgetScope.DAY, Decimal(5))
    asked = len(provider.requests)
    session.submit(f"one more. {LONG}")
    await until(lambda: session.state.budget.waiting is not None)
    session.answer_budget(BudgetChoice.STOP)
    assert await session.wait_idle() is TurnOutcome.BUDGET
    assert recording.of(Compacted)[-1].method is CompactionMethod.DIGEST
    assert len(provider.requests) == asked
