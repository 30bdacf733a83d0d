import json

from patchbay.app.cli.transcript_html import to_html
from patchbay.app.cli.transcript_text import to_markdown
from patchbay.app.engine.bus import MessageBus
from patchbay.app.engine.codec import encode, journal_text
from patchbay.app.engine.database import connect
from patchbay.app.engine.events import CommandStarted, PromptSubmitted, SessionStarted, ToolActivity
from patchbay.app.engine.recorder import Recorder
from patchbay.app.engine.state import SessionState
from patchbay.app.engine.store import SessionStore
from patchbay.app.engine.transfer import export_lines, import_lines
from patchbay.tools.events import Outcome, ToolOutputDelta, ToolRunFinished, ToolRunStarted


def run(bus, run_id, command, output, *, private):
    def tool(event):
        bus.publish(ToolActivity(turn_id="", request_id="", part_index=0, event=event))

    bus.publish(CommandStarted(run_id=run_id, command=command, private=private))
    tool(ToolRunStarted(run_id=run_id, name="!!" if private else "!", title=command))
    tool(ToolOutputDelta(run_id=run_id, text=output))
    tool(ToolRunFinished(run_id=run_id, outcome=Outcome.OK, content=output, summary="exit 0", duration_s=0.1))


def a_session(database):
    bus = MessageBus(SessionStore(SessionState(session_id="s")))
    recorder = Recorder(database)
    bus.attach(recorder.sink)
    bus.publish(SessionStarted(folder="/f", version="t"))
    run(bus, "own-1", "cat diary", "a private word", private=True)
    run(bus, "own-2", "make", 'public "CommandStarted" word', private=False)
    bus.publish(PromptSubmitted(prompt_id="p", text="hello"))
    recorder.close()
    return bus.store.state


def test_an_exported_journal_holds_the_public_ones_only(tmp_path):
    state = a_session(tmp_path / "a.db")
    connection = connect(tmp_path / "a.db")
    lines = list(export_lines(connection, "s"))
    whole = "\n".join(lines)
    assert "diary" not in whole
    assert "private word" not in whole
    assert "own-1" not in whole
    assert 'public \\"CommandStarted\\" word' in whole
    assert len(lines) == 1 + 1 + 4 + 1
    done = import_lines(connection, lines, "copy", at=1.0)
    assert done.left_out == 0
    assert [run.run_id for run in state.runs] == ["own-1", "own-2"]
    assert all(json.loads(line) for line in lines)


def test_documents_show_the_public_ones_only(tmp_path):
    state = a_session(tmp_path / "a.db")
    for document in (to_markdown(state, "t"), to_html(state, "t")):
        assert "diary" not in document
        assert "private word" not in document
        assert "$ make" in document
        assert "public" in document


def test_the_body_of_the_event_says_that_it_is_private():
    body = journal_text(encode(CommandStarted(run_id="own-1", command="x", private=True)))
    assert '"private":true' in body
