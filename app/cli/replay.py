"""``patchbay wire replay``: a session runs again against recorded exchanges, offline."""

import argparse
import asyncio
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TextIO, TypeAlias

from ...providers.base import ModelInfo, ModelRef, Price, Provider
from ...providers.events import ResponseEnd, ResponseError
from ...providers.handoff import prepare
from ...providers.http import DialectProvider
from ...providers.messages import Message
from ...providers.pricing import cost_of
from ...providers.replaying import (
    RecordedExchange,
    ReplayTransport,
    new_prompts,
    read_exchanges,
    recorded_provider,
    split_sessions,
)
from ...tools.confinement import Confinement, Trust
from ...tools.policy import Policy, Rule
from ...tools.safe_text import safe_line, safe_text
from ...tools.toolbox import LocalToolbox
from ..engine.budget_events import BudgetScope
from ..engine.bus import MessageBus
from ..engine.events import ProviderActivity, SessionStarted, Stamped, TurnOutcome
from ..engine.handoff import Prepared
from ..engine.ids import new_id
from ..engine.session import Parts, Session
from ..engine.state import SessionState
from ..engine.store import SessionStore
from .arguments import ExitCode
from .headless import run_prompt
from .progress import Progress

PriceOf: TypeAlias = Callable[[ModelRef], Price | None]

_EPILOG = """\
The recorded requests say what to ask: PROMPT replaces the first prompt. Tools run as under `patchbay run`: those that
would need a person are denied unless --allow lets them.

exit codes:
  0    every recorded exchange was asked for, and every request answered the same tool calls
  1    something differed; standard error says which request, and what
  2    nothing to replay
"""


