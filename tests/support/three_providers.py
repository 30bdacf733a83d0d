"""A session that costs money in every way: three providers with prices, a retry, tools, a title, a compaction, a
reported sum, a model nobody knows the price of, and an answer nobody counted. Written by the recorder itself."""

from decimal import Decimal
from pathlib import Path

from patchbay.app.engine.bus import MessageBus
from patchbay.app.engine.events import CallPurpose, SessionStarted
from patchbay.app.engine.handoff import Prepared
from patchbay.app.engine.ledger_reader import LedgerReader, open_ledger
from patchbay.app.engine.recorder import Recorder
from patchbay.app.engine.session import Parts, Session
from patchbay.app.engine.side_call import side_call
from patchbay.app.engine.state import SessionState
from patchbay.app.engine.store import SessionStore
from patchbay.providers.base import ModelInfo, ModelRef, Price, PriceTier
from patchbay.providers.events import ErrorKind, ResponseError, StopReason, Usage, UsageUpdate
from patchbay.providers.messages import ChatRequest, TextBlock, UserMessage
from patchbay.providers.pricing import cost_of
from patchbay.providers.resilience import Resilience, RetryPolicy
from patchbay.providers.scripted import ScriptedProvider, answer, end, fail, text, tool_call, usage
from support.sessions import FakeToolbox, Providers

LONG = Price(
    input_per_mtok=Decimal("6"),
    output_per_mtok=Decimal("22.5"),
    cache_read_per_mtok=Decimal("0.60"),
    cache_write_per_mtok=Decimal("7.50"),
)
SONNET = ModelInfo(
    ref=ModelRef(provider="anthropic", model="sonnet"),
    context_window=1_000_000,
    tools=True,
    price=Price(
        input_per_mtok=Decimal("3"),
        output_per_mtok=Decimal("15"),
        cache_read_per_mtok=Decimal("0.30"),
        cache_write_per_mtok=Decimal("3.75"),
        tiers=(PriceTier(above_tokens=200_000, price=LONG),),
    ),
)
GPT = ModelInfo(
    ref=ModelRef(provider="openai", model="gpt"),
    context_window=400_000,
    tools=True,
    price=Price(input_per_mtok=Decimal("1.25"), output_per_mtok=Decimal("10"), cache_read_per_mtok=Decimal("0.125")),
)
ROUTED = ModelInfo(ref=ModelRef(provider="openrouter", model="maker/model"), context_window=100_000, tools=True)
"""Without a price of its own: this service says what a call cost."""
ODD = ModelInfo(ref=ModelRef(provider="openrouter", model="=HYPERLINK(1)"), context_window=100_000, tools=True)
"""Nobody knows its price, and its name is a formula."""

# Hand-computed, in millionths of a dollar.
TOOLS_CALLED = Decimal("0.04635")
"""1,200 input * 3 + 10,000 written * 3.75 + 350 output * 15 = 3,600 + 37,500 + 5,250 = 46,350"""
TOOLS_TOLD = Decimal("0.008886")
"""42 input * 3 + 11,200 read * 0.30 + 640 written * 3.75 + 200 output * 15 = 126 + 3,360 + 2,400 + 3,000 = 8,886"""
TITLE = Decimal("0.0004775")
"""310 input * 1.25 + 9 output * 10 = 387.5 + 90 = 477.5"""
SWITCHED = Decimal("0.00745")
"""5,000 input * 1.25 + 120 output * 10 = 6,250 + 1,200 = 7,450"""
COMPACTED = Decimal("1.222506")
"""Beyond 200,000 tokens: 200,001 input * 6 + 1,000 output * 22.5 = 1,200,006 + 22,500 = 1,222,506"""
REPORTED = Decimal("0.00123456789")
"""What the service said."""
KNOWN = Decimal("1.28690406789")
"""The sum of these, without what is estimated: 0.055236 (anthropic's answers) + 0.0079275 (openai) + 1.222506 +
0.00123456789"""
READ_CHARS, BASH_CHARS = 300, 100
"""The results of the two tools: three quarters and one quarter of 8,886 millionths, 6,664.5 and 2,221.5."""


