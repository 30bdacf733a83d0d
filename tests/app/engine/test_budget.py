import asyncio
from dataclasses import replace
from decimal import Decimal

import pytest

from patchbay.app.engine.budget import in_words, spent, suggested
from patchbay.app.engine.budget_events import (
    BudgetAnswered,
    BudgetChoice,
    BudgetLevel,
    BudgetReached,
    BudgetRules,
    BudgetScope,
    BudgetSet,
    SpendingRead,
    UnknownPrice,
)
from patchbay.app.engine.bus import MessageBus
from patchbay.app.engine.codec import decode_event, encode
from patchbay.app.engine.events import (
    CallPriced,
    CallPurpose,
    NoticePosted,
    RequestStarted,
    SessionForked,
    SideCallStarted,
    TurnOutcome,
)
from patchbay.app.engine.recovery import NoRecovery
from patchbay.app.engine.side_call import side_call
from patchbay.app.engine.state import Phase, SessionState
from patchbay.app.engine.store import SessionStore
from patchbay.providers.base import FREE, Price
from patchbay.providers.events import ErrorKind, ResponseError, StopReason
from patchbay.providers.messages import ChatRequest, TextBlock, UserMessage
from patchbay.providers.scripted import ScriptedProvider, answer, end, fail, text, tool_call, usage
from support.sessions import FakeToolbox, cost_of, make_session, model, until

D = Decimal
CALL = answer(text("look"), tool_call("a", "read", {"path": "x"}), usage(1000, 200), end())
"""$0.006 by the price of the fakes."""
DONE = answer(text("done"), usage(1300, 50), end())


async def echo(_arguments, _emit, _approve):
    return "ran"


def opened(*answers, name="fake", select=None, **extra):
    provider = ScriptedProvider(name, list(answers))
    session, recording = make_session(provider, toolbox=FakeToolbox(read=echo), select=select, **extra)
    return provider, session, recording


async def paused(session):
    await until(lambda: session.state.budget.waiting is not None)
    return session.state.budget.waiting


async def test_a_request_that_would_pass_the_limit_is_not_sent_and_stop_ends_the_turn_in_order():
    provider, session, recording = opened(CALL, DONE)
    session.set_budget(BudgetScope.SESSION, D("0.02"))
    session.submit("hello")
    waiting = await paused(session)
    assert (waiting.scope, waiting.level, waiting.spent, waiting.limit) == (
        BudgetScope.SESSION,
        BudgetLevel.PAUSE,
        D("0.006"),
        D("0.02"),
    )
    assert waiting.forecast > D("0.014")
    assert session.state.phase is Phase.BUDGET
    assert len(provider.requests) == 1
    assert session.answer_budget(BudgetChoice.STOP)
    assert await session.wait_idle() is TurnOutcome.BUDGET
    assert len(recording.of(RequestStarted)) == 1
    assert session.state.budget.waiting is None
    assert session.state.phase is Phase.IDLE
    assert session.state.totals.cost == D("0.006")
    assert "would pass the budget" in recording.of(NoticePosted)[-1].message
    assert not session.answer_budget(BudgetChoice.STOP)


async def test_a_raised_limit_lets_the_turn_go_on():
    provider, session, recording = opened(CALL, DONE)
    session.set_budget(BudgetScope.SESSION, D("0.02"))
    session.submit("hello")
    waiting = await paused(session)
    session.set_budget(BudgetScope.SESSION, suggested(waiting))
    assert await session.wait_idle() is TurnOutcome.DONE
    assert len(provider.requests) == 2
    assert recording.of(BudgetAnswered) == [BudgetAnswered(scope=BudgetScope.SESSION, choice=BudgetChoice.RAISE)]


