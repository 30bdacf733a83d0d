import asyncio

from patchbay.app.engine.bus import MessageBus
from patchbay.app.engine.codec import decode_stamped, encode
from patchbay.app.engine.events import (
    AttachmentKind,
    CommandStarted,
    PromptQueued,
    PromptSubmitted,
    Rewound,
    ToolActivity,
    TurnEnded,
)
from patchbay.app.engine.handoff import Prepared
from patchbay.app.engine.history import history
from patchbay.app.engine.repair import repair
from patchbay.app.engine.session import Parts, Session
from patchbay.app.engine.state import CommandEntry, Phase, PromptEntry, SessionState
from patchbay.app.engine.store import SessionStore
from patchbay.providers.scripted import ScriptedProvider, answer, end, text
from patchbay.tools.events import Outcome, ToolOutputDelta, ToolRunFinished
from support.sessions import FakeToolbox, Providers, cost_of, make_session, until


class Shell:
    """Runs nothing: says what it was told to, when it may."""

    def __init__(self, output: str = "out\n", *, outcome: Outcome = Outcome.OK, summary: str = "exit 0") -> None:
        self.gate = asyncio.Event()
        self.gate.set()
        self.ran: list[tuple[str, int]] = []
        self._end = (output, outcome, summary)

    async def __call__(self, *, run_id, command, emit, max_bytes):
        self.ran.append((command, max_bytes))
        output, outcome, summary = self._end
        emit(ToolOutputDelta(run_id=run_id, text=output))
        try:
            await self.gate.wait()
        except asyncio.CancelledError:
            outcome, summary = Outcome.CANCELLED, "stopped"
        return ToolRunFinished(run_id=run_id, outcome=outcome, content=output, summary=summary, duration_s=0.1)


def a_session(shell, answers=1):
    provider = ScriptedProvider("fake", [answer(text("ok"), end())] * answers)
    session, recording = make_session(provider, run_own=shell)
    return session, recording, provider


async def ended(session):
    await until(lambda: not session.busy)


def prompts(session):
    return [entry for entry in session.state.transcript if isinstance(entry, PromptEntry)]


async def test_its_output_goes_along_with_the_next_prompt_and_with_no_other():
    session, recording, provider = a_session(Shell("1 failed\n", outcome=Outcome.ERROR, summary="exit 1"), answers=2)
    assert session.run_command("make test", private=False) == ""
    await ended(session)
    (started,) = recording.of(CommandStarted)
    assert (started.command, started.private) == ("make test", False)
    (run,) = session.state.runs
    assert (run.name, run.title, run.outcome, run.run_id) == ("!", "make test", Outcome.ERROR, started.run_id)
    assert isinstance(session.state.transcript[-1], CommandEntry)
    assert history(session.state) == ()
    session.submit("why?")
    await session.wait_idle()
    session.submit("and?")
    await session.wait_idle()
    (told,) = prompts(session)[0].attachments
    assert (told.kind, told.source) == (AttachmentKind.COMMAND, "make test")
    assert told.text == "1 failed\n[exit 1]"
    assert prompts(session)[1].attachments == ()
    assert "1 failed" in provider.requests[0].messages[0].blocks[0].text


async def test_its_output_goes_along_with_a_prompt_of_the_program_too():
    session, _, _ = a_session(Shell("1 failed\n"))
    session.run_command("make test", private=False)
    await ended(session)
    session.bus.publish(PromptSubmitted(prompt_id="p", text="The checks failed.", by_program=True))
    (message,) = history(session.state)
    program, command = (block.text for block in message.blocks)
    assert "The checks failed." in program
    assert program.startswith("<patchbay-note>") and "1 failed" in command


async def test_a_private_one_is_shown_and_no_model_hears_of_it():
    session, _, provider = a_session(Shell("a secret\n"))
    session.run_command("cat notes", private=True)
    await ended(session)
    assert session.state.runs[0].content == "a secret\n"
    assert session.state.runs[0].name == "!!"
    session.submit("hello")
    await session.wait_idle()
    assert prompts(session)[0].attachments == ()
    sent = repr(provider.requests[0])
    assert "a secret" not in sent
    assert "cat notes" not in sent


async def test_one_at_a_time_and_none_during_a_turn():
    shell = Shell()
    shell.gate.clear()
    session, _, _ = a_session(shell)
    session.run_command("one", private=False)
    assert "is running" in session.run_command("two", private=False)
    await until(lambda: shell.ran != [])
    assert session.state.phase is Phase.TOOL
    shell.gate.set()
    await ended(session)
    session.submit("go")
    assert "A turn is running" in session.run_command("three", private=False)
    await session.wait_idle()
    assert [command for command, _ in shell.ran] == ["one"]


