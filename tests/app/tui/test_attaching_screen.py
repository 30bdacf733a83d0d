import asyncio
from dataclasses import replace

from patchbay.app.engine.attached import Gathered
from patchbay.app.engine.events import Attachment, AttachmentKind, InstructionFile
from patchbay.app.engine.state import CommandEntry, NoticeEntry, PromptEntry
from patchbay.app.tui.widgets.prompt import Prompt
from patchbay.providers.scripted import ScriptedProvider, answer, end, text
from patchbay.tools.events import Outcome, ToolOutputDelta, ToolRunFinished
from support.screens import on_screen
from support.sessions import make_session, model

FILE = Attachment(kind=AttachmentKind.FILE, source="src/app.py", text="10\tx", first_line=10, last_line=40)


class Files:
    """Gathers what it was given, when it may."""

    def __init__(self, gathered: Gathered | None = None, *, fault: Exception | None = None) -> None:
        self.gathered = gathered or Gathered()
        self.fault = fault
        self.asked = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def gather(self, text, model):
        self.asked.append((text, model))
        await self.gate.wait()
        if self.fault is not None:
            raise self.fault
        return self.gathered

    async def files(self):
        return ["src/app.py"]


def a_session(**options):
    provider = ScriptedProvider("fake", [answer(text("ok"), end())] * 3)
    session, _ = make_session(provider, select=replace(model(), vision=False), **options)
    return session


def of(session, kind):
    return [entry for entry in session.state.transcript if isinstance(entry, kind)]


async def test_what_a_prompt_mentions_goes_along_and_stands_below_it():
    session = a_session()
    files = Files(Gathered(attachments=(FILE,), remarks=("There is no gone.py.",)))
    async with on_screen(session, attaching=files) as desk:
        await desk.type("explain @src/app.py:10-40 and @gone.py")
        await desk.when(lambda: of(session, PromptEntry) != [])
        await desk.idle()
        assert files.asked[0][1] == session.state.model
        assert of(session, PromptEntry)[0].attachments == (FILE,)
        assert [entry.message for entry in of(session, NoticeEntry)] == ["There is no gone.py."]
        chat = desk.text("chat")
        assert "▎ + src/app.py:10-40  31 lines" in chat
        assert chat.index("There is no gone.py.") < chat.index("explain @src/app.py")


async def test_prompts_keep_their_order_while_files_are_read():
    session = a_session()
    files = Files()
    files.gate.clear()
    async with on_screen(session, attaching=files) as desk:
        await desk.type("first @a.py ")
        await desk.type("second")
        assert of(session, PromptEntry) == []
        files.gate.set()
        await desk.when(lambda: len(of(session, PromptEntry)) + len(session.state.queued) == 2)
        await desk.idle()
        assert [entry.text for entry in of(session, PromptEntry)] == ["first @a.py", "second"]


async def test_a_fault_in_reading_does_not_cost_the_prompt():
    session = a_session()
    async with on_screen(session, attaching=Files(fault=RuntimeError("odd"))) as desk:
        await desk.type("look at @a.py ")
        await desk.when(lambda: of(session, PromptEntry) != [])
        await desk.idle()
        assert "RuntimeError: odd" in of(session, NoticeEntry)[0].message


async def test_a_command_of_ones_own_is_shown_live_and_can_be_stopped():
    gate = asyncio.Event()

    async def shell(*, run_id, command, emit, max_bytes):
        emit(ToolOutputDelta(run_id=run_id, text="line one\n"))
        outcome, summary = Outcome.OK, "exit 0"
        try:
            await gate.wait()
        except asyncio.CancelledError:
            outcome, summary = Outcome.CANCELLED, "stopped"
        return ToolRunFinished(run_id=run_id, outcome=outcome, content="line one\n", summary=summary, duration_s=1.0)

    session = a_session(run_own=shell)
    async with on_screen(session) as desk:
        await desk.type("!make test")
        await desk.when(lambda: of(session, CommandEntry) != [])
        await desk.pilot.pause(0.2)
        assert "$ make test" in desk.text("chat")
        assert "line one" in desk.text("chat")
        assert "make test" in desk.text("tools")
        await desk.type("!again")
        assert desk.screen.query_one(Prompt).text == "!again"
        desk.screen.query_one(Prompt).replace_all("")
        await desk.pilot.press("escape")
        await desk.when(lambda: not session.busy)
        await desk.pilot.pause(0.2)
        assert "stopped, 1.0 s · sent with the prompt that follows" in desk.text("chat")
        gate.set()
        await desk.type("!!cat notes")
        await desk.when(lambda: not session.busy)
        await desk.pilot.pause(0.2)
        assert "exit 0, 1.0 s · private, no model sees it" in desk.text("chat")
        await desk.type("!")
        assert len(of(session, CommandEntry)) == 2


async def test_instructions_are_shown_on_demand():
    session = a_session()
    async with on_screen(session) as desk:
        await desk.type("/instructions")
        await desk.when(lambda: len(desk.app._notifications) == 1)
        assert of(session, NoticeEntry) == []  # nobody would see it on the first screen
        assert next(iter(desk.app._notifications)).message.startswith("There are no instructions")
        await desk.type("hello")
        await desk.idle()
        session.instruct((InstructionFile(path="AGENTS.md", text="Use tabs.", digest="d"),))
        await desk.type("/instructions")
        await desk.when(lambda: of(session, NoticeEntry) != [])
        assert "AGENTS.md  9 characters" in of(session, NoticeEntry)[0].message
