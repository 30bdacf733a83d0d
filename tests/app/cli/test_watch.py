"""Servers are looked at again and again, at the right times, and what matters is said. Time is virtual."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from patchbay.app.cli.compose import Wish, open_runtime
from patchbay.app.cli.runtime import Runtime
from patchbay.app.cli.watch import (
    AWAY_PAUSE_S,
    JITTER,
    PAUSE_S,
    QUIET_AFTER,
    QUIET_PAUSE_S,
    SETTLE_S,
    Watch,
    remarks,
)
from patchbay.app.engine.events import NoticeLevel, Stamped, TurnEnded, TurnOutcome
from patchbay.app.engine.state import NoticeEntry
from patchbay.app.settings import load_settings
from patchbay.providers.base import ModelInfo, ModelRef, Online, Origin, ProviderStatus
from patchbay.providers.discovery import Discovered
from support.virtual_time import VirtualTimeLoop

REF = ModelRef(provider="llama.cpp", model="tiny")
ENDED = Stamped(seq=1, at=0.0, session_id="s", event=TurnEnded(turn_id="t", outcome=TurnOutcome.DONE))


class Desk:
    """A watch whose looks are counted, with the times they happened at."""

    def __init__(self) -> None:
        self.busy = False
        self.attended = True
        self.changes = True
        self.looks: list[float] = []
        self.watch = Watch(
            self._look, busy=lambda: self.busy, attended=lambda: self.attended, spread=lambda low, high: 1.0
        )

    async def _look(self) -> bool:
        self.looks.append(asyncio.get_running_loop().time())
        return self.changes


def in_virtual_time(body: Callable[[Desk], Awaitable[None]]) -> Desk:
    async def run() -> Desk:
        desk = Desk()
        watching = asyncio.create_task(desk.watch.run())
        await body(desk)
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        return desk

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        return runner.run(run())


def test_it_looks_again_and_again() -> None:
    desk = in_virtual_time(lambda desk: asyncio.sleep(4 * PAUSE_S + 1))
    assert desk.looks == [PAUSE_S, 2 * PAUSE_S, 3 * PAUSE_S, 4 * PAUSE_S]


def test_it_never_looks_while_a_turn_runs_and_once_soon_after() -> None:
    async def body(desk: Desk) -> None:
        desk.busy = True
        await asyncio.sleep(10 * PAUSE_S + 3)
        assert desk.looks == []
        desk.watch.hear(ENDED)
        desk.busy = False
        await asyncio.sleep(SETTLE_S + 0.5)
        assert desk.looks == [10 * PAUSE_S + 3 + SETTLE_S]

    in_virtual_time(body)


def test_a_turn_that_follows_at_once_is_waited_for_too() -> None:
    async def body(desk: Desk) -> None:
        desk.busy = True
        await asyncio.sleep(1)
        desk.watch.hear(ENDED)  # a queued prompt starts the next turn
        await asyncio.sleep(PAUSE_S * 3)
        assert desk.looks == []

    in_virtual_time(body)


def test_it_looks_seldom_while_nobody_is_there() -> None:
    async def body(desk: Desk) -> None:
        desk.attended = False
        await asyncio.sleep(2 * AWAY_PAUSE_S + 1)

    assert in_virtual_time(body).looks == [AWAY_PAUSE_S, 2 * AWAY_PAUSE_S]


def test_it_slows_down_once_nothing_changed_for_long_and_speeds_up_again() -> None:
    async def body(desk: Desk) -> None:
        desk.changes = False
        await asyncio.sleep(QUIET_AFTER * PAUSE_S + 1)
        assert len(desk.looks) == QUIET_AFTER
        desk.changes = True
        await asyncio.sleep(QUIET_PAUSE_S)
        assert desk.looks[-1] - desk.looks[-2] == QUIET_PAUSE_S
        await asyncio.sleep(PAUSE_S)
        assert desk.looks[-1] - desk.looks[-2] == PAUSE_S

    in_virtual_time(body)


def test_a_day_of_idling_is_few_looks() -> None:
    async def body(desk: Desk) -> None:
        desk.changes = False
        await asyncio.sleep(86_400)

    assert len(in_virtual_time(body).looks) < 86_400 / QUIET_PAUSE_S + QUIET_AFTER


def test_looks_are_spread() -> None:
    async def look() -> bool:
        return False

    watch = Watch(look, busy=lambda: False, attended=lambda: True)
    pauses = [watch.pause() for _ in range(200)]
    assert PAUSE_S * (1 - JITTER) <= min(pauses) < PAUSE_S < max(pauses) <= PAUSE_S * (1 + JITTER)
    assert min(pauses) >= 20 and max(pauses) <= 30


# --- what is said ---------------------------------------------------------------------------------------------------


def status(online: Online, *, local: bool = True, problem: str = "", models: bool = True) -> ProviderStatus:
    return ProviderStatus(
        name="llama.cpp",
        dialect="openai_chat",
        origin=Origin.DISCOVERED,
        local=local,
        online=online,
        problem=problem,
        models=(ModelInfo(ref=REF),) if models else (),
    )


def info(window: int | None = 8192) -> ModelInfo:
    return ModelInfo(ref=REF, context_window=window)


UP, DOWN = status(Online.ONLINE), status(Online.OFFLINE, problem="llama.cpp stopped answering: start it again")


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ((UP, info()), (UP, info()), []),
        ((None, info()), (UP, info()), []),
        ((status(Online.UNKNOWN), info(None)), (UP, info()), []),
        ((status(Online.UNKNOWN), info()), (DOWN, info()), []),
        ((status(Online.ONLINE, local=False), info()), (status(Online.OFFLINE, local=False), info()), []),
        (
            (UP, info()),
            (DOWN, info()),
            ["start it again, or choose another model. llama.cpp/tiny answers as soon as it is back"],
        ),
        ((DOWN, info()), (UP, info()), ["llama.cpp answers again."]),
        ((DOWN, info()), (UP, info(4096)), ["answers again", "a window of 4,096 tokens now; it was 8,192."]),
        ((UP, info()), (UP, info(16_384)), ["a window of 16,384 tokens now; it was 8,192."]),
        ((UP, info()), (status(Online.ONLINE, models=False), info()), ["llama.cpp no longer has tiny"]),
    ],
)
def test_remarks(before: tuple, after: tuple, said: list[str]) -> None:
    found = remarks(REF, before, after)
    assert len(found) == len(said)
    for (text, _), part in zip(found, said, strict=True):
        assert part in text


def test_a_smaller_window_is_a_warning() -> None:
    (smaller,) = remarks(REF, (UP, info()), (UP, info(4096)))
    (larger,) = remarks(REF, (UP, info()), (UP, info(16_384)))
    assert (smaller[1], larger[1]) == (NoticeLevel.WARNING, NoticeLevel.INFO)


# --- the whole ------------------------------------------------------------------------------------------------------


def notices(runtime: Runtime) -> list[str]:
    return [entry.message for entry in runtime.session.state.transcript if isinstance(entry, NoticeEntry)]


def listed(runtime: Runtime) -> ProviderStatus:
    return next(each for each in runtime.session.state.providers if each.name == "llama.cpp")


def test_a_server_that_stops_comes_back_and_loads_another_window_is_noticed(tmp_path) -> None:
    server = Discovered(
        preset="llama.cpp",
        base_url="http://127.0.0.1:8080/v1",
        models=(ModelInfo(ref=REF, context_window=8192, tools=True),),
    )
    found = [server]
    looks: list[float] = []

    async def search() -> list[Discovered]:
        looks.append(asyncio.get_running_loop().time())
        return found

    async def run() -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        runtime = open_runtime(load_settings(tmp_path, environ=os.environ), Wish(folder=tmp_path))
        runtime.directory._discover, runtime.directory._clock = search, loop.epoch
        assert await runtime.start() == ""
        watching = asyncio.create_task(runtime.watch(lambda: True))
        before = len(notices(runtime))
        await asyncio.sleep(100)
        assert len(looks) >= 4 and len(notices(runtime)) == before
        found.clear()
        await asyncio.sleep(31)
        assert "stopped answering" in notices(runtime)[-1]
        gone = listed(runtime)
        assert (gone.online, str(gone.models[0].ref)) == (Online.OFFLINE, "llama.cpp/tiny")
        assert gone.last_seen is not None and 0 < loop.epoch() - gone.last_seen < 65
        await asyncio.sleep(300)
        assert len(notices(runtime)) == before + 1
        found.append(replace(server, models=(ModelInfo(ref=REF, context_window=4096, tools=True),)))
        await asyncio.sleep(80)
        assert notices(runtime)[-2:] == [
            "llama.cpp answers again.",
            "llama.cpp/tiny has a window of 4,096 tokens now; it was 8,192.",
        ]
        assert listed(runtime).online is Online.ONLINE
        assert runtime.session.state.model is not None
        assert runtime.session.state.model.context_window == 4096
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await runtime.aclose()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(run())


def test_nothing_is_published_while_nothing_changes(tmp_path) -> None:
    async def search() -> list[Discovered]:
        return []

    async def run() -> None:
        runtime = open_runtime(load_settings(tmp_path, environ=os.environ), Wish(folder=tmp_path, demo=True))
        runtime.directory._discover = search
        await runtime.start()
        await runtime.refresh()
        events: list[Stamped] = []
        runtime.session.bus.attach(events.append)
        watching = asyncio.create_task(runtime.watch(lambda: True))
        await asyncio.sleep(3600)
        assert events == []
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await runtime.aclose()

    with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
        runner.run(run())
