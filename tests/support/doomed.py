"""A session that is going to be killed, in a process of its own; and the server that forks such processes.

``python doomed.py`` loads everything once and then forks a child for each line of JSON on its standard input
(``Order``), so that a thousand deaths take minutes. The child opens the journal as the product does, plays a made-up
person and a made-up model for ever, and writes down in a file what it was told is on disk. It dies by the clock or
at a fault point.
"""

import asyncio
import json
import os
import random
import select
import signal
import subprocess
import sys
import traceback
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from patchbay.app.cli.opening import open_journal
from patchbay.app.engine import fault_points, free_pages, journal_packing, snapshotter
from patchbay.app.engine.codec import encode
from patchbay.app.engine.database import connect
from patchbay.app.engine.events import CallPriced, CallPurpose, PromptQueued, PromptSubmitted, Stamped, ToolActivity
from patchbay.app.engine.handoff import Prepared
from patchbay.app.engine.session import Parts, Session
from patchbay.app.engine.side_call import side_call
from patchbay.app.paths import find_paths
from patchbay.providers.base import ModelInfo, ModelRef
from patchbay.providers.events import ErrorKind, ResponseEvent, StopReason
from patchbay.providers.handoff import prepare
from patchbay.providers.messages import ChatRequest, TextBlock, UserMessage
from patchbay.providers.scripted import ScriptedProvider, answer, end, fail, text, thinking, tool_call, usage
from patchbay.tools.events import (
    ApprovalRequested,
    ApprovalResolved,
    Decision,
    FileChanged,
    ToolOutputDelta,
    ToolRunFinished,
)
from support.sessions import PRICE, FakeToolbox, Providers, cost_of, question

FOLDER = "/src/doomed"
MODELS = (
    ("anthropic", "anthropic_messages", "claude"),
    ("deepseek", "openai_chat", "v4"),
    ("ollama", "ollama", "qwen"),
)
_WORDS = ["The", "harbour", "light", "is", "out", "and", "nobody", "knows", "why."]
_ACKNOWLEDGED = (PromptSubmitted, PromptQueued, CallPriced)


@dataclass(frozen=True, kw_only=True)
class Order:
    """How a child is to live and die."""

    home: str
    """The folder that stands for the person's home."""
    notes: str
    """Where the child writes what it was told is on disk."""
    seed: int
    resume: bool
    after_s: float = 0.0
    """When it is killed; 0 for never."""
    point: str = ""
    count: int = 1
    """At which fault point it dies, and when it gets there for which time."""
    tail: int = 60
    """Events after which a snapshot is made."""
    compact: bool = False
    """Whether it compacts what earlier ones left before it goes on with it."""


def environment(home: str) -> dict[str, str]:
    """What the child's paths come from."""
    return {"HOME": home, "XDG_STATE_HOME": f"{home}/state", "XDG_CONFIG_HOME": f"{home}/config"}


