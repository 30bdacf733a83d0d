"""The next request: built once for each state and model, whoever asks."""

import threading

import pytest

from patchbay.app.engine.request_builder import LONG_ENTRIES, RequestBuilder
from patchbay.app.engine.token_estimate import request_weight
from patchbay.providers.base import ProviderConfigError
from patchbay.providers.scripted import ScriptedProvider, answer, end, text
from support.past_turns import publish_turn
from support.sessions import FakeToolbox, make_session, model


def counted(session, monkeypatch):
    """The threads in which a history was prepared, one for each request that was built."""
    builder: RequestBuilder = session._runner.requests
    threads: list[threading.Thread] = []
    prepare = builder._prepare

    def prepared(messages, ref, dialect, *, continuation):
        threads.append(threading.current_thread())
        return prepare(messages, ref, dialect, continuation=continuation)

    monkeypatch.setattr(builder, "_prepare", prepared)
    return builder, threads


@pytest.mark.parametrize(("turns", "in_a_thread"), [(3, False), (LONG_ENTRIES, True)])
async def test_window_budget_and_sending_share_one_request_that_is_built_off_the_loop_when_long(
    monkeypatch, turns, in_a_thread
):
    provider = ScriptedProvider("fake", [answer(text("ok"), end())])
    session, _ = make_session(provider, select=model(window=None))
    for number in range(turns):
        publish_turn(session.bus, str(number), prompt="again", text="and again")
    _, threads = counted(session, monkeypatch)
    session.submit("hello")
    await session.wait_idle()
    (thread,) = threads
    assert (thread is not threading.main_thread()) == in_a_thread


async def test_it_is_built_again_for_another_state_model_or_dialect_and_for_nothing_else(monkeypatch):
    session, _ = make_session(ScriptedProvider("fake", [answer(text("ok"), end())]))
    builder, threads = counted(session, monkeypatch)
    one = builder.next(model())
    assert builder.next(model()) is one and builder.next(model(), session.state.dialect) is one
    assert builder.next(model(), "other") is not one
    assert builder.next(model(window=4000)) is not one
    session.notice("news")
    assert builder.next(model()) is not one
    assert len(threads) == 4


async def test_it_says_its_weight_what_it_leaves_out_and_why_it_cannot_be_sent(monkeypatch):
    async def nothing(_arguments, _emit, _approve):
        return ""

    toolbox = FakeToolbox(**{f"tool_{number}": nothing for number in range(60)})
    session, _ = make_session(ScriptedProvider("fake", []), toolbox=toolbox)
    builder = session._runner.requests
    built = builder.next(model(window=1000))
    assert built.weight == request_weight(built.request) and built.tokens == built.weight
    assert built.slim and not built.unfit

    def refuse(*_arguments, **_options):
        raise ProviderConfigError("its rules can never be met")

    monkeypatch.setattr(builder, "_prepare", refuse)
    assert builder.next(model(window=2000)).unfit == "its rules can never be met"
