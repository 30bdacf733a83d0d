"""Files in the context that something else changes."""

import asyncio
import os
from dataclasses import replace
from pathlib import Path

import pytest

from patchbay.app.engine.context_report import Part, context_report
from patchbay.app.engine.events import Attachment, AttachmentKind, FilesWentStale
from patchbay.app.engine.state import PromptEntry
from patchbay.providers.scripted import ScriptedProvider, answer, end, text, tool_call
from patchbay.tools import freshness
from patchbay.tools.freshness import Freshness, file_seen
from support.sessions import FakeToolbox, make_session, until


def reading(folder: Path):
    async def read(arguments, emit, _approve):
        data = (folder / arguments["path"]).read_bytes()
        emit(file_seen("r", arguments["path"], data))
        return data.decode()

    async def edit(arguments, emit, _approve):
        (folder / arguments["path"]).write_text("by the agent")
        emit(file_seen("r", arguments["path"], b"by the agent"))
        return "done"

    return FakeToolbox(read=read, edit=edit)


def session_in(folder: Path, *steps):
    session, recording = make_session(ScriptedProvider("fake", steps), toolbox=reading(folder), folder=folder)
    session._runner._wiring = replace(session._runner._wiring, stale=Freshness(folder).stale)
    return session, recording


async def test_the_model_is_told_once_with_the_prompt_and_the_meter_shows_it(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one")
    steps = (answer(tool_call("c", "read", {"path": "a.txt"}), end()), *[answer(text("ok"), end())] * 4)
    session, recording = session_in(tmp_path, *steps)
    session.submit("look")
    await session.wait_idle()
    assert session.state.stale_files == ()
    (tmp_path / "a.txt").write_text("other")
    session.submit("and now?")
    await session.wait_idle()
    assert recording.of(FilesWentStale) == [FilesWentStale(paths=("a.txt",))]
    prompts = [entry for entry in session.state.transcript if isinstance(entry, PromptEntry)]
    assert "changed since, by something else: a.txt" in prompts[-1].note and not prompts[0].note
    report = context_report(session.state, session.next_request(), session.state.model)
    (item,) = report.items
    assert (item.part, item.name, item.stale) == (Part.FILES, "a.txt", True)
    session.submit("again")
    await session.wait_idle()
    assert not session.state.transcript[-2].note  # no news
    (tmp_path / "a.txt").write_text("one")
    await session.look_at_files()
    assert session.state.stale_files == ()


async def test_what_the_agent_writes_itself_is_no_news(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one")
    steps = (
        answer(tool_call("c", "read", {"path": "a.txt"}), end()),
        answer(tool_call("d", "edit", {"path": "a.txt"}), end()),
        answer(text("ok"), end()),
        answer(text("ok"), end()),
    )
    session, recording = session_in(tmp_path, *steps)
    session.submit("change it")
    await session.wait_idle()
    session.submit("go on")
    await session.wait_idle()
    assert not recording.of(FilesWentStale)


async def test_a_change_found_between_prompts_waits_for_the_next_and_a_mention_settles_it(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one")
    session, _ = session_in(tmp_path, *[answer(text("ok"), end())] * 3)
    seen = file_seen("", "a.txt", b"one")
    attachment = Attachment(kind=AttachmentKind.FILE, source="a.txt", text="one", digest=seen.digest)
    session.submit("look", (attachment,))
    await session.wait_idle()
    (tmp_path / "a.txt").unlink()
    await session.look_at_files()
    assert session.state.stale_files == session.state.untold_stale == ("a.txt",)
    (tmp_path / "a.txt").write_text("two")
    anew = Attachment(kind=AttachmentKind.FILE, source="a.txt", text="two", digest=file_seen("", "a", b"two").digest)
    session.submit("here it is", (anew,))
    await session.wait_idle()
    assert session.state.stale_files == session.state.untold_stale == ()


async def test_a_change_found_while_a_prompt_is_answered_waits_for_the_next(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("one")
    gate = asyncio.Event()

    async def held(_request):
        for event in answer(text("so far"), end()):
            yield event
            await gate.wait()

    read = answer(tool_call("c", "read", {"path": "a.txt"}), end())
    steps = (read, answer(text("ok"), end()), held, answer(text("ok"), end()))
    session, _ = session_in(tmp_path, *steps)
    session.submit("look")
    await session.wait_idle()
    session.submit("what is in it?")
    await until(lambda: session.state.answer is not None)
    (tmp_path / "a.txt").write_text("other")
    await session.look_at_files()
    assert session.state.untold_stale == ("a.txt",)
    sent = [entry for entry in session.state.transcript if isinstance(entry, PromptEntry)][-1]
    assert not sent.note  # it was sent without it
    gate.set()
    await session.wait_idle()
    session.submit("and now?")
    await session.wait_idle()
    assert "a.txt" in session.state.transcript[-2].note
    assert session.state.untold_stale == ()


async def test_a_file_that_was_not_touched_is_not_read_again(tmp_path: Path, monkeypatch) -> None:
    file = tmp_path / "a.txt"
    file.write_text("one")
    look = Freshness(tmp_path)
    known = {"a.txt": file_seen("", "a.txt", b"one").digest, "gone.txt": "", "odd\0name": ""}
    assert await look.stale(known) == ()
    monkeypatch.setattr(freshness, "read_file", lambda *_: pytest.fail("read again"))
    assert await look.stale(known) == ()


async def test_a_pipe_in_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    """Somebody may put one there: the next prompt must go out all the same."""
    (tmp_path / "a.txt").write_text("one")
    look, known = Freshness(tmp_path), {"a.txt": file_seen("r", "a.txt", b"one").digest}
    assert await look.stale(known) == ()
    (tmp_path / "a.txt").unlink()
    os.mkfifo(tmp_path / "a.txt")
    waiting = asyncio.create_task(look.stale(known))
    done, _ = await asyncio.wait([waiting], timeout=10)
    if not done:  # let the thread that hangs come to its end
        os.close(os.open(tmp_path / "a.txt", os.O_WRONLY))
    assert done and waiting.result() == ("a.txt",)
