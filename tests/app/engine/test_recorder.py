import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
import textwrap

import pytest

from patchbay.app.engine.bus import MessageBus
from patchbay.app.engine.database import MIGRATIONS, DatabaseError, connect, latest_session, load_events
from patchbay.app.engine.events import (
    CostSource,
    ModelSelected,
    PromptSubmitted,
    ProviderActivity,
    RequestStarted,
    SessionStarted,
    ToolActivity,
    TurnStarted,
)
from patchbay.app.engine.history import history
from patchbay.app.engine.recorder import Recorder
from patchbay.app.engine.repair import repair
from patchbay.app.engine.state import AnswerEntry, SessionState
from patchbay.app.engine.store import SessionStore
from patchbay.providers.base import ModelRef
from patchbay.providers.events import TextDelta, TextStart
from patchbay.providers.messages import ToolResultMessage
from patchbay.providers.redact import remember_secret
from patchbay.providers.scripted import ScriptedProvider, answer, end, text, thinking, tool_call, usage
from patchbay.tools.events import Outcome, ToolRunStarted
from support.sessions import FakeToolbox, cost_of, make_session, model, question


async def echo(_arguments, _emit, _approve):
    return "echoed"


@pytest.fixture
def database(tmp_path):
    return tmp_path / "state" / "patchbay.db"


async def recorded_session(database):
    recorder = Recorder(database)
    provider = ScriptedProvider(
        "fake",
        [
            answer(thinking("hm"), text("A long answer. " * 40), tool_call("a", "read", {}), usage(10, 4), end()),
            answer(text("done"), end()),
        ],
    )
    session, recording = make_session(provider, toolbox=FakeToolbox(read=echo), durable=recorder.durable)
    session.bus.attach(recorder.sink)
    session.bus.publish(SessionStarted(folder="project", version="test"))
    session.submit("hello")
    await session.wait_idle()
    recorder.close()
    return session, recording


async def test_a_session_reads_back_as_it_was(database):
    session, recording = await recorded_session(database)
    connection = connect(database)
    assert latest_session(connection, "project") == "s1"
    events, last, problems = load_events(connection, "s1")
    replayed = SessionStore(SessionState(session_id="s1")).replay(events)
    assert problems == []
    assert last == recording.stamped[-1].seq
    assert len(events) < len(recording.stamped), "adjacent deltas share a row"
    assert replayed.transcript == session.state.transcript
    assert replayed.runs == session.state.runs
    assert history(replayed) == history(session.state)
    assert replayed.totals == session.state.totals


async def test_every_call_is_a_ledger_row(database):
    await recorded_session(database)
    rows = connect(database).execute(
        "SELECT provider, input_tokens, output_tokens, cost, source, price FROM calls ORDER BY at"
    )
    first, second = rows.fetchall()
    assert first[:5] == ("fake", 10, 4, "0.00009", "computed")
    assert '"3"' in first[5]
    assert second[4] == "estimated"


async def test_the_file_is_the_owners_alone(database):
    await recorded_session(database)
    assert stat.S_IMODE(os.stat(database).st_mode) == 0o600
    assert stat.S_IMODE(os.stat(database.parent).st_mode) == 0o700


async def test_a_key_that_a_tool_prints_never_reaches_the_disk(database):
    remember_secret("canary-key-0123456789")

    async def leak(_arguments, _emit, _approve):
        return "KEY canary-key-0123456789"

    recorder = Recorder(database)
    provider = ScriptedProvider("fake", [answer(tool_call("a", "read", {}), end()), answer(text("ok"), end())])
    session, _ = make_session(provider, toolbox=FakeToolbox(read=leak), durable=recorder.durable)
    session.bus.attach(recorder.sink)
    session.submit("print canary-key-0123456789")
    await session.wait_idle()
    recorder.close()
    written = b"".join(path.read_bytes() for path in database.parent.iterdir())
    assert b"canary-key" not in written


async def test_a_key_that_looks_like_json_does_not_break_the_journal(database):
    for odd in ("000000", '"index"', "ProviderActivity"):
        remember_secret(odd)
    session, _ = await recorded_session(database)
    events, _, problems = load_events(connect(database), "s1")
    assert problems == []
    assert len(SessionStore(SessionState(session_id="s1")).replay(events).transcript) == len(session.state.transcript)


def test_a_newer_database_is_refused_by_name(database):
    connection = connect(database)
    connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    connection.close()
    with pytest.raises(DatabaseError, match=r"patchbay\.db.*newer"):
        connect(database)


