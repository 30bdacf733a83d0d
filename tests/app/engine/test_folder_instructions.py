"""Instructions of sub-folders, through whole sessions with scripted models."""

from itertools import pairwise

from patchbay.app.engine.codec import decode_stamped, encode
from patchbay.app.engine.context_report import Part, context_report
from patchbay.app.engine.events import (
    Attachment,
    AttachmentKind,
    Compacted,
    FolderInstructed,
    InstructionFile,
    NoticePosted,
)
from patchbay.app.engine.folder_instructions import Nested, told_of_folders
from patchbay.app.engine.kept_text import Shelf
from patchbay.app.engine.reducer import reduce
from patchbay.app.engine.state import SessionState
from patchbay.app.engine.state_codec import pack_state, unpack_state
from patchbay.providers.messages import ToolResultMessage, UserMessage
from patchbay.providers.scripted import ScriptedProvider, answer, end, text, tool_call, usage
from patchbay.tools.events import FileChanged, FileSeen
from support.sessions import FakeToolbox, make_session, model

SUB = InstructionFile(path="sub/AGENTS.md", text="Use tabs in sub.", digest="d1")
DEEP = InstructionFile(path="sub/deep/AGENTS.md", text="Never log here.", digest="d2")


class Tree:
    """What stands in some folders, and what was asked."""

    def __init__(self, *files: InstructionFile, remarks: tuple[str, ...] = ()) -> None:
        self.files = {file.path.rpartition("/")[0]: file for file in files}
        self.remarks = remarks
        self.asked: list[tuple[str, ...]] = []

    def find(self, paths):
        self.asked.append(paths)
        found = [file for folder, file in self.files.items() if any(path.startswith(f"{folder}/") for path in paths)]
        return Nested(files=tuple(found), remarks=self.remarks)


