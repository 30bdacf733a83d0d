"""The circuit breaker: when it opens, what passes, and what its provider says meanwhile."""

import asyncio
from contextlib import aclosing

import pytest

from patchbay.providers.breaker import BreakerState, CircuitBreaker, GuardedProvider
from patchbay.providers.events import ErrorKind, ResponseEnd, ResponseError, ResponseStart
from patchbay.providers.scripted import ScriptedProvider, answer, end, fail, text
from support.wire import HELLO, collect, text_of

DOWN = fail(ErrorKind.NETWORK, "cannot connect to box:1: refused", retryable=True)
WELL = answer(text("fine"), end())


class Clock:
    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


def guarded(*steps: object, clock: Clock | None = None, changes: list[int] | None = None) -> GuardedProvider:
    seen = [] if changes is None else changes
    breaker = CircuitBreaker(
        threshold=3, window_s=100, cool_down_s=30, clock=clock or Clock(), on_change=lambda: seen.append(1)
    )
    return GuardedProvider(ScriptedProvider("box", list(steps)), breaker)  # type: ignore[arg-type]


async def outcome(provider: GuardedProvider) -> str:
    last = (await collect(provider))[-1]
    return "ok" if isinstance(last, ResponseEnd) else last.message  # type: ignore[union-attr]


async def test_it_opens_after_outages_in_a_row_probes_once_and_closes() -> None:
    clock, changes = Clock(), []
    provider = guarded(DOWN, DOWN, DOWN, DOWN, WELL, clock=clock, changes=changes)
    breaker = provider.breaker
    for _ in range(3):
        assert breaker.state is BreakerState.CLOSED
        await outcome(provider)
    assert (breaker.state, breaker.paused_until, len(changes)) == (BreakerState.OPEN, clock.now + 30, 1)
    clock.now += 29.9
    assert "kept failing" in await outcome(provider)
    clock.now += 0.1
    assert breaker.state is BreakerState.HALF_OPEN
    assert "refused" in await outcome(provider)  # the probe failed as well
    assert (breaker.state, breaker.paused_until) == (BreakerState.OPEN, clock.now + 30)
    clock.now += 30
    assert await outcome(provider) == "ok"
    assert (breaker.state, breaker.paused_until, len(changes)) == (BreakerState.CLOSED, None, 3)


async def test_while_open_it_fails_at_once_and_says_why_and_until_when() -> None:
    clock = Clock()
    provider = guarded(DOWN, DOWN, DOWN, clock=clock)
    for _ in range(3):
        await outcome(provider)
    clock.now += 6
    (error,) = await collect(provider)
    assert isinstance(error, ResponseError)
    assert (error.kind, error.retryable, error.retry_after) == (ErrorKind.OVERLOADED, False, 24)
    assert "(in 24 s)" in error.message
    assert "cannot connect to box:1: refused" in error.message


async def test_only_one_probe_passes() -> None:
    clock, gate = Clock(), asyncio.Event()

    async def held(_request: object):
        yield ResponseStart()
        await gate.wait()
        for event in WELL[1:]:
            yield event

    provider = guarded(DOWN, DOWN, DOWN, held, clock=clock)
    for _ in range(3):
        await outcome(provider)
    clock.now += 30
    async with aclosing(provider.stream(HELLO)) as probe:
        assert isinstance(await anext(probe), ResponseStart)
        assert "A probe is on its way" in await outcome(provider)
        gate.set()
        assert text_of([event async for event in probe]) == "fine"
    assert provider.breaker.state is BreakerState.CLOSED


async def test_a_cancelled_probe_leaves_room_for_the_next() -> None:
    clock = Clock()
    provider = guarded(DOWN, DOWN, DOWN, WELL, WELL, clock=clock)
    for _ in range(3):
        await outcome(provider)
    clock.now += 30
    async with aclosing(provider.stream(HELLO)) as probe:
        await anext(probe)
    assert provider.breaker.state is BreakerState.HALF_OPEN
    assert await outcome(provider) == "ok"


@pytest.mark.parametrize(
    "kind", [ErrorKind.RATE_LIMIT, ErrorKind.AUTHENTICATION, ErrorKind.INVALID_REQUEST, ErrorKind.PROTOCOL]
)
async def test_a_refusal_is_an_answer(kind: ErrorKind) -> None:
    refusal = fail(kind, "no")
    provider = guarded(DOWN, DOWN, refusal, DOWN, DOWN)
    for _ in range(5):
        await outcome(provider)
    assert provider.breaker.state is BreakerState.CLOSED


async def test_outages_long_ago_do_not_count() -> None:
    clock = Clock()
    provider = guarded(DOWN, DOWN, DOWN, DOWN, clock=clock)
    for _ in range(4):
        await outcome(provider)
        clock.now += 60
    assert provider.breaker.state is BreakerState.CLOSED


async def test_a_failure_sent_before_it_opened_does_not_prolong_the_pause() -> None:
    clock = Clock()
    breaker = guarded(clock=clock).breaker
    assert all(breaker.admit() for _ in range(4))
    for _ in range(3):
        breaker.failed("down")
    until = breaker.paused_until
    clock.now += 10
    breaker.failed("down too")
    assert breaker.paused_until == until


async def test_a_sign_of_life_lets_the_next_request_probe() -> None:
    clock = Clock()
    provider = guarded(DOWN, DOWN, DOWN, WELL, clock=clock)
    for _ in range(3):
        await outcome(provider)
    provider.breaker.seen()
    assert provider.breaker.state is BreakerState.HALF_OPEN
    assert await outcome(provider) == "ok"


@pytest.mark.parametrize(("wait", "words"), [(60.0, ""), (61.0, "(in 1 min)"), (7200.0, "(in 2 h)")])
async def test_a_wait_nobody_sits_out_is_named(wait: float, words: str) -> None:
    limited = (ResponseError(kind=ErrorKind.RATE_LIMIT, message="slow down.", retryable=True, retry_after=wait),)
    message = await outcome(guarded(limited))
    assert (words in message) and (bool(words) or message == "slow down.")


async def test_everything_else_is_the_provider_s_own() -> None:
    provider = guarded()
    assert (provider.name, provider.dialect) == ("box", "scripted")
    assert await provider.list_models() == ["demo"]
    assert await provider.is_available()
    info = await provider.model_info("demo")
    assert info is not None and info.ref.model == "demo"