async def test_a_raise_that_is_not_enough_asks_again():
    _provider, session, recording = opened(CALL, DONE)
    session.set_budget(BudgetScope.SESSION, D("0.02"))
    session.submit("hello")
    await paused(session)
    session.set_budget(BudgetScope.SESSION, D("0.0201"))
    await until(lambda: len(recording.of(BudgetReached)) == 2)
    session.cancel()
    assert await session.wait_idle() is TurnOutcome.CANCELLED
    assert session.state.budget.waiting is None


async def test_a_model_that_fits_goes_on_in_the_same_turn():
    provider, session, recording = opened(CALL, DONE)
    session.set_budget(BudgetScope.SESSION, D("0.02"))
    session.submit("hello")
    await paused(session)
    free = replace(model("fake", "small"), price=FREE)
    session.select_model(free, "scripted")
    assert await session.wait_idle() is TurnOutcome.DONE
    assert [request.model for request in provider.requests] == ["demo", "small"]
    assert recording.of(BudgetAnswered)[-1].choice is BudgetChoice.MODEL
    assert session.state.totals.cost == D("0.006")


class Once(NoRecovery):
    """Tries once more, at once; a chain of one model goes on after that."""

    attempts = 2

    def __init__(self, other=None):
        self.other = other

    def wait_s(self, error, attempt):
        return 0.0 if attempt == 1 and self.other is None else None

    def fallback(self, error, tried):
        return None if self.other is None or self.other.ref in tried else (self.other, "scripted")


FAILED = answer(usage(1000, 0), fail(ErrorKind.OVERLOADED, "busy", retryable=True))
"""A request that fails before anything was shown, and costs $0.003 all the same."""


async def test_a_retry_passes_the_gate_too():
    provider, session, _ = opened(FAILED, DONE)
    session._runner._wiring = replace(session._runner._wiring, recovery=Once())
    session.set_budget(BudgetScope.SESSION, D("0.018"))
    session.submit("hello")
    waiting = await paused(session)
    assert waiting.spent == D("0.003")
    assert len(provider.requests) == 1
    session.answer_budget(BudgetChoice.STOP)
    assert await session.wait_idle() is TurnOutcome.BUDGET


async def test_the_model_of_a_failover_passes_the_gate_too():
    provider, session, recording = opened(FAILED, DONE)
    dear = Price(input_per_mtok=D(300), output_per_mtok=D(1500))
    other = Once(replace(model("fake", "dear"), price=dear))
    session._runner._wiring = replace(session._runner._wiring, recovery=other)
    session.set_budget(BudgetScope.SESSION, D("0.5"))
    session.submit("hello")
    waiting = await paused(session)
    assert waiting.ref == other.other.ref
    assert len(provider.requests) == 1
    session.answer_budget(BudgetChoice.STOP)
    assert await session.wait_idle() is TurnOutcome.BUDGET
    assert [each.ref.model for each in recording.of(RequestStarted)] == ["demo"]


async def test_without_budgets_nothing_is_limited_and_nothing_is_said():
    provider, session, recording = opened(CALL, DONE)
    session.submit("hello")
    assert await session.wait_idle() is TurnOutcome.DONE
    assert provider.requests[0].max_tokens is None
    assert recording.of(BudgetReached, SpendingRead) == []


async def test_near_the_end_of_a_budget_the_answer_gets_only_what_is_left():
    provider, session, _ = opened(answer(text("cut"), usage(1000, 1200), end(StopReason.MAX_TOKENS)))
    session.set_budget(BudgetScope.SESSION, D("0.05"))
    session.submit("hello")
    await session.wait_idle()
    room = provider.requests[0].max_tokens
    assert room is not None
    assert 1024 <= room <= D("0.05") / 15 * 1_000_000


async def test_a_free_model_always_fits():
    provider, session, recording = opened(CALL, DONE, select=replace(model(), price=FREE))
    session.set_budget(BudgetScope.SESSION, D("0.0001"))
    session.submit("hello")
    assert await session.wait_idle() is TurnOutcome.DONE
    assert len(provider.requests) == 2
    assert recording.of(BudgetReached) == []


