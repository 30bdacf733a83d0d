"""Undo, redo and rewind of a whole session: files, conversation, what the model is told, and another process."""

from pathlib import Path

import pytest

from patchbay.app.engine.codec import decode_event, encode
from patchbay.app.engine.events import FilesRestored, Rewound
from patchbay.app.engine.history import history
from patchbay.app.engine.reduce_restore import put_back
from patchbay.app.engine.state import FileDiff, PromptEntry, SessionState
from patchbay.providers.messages import TextBlock, UserMessage
from patchbay.tools.checkpoints import SessionCheckpoints
from patchbay.tools.events import Fate, FileFate, RestoreKind
from support.undo_session import undo_session

WRITE_A = ("write", {"path": "a.txt", "content": "one\n"})
WRITE_B = ("write", {"path": "b.txt", "content": "two\n"})
BASH_C = ("bash", {"command": "echo three > c.txt; rm -f a.txt"})


async def say(session, *prompts: str) -> None:
    for prompt in prompts:
        session.submit(prompt)
        await session.wait_idle()


def prompts(session) -> list[PromptEntry]:
    return [entry for entry in session.state.transcript if isinstance(entry, PromptEntry)]


def texts(message: UserMessage) -> list[str]:
    return [block.text for block in message.blocks if isinstance(block, TextBlock)]


async def test_undo_tells_the_model_with_the_next_prompt_and_not_in_the_words_of_the_person(tmp_path: Path) -> None:
    session, provider = undo_session(tmp_path, WRITE_A, WRITE_B)
    await say(session, "make a")
    sent = provider.requests[-1].messages
    assert await session.undo() == ""
    assert not (tmp_path / "work/a.txt").exists() and session.state.files == ()
    await say(session, "make b")
    request = provider.requests[2].messages
    assert request[: len(sent)] == sent, "what was sent before keeps every byte"
    note, own = texts(request[-1])
    assert "not from the user" in note and "a.txt" in note and own == "make b"
    await session.aclose()


async def test_a_command_is_undone_and_its_files_are_in_the_diff_list(tmp_path: Path) -> None:
    session, _ = undo_session(tmp_path, WRITE_A, BASH_C)
    await say(session, "make a", "make c")
    assert {file.path for file in session.state.files} == {"a.txt", "c.txt"}
    assert await session.undo() == ""
    work = tmp_path / "work"
    assert (work / "a.txt").read_text() == "one\n" and not (work / "c.txt").exists()
    assert [(file.path, file.after) for file in session.state.files] == [("a.txt", "one\n")]
    assert await session.redo() == ""
    assert not (work / "a.txt").exists() and (work / "c.txt").read_text() == "three\n"
    await session.aclose()


async def test_rewind_of_the_conversation_drops_it_from_the_history_and_keeps_the_journal(tmp_path: Path) -> None:
    session, provider = undo_session(tmp_path, WRITE_A, WRITE_B, BASH_C)
    await say(session, "make a", "make b")
    second = prompts(session)[1].prompt_id
    assert await session.rewind(second, files=False, conversation=True) == ""
    assert (tmp_path / "work/b.txt").exists()
    assert [entry.text for entry in prompts(session)] == ["make a"]
    await say(session, "make c")
    request = provider.requests[4].messages
    assert "make b" not in str(request)
    note, own = texts(request[-1])
    assert "b.txt" in note and own == "make c"
    assert session.state.totals.calls == 6, "what was paid stays paid"
    await session.aclose()


async def test_rewind_of_both_needs_no_note(tmp_path: Path) -> None:
    session, _ = undo_session(tmp_path, WRITE_A, WRITE_B)
    await say(session, "make a", "make b")
    assert await session.rewind(prompts(session)[1].prompt_id, files=True, conversation=True) == ""
    assert not (tmp_path / "work/b.txt").exists() and (tmp_path / "work/a.txt").exists()
    assert "patchbay-note" not in str(history(session.state))
    assert await session.rewind("gone", files=True, conversation=True) != ""
    await session.aclose()


async def test_undo_works_in_the_next_process_and_its_state_is_the_same_after_replay(tmp_path: Path) -> None:
    session, _ = undo_session(tmp_path, WRITE_A, WRITE_B)
    await say(session, "make a", "make b")
    assert await session.undo() == ""
    await session.aclose()
    state = session.state
    again, _ = undo_session(tmp_path, resume=True)
    assert again.state.files == state.files
    assert history(again.state) == history(state)
    assert await again.redo() == ""
    assert (tmp_path / "work/b.txt").exists()
    assert await again.undo() == "" and await again.undo() == ""
    assert list((tmp_path / "work").iterdir()) == []
    assert "nothing to undo" in await again.undo()
    await again.aclose()


async def test_a_cut_off_undo_is_finished_when_the_session_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    async def killed(*_: object, **__: object) -> None:
        raise Killed

    session, _ = undo_session(tmp_path, WRITE_A)
    await say(session, "make a")
    with monkeypatch.context() as patch:
        patch.setattr(SessionCheckpoints, "settle", killed)
        patch.setattr(session.bus, "publish", lambda _event: None)  # the event is lost with the process
        with pytest.raises(Killed):
            await session.undo()
    await session.aclose()
    again, _ = undo_session(tmp_path, resume=True)
    assert [file.path for file in again.state.files] == ["a.txt"]
    assert await again.finish_restoring() == ""
    assert again.state.files == () and "a.txt" in str(history(again.state))
    assert await again.finish_restoring() == ""
    assert "nothing to undo" in await again.undo()
    await again.aclose()


async def test_refused_while_a_turn_runs(tmp_path: Path) -> None:
    session, _ = undo_session(tmp_path, ("bash", {"command": "sleep 30"}))
    session.submit("wait")
    for refused in (session.undo(), session.redo(), session.rewind("p", files=True, conversation=True)):
        assert "A turn runs" in await refused
    session.cancel()
    await session.wait_idle()
    await session.aclose()


async def test_a_cancelled_command_can_be_undone(tmp_path: Path) -> None:
    session, _ = undo_session(tmp_path, ("bash", {"command": "echo x > made; sleep 60"}))
    session.submit("go")
    made = tmp_path / "work/made"
    while not (made.exists() and made.read_text()):
        await __import__("asyncio").sleep(0.01)
    session.cancel()
    await session.wait_idle()
    assert await session.undo() == ""
    assert not made.exists()
    await session.aclose()


def test_the_events_survive_the_journal() -> None:
    fate = FileFate(path="a", fate=Fate.KEPT, why="changed since")
    for event in (
        FilesRestored(restore_id=3, kind=RestoreKind.REWIND, files=(fate,), conversation=True),
        Rewound(prompt_id="p", conversation=True, files=False, changed=("a", "b")),
    ):
        assert decode_event(encode(event)) == event


def test_a_file_that_undo_takes_away_is_shown_as_deleted():
    fate = FileFate(path="new.py", fate=Fate.RESTORED, before="x\n", after=None, deleted=True)
    state = SessionState(files=(FileDiff(path="new.py", before="old\n", after="x\n", created=False, changes=1),))
    event = FilesRestored(restore_id=1, kind=RestoreKind.UNDO, files=(fate,))
    (diff,) = put_back(state, event, 1.0).files
    assert diff.deleted
    assert (diff.before, diff.after, diff.changes) == ("old\n", None, 2)
