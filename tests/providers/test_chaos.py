"""Every fault against every dialect: one terminal event, no hang, no key elsewhere, little memory."""

import asyncio
import random
import resource
import sys
from collections.abc import Iterator

import httpx
import pytest

from patchbay.providers import chaos
from patchbay.providers import http as wire_http
from patchbay.providers.chaos import Blow, ChaosTransport, Fault, blows
from patchbay.providers.dialects import DIALECTS
from patchbay.providers.events import ErrorKind, ResponseEnd, ResponseError
from patchbay.providers.redact import remember_secret
from support.made_up import DIALECT_PATHS, MadeUpServer
from support.wire import HELLO, check_grammar, collect, endpoint, text_of

KEY = "canary-key-77-chaos"
EVENTS = 12
"""More than any made-up answer has, so that every border of events is struck."""


def always(fault: Fault, after: float = 0.0) -> Iterator[Blow]:
    while True:
        yield Blow(fault=fault, after=after, seed=7)


async def struck(dialect: str, fault: Fault, after: float = 0.0) -> tuple[list, ChaosTransport]:
    remember_secret(KEY)
    transport = ChaosTransport(MadeUpServer(), always(fault, after))
    limit = 0.05 if fault is Fault.STALL else 30.0
    limits = {"first_token_timeout_s": limit, "between_tokens_timeout_s": limit}
    here = endpoint(dialect, base_url="https://model.test", api_key=lambda: KEY, **limits)
    provider = DIALECTS[dialect](here, transport=transport)
    async with asyncio.timeout(30):
        events = await collect(provider)
    check_grammar(events)
    assert KEY not in repr(events)
    assert transport.hosts == ["model.test"]
    assert transport.open == 0, "the connection is let go"
    return events, transport


@pytest.fixture
def endless() -> None:
    """Leaves the giants as large as they are meant to be."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setattr(wire_http, "AFTER_END_S", 0.05)
    if "endless" not in request.fixturenames:
        monkeypatch.setattr(chaos, "ENDLESS_BYTES", 80 * 1024 * 1024)


EXPECTED = {
    Fault.RATE_LIMIT: (ErrorKind.RATE_LIMIT, True, None),
    Fault.RATE_LIMIT_WITH_WAIT: (ErrorKind.RATE_LIMIT, True, 7),
    Fault.RATE_LIMIT_FOR_LONG: (ErrorKind.RATE_LIMIT, True, 3600),
    Fault.OVERLOADED: (ErrorKind.OVERLOADED, True, None),
    Fault.SERVER_ERROR: (ErrorKind.SERVER_ERROR, True, None),
    Fault.REFUSED: (ErrorKind.NETWORK, True, None),
    Fault.REDIRECT: (ErrorKind.PROTOCOL, False, None),
    Fault.GIANT_LINE: (ErrorKind.PROTOCOL, False, None),
    Fault.GZIP_BOMB: (ErrorKind.PROTOCOL, False, None),
    Fault.STALL: (ErrorKind.TIMEOUT, True, None),
    Fault.EARLY_END: (ErrorKind.PROTOCOL, False, None),
    Fault.DISCONNECT: (ErrorKind.NETWORK, True, None),
}


@pytest.mark.parametrize("dialect", sorted(DIALECT_PATHS))
@pytest.mark.parametrize("fault", EXPECTED)
async def test_a_fault_before_the_answer_is_one_error(dialect: str, fault: Fault) -> None:
    events, _ = await struck(dialect, fault)
    last = events[-1]
    assert isinstance(last, ResponseError)
    assert (last.kind, last.retryable, last.retry_after) == EXPECTED[fault]
    assert text_of(events) == ""


@pytest.mark.parametrize("dialect", sorted(DIALECT_PATHS))
@pytest.mark.parametrize("fault", [Fault.DISCONNECT, Fault.STALL, Fault.EARLY_END, Fault.GARBAGE, Fault.DUPLICATE])
async def test_at_every_event_what_came_stays(dialect: str, fault: Fault) -> None:
    whole, _ = await struck(dialect, Fault.NONE)
    assert isinstance(whole[-1], ResponseEnd)
    complete = text_of(whole)
    for strike in range(EVENTS + 1):
        events, _ = await struck(dialect, fault, strike / EVENTS)
        if fault is Fault.DUPLICATE:
            assert len(text_of(events)) >= len(complete)
        elif fault is Fault.GARBAGE:
            assert text_of(events) == complete or isinstance(events[-1], ResponseError)
        else:
            assert complete.startswith(text_of(events))


@pytest.mark.parametrize("fault", [Fault.GIANT_LINE, Fault.GZIP_BOMB])
async def test_a_gigabyte_is_given_up_with_bounded_memory(fault: Fault, endless: None) -> None:
    unit = 1 if sys.platform == "darwin" else 1024
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    events, _ = await struck("openai_chat", fault)
    assert isinstance(events[-1], ResponseError) and events[-1].kind is ErrorKind.PROTOCOL
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit - before < 400 * 1024 * 1024


async def test_a_redirect_is_not_followed_even_by_hand_made_clients() -> None:
    _, transport = await struck("anthropic_messages", Fault.REDIRECT)
    assert transport.struck == [Fault.REDIRECT]


def test_a_plan_is_its_seed() -> None:
    def first(seed: int) -> list[Blow]:
        plan = blows(random.Random(seed), 0.5)
        return [next(plan) for _ in range(400)]

    assert first(1) == first(1) != first(2)
    healthy = sum(blow.fault is Fault.NONE for blow in first(3))
    assert 150 < healthy < 270
    assert {blow.fault for blow in first(3)} == set(Fault)


async def test_nothing_is_struck_when_the_plan_says_so() -> None:
    transport = ChaosTransport(MadeUpServer(), blows(random.Random(1), 0.0))
    provider = DIALECTS["openai_chat"](endpoint(base_url="https://model.test"), transport=transport)
    assert isinstance((await collect(provider, HELLO))[-1], ResponseEnd)
    assert transport.struck == [Fault.NONE]


async def test_the_pace_is_kept_between_events() -> None:
    transport = ChaosTransport(MadeUpServer(), always(Fault.NONE), pace_s=0.01)
    async with httpx.AsyncClient(transport=transport) as client:
        started = asyncio.get_running_loop().time()
        await client.post("https://model.test/chat/completions", json={"model": "m", "messages": []})
        assert asyncio.get_running_loop().time() - started >= 0.03
