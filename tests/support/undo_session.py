"""A whole session with the real tools, checkpoints and journal, whose model makes one given call for each prompt."""

from pathlib import Path
from typing import Any

from patchbay.app.engine.bus import MessageBus
from patchbay.app.engine.database import connect, load_events
from patchbay.app.engine.events import SessionStarted
from patchbay.app.engine.handoff import Prepared
from patchbay.app.engine.recorder import Recorder
from patchbay.app.engine.repair import repair
from patchbay.app.engine.session import Parts, Session
from patchbay.app.engine.state import SessionState
from patchbay.app.engine.store import SessionStore
from patchbay.providers.scripted import ScriptedProvider, answer, end, text, tool_call
from patchbay.tools.checkpoints import SessionCheckpoints
from patchbay.tools.policy import Policy, Rule
from patchbay.tools.toolbox import LocalToolbox
from support.sessions import Providers, cost_of, model

ALLOWED = ("write:**", "edit:**", "bash:**")
SESSION = "s1"


def undo_session(
    base: Path, *calls: tuple[str, dict[str, Any]], resume: bool = False, checkpoints: Any = None
) -> tuple[Session, ScriptedProvider]:
    """A session in ``base/work``; ``resume`` goes on with the one that was there before."""
    work = base / "work"
    work.mkdir(parents=True, exist_ok=True)
    steps = []
    for number, (name, arguments) in enumerate(calls):
        steps += [answer(tool_call(f"c{number}", name, arguments), end()), answer(text(f"did {number}"), end())]
    provider = ScriptedProvider("fake", steps)
    store, first_seq = SessionStore(SessionState(session_id=SESSION)), 1
    database = base / "sessions.db"
    if resume:
        connection = connect(database)
        events, last, problems = load_events(connection, SESSION)
        connection.close()
        assert not problems
        store.replay(events)
        first_seq = last + 1
    bus = MessageBus(store, first_seq=first_seq)
    recorder = Recorder(database)
    bus.attach(recorder.sink)
    kept = checkpoints or SessionCheckpoints(base / "store", work, SESSION)
    toolbox = LocalToolbox(
        work,
        Policy([Rule.parse(rule, origin="test") for rule in ALLOWED]),
        state_folder=base / "state",
        checkpoints=kept,
    )
    parts = Parts(
        directory=Providers(provider),
        toolbox=toolbox,
        prepare=lambda messages, ref, dialect, *, continuation: Prepared(messages=messages, changes=()),
        cost_of=cost_of,
        durable=recorder.durable,
        checkpoints=kept,
    )
    session = Session(bus, parts)
    if resume:
        repair(bus, cost_of)
    else:
        bus.publish(SessionStarted(folder=str(work), version="test"))
    session.select_model(model("fake"), "scripted")
    return session, provider
