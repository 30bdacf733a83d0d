"""The real application around a scripted session."""

from contextlib import asynccontextmanager
from pathlib import Path

from textual.pilot import Pilot

from patchbay.app.engine.ledger_reader import LedgerReader
from patchbay.app.engine.session import Session
from patchbay.app.tui.app import PatchbayApp
from patchbay.app.tui.attaching import Attaching
from patchbay.app.tui.control import Preferences
from patchbay.app.tui.main_screen import MainScreen
from patchbay.app.tui.pasting import Pasting
from patchbay.providers.base import ModelInfo, ModelRef, ProviderConfigError
from patchbay.providers.exchanges import ExchangeLog
from support.sessions import cost_of, model, until


class Panel:
    """A ``Control`` over a session: its models are given, nothing is looked for."""

    sessions = None

    def __init__(self, session: Session, *models: ModelInfo, problem: str = "") -> None:
        self.session = session
        self.models = {str(each.ref): each for each in (models or (model(),))}
        self.problem = problem
        self.refreshed = 0
        self.exchanges = ExchangeLog()
        self.ledger = LedgerReader(database=None)
        session.bus.attach(self.ledger.live.sink)
        self.watched = None

    async def start(self) -> str:
        return self.problem

    async def refresh(self) -> None:
        self.refreshed += 1

    async def watch(self, attended) -> None:
        self.watched = attended

    def prices(self) -> str:
        return "prices as of 2026-05-21, shipped"

    def select(self, ref: ModelRef) -> None:
        self.session.select_model(self.models[str(ref)], "scripted")

    def resolve(self, text: str) -> ModelRef:
        if text not in self.models:
            raise ProviderConfigError(f"Unknown model {text!r}")
        return self.models[text].ref


class Desk:
    """A running application and what a test asks of it."""

    def __init__(self, app: PatchbayApp, pilot: Pilot, session: Session, panel: Panel) -> None:
        self.app = app
        self.panel = panel
        self.pilot = pilot
        self.session = session

    @property
    def screen(self) -> MainScreen:
        return next(each for each in self.app.screen_stack if isinstance(each, MainScreen))

    async def type(self, text: str) -> None:
        """Put text into the prompt and send it."""
        await self.pilot.pause()
        self.screen.query_one("#prompt").insert(text)
        await self.pilot.press("enter")
        await self.pilot.pause()

    async def idle(self) -> None:
        """Wait for the turn to end and for the screen to show it."""
        await self.pilot.pause(0.05)
        await self.session.wait_idle()
        await self.pilot.pause(0.1)

    async def when(self, condition) -> None:
        await until(condition)
        await self.pilot.pause()

    def text(self, pane: str) -> str:
        """What a pane shows, row by row."""
        view = self.screen.query_one(f"#{pane}")
        return "\n".join(view.line_at(row).text.rstrip() for row in range(view.row_count))


@asynccontextmanager
async def on_screen(
    session: Session,
    *models: ModelInfo,
    size: tuple[int, int] = (160, 48),
    problem: str = "",
    history_file: Path | None = None,
    keys: dict[str, tuple[str, ...]] | None = None,
    asked_model: str | None = None,
    attaching: Attaching | None = None,
    pasting: Pasting | None = None,
    ascii: bool = False,
):
    """Run the application over a session."""
    panel = Panel(session, *models, problem=problem)
    preferences = Preferences(
        history_file=history_file,
        keys=keys or {},
        config_file=Path("/cfg/config.toml"),
        asked_model=asked_model,
        attaching=attaching,
        pasting=pasting,
        ascii=ascii,
    )
    app = PatchbayApp(panel, preferences, cost_of=cost_of)
    async with app.run_test(size=size) as pilot:
        await pilot.pause()
        yield Desk(app, pilot, session, panel)
