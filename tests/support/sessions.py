"""Sessions for tests: a scripted provider, a toolbox that does what it is told, a clock that stands still."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from patchbay.app.engine.budget import ReadSpending
from patchbay.app.engine.bus import MessageBus
from patchbay.app.engine.events import SessionEvent, SessionStarted, Stamped
from patchbay.app.engine.folder_instructions import FindNested
from patchbay.app.engine.handoff import Prepared
from patchbay.app.engine.own_commands import RunOwn
from patchbay.app.engine.session import Parts, Session
from patchbay.app.engine.state import SessionState
from patchbay.app.engine.store import SessionStore
from patchbay.providers.base import ModelInfo, ModelRef, Price, Provider, ProviderConfigError
from patchbay.providers.events import Usage
from patchbay.providers.scripted import ScriptedProvider
from patchbay.tools.base import Approve, Emit, Mode, ToolSchema
from patchbay.tools.events import ApprovalRequested, FileChanged, Outcome, ToolRunFinished, ToolRunStarted

PRICE = Price(input_per_mtok=Decimal("3"), output_per_mtok=Decimal("15"))


def model(provider: str = "fake", name: str = "demo", *, window: int | None = 8000) -> ModelInfo:
    return ModelInfo(ref=ModelRef(provider=provider, model=name), context_window=window, tools=True, price=PRICE)


def cost_of(usage: Usage, price: Price | None) -> tuple[Decimal | None, str]:
    """Input and output only: enough to see money move in a test of the engine."""
    if price is None or usage.input_tokens is None or usage.output_tokens is None:
        return None, "unknown"
    amount = usage.input_tokens * price.input_per_mtok + usage.output_tokens * price.output_per_mtok
    return amount / 1_000_000, "computed"


class Providers:
    """A directory over given providers."""

    def __init__(self, *providers: Provider) -> None:
        self.by_name = {provider.name: provider for provider in providers}

    def provider(self, ref: ModelRef) -> Provider:
        if ref.provider not in self.by_name:
            raise ProviderConfigError(f"Unknown provider {ref.provider!r}. There are: {', '.join(self.by_name)}")
        return self.by_name[ref.provider]


Behaviour = Callable[[dict[str, Any], Emit, Approve], Awaitable[str]]


class FakeToolbox:
    """Tools by name; each gets arguments, emit and approve and returns its content. Unlisted names are unknown."""

    def __init__(self, **behaviours: Behaviour) -> None:
        self._behaviours = behaviours
        self.ran: list[str] = []
        self.bounds: list[int | None] = []
        self.mode = Mode.ASK
        self.sandboxed = True
        self.reverted: list[tuple[str, str | None, str | None]] = []
        self.revert_problem = ""

    def select_mode(self, mode: Mode) -> str:
        if mode is Mode.AUTO and not self.sandboxed:
            return "there is no sandbox here"
        self.mode = mode
        return ""

    def protection(self) -> str:
        return "landlock" if self.sandboxed else "no sandbox"

    def schemas(self) -> tuple[ToolSchema, ...]:
        return tuple(ToolSchema(name=name, description=name, parameters={}) for name in self._behaviours)

    async def run(
        self,
        *,
        run_id: str,
        name: str,
        arguments: dict[str, Any],
        emit: Emit,
        approve: Approve,
        max_result_bytes: int | None = None,
    ) -> ToolRunFinished:
        self.ran.append(name)
        self.bounds.append(max_result_bytes)
        if name not in self._behaviours:
            return finished(run_id, Outcome.ERROR, f"unknown tool {name}")
        emit(ToolRunStarted(run_id=run_id, name=name, title=str(arguments)))
        content = await self._behaviours[name](arguments, emit, approve)
        return finished(run_id, Outcome.OK, content)

    async def revert_hunk(self, *, run_id: str, path: str, left: str | None, wanted: str | None, emit: Emit) -> str:
        self.reverted.append((path, left, wanted))
        if self.revert_problem:
            return self.revert_problem
        emit(FileChanged(run_id=run_id, path=path, before=left, after=wanted, deleted=wanted is None))
        return ""


def finished(run_id: str, outcome: Outcome, content: str) -> ToolRunFinished:
    return ToolRunFinished(run_id=run_id, outcome=outcome, content=content, summary=outcome.value, duration_s=0.1)


def question(run_id: str, approval_id: str = "ask-1") -> ApprovalRequested:
    return ApprovalRequested(
        approval_id=approval_id, run_id=run_id, name="bash", title="rm x", reason="writes", pattern="rm *"
    )


class Recording:
    """Every event of a session, in order."""

    def __init__(self, bus: MessageBus) -> None:
        self.stamped: list[Stamped] = []
        bus.attach(self.stamped.append)

    @property
    def events(self) -> list[SessionEvent]:
        return [each.event for each in self.stamped]

    def of(self, *kinds: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kinds)]


def make_session(
    *providers: ScriptedProvider,
    toolbox: FakeToolbox | None = None,
    folder: Path = Path("project"),
    step_limit: int = 10,
    select: ModelInfo | None = None,
    durable: Callable[[], Awaitable[None]] | None = None,
    run_own: RunOwn | None = None,
    read_spending: ReadSpending | None = None,
    nested: FindNested | None = None,
) -> tuple[Session, Recording]:
    """A session whose first provider is selected, and the record of its events."""
    ticks = iter(range(1_000_000))
    bus = MessageBus(SessionStore(SessionState(session_id="s1")), clock=lambda: 1_700_000_000.0 + next(ticks) * 0.01)
    recording = Recording(bus)
    parts = Parts(
        directory=Providers(*providers),
        toolbox=toolbox or FakeToolbox(),
        prepare=lambda messages, ref, dialect, *, continuation: Prepared(messages=messages, changes=()),
        cost_of=cost_of,
        step_limit=step_limit,
        durable=durable,
        run_own=run_own,
        read_spending=read_spending,
        nested=nested,
    )
    session = Session(bus, parts)
    bus.publish(SessionStarted(folder=str(folder), version="test"))
    session.select_model(select or model(providers[0].name), providers[0].dialect)
    return session, recording


async def until(condition: Callable[[], bool]) -> None:
    """Let the loop run until a condition holds; the test's own timeout ends a wait that never does."""
    while not condition():
        await asyncio.sleep(0)