async def test_a_prompt_sent_meanwhile_waits_and_takes_the_output_along():
    shell = Shell()
    shell.gate.clear()
    session, _, _ = a_session(shell)
    session.run_command("make", private=False)
    session.submit("what was that?")
    assert [entry.text for entry in session.state.queued] == ["what was that?"]
    shell.gate.set()
    await until(lambda: prompts(session) != [])
    await session.wait_idle()
    assert prompts(session)[0].attachments[0].text == "out\n[exit 0]"


async def test_cancel_stops_it_and_keeps_what_it_wrote():
    shell = Shell("so far\n")
    shell.gate.clear()
    session, _, _ = a_session(shell)
    session.run_command("make", private=False)
    await until(lambda: shell.ran != [])
    assert session.cancel()
    await ended(session)
    assert session.state.runs[0].outcome is Outcome.CANCELLED
    assert session.state.untold_commands[0].text == "so far\n[stopped]"
    assert not session.cancel()


async def test_cancelled_before_its_first_step_nothing_stays_open():
    session, _, _ = a_session(Shell())
    session.run_command("make", private=False)
    session.cancel()
    await ended(session)
    await until(lambda: session.state.active_runs == ())
    assert session.state.runs[0].outcome is Outcome.CANCELLED


async def test_cancelled_after_its_end_it_ends_once():
    held = asyncio.Event()

    async def never_durable():
        await held.wait()

    provider = ScriptedProvider("fake", [])
    session, recording = make_session(provider, run_own=Shell(), durable=never_durable)
    session.run_command("make", private=False)
    await until(lambda: session.state.runs != () and session.state.active_runs == ())
    assert session.cancel()
    held.set()
    await session.aclose()
    ends = [each for each in recording.of(ToolActivity) if isinstance(each.event, ToolRunFinished)]
    assert [each.event.outcome for each in ends] == [Outcome.OK]


async def test_a_prompt_that_waits_since_an_earlier_run_is_not_sent_at_its_end():
    earlier, _, provider = a_session(Shell(), answers=2)
    earlier.bus.publish(PromptQueued(prompt_id="old", text="from before"))
    parts = Parts(
        directory=Providers(provider),
        toolbox=FakeToolbox(),
        prepare=lambda messages, ref, dialect, *, continuation: Prepared(messages=messages, changes=()),
        cost_of=cost_of,
        run_own=Shell(),
    )
    session = Session(earlier.bus, parts)
    session.run_command("make", private=False)
    await ended(session)
    assert [entry.text for entry in session.state.queued] == ["from before"]
    assert session.compact() == ""
    await session.wait_idle()
    assert [entry.text for entry in session.state.queued] == ["from before"]
    assert provider.requests == []
    session.run_command("make", private=False)
    session.submit("and this")  # a new prompt takes along what waited
    await until(lambda: session.state.queued == () and not session.busy)
    assert [entry.text for entry in prompts(session)] == ["from before", "and this"]


async def test_closing_ends_it():
    shell = Shell()
    shell.gate.clear()
    session, _, _ = a_session(shell)
    session.run_command("make", private=False)
    await until(lambda: shell.ran != [])
    await session.aclose()
    assert session.state.active_runs == ()


async def test_a_fault_is_shown_and_the_run_does_not_stay_open():
    async def broken(**_arguments):
        raise RuntimeError("no shell")

    session, _, _ = a_session(broken)
    session.run_command("make", private=False)
    await ended(session)
    assert session.state.runs[0].content == "RuntimeError: no shell"


async def test_without_a_shell_that_is_said():
    session, _, _ = a_session(None)
    assert session.run_command("ls", private=False) == "Commands cannot be run here."


async def test_the_output_is_bounded_by_the_window():
    shell = Shell()
    session, _, _ = a_session(shell)
    session.run_command("make", private=False)
    await ended(session)
    assert shell.ran == [("make", 6000)]


async def test_a_rewind_takes_back_what_was_not_told_yet():
    session, _, _ = a_session(Shell())
    session.submit("first")
    await session.wait_idle()
    session.run_command("make", private=False)
    await ended(session)
    assert len(session.state.untold_commands) == 1
    session.bus.publish(Rewound(prompt_id=prompts(session)[0].prompt_id, conversation=True, files=False))
    assert session.state.untold_commands == ()
    assert session.state.transcript == ()


async def test_it_survives_a_restart_also_one_in_mid_run():
    shell = Shell()
    shell.gate.clear()
    session, recording, _ = a_session(shell)
    session.run_command("make", private=False)
    await until(lambda: shell.ran != [])
    kept = [decode_stamped(encode(each)) for each in recording.stamped]
    store = SessionStore(SessionState(session_id="s1"))
    store.replay(kept)
    bus = MessageBus(store, first_seq=len(kept) + 1)
    published = []
    bus.attach(lambda stamped: published.append(stamped.event))
    assert repair(bus, cost_of)
    state = bus.store.state
    assert state.active_runs == ()
    assert state.runs[0].outcome is Outcome.INTERRUPTED
    assert "may or may not have taken effect" in state.untold_commands[0].text
    assert not [event for event in published if isinstance(event, TurnEnded)]
    await session.aclose()