def replay_command(argv: list[str]) -> int:
    """``patchbay wire replay DIR [PROMPT]``; see ``--help`` for the exit codes."""
    parser = argparse.ArgumentParser(
        prog="patchbay wire replay",
        description="Run a session against recorded exchanges, offline and in order.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("recording", type=Path, metavar="DIR", help="what --record wrote: a folder, or one file")
    parser.add_argument("prompt", nargs="?", metavar="PROMPT", help="ask this first, not what was asked then")
    parser.add_argument("--allow", action="append", type=_rule, metavar="RULE", help="as for `patchbay run`")
    parser.add_argument("--chunk", type=int, default=0, metavar="N", help="hand the bodies on in pieces of N bytes")
    chosen = parser.parse_args(argv, namespace=_Arguments())
    try:
        exchanges = read_exchanges(chosen.recording)
    except (OSError, ValueError) as problem:
        return _refuse(str(problem))
    if not exchanges:
        return _refuse(
            f"{chosen.recording} holds no exchange with a model. `patchbay --record {chosen.recording}` makes some"
        )
    return asyncio.run(_replay_here(exchanges, chosen))


class _Arguments(argparse.Namespace):
    recording: Path = Path()
    prompt: str | None = None
    allow: Sequence[Rule] | None = None
    chunk: int = 0


def _rule(text: str) -> Rule:
    try:
        return Rule.parse(text, origin="--allow")
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _refuse(message: str) -> int:
    sys.stderr.write(f"patchbay wire replay: {safe_text(message)}\n")
    return ExitCode.USAGE


async def _replay_here(exchanges: Sequence[RecordedExchange], chosen: _Arguments) -> int:
    served, problems, prompt = 0, 0, chosen.prompt
    for session in split_sessions(exchanges):
        with tempfile.TemporaryDirectory(prefix="patchbay-replay-") as state_folder:
            done = await replay(
                session,
                folder=Path.cwd(),
                state_folder=Path(state_folder),
                prompt=prompt,
                allow=tuple(chosen.allow or ()),
                chunk=chosen.chunk,
                progress=sys.stderr,
            )
        prompt = None
        for text in done.answers:
            sys.stdout.write((safe_text(text) if sys.stdout.isatty() else text).rstrip("\n") + "\n")
        sys.stdout.flush()
        for problem in done.problems:
            sys.stderr.write(f"patchbay wire replay: {safe_line(problem)}\n")
        served += done.served
        problems += len(done.problems)
    sys.stderr.write(f"   {served} of {len(exchanges)} recorded exchanges asked for\n")
    return ExitCode.FAILED if problems else ExitCode.OK


@dataclass(slots=True, kw_only=True)
class Replayed:
    """What came of it."""

    session: Session
    transport: ReplayTransport
    answers: list[str] = field(default_factory=list[str])
    """The text of each turn's last answer."""
    problems: list[str] = field(default_factory=list[str])
    """What differed from the recording."""
    stopped: bool = False
    """The next request would have passed the budget."""

    @property
    def served(self) -> int:
        """How many recorded exchanges were asked for."""
        return len(self.transport.requests)


async def replay(
    exchanges: Sequence[RecordedExchange],
    *,
    folder: Path,
    state_folder: Path,
    prompt: str | None = None,
    allow: tuple[Rule, ...] = (),
    chunk: int = 0,
    progress: TextIO | None = None,
    price_of: PriceOf = lambda _: None,
    max_cost: Decimal | None = None,
) -> Replayed:
    """Run the recorded session again, through the same engine, dialects and tools as a live one.

    ``prompt`` replaces the first recorded one. The model that answers is always the one that was recorded next, at the
    price of ``price_of``; the session ends before a request that would pass ``max_cost`` (USD).
    """
    transport = ReplayTransport(exchanges, chunk=chunk)
    directory = _RecordedDirectory(transport, price_of)
    bus = MessageBus(SessionStore(SessionState(session_id=new_id("session"))))
    # Whatever folder this is: only the rules given for this replay count in it.
    confinement = Confinement(Trust.NONE, given=map(str, allow))
    toolbox = LocalToolbox(folder, Policy(allow), state_folder=state_folder, confinement=confinement)
    session = Session(
        bus, Parts(directory=directory, toolbox=toolbox, prepare=directory.prepare, cost_of=cost_of, step_limit=10_000)
    )
    bus.publish(SessionStarted(folder=str(folder), version="replay"))
    if max_cost is not None:
        session.set_budget(BudgetScope.SESSION, max_cost)
    done = Replayed(session=session, transport=transport)

    def follow(stamped: Stamped) -> None:
        match stamped.event:
            case ProviderActivity(event=ResponseEnd() | ResponseError()) if transport.left:
                directory.select(session, transport.left[0])
            case _:
                pass

    bus.attach(follow)
    sinks = () if progress is None else (Progress(progress),)
    said = new_prompts(exchanges)
    try:
        while transport.left:
            at = done.served
            directory.select(session, transport.left[0])
            # Where nothing new was said, the answer before had failed and was asked for again.
            report, _ = await run_prompt(session, prompt if prompt and not at else said[at] or None, sinks=sinks)
            done.answers.append(report.text)
            if done.served == at or report.outcome is TurnOutcome.BUDGET:
                done.stopped = report.outcome is TurnOutcome.BUDGET
                break
    finally:
        await session.aclose()
        await toolbox.aclose()
        await directory.aclose()
    done.problems += transport.problems
    if transport.left and not done.stopped:
        done.problems.append(
            f"the session ended after request {done.served}; the recording goes on with {transport.left[0].case.name}"
        )
    return done


class _RecordedDirectory:
    """The providers of a recording."""

    def __init__(self, transport: ReplayTransport, price_of: PriceOf) -> None:
        self._transport = transport
        self._price_of = price_of
        self._opened: dict[str, DialectProvider] = {}

    def select(self, session: Session, exchange: RecordedExchange) -> None:
        """Let the recorded model answer, from the next request on."""
        opened = self._opened.get(exchange.provider)
        if opened is None:
            same = [each for each in self._transport.exchanges if each.provider == exchange.provider]
            opened = self._opened[exchange.provider] = recorded_provider(same, self._transport)
        ref = ModelRef(provider=exchange.provider, model=exchange.model)
        if session.state.model is None or session.state.model.ref != ref:
            session.select_model(ModelInfo(ref=ref, price=self._price_of(ref)), opened.dialect)

    def provider(self, ref: ModelRef) -> Provider:
        """The provider of a recorded model."""
        return self._opened[ref.provider]

    def prepare(self, messages: tuple[Message, ...], ref: ModelRef, dialect: str, *, continuation: bool) -> Prepared:
        """Hand-off, as under a live session."""
        pattern = self._opened[ref.provider].endpoint.quirks.tool_call_id_pattern
        done = prepare(
            messages,
            provider=ref.provider,
            dialect=dialect,
            model=ref.model,
            id_pattern=pattern,
            continuation=continuation,
        )
        return Prepared(messages=done.messages, changes=done.changes)

    async def aclose(self) -> None:
        """Close what was opened."""
        for opened in self._opened.values():
            await opened.aclose()