async def test_the_warning_comes_once_and_again_for_a_new_limit():
    _provider, session, recording = opened(CALL, CALL, DONE)
    session.bus.publish(BudgetRules(warn_at=D("0.1")))
    session.set_budget(BudgetScope.SESSION, D("0.06"))
    session.submit("hello")
    await session.wait_idle()
    warned = recording.of(BudgetReached)
    assert [each.level for each in warned] == [BudgetLevel.WARNING]
    assert in_words(warned[0]) == "Budget: $0.006 of $0.06 for this session is spent (10 %)."
    session.set_budget(BudgetScope.SESSION, D("0.08"))
    assert len(recording.of(BudgetReached)) == 2


@pytest.mark.parametrize("scope", [BudgetScope.DAY, BudgetScope.MONTH])
async def test_other_sessions_count_for_day_and_month(scope):
    asked = []

    async def read(today):
        asked.append(today)
        return SpendingRead(today=today.isoformat(), day=D("4.99"), month=D("4.99"))

    provider, session, _ = opened(CALL, DONE)
    session._budget._read = read
    session.set_budget(scope, D("5"))
    session.submit("hello")
    waiting = await paused(session)
    assert waiting.scope is scope
    assert waiting.spent == D("4.99")
    assert provider.requests == []
    session.set_budget(scope, D("6"))
    assert await session.wait_idle() is TurnOutcome.DONE
    assert spent(session.state, scope) == D("4.99") + session.state.totals.cost
    assert len(asked) >= 3


async def test_a_costly_request_is_asked_for_once_in_a_turn():
    provider, session, recording = opened(CALL, DONE)
    session.set_budget(BudgetScope.REQUEST, D("0.0001"))
    session.submit("hello")
    waiting = await paused(session)
    assert (waiting.level, waiting.scope) == (BudgetLevel.ASK, BudgetScope.REQUEST)
    assert session.answer_budget(BudgetChoice.SEND)
    assert await session.wait_idle() is TurnOutcome.DONE
    assert len(provider.requests) == 2
    assert len(recording.of(BudgetReached)) == 1
    session.submit("and again")
    await paused(session)
    session.answer_budget(BudgetChoice.STOP)
    assert await session.wait_idle() is TurnOutcome.BUDGET


async def test_a_pause_is_not_passed_by_a_plain_yes():
    _provider, session, _ = opened(CALL, DONE)
    session.set_budget(BudgetScope.SESSION, D("0.0001"))
    session.submit("hello")
    await paused(session)
    assert not session.answer_budget(BudgetChoice.SEND)
    session.answer_budget(BudgetChoice.STOP)
    assert await session.wait_idle() is TurnOutcome.BUDGET


@pytest.mark.parametrize(
    ("rule", "level"), [(UnknownPrice.ASK, BudgetLevel.ASK), (UnknownPrice.STOP, BudgetLevel.PAUSE)]
)
async def test_an_unknown_price_waits_where_it_is_wished(rule, level):
    provider, session, _ = opened(CALL, DONE, select=replace(model(), price=None))
    session.bus.publish(BudgetRules(unknown_price=rule))
    session.set_budget(BudgetScope.SESSION, D("1"))
    session.submit("hello")
    waiting = await paused(session)
    assert (waiting.level, waiting.forecast) == (level, None)
    if rule is UnknownPrice.ASK:
        session.answer_budget(BudgetChoice.SEND)
        assert await session.wait_idle() is TurnOutcome.DONE
        assert len(provider.requests) == 2
    else:
        session.answer_budget(BudgetChoice.STOP)
        assert await session.wait_idle() is TurnOutcome.BUDGET


async def test_an_unknown_price_that_is_allowed_is_said_once():
    _provider, session, recording = opened(CALL, DONE, select=replace(model(), price=None))
    session.set_budget(BudgetScope.SESSION, D("1"))
    session.submit("hello")
    assert await session.wait_idle() is TurnOutcome.DONE
    assert ["in no budget" in each.message for each in recording.of(NoticePosted)].count(True) == 1


