"""Trying again and failing over, as the session shows and records it."""

import asyncio
from collections.abc import Sequence

import pytest

from patchbay.app.engine.bus import MessageBus
from patchbay.app.engine.codec import decode_stamped, encode
from patchbay.app.engine.events import (
    CallPriced,
    ModelSelected,
    RequestStarted,
    RetryScheduled,
    SessionStarted,
    Stamped,
    TurnOutcome,
)
from patchbay.app.engine.handoff import Prepared
from patchbay.app.engine.reducer import reduce
from patchbay.app.engine.session import Parts, Session
from patchbay.app.engine.state import AnswerEntry, NoticeEntry, Phase, SessionState, SwitchEntry
from patchbay.app.engine.store import SessionStore
from patchbay.providers.base import ModelInfo, ModelRef
from patchbay.providers.events import ErrorKind, ResponseError, ResponseStart, TextDelta, TextStart, ThinkingStart
from patchbay.providers.resilience import Resilience, RetryPolicy
from patchbay.providers.scripted import ScriptedProvider, answer, end, fail, text, tool_call
from support.sessions import FakeToolbox, Providers, cost_of, model, until

LIMITED = (ResponseError(kind=ErrorKind.RATE_LIMIT, message="slow down.", status=429, retryable=True, retry_after=4.0),)
DOWN = fail(ErrorKind.NETWORK, "cannot connect.", retryable=True)
WELL = answer(text("fine"), end())


class Sleeper:
    """Waits as long as the test says, and keeps for how long it was asked to."""

    def __init__(self, *, hold: bool = False) -> None:
        self.waits: list[float] = []
        self._hold = hold

    async def __call__(self, seconds: float) -> None:
        self.waits.append(seconds)
        if self._hold:
            await asyncio.Event().wait()


class Models:
    def __init__(self, providers: Sequence[ScriptedProvider]) -> None:
        self._dialects = {provider.name: provider.dialect for provider in providers}

    def dialect(self, ref: ModelRef) -> str:
        return self._dialects[ref.provider]

    def info(self, ref: ModelRef) -> ModelInfo:
        return model(ref.provider, ref.model)

    def failing(self, _name: str) -> bool:
        return False


class Run:
    """A session over scripted providers whose first one is selected."""

    def __init__(self, *providers: ScriptedProvider, chain: Sequence[str] = (), hold: bool = False) -> None:
        self.sleep = Sleeper(hold=hold)
        self.stamped: list[Stamped] = []
        self.toolbox = FakeToolbox(read=self._read)
        bus = MessageBus(SessionStore(SessionState(session_id="s1")), clock=lambda: 1000.0)
        bus.attach(self.stamped.append)
        self.session = Session(
            bus,
            Parts(
                directory=Providers(*providers),
                toolbox=self.toolbox,
                prepare=lambda messages, ref, dialect, *, continuation: Prepared(messages=messages, changes=()),
                cost_of=cost_of,
                recovery=Resilience(
                    Models(providers),
                    self.sleep,
                    policy=RetryPolicy(chance=lambda: 1.0),
                    chain=tuple(map(ModelRef.parse, chain)),
                ),
            ),
        )
        bus.publish(SessionStarted(folder="project", version="test"))
        self.session.select_model(model(providers[0].name), providers[0].dialect)

    async def _read(self, _arguments: object, _emit: object, _approve: object) -> str:
        return "content"

    async def ask(self) -> TurnOutcome | None:
        self.session.submit("go")
        return await self.session.wait_idle()

    def of(self, kind: type) -> list:
        return [each.event for each in self.stamped if isinstance(each.event, kind)]

    @property
    def entries(self) -> list[str]:
        return [type(entry).__name__.removesuffix("Entry") for entry in self.session.state.transcript]


async def test_an_outage_is_sat_out_with_a_row_and_a_word_for_every_attempt():
    provider = ScriptedProvider("fake", [LIMITED, DOWN, WELL])
    run = Run(provider)
    assert await run.ask() is TurnOutcome.DONE
    assert run.sleep.waits == [4.0, 1.0]
    scheduled = run.of(RetryScheduled)
    assert [(each.attempt, each.attempts, each.reason) for each in scheduled] == [
        (2, 5, "rate limit (429)"),
        (3, 5, "no connection"),
    ]
    assert (scheduled[0].wait_s, scheduled[0].due_at) == (4.0, 1004.0)
    requests = [each.request_id for each in run.of(RequestStarted)]
    rows = run.of(CallPriced)
    assert [row.request_id for row in rows] == requests
    assert len(set(requests)) == 3
    assert [row.error_kind for row in rows] == ["rate_limit", "network", None]
    assert [request.messages for request in provider.requests] == [provider.requests[0].messages] * 3
    assert run.entries == ["Prompt", "Notice", "Notice", "Answer"]
    notice = run.session.state.transcript[1]
    assert isinstance(notice, NoticeEntry)
    assert notice.message == "slow down. Attempt 2 of 5 after 4.0 s."
    assert run.session.state.retry is None