async def test_text_that_sqlite_cannot_store_does_not_stop_the_recorder(database):
    recorder = Recorder(database)
    bus = MessageBus(SessionStore(SessionState(session_id="s")), clock=lambda: 1.0)
    bus.attach(recorder.sink)
    bus.publish(SessionStarted(folder="f", version="t"))
    bus.publish(PromptSubmitted(prompt_id="p", text="broken \ud800 half"))
    await recorder.durable()
    recorder.close()
    events, _, problems = load_events(connect(database), "s")
    assert problems == []
    assert events[-1].event == PromptSubmitted(prompt_id="p", text="broken \ud800 half")


async def test_when_the_disk_refuses_rows_are_kept_and_written_later(database, monkeypatch):
    problems: list[str] = []
    monkeypatch.setattr("patchbay.app.engine.writing_place._WAIT_S", 0.001)
    recorder = Recorder(database, on_problem=problems.append)
    saving: list[str] = []
    recorder.on_saving = saving.append
    bus = MessageBus(SessionStore(SessionState(session_id="s")), clock=lambda: 1.0)
    bus.attach(recorder.sink)
    blocker = sqlite3.connect(database, isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    bus.publish(TurnStarted(turn_id="t1"))
    await recorder.durable()
    assert len(problems) == 1
    assert "saved" in problems[0]
    assert saving == ["database is locked"]
    assert recorder.refused
    blocker.execute("ROLLBACK")
    bus.publish(TurnStarted(turn_id="t2"))
    await recorder.durable()
    assert problems[1:] == ["The session is saved again, with nothing lost."]
    assert saving[1:] == [""]
    assert not recorder.refused
    recorder.close()
    events, _, _ = load_events(connect(database), "s")
    assert [stamped.event.turn_id for stamped in events] == ["t1", "t2"]


async def test_what_the_disk_refused_is_tried_again_though_nothing_comes(database, monkeypatch):
    monkeypatch.setattr("patchbay.app.engine.writing_place._WAIT_S", 0.001)
    monkeypatch.setattr("patchbay.app.engine.recorder.RETRY_S", 0.01)
    again = asyncio.Event()
    loop = asyncio.get_running_loop()
    recorder = Recorder(database)
    recorder.on_saving = lambda problem: None if problem else loop.call_soon_threadsafe(again.set)
    bus = MessageBus(SessionStore(SessionState(session_id="s")), clock=lambda: 1.0)
    bus.attach(recorder.sink)
    blocker = sqlite3.connect(database, isolation_level=None)
    blocker.execute("BEGIN EXCLUSIVE")
    bus.publish(TurnStarted(turn_id="t1"))
    await recorder.durable()
    assert recorder.refused
    blocker.execute("ROLLBACK")
    await again.wait()
    recorder.close()
    assert len(load_events(connect(database), "s")[0]) == 1


CRASHED = ModelRef(provider="p", model="m")


def in_mid_turn(*events):
    """A turn whose answer called two tools, and what came after it."""
    bus = MessageBus(SessionStore(SessionState(session_id="s")), clock=lambda: 1.0)
    bus.publish(TurnStarted(turn_id="t"))
    bus.publish(RequestStarted(turn_id="t", request_id="r", ref=CRASHED, dialect="d", estimated_input_tokens=1))
    for event in answer(tool_call("c", "bash", {"command": "make"}), tool_call("d", "read", {}), end()):
        bus.publish(ProviderActivity(turn_id="t", request_id="r", event=event))
    for event in events:
        bus.publish(ToolActivity(turn_id="t", request_id="r", part_index=0, event=event))
    assert repair(bus, cost_of)
    return bus.store.state


def test_a_call_that_may_have_begun_is_said_to_and_those_behind_it_are_not():
    state = in_mid_turn()
    assert [run.outcome for run in state.runs] == [Outcome.INTERRUPTED] * 2
    assert "may or may not" in state.runs[0].content
    assert "Not run" in state.runs[1].content
    assert len(history(state)) == 3, "the answer and a result for each call"


def test_a_call_that_waited_for_approval_was_not_run():
    started = ToolRunStarted(run_id="r.0", name="bash", title="make")
    state = in_mid_turn(started, question("r.0"))
    assert ["Not run" in run.content for run in state.runs] == [True, True]
    assert "approval" in state.runs[0].content
    assert state.approvals == ()


def test_what_was_in_flight_at_a_crash_is_closed_and_said():
    bus = MessageBus(SessionStore(SessionState(session_id="s")), clock=lambda: 1.0)
    ref = ModelRef(provider="p", model="m")
    bus.publish(TurnStarted(turn_id="t"))
    bus.publish(RequestStarted(turn_id="t", request_id="r", ref=ref, dialect="d", estimated_input_tokens=1))
    for event in answer(text("I run it"), tool_call("c", "bash", {"command": "make"}), end()):
        bus.publish(ProviderActivity(turn_id="t", request_id="r", event=event))
    run = ToolRunStarted(run_id="r.1", name="bash", title="make")
    bus.publish(ToolActivity(turn_id="t", request_id="r", part_index=1, event=run))
    assert repair(bus, cost_of)
    state = bus.store.state
    assert state.turn_id is None
    assert state.runs[0].outcome is Outcome.INTERRUPTED
    result = history(state)[-1]
    assert isinstance(result, ToolResultMessage)
    assert result.is_error
    assert "may or may not" in result.content
    assert not repair(bus, cost_of), "a closed session needs no repair"


def test_an_answer_cut_by_a_crash_is_not_priced_at_another_models_price():
    bus = MessageBus(SessionStore(SessionState(session_id="s")), clock=lambda: 1.0)
    ref = ModelRef(provider="first", model="m")
    bus.publish(ModelSelected(model=model("first", "m"), dialect="d"))
    bus.publish(TurnStarted(turn_id="t"))
    bus.publish(RequestStarted(turn_id="t", request_id="r", ref=ref, dialect="d", estimated_input_tokens=1))
    for event in answer(text("half")):
        bus.publish(ProviderActivity(turn_id="t", request_id="r", event=event))
    bus.publish(ModelSelected(model=model("second", "dear"), dialect="d"))
    assert repair(bus, cost_of)
    entry = next(entry for entry in bus.store.state.transcript if isinstance(entry, AnswerEntry))
    assert (entry.cost.amount, entry.cost.source) == (None, CostSource.UNKNOWN)
    assert bus.store.state.totals.unknown_calls == 1


CHILD = """
import asyncio, os, sys
from pathlib import Path
from support.sessions import make_session, model
from patchbay.app.engine.events import SessionStarted
from patchbay.app.engine.recorder import Recorder
from patchbay.providers.events import ResponseStart, TextDelta, TextStart
from patchbay.providers.scripted import ScriptedProvider

async def endless(_request):
    yield ResponseStart()
    yield TextStart(index=0)
    for number in range(10**9):
        yield TextDelta(index=0, text=f"{number} ")
        if number == 50:
            await asyncio.sleep(0.5)
            print("streaming", flush=True)
        await asyncio.sleep(0.001)

async def main():
    recorder = Recorder(Path(sys.argv[1]))
    session, _ = make_session(ScriptedProvider("fake", [endless]), durable=recorder.durable)
    session.bus.attach(recorder.sink)
    session.bus.publish(SessionStarted(folder="project", version="test"))
    session.select_model(model(), "scripted")
    session.submit("count")
    await session.wait_idle()

asyncio.run(main())
"""


def test_a_killed_process_keeps_the_prompt_and_the_text_so_far(database):
    environment = {**os.environ, "PYTHONPATH": os.path.join(os.path.dirname(__file__), "..", "..")}
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(CHILD), str(database)], stdout=subprocess.PIPE, env=environment
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"streaming\n"
    child.send_signal(signal.SIGKILL)
    child.wait()
    connection = connect(database)
    events, last, problems = load_events(connection, latest_session(connection, "project") or "")
    store = SessionStore(SessionState(session_id="s1"))
    store.replay(events)
    bus = MessageBus(store, clock=lambda: 2e9, first_seq=last + 1)
    assert problems == []
    assert repair(bus, cost_of)
    entry = next(entry for entry in reversed(store.state.transcript) if isinstance(entry, AnswerEntry))
    assert str(entry.parts[0].text).startswith("0 1 2 3 ")
    assert entry.error is not None
    assert entry.cost is not None
    assert entry.cost.source is CostSource.ESTIMATED
    assert len(history(store.state)) == 2


def test_deltas_of_different_blocks_do_not_merge(database):
    recorder = Recorder(database)
    bus = MessageBus(SessionStore(SessionState(session_id="s")), clock=lambda: 1.0)
    bus.attach(recorder.sink)
    for index, piece in ((0, "a"), (0, "b"), (1, "c"), (0, "d")):
        bus.publish(ProviderActivity(turn_id="t", request_id="r", event=TextDelta(index=index, text=piece)))
    bus.publish(ProviderActivity(turn_id="t", request_id="r", event=TextStart(index=2)))
    recorder.close()
    events, _, _ = load_events(connect(database), "s")
    joined = [each.event.event.text for each in events if isinstance(each.event.event, TextDelta)]
    assert joined == ["ab", "c", "d"]
