import json
import os
import re
from html.parser import HTMLParser

import pytest

from patchbay.app.cli import main
from patchbay.app.cli.transcript_html import to_html
from patchbay.app.cli.transcript_text import to_markdown
from patchbay.app.engine.database import connect
from patchbay.app.engine.session_lock import SessionLock
from patchbay.app.paths import find_paths
from support.journals import written_session

HOSTILE = "<script>alert(1)</script> ![x](http://evil.test/p.png) [go](javascript:alert(1)) \x1b]52;c;QQ==\x07"


@pytest.fixture
def database(environ):
    return find_paths(environ).database


@pytest.fixture
def environ():
    import os

    return os.environ


def run(capsys, *words):
    code = main(["sessions", *words])
    out, err = capsys.readouterr()
    return code, out, err


def test_without_any_session_the_answer_says_so(capsys):
    code, out, err = run(capsys, "list")
    assert (code, out) == (2, "")
    assert "no sessions yet" in err


def test_list_search_remove_and_restore(database, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written_session(database, "session-abc", folder=str(tmp_path))
    written_session(database, "session-xyz", folder="/elsewhere", text="Nothing of that kind.")
    assert run(capsys, "list")[1].startswith("session-abc")
    rows = json.loads(run(capsys, "list", "--all", "--json")[1])["sessions"]
    assert {row["id"] for row in rows} == {"session-abc", "session-xyz"}
    code, out, _ = run(capsys, "search", "lighth")
    assert code == 0
    assert "lighthouse" in out
    assert run(capsys, "search", "zebra")[0] == 1
    assert "session-abc" in run(capsys, "rm", "abc")[1]
    assert run(capsys, "list")[1] == ""
    assert "session-abc" in run(capsys, "list", "--removed")[1]
    run(capsys, "restore", "abc")
    run(capsys, "rename", "abc", "Harbour", "lights")
    assert "Harbour lights" in run(capsys, "list")[1]


def test_an_unknown_or_unclear_id_is_named(database, capsys):
    written_session(database, "session-abc1")
    written_session(database, "session-abc2")
    code, _, err = run(capsys, "export", "abc")
    assert code == 2
    assert "session-abc1" in err
    assert "beginning of 2" in err
    code, _, err = run(capsys, "rm", "nope\x1b[2J")
    assert code == 2
    assert "\x1b" not in err


def test_an_export_comes_back_in(database, capsys, tmp_path):
    written_session(database, "session-abc")
    file = tmp_path / "out.jsonl"
    assert run(capsys, "export", "abc", "--format", "jsonl", "-o", str(file))[0] == 0
    assert file.stat().st_mode & 0o077 == 0
    code, _, err = run(capsys, "export", "abc", "-o", str(file))
    assert code == 2
    assert "--force" in err
    code, out, _ = run(capsys, "import", str(file))
    assert code == 0
    new = out.split()[0]
    rows = json.loads(run(capsys, "list", "--all", "--json")[1])["sessions"]
    assert {row["id"] for row in rows} == {"session-abc", new}
    (tmp_path / "notes.md").write_text("# no session")
    code, _, err = run(capsys, "import", str(tmp_path / "notes.md"))
    assert code == 2
    assert "no exported session" in err


def test_an_import_says_what_it_left_out_and_the_title_that_is_listed(database, capsys, tmp_path):
    written_session(database, "session-abc")
    file = tmp_path / "out.jsonl"
    run(capsys, "rename", "abc", "Lights " * 20)
    run(capsys, "export", "abc", "--format", "jsonl", "-o", str(file))
    file.write_text("\ufeff" + file.read_text().replace('"TurnEnded"', '"FromTheFuture"', 1) + '{"seq":\n')
    code, out, _ = run(capsys, "import", str(file))
    assert code == 0, "an editor may have put a byte order mark before it"
    assert "2 lines could not be read and are left out" in out
    assert out.split("  ")[1] in run(capsys, "list", "--all")[1]


def test_an_endless_file_is_refused(database, capsys):
    code, _, err = run(capsys, "import", "/dev/zero")
    assert code == 2
    assert "no exported session" in err


def test_a_folder_is_no_file_to_export_to(database, capsys, tmp_path):
    written_session(database, "session-abc")
    code, _, err = run(capsys, "export", "abc", "-o", str(tmp_path))
    assert code == 2
    assert "is a folder" in err
    assert "--force" not in err


def test_a_new_name_is_confirmed(database, capsys):
    written_session(database, "session-abc")
    assert run(capsys, "rename", "abc", "Harbour", "lights")[1] == "Renamed session-abc  Harbour lights\n"
    assert run(capsys, "rename", "abc")[1] == "Renamed session-abc  Question 0 about the harbour\n"


def test_nothing_is_removed_when_one_of_the_ids_is_wrong(database, capsys):
    written_session(database, "session-abc")
    assert run(capsys, "rm", "abc", "nope")[0] == 2
    assert "session-abc" in run(capsys, "list", "--all")[1]
    run(capsys, "rm", "abc")
    assert run(capsys, "restore", "abc", "nope")[0] == 2
    assert "session-abc" in run(capsys, "list", "--removed", "--all")[1]


def test_a_session_that_is_open_is_not_removed(database, capsys):
    written_session(database, "session-abc")
    lock = SessionLock(find_paths(os.environ).locks, "session-abc")
    assert lock.acquire()
    code, _, err = run(capsys, "rm", "abc")
    lock.release()
    assert code == 2
    assert "open in another Patchbay" in err
    assert "session-abc" in run(capsys, "list", "--all")[1]


@pytest.mark.parametrize("words", [("list", "--limit", "0"), ("search", "harbour", "--limit", "-1")])
def test_a_limit_is_at_least_one(database, capsys, words):
    written_session(database, "session-abc")
    code, out, err = run(capsys, *words)
    assert (code, out) == (2, "")
    assert "must be 1 or more" in err


class Tags(HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen = []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))


