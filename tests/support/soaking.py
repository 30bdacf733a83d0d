"""One seeded run of a whole session over a network that keeps failing, and what was wrong afterwards.

Everything is real but the bytes, the tool, and time: session, runner, directory, dialects, breaker, retries, failover,
recorder. The server keeps no state (``made_up``), so a result that got lost would make it call the same tool again.
"""

import asyncio
import json
import logging
import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from patchbay.app.engine.bus import MessageBus
from patchbay.app.engine.codec import encode
from patchbay.app.engine.database import connect, load_events
from patchbay.app.engine.events import (
    CallPriced,
    ModelSelected,
    ProviderActivity,
    RequestStarted,
    RetryScheduled,
    SessionStarted,
    Stamped,
    TurnOutcome,
)
from patchbay.app.engine.handoff import Prepared
from patchbay.app.engine.history import history
from patchbay.app.engine.recorder import Recorder
from patchbay.app.engine.session import Parts, Session
from patchbay.app.engine.state import AnswerEntry, SessionState, TextPart, ThinkingPart
from patchbay.app.engine.store import SessionStore
from patchbay.providers.base import ModelRef
from patchbay.providers.catalogue import Catalogue
from patchbay.providers.chaos import Blow, ChaosTransport, Fault, blows
from patchbay.providers.directory import ProviderDirectory
from patchbay.providers.events import TextDelta, ThinkingDelta, ThinkingStart, ToolCallStart
from patchbay.providers.handoff import prepare
from patchbay.providers.messages import AssistantMessage, Message, TextBlock
from patchbay.providers.pricing import cost_of
from patchbay.providers.registry import ProviderConfig
from patchbay.providers.resilience import Resilience, RetryPolicy
from support.made_up import DIALECT_PATHS, MadeUpServer
from support.sessions import FakeToolbox
from support.virtual_time import VirtualTimeLoop

CANARY = "canary-9d2f41-do-not-leak"
"""The beginning of every provider's key."""
SHARE = 0.5
"""The share of exchanges that are struck."""
COMMON = 6
"""How much more often an ordinary fault comes than one that costs half a second of work."""
GIANTS = (Fault.GIANT_LINE, Fault.GZIP_BOMB)
FAULTS = GIANTS + COMMON * tuple(fault for fault in Fault if fault not in GIANTS)
JOBS = 3
PATIENCE = 8
"""How often the person tries again before the network is mended."""
LIMIT_S = 7 * 24 * 3600.0
"""Virtual seconds after which a run counts as hung."""


@dataclass
class Run:
    """What a run came to. ``problems`` are what must never be."""

    seed: int
    problems: list[str] = field(default_factory=list)
    struck: Counter[Fault] = field(default_factory=Counter)
    requests: int = 0
    retries: int = 0
    failovers: int = 0
    cancelled: int = 0
    tools: int = 0
    virtual_s: float = 0.0


class _Plan:
    """The seeded blows, until the network is mended."""

    def __init__(self, chance: random.Random) -> None:
        self._blows = blows(chance, SHARE, FAULTS)
        self.mended = False

    def __iter__(self) -> Iterator[Blow]:
        return self

    def __next__(self) -> Blow:
        blow = next(self._blows)
        return Blow(fault=Fault.NONE) if self.mended else blow


