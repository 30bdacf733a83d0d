from patchbay.app.engine.database import connect
from patchbay.app.engine.drafts import load_draft, save_draft
from patchbay.app.engine.state import PromptEntry, SessionState
from patchbay.providers.redact import remember_secret


def test_a_draft_comes_back_and_a_blank_one_is_none(tmp_path):
    connection = connect(tmp_path / "p.db")
    state = SessionState(session_id="s")
    assert load_draft(connection, state) == ""
    save_draft(connection, "s", "an unfinished\nthought \ud800", at=1.0)
    assert load_draft(connection, state) == "an unfinished\nthought ?"
    assert load_draft(connection, SessionState(session_id="other")) == ""
    save_draft(connection, "s", "  \n", at=2.0)
    assert load_draft(connection, state) == ""


def test_what_was_sent_after_it_was_kept_is_no_draft(tmp_path):
    connection = connect(tmp_path / "p.db")
    save_draft(connection, "s", "go on", at=5.0)
    sent = PromptEntry(prompt_id="p", text="go on", at=6.0)
    assert load_draft(connection, SessionState(session_id="s", transcript=(sent,))) == ""
    assert load_draft(connection, SessionState(session_id="s", queued=(sent,))) == ""
    earlier = PromptEntry(prompt_id="p", text="go on", at=4.0)
    assert load_draft(connection, SessionState(session_id="s", transcript=(earlier,))) == "go on"


def test_no_key_gets_to_disk(tmp_path):
    remember_secret("sk-topsecret-1234567890")
    connection = connect(tmp_path / "p.db")
    save_draft(connection, "s", "use sk-topsecret-1234567890", at=1.0)
    assert "topsecret" not in load_draft(connection, SessionState(session_id="s"))