class Zygote:
    """The server, as the test sees it."""

    def __init__(self) -> None:
        tests = str(Path(__file__).resolve().parents[1])
        self._process = subprocess.Popen(
            [sys.executable, __file__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": tests},
        )

    def run(self, order: Order) -> str:
        """Let a child live and die; returns how it ended: ``killed``, or what it said when it broke."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(asdict(order)) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def close(self) -> None:
        """End the server."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def serve() -> None:
    """Fork a child for each order, kill it in time, say how it ended."""
    for line in sys.stdin:
        order = Order(**json.loads(line))
        child = os.fork()
        if child == 0:
            _live(order)
        print(json.dumps(_wait(child, order)), flush=True)


def _wait(child: int, order: Order) -> str:
    watched = os.pidfd_open(child)
    try:
        poll = select.poll()
        poll.register(watched, select.POLLIN)
        if not poll.poll(1000 * (order.after_s or 20.0)):
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    finally:
        os.close(watched)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        return "killed"
    return f"ended with {os.waitstatus_to_exitcode(status)}"


def _live(order: Order) -> None:
    code = 0
    try:
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(2, 1)
        snapshotter.TAIL = order.tail
        if order.point:
            _die_at(order.point, order.count)
        asyncio.run(_Doomed(order).play())
    except BaseException:
        traceback.print_exc()
        code = 3
    finally:
        sys.stderr.flush()
        os._exit(code)


def _die_at(point: str, count: int) -> None:
    left = count

    def hook(reached: str) -> None:
        nonlocal left
        if reached == point:
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    fault_points.on_reaching(hook)


class _Notes:
    """What was published, and, once ``durable`` has returned, that it is on disk."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._waiting: list[Stamped] = []

    def sink(self, stamped: Stamped) -> None:
        event = stamped.event
        if isinstance(event, _ACKNOWLEDGED) or (
            isinstance(event, ToolActivity)
            and isinstance(event.event, ApprovalRequested | ApprovalResolved | ToolRunFinished | FileChanged)
        ):
            self._waiting.append(stamped)

    def take(self) -> list[Stamped]:
        """What was published before now and not acknowledged yet."""
        taken, self._waiting = self._waiting, []
        return taken

    def acknowledge(self, stamps: list[Stamped]) -> None:
        lines = "".join(json.dumps(encode(each)) + "\n" for each in stamps)
        if lines:
            os.write(self._file, lines.encode())


class _Toolbox(FakeToolbox):
    """Tells its tools which run they are."""

    async def run(self, *, run_id: str, arguments: dict[str, Any], **rest: Any) -> ToolRunFinished:
        return await super().run(run_id=run_id, arguments={**arguments, "run_id": run_id}, **rest)


class _Doomed:
    def __init__(self, order: Order) -> None:
        self._order = order
        self._chance = random.Random(order.seed)
        self._notes = _Notes(order.notes)
        self._number = 0

    async def play(self) -> None:
        """Open the journal and go on until somebody puts an end to it."""
        if self._order.compact:
            self._compact()
        journal = open_journal(find_paths(environment(self._order.home)), FOLDER, resume=self._order.resume)
        journal.bus.attach(self._notes.sink)
        self._durable_of = journal.recorder.durable
        providers = [ScriptedProvider(name, self._answer, dialect=dialect) for name, dialect, _ in MODELS]
        session = Session(
            journal.bus,
            Parts(
                directory=Providers(*providers),
                toolbox=_Toolbox(read=self._read, write=self._write, bash=self._bash),
                prepare=_prepared,
                cost_of=cost_of,
                durable=self._durable,
            ),
        )
        loop = asyncio.get_running_loop()
        journal.bus.attach(lambda stamped: self._decide(loop, session, stamped))
        self._switch(session)
        turns = 4 if self._order.point == "close.begun" else 10**9
        for turn in range(turns):
            await self._turn(session, providers[0], turn)
        await session.aclose()
        journal.close()

    def _compact(self) -> None:
        """As ``patchbay sessions compact`` does, in steps so small that there are many."""
        journal_packing.STEP_CHARS = 3000
        connection = connect(find_paths(environment(self._order.home)).database)
        if self._chance.random() < 0.3:
            with connection:
                connection.execute("UPDATE snapshots SET format = 1")
        for (session_id,) in connection.execute("SELECT id FROM sessions ORDER BY updated_at DESC").fetchall():
            journal_packing.pack_session(connection, session_id, may_go_on=lambda: True)
        free_pages.shorten(connection, may_go_on=lambda: True)
        connection.close()

    async def _durable(self) -> None:
        taken = self._notes.take()
        await self._durable_of()
        self._notes.acknowledge(taken)

    async def _turn(self, session: Session, aside: ScriptedProvider, turn: int) -> None:
        session.submit(f"Prompt {turn} of {self._order.seed}: {self._prose(12)}")
        title = asyncio.create_task(self._title(session, aside)) if self._chance.random() < 0.4 else None
        if self._chance.random() < 0.3:
            await asyncio.sleep(self._chance.random() * 0.01)
            session.submit(f"And another thing, {turn}: {self._prose(5)}")
        if self._chance.random() < 0.1:
            await asyncio.sleep(self._chance.random() * 0.02)
            session.cancel()
        if self._chance.random() < 0.3:
            self._switch(session)
        await session.wait_idle()
        if title is not None:
            await title
        await self._durable()

    async def _title(self, session: Session, aside: ScriptedProvider) -> None:
        ref = ModelRef(provider=aside.name, model=MODELS[0][2])
        request = ChatRequest(
            model=ref.model, system="", messages=(UserMessage(blocks=(TextBlock(text="A title, please"),)),)
        )
        model = ModelInfo(ref=ref, price=PRICE)
        await side_call(session.bus, aside, request, model=model, cost_of=cost_of, purpose=CallPurpose.TITLE)

    def _switch(self, session: Session) -> None:
        name, dialect, model = self._chance.choice(MODELS)
        info = ModelInfo(ref=ModelRef(provider=name, model=model), context_window=100_000, price=PRICE)
        session.select_model(info, dialect)

    def _decide(self, loop: asyncio.AbstractEventLoop, session: Session, stamped: Stamped) -> None:
        event = stamped.event
        if isinstance(event, ToolActivity) and isinstance(event.event, ApprovalRequested):
            decision = self._chance.choice((Decision.ONCE, Decision.DENY))
            loop.call_later(self._chance.random() * 0.01, session.resolve, event.event.approval_id, decision)

    async def _answer(self, _request: ChatRequest) -> AsyncIterator[ResponseEvent]:
        for event in self._events():
            if self._chance.random() < 0.1:
                await asyncio.sleep(self._chance.random() * 0.004)
            yield event

    def _events(self) -> tuple[ResponseEvent, ...]:
        chance = self._chance.random()
        if chance < 0.06:
            return answer(text(self._prose(10)), fail(ErrorKind.NETWORK, "the line went dead"))
        said = [text(self._prose(self._chance.randrange(5, 60)))]
        if self._chance.random() < 0.5:
            said.insert(0, thinking(self._prose(20), signature=f"sig{self._chance.randrange(1000)}"))
        if chance < 0.55:
            for _ in range(self._chance.randrange(1, 4)):
                self._number += 1
                name = self._chance.choice(("read", "write", "bash"))
                said.append(tool_call(f"call_{self._number}", name, {"path": f"file{self._number}.py"}))
            return answer(*said, usage(100, 20), end(StopReason.TOOL_CALLS))
        return answer(*said, usage(120, 30), end())

    def _prose(self, words: int) -> str:
        return " ".join(self._chance.choices(_WORDS, k=words))

    async def _read(self, arguments: dict[str, Any], _emit: Any, _approve: Any) -> str:
        return f"{arguments}: " + self._prose(self._chance.randrange(3, 900))

    async def _write(self, arguments: dict[str, Any], emit: Any, approve: Any) -> str:
        self._number += 1
        asked = question(arguments["run_id"], f"ask-{self._order.seed}-{self._number}")
        said = await approve(asked)
        emit(FileChanged(run_id=asked.run_id, path=arguments["path"], before="a\n", after=self._prose(30)))
        return f"wrote, {said.decision}"

    async def _bash(self, arguments: dict[str, Any], emit: Any, _approve: Any) -> str:
        printed: list[str] = []
        for _ in range(self._chance.randrange(1, 12)):
            printed.append(self._prose(80) + "\n")
            emit(ToolOutputDelta(run_id=arguments["run_id"], text=printed[-1]))
            await asyncio.sleep(self._chance.random() * 0.004)
        return "".join(printed)


def _prepared(messages: Any, ref: ModelRef, dialect: str, *, continuation: bool) -> Prepared:
    done = prepare(messages, provider=ref.provider, dialect=dialect, model=ref.model, continuation=continuation)
    return Prepared(messages=done.messages, changes=done.changes)


if __name__ == "__main__":
    serve()
