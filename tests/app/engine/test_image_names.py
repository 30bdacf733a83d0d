from patchbay.app.engine.bus import MessageBus
from patchbay.app.engine.database import connect
from patchbay.app.engine.drafts import save_draft
from patchbay.app.engine.events import Attachment, AttachmentKind, PromptSubmitted, SessionStarted
from patchbay.app.engine.image_names import named_by, sent_with, still_named
from patchbay.app.engine.recorder import Recorder
from patchbay.app.engine.state import SessionState
from patchbay.app.engine.store import SessionStore

ONE, TWO, THREE = (f"pasted-{digit * 12}.png" for digit in "abc")


def written(database, session_id, *texts, attachments=()):
    bus = MessageBus(SessionStore(SessionState(session_id=session_id)), clock=lambda: 1_700_000_000.0)
    recorder = Recorder(database)
    bus.attach(recorder.sink)
    bus.publish(SessionStarted(folder="/src/shop", version="test"))
    for number, text in enumerate(texts):
        bus.publish(PromptSubmitted(prompt_id=f"{session_id}-{number}", text=text, attachments=attachments))
    recorder.close()


def test_prompts_and_drafts_name_images(tmp_path):
    database = tmp_path / "p.db"
    written(database, "s1", f"look at @{ONE}, please", "and then?")
    written(database, "s2", "nothing")
    connection = connect(database)
    save_draft(connection, "s2", f"@{TWO} @{ONE}", at=1.0)
    assert named_by(connection, ["s1"]) == {ONE}
    assert named_by(connection, ["s2"]) == {ONE, TWO}
    assert named_by(connection, []) == set()
    assert still_named(connection, [ONE, TWO, THREE, "../etc", 'pasted-"']) == {ONE, TWO}


def test_what_went_along_with_a_prompt_is_in_the_journal(tmp_path):
    image = Attachment(kind=AttachmentKind.IMAGE, source=ONE, media_type="image/png", data_base64="iVBO")
    other = Attachment(kind=AttachmentKind.IMAGE, source="logo.png", media_type="image/png", data_base64="iVBO")
    file = Attachment(kind=AttachmentKind.FILE, source="a.py", text="1\tx")
    written(tmp_path / "p.db", "s1", "one", attachments=(file, image, other))
    connection = connect(tmp_path / "p.db")
    assert sent_with(connection, "s1", "s1-0") == [(ONE, "iVBO")]
    assert sent_with(connection, "s1", "s1-9") == []
    assert sent_with(connection, "s9", "s1-0") == []
