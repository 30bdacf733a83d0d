from patchbay.app.engine import archive
from patchbay.app.engine.archive_views import last_messages, session_prompts
from patchbay.app.engine.bus import MessageBus
from patchbay.app.engine.database import connect, load_events
from patchbay.app.engine.events import PromptQueued, PromptSubmitted, Rewound, SessionStarted, TitleProposed
from patchbay.app.engine.recorder import Recorder
from patchbay.app.engine.state import SessionState
from patchbay.app.engine.store import SessionStore
from patchbay.providers.base import ModelRef
from support.journals import written_session


def written(database, *events):
    bus = MessageBus(SessionStore(SessionState(session_id="session-a")))
    recorder = Recorder(database)
    bus.attach(recorder.sink)
    bus.publish(SessionStarted(folder="/a", version="test"))
    for event in events:
        bus.publish(event)
    recorder.close()
    return connect(database)


def prompt(name):
    return PromptSubmitted(prompt_id=name, text=f"prompt {name}")


def replayed(connection, session_id):
    events, _, problems = load_events(connection, session_id)
    assert problems == []
    return SessionStore(SessionState(session_id=session_id)).replay(events)


def test_the_newest_messages_come_last(tmp_path):
    written_session(tmp_path / "p.db", "session-a", prompts=3)
    shown = last_messages(connect(tmp_path / "p.db"), "session-a", limit=3)
    assert [each.kind for each in shown] == ["answer", "prompt", "answer"]
    assert shown[1].text == "Question 2 about the harbour"


def test_what_a_rewind_took_out_is_no_place_to_fork(tmp_path):
    connection = written(
        tmp_path / "p.db",
        prompt("1"),
        prompt("2"),
        prompt("3"),
        Rewound(prompt_id="3", conversation=False, files=True),
        Rewound(prompt_id="2", conversation=True, files=False),
        prompt("4"),
    )
    prompts = session_prompts(connection, "session-a")
    assert [each.prompt_id for each in prompts] == ["1", "4"]
    assert [each.prompt_id for each in replayed(connection, "session-a").transcript] == ["1", "4"]
    archive.fork(connection, "session-a", "session-f", at=1.0, before_prompt="4")
    assert [each.prompt_id for each in session_prompts(connection, "session-f")] == ["1"]


def test_what_a_rewind_took_out_is_not_previewed(tmp_path):
    connection = written(
        tmp_path / "p.db",
        prompt("1"),
        prompt("2"),
        Rewound(prompt_id="2", conversation=False, files=True),
        prompt("3"),
        Rewound(prompt_id="3", conversation=True, files=False),
        prompt("4"),
    )
    assert [each.text for each in last_messages(connection, "session-a", limit=2)] == ["prompt 2", "prompt 4"]
    assert [each.text for each in last_messages(connection, "session-a")] == ["prompt 1", "prompt 2", "prompt 4"]


def test_a_prompt_that_waits_is_not_sent_twice_by_a_copy(tmp_path):
    queued = [PromptQueued(prompt_id=name, text=f"prompt {name}") for name in ("2", "3")]
    connection = written(tmp_path / "p.db", prompt("1"), *queued, prompt("2"))
    archive.fork(connection, "session-a", "session-f", at=1.0)
    archive.fork(connection, "session-a", "session-g", at=1.0, before_prompt="2")
    assert replayed(connection, "session-f").queued == ()
    assert replayed(connection, "session-g").queued == ()
    assert [each.prompt_id for each in session_prompts(connection, "session-f")] == ["1", "2"]
    assert [each.prompt_id for each in replayed(connection, "session-a").queued] == ["3"]


def test_a_model_s_title_is_listed_and_a_person_s_name_stands_above_it(tmp_path):
    proposed = TitleProposed(title="Lamp timing", ref=ModelRef(provider="small", model="tiny"))
    connection = written(tmp_path / "p.db", prompt("1"), proposed, prompt("2"))
    assert [(row.title, row.named) for row in archive.list_sessions(connection)] == [("Lamp timing", False)]
    assert replayed(connection, "session-a").title == "Lamp timing"
    archive.rename(connection, "session-a", "Mine")
    assert [(row.title, row.named) for row in archive.list_sessions(connection)] == [("Mine", True)]
    archive.fork(connection, "session-a", "session-f", at=1.0)
    assert [row.title for row in archive.list_sessions(connection) if row.forked] == ["Mine"]


def test_removals_come_back_newest_first(tmp_path):
    for name in ("a", "b", "c"):
        written_session(tmp_path / "p.db", f"session-{name}")
    connection = connect(tmp_path / "p.db")
    archive.remove(connection, "session-a", at=2.0)
    archive.remove(connection, "session-b", at=1.0)
    assert archive.restore_last(connection).session_id == "session-a"
    assert archive.restore_last(connection).session_id == "session-b"
    assert archive.restore_last(connection) is None
    assert len(archive.list_sessions(connection)) == 3