async def test_attempts_end_and_the_last_error_stands():
    run = Run(ScriptedProvider("fake", [DOWN] * 6))
    assert await run.ask() is TurnOutcome.FAILED
    assert run.sleep.waits == [0.5, 1.0, 2.0, 4.0]
    assert len(run.of(CallPriced)) == 5
    last = run.session.state.transcript[-1]
    assert isinstance(last, AnswerEntry)
    assert last.error is not None and last.error.message == "cannot connect."


@pytest.mark.parametrize(
    "kind",
    [
        ErrorKind.AUTHENTICATION,
        ErrorKind.PERMISSION,
        ErrorKind.INVALID_REQUEST,
        ErrorKind.NOT_FOUND,
        ErrorKind.QUOTA,
        ErrorKind.CONTEXT_OVERFLOW,
        ErrorKind.PROTOCOL,
    ],
)
async def test_what_stays_wrong_is_asked_once(kind: ErrorKind):
    provider = ScriptedProvider("fake", [fail(kind, "no"), WELL])
    run = Run(provider, chain=["fake/other"])
    assert await run.ask() is TurnOutcome.FAILED
    assert len(provider.requests) == 1


@pytest.mark.parametrize(
    "shown",
    [
        (TextStart(index=0), TextDelta(index=0, text="half an")),
        (ThinkingStart(index=0),),
        tool_call("a", "read", {}),
    ],
)
async def test_nothing_is_retried_silently_once_something_was_shown(shown: tuple):
    other = ScriptedProvider("other", [WELL])
    provider = ScriptedProvider("fake", [(ResponseStart(), *shown, *DOWN), WELL])
    run = Run(provider, other, chain=["other/demo"])
    assert await run.ask() is TurnOutcome.FAILED
    assert (len(provider.requests), len(other.requests), run.toolbox.ran) == (1, 0, [])
    assert run.entries == ["Prompt", "Answer"]
    assert run.session.retry(), "trying again is the person's"
    assert await run.session.wait_idle() is TurnOutcome.DONE


async def test_the_count_down_is_in_the_state_and_cancel_ends_it_at_once():
    provider = ScriptedProvider("fake", [LIMITED, WELL])
    run = Run(provider, hold=True)
    run.session.submit("go")
    await until(lambda: run.sleep.waits == [4.0])
    state = run.session.state
    assert state.phase is Phase.RETRYING
    assert state.retry is not None and (state.retry.attempt, state.retry.due_at) == (2, 1004.0)
    assert state.answer is None
    assert run.session.cancel()
    assert await run.session.wait_idle() is TurnOutcome.CANCELLED
    assert (run.session.state.phase, run.session.state.retry) == (Phase.IDLE, None)
    assert len(provider.requests) == 1
    assert run.session.retry()
    assert await run.session.wait_idle() is TurnOutcome.DONE


async def test_another_model_chosen_during_the_wait_answers_at_once():
    one = ScriptedProvider("one", [LIMITED])
    two = ScriptedProvider("two", [WELL])
    run = Run(one, two, hold=True)
    run.session.submit("go")
    await until(lambda: bool(run.sleep.waits))
    run.session.select_model(model("two"), "scripted")
    assert await run.session.wait_idle() is TurnOutcome.DONE
    assert (len(one.requests), len(two.requests)) == (1, 1)


async def test_the_next_model_of_the_chain_goes_on_with_the_history():
    one = ScriptedProvider("one", [answer(tool_call("a", "read", {}), end()), *[DOWN] * 5])
    two = ScriptedProvider("two", [*[DOWN] * 5])
    three = ScriptedProvider("three", [WELL, WELL], dialect="other")
    run = Run(one, two, three, chain=["two/m", "three/m"])
    assert await run.ask() is TurnOutcome.DONE
    assert (len(one.requests), len(two.requests), len(three.requests)) == (6, 5, 1)
    assert three.requests[0].messages == one.requests[-1].messages
    selected = run.of(ModelSelected)[-1]
    assert (str(selected.model.ref), selected.dialect) == ("three/m", "other")
    assert run.toolbox.ran == ["read"]
    switches = [entry for entry in run.session.state.transcript if isinstance(entry, SwitchEntry)]
    assert [str(entry.ref) for entry in switches] == ["two/m", "three/m"]
    notices = [entry.message for entry in run.session.state.transcript if isinstance(entry, NoticeEntry)]
    assert "two/m does not answer; three/m goes on (setting fallback). The history goes along." in notices
    assert run.session.state.totals.calls == 12
    assert await run.ask() is TurnOutcome.DONE
    assert len(three.requests) == 2, "the session stays with it"


async def test_a_chain_that_is_used_up_leaves_the_error():
    one, two = (ScriptedProvider(name, [DOWN] * 20) for name in ("one", "two"))
    run = Run(one, two, chain=["one/demo", "two/m"])
    assert await run.ask() is TurnOutcome.FAILED
    assert (len(one.requests), len(two.requests)) == (5, 5)


async def test_a_scheduled_retry_survives_the_journal():
    run = Run(ScriptedProvider("fake", [DOWN, WELL]))
    await run.ask()
    state = SessionState(session_id="s1")
    for each in run.stamped:
        again = decode_stamped(encode(each))
        assert again == each
        state = reduce(state, again)
    assert state.transcript == run.session.state.transcript
    assert state.totals == run.session.state.totals