class Store:
    """Long texts beside a snapshot."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}

    def put(self, content):
        self.texts[str(len(self.texts))] = content
        return str(len(self.texts) - 1)


async def read(arguments, emit, approve):
    emit(FileSeen(run_id="?", path=arguments["path"], digest="d"))
    return f"1\tcontent of {arguments['path']}"


async def write(arguments, emit, approve):
    emit(FileChanged(run_id="?", path=arguments["path"], before="a", after="b"))
    return "written"


def calls(*paths, name="read"):
    return answer(
        *(tool_call(f"c{number}", name, {"path": path}, index=number) for number, path in enumerate(paths)),
        usage(input_tokens=100, output_tokens=10),
        end(),
    )


def done():
    return answer(text("done"), usage(input_tokens=100, output_tokens=10), end())


async def run(session, prompt="go"):
    session.submit(prompt)
    await session.wait_idle()


def session_with(tree, *scripts, window=8000, **behaviours):
    provider = ScriptedProvider("fake", [*scripts])
    session, recording = make_session(
        provider,
        toolbox=FakeToolbox(**({"read": read, "write": write} | behaviours)),
        select=model(window=window),
        nested=None if tree is None else tree.find,
    )
    return session, recording, provider


def results(request):
    return [message.content for message in request.messages if isinstance(message, ToolResultMessage)]


async def test_they_stand_behind_the_result_that_touched_the_folder_and_only_once():
    tree = Tree(SUB)
    session, recording, provider = session_with(
        tree, calls("top.py"), calls("sub/a.py", "sub/b.py"), calls("sub/c.py", name="write"), done()
    )
    await run(session)
    top, first, second, third = results(provider.requests[-1])
    assert top == "1\tcontent of top.py"
    assert first.startswith("1\tcontent of sub/a.py\n\nFrom the program, not from the tool or the user: ")
    assert first.endswith('<instructions path="sub/AGENTS.md" for="sub/">\nUse tabs in sub.\n</instructions>')
    assert (second, third) == ("1\tcontent of sub/b.py", "written")
    assert [event.files for event in recording.of(FolderInstructed)] == [(SUB,)]
    assert told_of_folders(session.state) == (SUB,)
    notices = [event.message for event in recording.of(NoticePosted)]
    assert notices == ["The model is told the instructions of sub/AGENTS.md."]
    assert tree.asked[1] == ("sub/a.py",)


async def test_nothing_that_was_sent_before_changes():
    session, _, provider = session_with(Tree(SUB, DEEP), calls("sub/a.py"), calls("sub/deep/b.py"), done(), done())
    await run(session)
    await run(session, "more")
    for before, after in pairwise(provider.requests):
        assert after.system == before.system
        assert after.messages[: len(before.messages)] == before.messages
    assert "Never log here." in results(provider.requests[-1])[1]
    assert "Use tabs" not in results(provider.requests[-1])[1]


async def test_changed_ones_are_brought_again_and_those_the_model_wrote_are_not():
    tree = Tree(SUB)
    own = InstructionFile(path="own/AGENTS.md", text="written by a model", digest="d3")
    session, recording, provider = session_with(
        tree, calls("sub/a.py"), done(), calls("sub/a.py"), calls("own/AGENTS.md", name="write"), calls("own/x"), done()
    )
    await run(session)
    tree.files = {"sub": InstructionFile(path=SUB.path, text="Use blanks.", digest="d9"), "own": own}
    await run(session, "again")
    assert [event.files[0].text for event in recording.of(FolderInstructed)] == ["Use tabs in sub.", "Use blanks."]
    assert "written by a model" not in "".join(results(provider.requests[-1]))


async def test_reading_the_file_itself_does_not_bring_it_twice():
    session, recording, _ = session_with(Tree(SUB), calls("sub/AGENTS.md"), calls("sub/a.py"), done())
    await run(session)
    (event,) = recording.of(FolderInstructed)
    assert event.run_id.endswith(session.state.runs[1].run_id)


async def test_what_was_compacted_away_is_brought_again():
    session, recording, provider = session_with(Tree(SUB), calls("sub/a.py"), done(), calls("sub/b.py"), done())
    await run(session, "look " * 200)
    assert session.compact() == ""
    await session.wait_idle()
    assert len(recording.of(Compacted)) == 1
    assert told_of_folders(session.state) == ()
    await run(session, "more")
    assert [event.files for event in recording.of(FolderInstructed)] == [(SUB,), (SUB,)]
    assert "Use tabs in sub." in results(provider.requests[-1])[-1]


async def test_long_ones_take_an_eighth_of_the_window_at_most_and_the_nearest_keep_theirs():
    outer = InstructionFile(path="sub/AGENTS.md", text="o" * 30_000, digest="d1")
    session, recording, _ = session_with(Tree(outer, DEEP), calls("sub/deep/a.py"), done(), window=16_000)
    await run(session)
    (event,) = recording.of(FolderInstructed)
    assert event.files[1] == DEEP
    assert len(event.files[0].text) < 6200
    assert "more characters do not fit]" in event.files[0].text


async def test_they_are_shown_as_instructions_and_survive_the_journal_and_a_snapshot():
    session, recording, _ = session_with(Tree(SUB), calls("sub/a.py"), done())
    await run(session)
    state = session.state
    report = context_report(state, session.next_request(), model(window=8000))
    (item,) = [item for item in report.items if item.part is Part.INSTRUCTIONS]
    assert item.name == "sub/AGENTS.md"
    assert report.parts[Part.INSTRUCTIONS] > 0
    (file,) = [item for item in report.items if item.part is Part.FILES]
    assert file.tokens < item.tokens
    assert abs(sum(report.parts.values()) - 8000) < 8
    again = SessionState(session_id="s1")
    for stamped in recording.stamped:
        again = reduce(again, decode_stamped(encode(stamped)))
    assert again.runs == state.runs

    store = Store()
    assert unpack_state(pack_state(state, store), Shelf(store.texts.get)).runs == state.runs


async def test_what_keeps_one_from_counting_is_said_once_and_without_a_tree_nothing_is_asked():
    session, recording, _ = session_with(
        Tree(remarks=("The model is not told sub/AGENTS.md.",)), calls("sub/a.py", "sub/b.py"), done()
    )
    await run(session)
    assert [event.message for event in recording.of(NoticePosted)] == ["The model is not told sub/AGENTS.md."]
    session, recording, _ = session_with(None, calls("sub/a.py"), done())
    await run(session)
    assert recording.of(FolderInstructed, NoticePosted) == []


def along(*paths, kind=AttachmentKind.FILE):
    return tuple(Attachment(kind=kind, source=path, text=f"content of {path}", digest="d") for path in paths)


async def send(session, text, attachments):
    session.submit(text, attachments)
    await session.wait_idle()


def asked(request):
    return [[block.text for block in each.blocks] for each in request.messages if isinstance(each, UserMessage)]


async def test_files_of_a_prompt_bring_them_before_its_words_and_a_tool_does_not_again():
    session, recording, provider = session_with(Tree(SUB, DEEP), calls("sub/a.py"), done(), done())
    await send(session, "fix it", along("top.py", "sub/a.py"))
    await send(session, "and this", along("sub/deep/b.py"))
    first, second = asked(provider.requests[-1])
    assert first[-1] == "fix it" and "content of sub/a.py" in first[1]
    assert first[-2].startswith("From the program, not from the tool or the user: ") and "Use tabs in sub." in first[-2]
    assert "Never log here." in second[-2] and second[-1] == "and this"
    assert results(provider.requests[-1]) == ["1\tcontent of sub/a.py"]
    assert [event.files for event in recording.of(FolderInstructed)] == [(SUB,), (DEEP,)]
    assert told_of_folders(session.state) == (SUB, DEEP)
    for before, after in pairwise(provider.requests):
        assert after.messages[: len(before.messages)] == before.messages


async def test_a_folder_of_a_prompt_brings_its_own_and_a_command_brings_none():
    tree = Tree(SUB)
    session, recording, _ = session_with(tree, done(), done())
    await send(session, "look", along("sub/x.py", kind=AttachmentKind.COMMAND))
    await send(session, "look", along("sub", kind=AttachmentKind.FOLDER))
    assert [event.files for event in recording.of(FolderInstructed)] == [(SUB,)]
    assert tree.asked == [("sub/any",)]


async def test_a_prompt_that_came_meanwhile_brings_its_own():
    session = None

    async def reading(arguments, emit, approve):
        session.submit("that one too", along("sub/deep/b.py"))
        return "read"

    session, _, provider = session_with(Tree(DEEP), calls("top.py"), done(), read=reading)
    await run(session)
    assert "Never log here." in asked(provider.requests[-1])[-1][-2]


async def test_those_of_prompts_survive_the_journal_and_count_as_instructions():
    session, recording, provider = session_with(Tree(SUB), done())
    await send(session, "fix it", along("sub/a.py"))
    state = session.state
    again = SessionState(session_id="s1")
    for stamped in recording.stamped:
        again = reduce(again, decode_stamped(encode(stamped)))
    assert again.transcript == state.transcript and told_of_folders(again) == (SUB,)
    store = Store()
    assert unpack_state(pack_state(state, store), Shelf(store.texts.get)).transcript == state.transcript
    report = context_report(state, provider.requests[-1], model(window=8000))
    assert {item.name: item.part for item in report.items} == {
        "sub/AGENTS.md": Part.INSTRUCTIONS,
        "sub/a.py": Part.FILES,
    }
    assert report.parts[Part.INSTRUCTIONS] > 0