async def test_a_call_beside_the_conversation_that_does_not_fit_is_not_made_and_nobody_is_asked():
    bus = MessageBus(SessionStore(SessionState(session_id="s")))
    seen = []
    bus.attach(seen.append)
    provider = ScriptedProvider("fake", [answer(text("A title"), usage(100, 5), end())])
    request = ChatRequest(model="demo", messages=(UserMessage(blocks=(TextBlock(text="x" * 400),)),))
    asked = {"model": model(), "cost_of": cost_of, "purpose": CallPurpose.TITLE}
    bus.publish(BudgetSet(scope=BudgetScope.SESSION, limit=D("0.001")))
    skipped = await side_call(bus, provider, request, **asked)
    assert isinstance(skipped.end, ResponseError)
    assert skipped.end.kind is ErrorKind.QUOTA
    assert not skipped.whole
    assert provider.requests == []
    assert [each.event for each in seen if isinstance(each.event, SideCallStarted | CallPriced | BudgetReached)] == []
    bus.publish(BudgetSet(scope=BudgetScope.SESSION, limit=D("1")))
    assert (await side_call(bus, provider, request, **asked)).text == "A title"
    assert bus.store.state.budget.own[0].amount == bus.store.state.totals.cost


async def test_what_happened_to_budgets_is_replayed():
    _provider, session, recording = opened(CALL, DONE)
    session.set_budget(BudgetScope.SESSION, D("0.02"))
    session.submit("hello")
    await paused(session)
    session.set_budget(BudgetScope.SESSION, D("1"))
    await session.wait_idle()
    stamped = [replace(each, event=decode_event(encode(each.event))) for each in recording.stamped]
    again = SessionStore(SessionState(session_id="s1")).replay(stamped)
    assert again.budget == session.state.budget
    assert again.budget.session == D("1")


async def test_a_day_that_begins_warns_anew():
    _provider, session, _ = opened(DONE)
    session.bus.publish(SpendingRead(today="2026-01-30", day=D(9), month=D(90)))
    session.set_budget(BudgetScope.DAY, D(10))
    session.set_budget(BudgetScope.MONTH, D(100))
    assert set(session.state.budget.warned) == {BudgetScope.DAY, BudgetScope.MONTH}
    session.bus.publish(SpendingRead(today="2026-01-31", day=D(0), month=D(90)))
    assert session.state.budget.warned == (BudgetScope.MONTH,)
    session.bus.publish(SpendingRead(today="2026-02-01", day=D(0), month=D(0)))
    assert session.state.budget.warned == ()


async def test_cancel_takes_the_question_back():
    provider, session, recording = opened(CALL)
    session.set_budget(BudgetScope.SESSION, D("0.0001"))
    session.submit("hello")
    await paused(session)
    session.cancel()
    assert await session.wait_idle() is TurnOutcome.CANCELLED
    assert provider.requests == []
    assert recording.of(BudgetAnswered)[-1].choice is BudgetChoice.STOP
    await asyncio.sleep(0)
    assert session.state.budget.waiting is None


async def test_a_copy_of_a_session_warns_of_what_it_spends_itself():
    _provider, session, recording = opened(CALL, DONE, CALL, DONE)
    session.bus.publish(BudgetRules(warn_at=D("0.05")))
    session.set_budget(BudgetScope.SESSION, D("0.1"))
    session.submit("hello")
    await session.wait_idle()
    assert session.state.budget.warned == (BudgetScope.SESSION,)
    session.bus.publish(SessionForked(origin="s0"))
    assert session.state.budget.warned == ()
    session.submit("again")
    await session.wait_idle()
    assert [each.level for each in recording.of(BudgetReached)] == [BudgetLevel.WARNING] * 2
