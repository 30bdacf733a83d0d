"""Runs of made-up length and cost against budgets of any size: what is spent never passes the limit."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from patchbay.app.engine.budget_events import BudgetChoice, BudgetScope
from patchbay.app.engine.events import TurnOutcome
from patchbay.app.engine.state import SessionState
from patchbay.app.engine.token_estimate import request_weight
from patchbay.providers.events import ResponseEvent
from patchbay.providers.messages import ChatRequest
from patchbay.providers.scripted import ScriptedProvider, answer, end, text, tool_call, usage
from support.sessions import FakeToolbox, make_session, until


class Counting(ScriptedProvider):
    """Answers as long as it is told, but keeps the limit it is given; counts so many tokens for an estimated one."""

    def __init__(self, lengths: list[int], rate: float) -> None:
        super().__init__("fake", [])
        self._lengths = iter(lengths)
        self._rate = rate

    async def stream(self, request: ChatRequest) -> AsyncIterator[ResponseEvent]:
        self.requests.append(request)
        prompt = round(request_weight(request) * self._rate)
        length = next(self._lengths, 0)
        said = min(length or 100, request.max_tokens or 10**9)
        part = tool_call(f"c{len(self.requests)}", "read", {"path": "x"}) if length else text("done")
        for event in answer(part, usage(prompt, said), end()):
            yield event


def played(
    lengths: list[int], results: list[int], rate: float, cap: Decimal
) -> tuple[TurnOutcome | None, SessionState]:
    """One turn under a limit, stopped where it pauses."""
    sizes = iter(results)

    async def read(_arguments, _emit, _approve):
        return "x" * next(sizes, 10)

    async def play():
        session, _ = make_session(Counting(lengths, rate), toolbox=FakeToolbox(read=read), step_limit=40)
        session.set_budget(BudgetScope.SESSION, cap)
        session.submit("hello")
        await until(lambda: session.state.budget.waiting is not None or not session.busy)
        session.answer_budget(BudgetChoice.STOP)
        return await session.wait_idle(), session.state

    return asyncio.run(play())


@settings(max_examples=60)
@given(
    st.lists(st.integers(1, 4000), max_size=12),
    st.lists(st.integers(0, 40_000), max_size=12),
    st.floats(0.7, 1.25),
    st.decimals("0.001", "0.6", places=3),
)
def test_the_limit_is_never_passed(lengths: list[int], results: list[int], rate: float, cap: Decimal):
    outcome, state = played(lengths, results, rate, cap)
    assert outcome in (TurnOutcome.DONE, TurnOutcome.BUDGET)
    assert state.totals.cost <= cap
    assert state.budget.waiting is None


def test_most_of_a_budget_can_be_spent():
    outcome, state = played([200] * 39, [2000] * 39, 1.1, Decimal("0.3"))
    assert outcome is TurnOutcome.BUDGET
    assert Decimal("0.27") <= state.totals.cost <= Decimal("0.3")
