import asyncio
import contextlib
from dataclasses import replace
from decimal import Decimal

from patchbay.app.engine.bus import MessageBus
from patchbay.app.engine.events import CallPriced, CallPurpose, CostSource, SideCallStarted
from patchbay.app.engine.side_call import side_call, unfinished_side_calls
from patchbay.app.engine.state import SessionState
from patchbay.app.engine.store import SessionStore
from patchbay.providers.events import (
    ErrorKind,
    ResponseEnd,
    ResponseError,
    ResponseStart,
    StopReason,
    TextDelta,
    TextEnd,
    TextStart,
    ThinkingDelta,
    ThinkingEnd,
    ThinkingStart,
    Usage,
    UsageUpdate,
)
from patchbay.providers.messages import ChatRequest, TextBlock, UserMessage
from patchbay.providers.scripted import ScriptedProvider
from support.sessions import cost_of, model

REQUEST = ChatRequest(model="demo", messages=(UserMessage(blocks=(TextBlock(text="x" * 370),)),))
ANSWER = (
    ResponseStart(response_id="r", model="demo"),
    ThinkingStart(index=0),
    ThinkingDelta(index=0, text="hm"),
    ThinkingEnd(index=0),
    TextStart(index=1),
    TextDelta(index=1, text="A "),
    TextDelta(index=1, text="title\n"),
    TextEnd(index=1),
    UsageUpdate(usage=Usage(input_tokens=1000, output_tokens=10)),
    ResponseEnd(stop_reason=StopReason.END_TURN),
)


def a_bus():
    bus = MessageBus(SessionStore(SessionState(session_id="s")))
    published = []
    bus.attach(lambda stamped: published.append(stamped.event))
    return bus, published


async def ask(bus, *steps, **options):
    provider = ScriptedProvider("fake", steps, **options)
    return await side_call(
        bus, provider, REQUEST, model=model(), cost_of=cost_of, purpose=CallPurpose.TITLE, turn_id="t"
    )


async def test_the_answer_comes_back_and_the_ledger_has_its_row():
    bus, published = a_bus()
    answer = await ask(bus, ANSWER)
    assert [type(event) for event in published] == [SideCallStarted, CallPriced]
    row = published[1]
    assert (row.purpose, row.turn_id, row.request_id) == (CallPurpose.TITLE, "t", published[0].request_id)
    assert row.cost.amount == Decimal("0.00315")
    state = bus.store.state
    assert state.side_calls == () and state.totals.calls == 1 and state.transcript == ()
    assert answer.text == "A title" and answer.whole


async def test_an_error_is_an_answer_without_text():
    bus, published = a_bus()
    answer = await ask(bus, (ResponseError(kind=ErrorKind.OVERLOADED, message="busy"),))
    assert not answer.whole and isinstance(answer.end, ResponseError)
    assert (published[1].cost.amount, published[1].error_kind) == (0, "overloaded")


async def test_a_cancelled_call_has_an_estimated_row():
    bus, published = a_bus()
    provider = ScriptedProvider("fake", (ANSWER,), delay_s=60)
    calling = asyncio.create_task(
        side_call(bus, provider, REQUEST, model=model(), cost_of=cost_of, purpose=CallPurpose.COMPACTION)
    )
    while not provider.requests:
        await asyncio.sleep(0)
    calling.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await calling
    assert [type(event) for event in published] == [SideCallStarted, CallPriced]
    assert bus.store.state.side_calls == ()


async def test_a_call_whose_process_died_is_priced_as_an_estimate():
    bus, published = a_bus()
    await ask(bus, ANSWER)
    state = replace(bus.store.state, side_calls=(published[0],))
    (row,) = unfinished_side_calls(state, [model()], cost_of, now=5.0)
    assert (
        row.cost.source is CostSource.ESTIMATED and row.usage.input_tokens == published[0].estimated_input_tokens > 50
    )
    (unknown,) = unfinished_side_calls(state, [], cost_of, now=5.0)
    assert unknown.cost.amount is None