def test_an_exported_page_runs_and_loads_nothing(database):
    state = written_session(database, "session-abc", text=HOSTILE)
    page = to_html(state, f"title {HOSTILE}")
    tags = Tags()
    tags.feed(page)
    assert not {"script", "img", "iframe", "link", "object", "embed", "form"} & {tag for tag, _ in tags.seen}
    for _, attributes in tags.seen:
        assert not any(name.startswith("on") for name in attributes)
        assert not str(attributes.get("href", "")).lower().startswith(("javascript", "data", "vbscript"))
    assert "default-src 'none'" in page
    assert "\x1b" not in page
    assert "alert(1)" in page, "the text is readable, only not active"
    assert "Question 1 about the harbour" in page
    assert "a\nb" in page, "the tool result"


def test_an_exported_text_keeps_the_conversation(database):
    state = written_session(database, "session-abc", text="Use `x`.\n```py\nprint(1)\n```")
    text = to_markdown(state, "My title")
    assert text.startswith("# My title\n")
    assert "> Question 0 about the harbour" in text
    assert "```py\nprint(1)\n```" in text
    assert "**bash: ls (exit 0)**" in text
    assert re.search(r"2 calls, \$0\.50", text)


def test_the_database_is_untouched_by_reading(database, capsys):
    written_session(database, "session-abc")
    before = connect(database).execute("SELECT count(*) FROM events").fetchone()
    run(capsys, "export", "abc", "--format", "html")
    assert connect(database).execute("SELECT count(*) FROM events").fetchone() == before


def test_a_session_is_forked_before_a_prompt_by_number(database, capsys):
    written_session(database, "session-abc", prompts=3)
    code, out, err = run(capsys, "fork", "abc", "--before", "3")
    assert code == 0
    copy = out.split()[0]
    assert f"--resume {copy}" in err
    rows = {row["id"]: row for row in json.loads(run(capsys, "list", "--all", "--json")[1])["sessions"]}
    assert (rows["session-abc"]["prompts"], rows[copy]["prompts"]) == (3, 2)
    code, _, err = run(capsys, "fork", "abc", "--before", "7")
    assert code == 2
    assert "2  Question 1 about the harbour" in err
    assert run(capsys, "fork", "abc")[0] == 0


def test_pruning_says_what_it_would_do_and_leaves_the_ledger(database, capsys):
    written_session(database, "session-abc")
    written_session(database, "session-new", started=4_000_000_000.0)
    assert "kept 30 days" in run(capsys, "prune")[2]
    assert run(capsys, "prune", "--keep-days", "9", "--dry-run")[1].startswith("Would delete session-abc")
    assert "session-abc" in run(capsys, "list", "--all")[1]
    assert run(capsys, "prune", "--keep-days", "9")[1].startswith("Deleted session-abc")
    assert "session-abc" not in run(capsys, "list", "--all")[1]
    assert connect(database).execute("SELECT count(*) FROM calls WHERE session_id = 'session-abc'").fetchone()[0] == 2
    assert run(capsys, "prune", "--keep-days", "-1")[0] == 2


def test_the_settings_say_how_long_sessions_are_kept(database, capsys, own_home):
    written_session(database, "session-abc")
    config = own_home / ".config/patchbay/config.toml"
    config.parent.mkdir(parents=True)
    config.write_text("[sessions]\nkeep_days = 9\n")
    assert "session-abc" in run(capsys, "prune", "--dry-run")[1]
    config.write_text("[sessions]\nkeep_days = -1\n")
    code, _, err = run(capsys, "prune", "--dry-run")
    assert code == 2
    assert "sessions.keep_days" in err


def test_a_session_without_prompts_is_forked_whole(database, capsys):
    written_session(database, "session-abc", prompts=0)
    code, _, err = run(capsys, "fork", "abc", "--before", "1")
    assert code == 2
    assert "There are" not in err
    assert "without --before" in err