class Costly:
    """The session, its recorder and its ledger."""

    def __init__(self, database: Path, *, folder: str = "/src/shop", session_id: str = "session-costly") -> None:
        ticks = iter(range(10_000_000))
        clock = lambda: 1_700_000_000.0 + next(ticks) / 100  # noqa: E731
        self.bus = MessageBus(SessionStore(SessionState(session_id=session_id)), clock=clock)
        self.recorder = Recorder(database)
        self.bus.attach(self.recorder.sink)
        self.ledger: LedgerReader = open_ledger(self.bus, database, self.recorder, folder)
        self.providers = Providers(*_providers())

        async def read(_arguments, _emit, _approve) -> str:
            return "r" * READ_CHARS

        async def bash(_arguments, _emit, _approve) -> str:
            return "b" * BASH_CHARS

        async def no_wait(_seconds: float) -> None:
            return None

        parts = Parts(
            directory=self.providers,
            toolbox=FakeToolbox(read=read, bash=bash),
            prepare=lambda messages, ref, dialect, *, continuation: Prepared(messages=messages, changes=()),
            cost_of=cost_of,
            durable=self.recorder.durable,
            recovery=Resilience(self.providers, no_wait, policy=RetryPolicy(chance=lambda: 0.0)),  # type: ignore[arg-type]
        )
        self.session = Session(self.bus, parts)
        self.bus.publish(SessionStarted(folder=folder, version="test"))

    async def play(self) -> None:
        """All of it, in order."""
        await self._turn(SONNET, "read the parser and run the tests")
        await self._beside(GPT, CallPurpose.TITLE, "title")
        await self._turn(GPT, "and the lexer?")
        await self._beside(SONNET, CallPurpose.COMPACTION, "summary")
        await self._turn(ROUTED, "go on")
        await self._turn(ODD, "what do you cost?")
        await self._turn(SONNET, "and break off")
        await self.recorder.durable()

    async def _turn(self, model: ModelInfo, prompt: str) -> None:
        self.session.select_model(model, "scripted")
        self.session.submit(prompt)
        await self.session.wait_idle()

    async def _beside(self, model: ModelInfo, purpose: CallPurpose, provider: str) -> None:
        request = ChatRequest(model=model.ref.model, messages=(UserMessage(blocks=(TextBlock(text="?"),)),))
        await side_call(
            self.bus, self.providers.by_name[provider], request, model=model, cost_of=cost_of, purpose=purpose
        )


def _providers() -> list[ScriptedProvider]:
    reported = (UsageUpdate(usage=Usage(input_tokens=900, output_tokens=80, reported_cost=REPORTED)),)
    broken = (ResponseError(kind=ErrorKind.NETWORK, message="gone", retryable=False),)
    calls = (tool_call("c1", "read", {"path": "parser.py"}), tool_call("c2", "bash", {"command": "pytest"}))
    return [
        ScriptedProvider(
            "anthropic",
            [
                fail(ErrorKind.OVERLOADED, "busy", status=529, retryable=True),
                answer(*calls, usage(1200, 350, cache_write_tokens=10_000), end(StopReason.TOOL_CALLS)),
                answer(text("Done."), usage(42, 200, cache_read_tokens=11_200, cache_write_tokens=640), end()),
                answer(text("It brea"), broken),
            ],
        ),
        ScriptedProvider("openai", [answer(text("The lexer too."), usage(5000, 120), end())]),
        ScriptedProvider(
            "openrouter",
            [answer(text("On."), reported, end()), answer(text("Who knows."), usage(100, 10), end())],
        ),
        ScriptedProvider("title", [answer(text("Parser"), usage(310, 9), end())]),
        ScriptedProvider("summary", [answer(text("All of it"), usage(200_001, 1000), end())]),
    ]
