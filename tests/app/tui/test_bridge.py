import asyncio

from patchbay.app.engine.state import SessionState
from patchbay.app.tui.bridge import RATE_HZ, Bridge
from patchbay.providers.scripted import ScriptedProvider, answer, end, text
from support.sessions import make_session, until


class Spy:
    """Counts its syncs and keeps the newest state."""

    def __init__(self) -> None:
        self.states: list[SessionState] = []

    def sync(self, state: SessionState) -> None:
        self.states.append(state)


async def test_a_flood_of_deltas_becomes_few_syncs_and_the_last_state_arrives():
    session, _ = make_session(ScriptedProvider("fake", [answer(text("word " * 2000), end())]))
    chat, files = Spy(), Spy()
    bridge = Bridge(session)
    bridge.add(chat, "chat")
    bridge.add(files, "files")
    running = asyncio.create_task(bridge.run())
    started = asyncio.get_running_loop().time()
    session.submit("go")
    await session.wait_idle()
    await until(lambda: chat.states[-1] == session.state)
    frames = (asyncio.get_running_loop().time() - started) * RATE_HZ
    running.cancel()
    assert len(chat.states) <= frames + 3
    assert len(files.states) == 1, "a view whose slices never moved is synced once, at the start"


async def test_nothing_wakes_up_while_all_is_quiet():
    session, _ = make_session(ScriptedProvider("fake", []))
    clocked = Spy()
    bridge = Bridge(session)
    bridge.add(clocked, "status", clocked=True)
    running = asyncio.create_task(bridge.run())
    await until(lambda: len(clocked.states) == 1)
    timers = asyncio.get_running_loop()._scheduled
    await until(lambda: all(timer.cancelled() for timer in timers))
    assert not running.done(), "it waits for a change, and no timer would wake it"
    running.cancel()


async def test_a_running_clock_is_synced_even_when_nothing_arrives():
    gate = asyncio.Event()

    async def silent(_request):
        await gate.wait()
        yield end()[0]

    session, _ = make_session(ScriptedProvider("fake", [silent]))
    clocked, still = Spy(), Spy()
    bridge = Bridge(session)
    bridge.add(clocked, "status", clocked=True)
    bridge.add(still, "status")
    running = asyncio.create_task(bridge.run())
    session.submit("go")
    await until(lambda: len(clocked.states) > 4)
    assert len(clocked.states) > len(still.states)
    running.cancel()
    gate.set()
    await session.wait_idle()


async def test_a_view_that_went_away_is_left_alone():
    session, _ = make_session(ScriptedProvider("fake", []))
    spy = Spy()
    bridge = Bridge(session)
    bridge.add(spy, "chat")
    bridge.remove(spy)
    bridge.sync_now()
    assert spy.states == []