class _Logs(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(record.getMessage())


def soak(seed: int, folder: Path) -> Run:
    """Run one session to its end and check it. ``folder`` takes its database."""
    run = Run(seed)
    logs, root = _Logs(), logging.getLogger()
    level = root.level
    root.addHandler(logs)
    root.setLevel(logging.DEBUG)
    try:
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            runner.run(_Soak(run, folder / f"{seed}.db").play())
    except TimeoutError:
        run.problems.append("hang: nothing happened any more")
    finally:
        root.removeHandler(logs)
        root.setLevel(level)
    if any(CANARY in line for line in logs.lines):
        run.problems.append("the key is in a log")
    return run


class _Soak:
    def __init__(self, run: Run, database: Path) -> None:
        self._run = run
        self._database = database
        self._chance = random.Random(run.seed)
        self._stamped: list[Stamped] = []
        self._keys: Counter[str] = Counter()
        self._plan = _Plan(self._chance)

    async def play(self) -> None:
        loop = asyncio.get_running_loop()
        assert isinstance(loop, VirtualTimeLoop)
        transport = ChaosTransport(MadeUpServer(), self._plan, pace_s=0.05)
        directory = ProviderDirectory(
            _configs(), {}, Catalogue({}), discover=_nobody, transport=transport, clock=loop.epoch
        )
        bus = MessageBus(SessionStore(SessionState(session_id=f"soak-{self._run.seed}")), clock=loop.epoch)
        recorder = Recorder(self._database)
        bus.attach(recorder.sink)
        bus.attach(self._stamped.append)
        session = Session(bus, self._parts(directory))
        try:
            async with asyncio.timeout(LIMIT_S):
                bus.publish(SessionStarted(folder="project", version="soak"))
                first = ModelRef(provider=self._chance.choice(sorted(DIALECT_PATHS)), model="m")
                session.select_model(directory.info(first), directory.dialect(first))
                for job in range(JOBS):
                    await self._do(session, f"job {job}: {self._chance.randrange(4)} steps")
                await session.aclose()
        finally:
            await directory.aclose()
            recorder.close()
        self._check(session.state, transport)
        self._run.virtual_s = loop.time()

    def _parts(self, directory: ProviderDirectory) -> Parts:
        chain = self._chance.sample(sorted(DIALECT_PATHS), self._chance.choice((0, 0, 2, 4)))
        recovery = Resilience(
            directory,
            asyncio.sleep,
            policy=RetryPolicy(chance=self._chance.random),
            chain=tuple(ModelRef(provider=name, model="m") for name in chain),
        )

        def prepared(messages: tuple[Message, ...], ref: ModelRef, dialect: str, *, continuation: bool) -> Prepared:
            done = prepare(
                messages,
                provider=ref.provider,
                dialect=dialect,
                model=ref.model,
                id_pattern=directory.id_pattern(ref),
                continuation=continuation,
            )
            return Prepared(messages=done.messages, changes=done.changes)

        return Parts(
            directory=directory,
            toolbox=FakeToolbox(write=self._write),
            prepare=prepared,
            cost_of=cost_of,
            recovery=recovery,
        )

    async def _write(self, arguments: dict[str, str], _emit: object, _approve: object) -> str:
        key = arguments.get("key", "")
        self._must(bool(key), f"a tool ran with arguments the model never made: {arguments}")
        self._keys[key] += 1
        await asyncio.sleep(self._chance.random() * 5)
        return f"wrote {key}"

    async def _do(self, session: Session, prompt: str) -> None:
        """One prompt, by a person who may press Esc, tries again when it failed, and then mends the network."""
        self._plan.mended = False
        session.submit(prompt)
        if self._chance.random() < 0.2:
            await asyncio.sleep(self._chance.random() ** 3 * 60)
            self._run.cancelled += session.cancel()
        for tried in range(PATIENCE + 3):
            outcome = await session.wait_idle()
            if outcome in (TurnOutcome.DONE, TurnOutcome.CANCELLED):
                return
            self._plan.mended = tried >= PATIENCE
            await asyncio.sleep(self._chance.random() * 120 if tried < PATIENCE else 120)
            if not session.retry():
                self._run.problems.append(f"{prompt} failed and cannot be tried again")
                return
        self._run.problems.append(f"{prompt} still fails on a healthy network")

    # --- what must hold ----------------------------------------------------------------------------------------------

    def _check(self, state: SessionState, transport: ChaosTransport) -> None:
        events = [each.event for each in self._stamped]
        started = [event.request_id for event in events if isinstance(event, RequestStarted)]
        priced = [event.request_id for event in events if isinstance(event, CallPriced)]
        self._run.struck.update(transport.struck)
        self._run.requests = len(started)
        self._run.retries = sum(isinstance(event, RetryScheduled) for event in events)
        self._run.failovers = sum(isinstance(event, ModelSelected) for event in events) - 1
        self._run.tools = self._keys.total()
        self._must(sorted(priced) == sorted(started), "a request without its ledger row, or with two")
        self._must(len(transport.struck) <= len(priced), "an HTTP call without a ledger row")
        self._must(not [key for key, times in self._keys.items() if times > 1], "a tool ran twice")
        self._must(all(host.endswith(".test") for host in transport.hosts), "a request went to another host")
        self._must(transport.open == 0, "a connection was left open")
        self._check_text(state, events)
        self._check_keys()
        self._check_journal(state)

    def _check_text(self, state: SessionState, events: list[object]) -> None:
        """All text that was shown is in the history, and nothing was tried again behind it."""
        text: dict[str, str] = {}
        shown: set[str] = set()
        for event in events:
            match event:
                case ProviderActivity(request_id=name, event=TextDelta(text=piece) | ThinkingDelta(text=piece)):
                    text[name] = text.get(name, "") + piece
                    shown.add(name)
                case ProviderActivity(request_id=name, event=ThinkingStart() | ToolCallStart()):
                    shown.add(name)
                case RetryScheduled(request_id=name):
                    self._must(name not in shown, "tried again silently after something was shown")
                case _:
                    pass
        kept = {entry.request_id: _text_of(entry) for entry in state.transcript if isinstance(entry, AnswerEntry)}
        self._must(all(kept.get(name) == words for name, words in text.items()), "shown text is not in the session")
        sent = "".join(
            block.text
            for message in history(state)
            if isinstance(message, AssistantMessage)
            for block in message.blocks
            if isinstance(block, TextBlock)
        )
        self._must(sent == "".join(text.values()), "shown text is not in the history for the next request")

    def _check_keys(self) -> None:
        journal = "".join(json.dumps(encode(each)) for each in self._stamped)
        self._must(CANARY not in journal, "the key is in an event")
        files = self._database.parent.glob(self._database.name + "*")
        self._must(not any(CANARY.encode() in path.read_bytes() for path in files), "the key is in the database")

    def _check_journal(self, state: SessionState) -> None:
        connection = connect(self._database)
        events, _, problems = load_events(connection, state.session_id)
        rows = connection.execute("SELECT count(*) FROM calls").fetchone()[0]
        connection.close()
        store = SessionStore(SessionState(session_id=state.session_id))
        store.replay(events)
        self._must(not problems, "the journal cannot be read")
        self._must(store.state.transcript == state.transcript, "the journal replays to another conversation")
        self._must(history(store.state) == history(state), "the journal replays to another history")
        self._must(rows == self._run.requests, "the ledger on disk has not one row for each request")

    def _must(self, holds: bool, problem: str) -> None:
        if not holds:
            self._run.problems.append(problem)


def _configs() -> list[ProviderConfig]:
    return [
        ProviderConfig(
            name=dialect,
            preset="custom",
            dialect=dialect,
            base_url=f"https://{dialect.replace('_', '-')}.test",
            api_key=f"{CANARY}-{dialect}",
            model="m",
        )
        for dialect in sorted(DIALECT_PATHS)
    ]


async def _nobody() -> tuple[()]:
    return ()


def _text_of(entry: AnswerEntry) -> str:
    return "".join(str(part.text) for part in entry.parts if isinstance(part, TextPart | ThinkingPart))
