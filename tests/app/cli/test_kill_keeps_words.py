"""A process that is killed loses neither what stood unsent in the prompt nor what waited behind a running turn."""

import os
import signal
import subprocess
import sys

import pytest

from patchbay.app.cli.opening import open_journal
from patchbay.app.cli.retention import Retention
from patchbay.app.cli.session_shelf import SessionShelf
from patchbay.app.engine.events import PromptSubmitted
from patchbay.app.engine.handoff import Prepared
from patchbay.app.engine.session import Parts, Session
from patchbay.app.engine.state import PromptEntry
from patchbay.app.paths import find_paths
from patchbay.providers.scripted import ScriptedProvider, answer, end, text, usage
from support.sessions import FakeToolbox, Providers, Recording, cost_of

VICTIM = """
import asyncio, os, sys
from patchbay.app.cli.opening import open_journal
from patchbay.app.cli.retention import Retention
from patchbay.app.cli.session_shelf import SessionShelf
from patchbay.app.engine.handoff import Prepared
from patchbay.app.engine.session import Parts, Session
from patchbay.app.paths import find_paths
from patchbay.providers.events import ResponseStart, TextDelta, TextStart
from patchbay.providers.scripted import ScriptedProvider
from support.sessions import FakeToolbox, Providers, cost_of, model

async def endless(_request):
    yield ResponseStart()
    yield TextStart(index=0)
    yield TextDelta(index=0, text="and so on")
    await asyncio.Event().wait()

async def main():
    paths = find_paths(os.environ)
    journal = open_journal(paths, "/work")
    provider = ScriptedProvider("fake", [endless])
    session = Session(journal.bus, Parts(
        directory=Providers(provider), toolbox=FakeToolbox(), cost_of=cost_of, durable=journal.recorder.durable,
        prepare=lambda messages, ref, dialect, *, continuation: Prepared(messages=messages, changes=()),
    ))
    session.select_model(model("fake"), "scripted")
    shelf = SessionShelf(paths, lambda: session.state, Retention())
    session.submit("first")
    while session.state.answer is None or not session.state.answer.parts:
        await asyncio.sleep(0.01)
    session.submit("second, while it runs")
    session.submit("third")
    shelf.keep_draft("an unfinished thought")
    await journal.recorder.durable()
    await shelf.draft()  # the same thread: what was given before is on disk
    print(session.state.session_id, flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@pytest.fixture
def killed(tmp_path):
    """The id of a session whose process was killed in mid-answer."""
    support = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    environ = {**os.environ, "PYTHONPATH": support}
    process = subprocess.Popen([sys.executable, "-c", VICTIM], stdout=subprocess.PIPE, text=True, env=environ)
    session_id = process.stdout.readline().strip()
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert session_id.startswith("session-")
    return session_id


def resumed(session_id):
    paths = find_paths(os.environ)
    journal = open_journal(paths, "/work", session=session_id)
    provider = ScriptedProvider("fake", [answer(text("Done."), usage(10, 5), end())] * 3)
    parts = Parts(
        directory=Providers(provider),
        toolbox=FakeToolbox(),
        prepare=lambda messages, ref, dialect, *, continuation: Prepared(messages=messages, changes=()),
        cost_of=cost_of,
        durable=journal.recorder.durable,
    )
    session = Session(journal.bus, parts)
    return session, SessionShelf(paths, lambda: session.state, Retention()), journal, provider


async def test_what_was_typed_and_what_waited_is_there_again_and_nothing_is_sent_by_itself(killed):
    session, shelf, journal, provider = resumed(killed)
    assert [entry.text for entry in session.state.queued] == ["second, while it runs", "third"]
    assert await shelf.draft() == "an unfinished thought"
    await session.finish_restoring()
    assert not session.busy
    assert provider.requests == []
    recording = Recording(session.bus)
    assert session.retry()
    await session.wait_idle()
    assert [event.text for event in recording.of(PromptSubmitted)] == ["second, while it runs", "third"]
    assert session.state.queued == ()
    shelf.close()
    journal.close()
    again, shelf, journal, _ = resumed(killed)
    assert again.state.queued == ()
    prompts = [entry.text for entry in again.state.transcript if isinstance(entry, PromptEntry)]
    assert prompts == ["first", "second, while it runs", "third"]
    shelf.close()
    journal.close()


async def test_another_prompt_goes_after_those_that_waited(killed):
    session, shelf, journal, _ = resumed(killed)
    session.submit("fourth")
    await session.wait_idle()
    prompts = [entry.text for entry in session.state.transcript if isinstance(entry, PromptEntry)]
    assert prompts == ["first", "second, while it runs", "third", "fourth"]
    shelf.close()
    journal.close()


async def test_what_waited_can_be_taken_back_for_good(killed):
    session, shelf, journal, _ = resumed(killed)
    assert [entry.text for entry in session.withdraw()] == ["second, while it runs", "third"]
    assert session.withdraw() == ()
    assert session.state.queued == ()
    shelf.close()
    journal.close()
    again, shelf, journal, _ = resumed(killed)
    assert again.state.queued == ()
    assert again.retry(), "the answer that broke off can still be asked for"
    await again.wait_idle()
    shelf.close()
    journal.close()
