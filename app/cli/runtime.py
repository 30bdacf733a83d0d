"""A session while it is open: its providers, its model, and what must be closed with it."""

import asyncio
import importlib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from ...providers.base import ModelRef, ProviderConfigError
from ...providers.catalogue import Catalogue
from ...providers.demo import DEMO_MODEL, DEMO_NAME
from ...providers.directory import ProviderDirectory
from ...providers.exchanges import ExchangeLog
from ...tools.toolbox import LocalToolbox
from ..engine.events import NoticeLevel, ProvidersListed, SavingChanged
from ..engine.ledger_reader import LedgerReader
from ..engine.session import Session
from ..engine.titles import TitleWriter
from ..paths import Paths
from ..settings import Settings
from ..trust import FolderTrust
from .attaching import PersonAttaching
from .observing import Observing
from .opening import Journal
from .pasting import ClipboardPasting
from .session_shelf import SessionShelf
from .watch import Watch, remarks


@dataclass(slots=True, kw_only=True)
class Runtime:
    """A session with everything it needs, and what must be closed with it."""

    session: Session
    directory: ProviderDirectory
    settings: Settings
    paths: Paths
    demo: bool
    catalogue: Catalogue
    ledger: LedgerReader
    toolbox: LocalToolbox | None = None
    journal: Journal | None = None
    exchanges: ExchangeLog = field(default_factory=ExchangeLog)
    observing: Observing = field(default_factory=Observing)
    wished: str | None = None
    """The model asked for on the command line or used last; None once it is chosen."""
    trust: FolderTrust | None = None
    """How the folder stands; None for the demo's own."""
    sessions: SessionShelf | None = None
    """All sessions on disk."""
    titles: TitleWriter | None = None
    attaching: PersonAttaching | None = None
    """Reads the files that a prompt mentions."""
    pasting: ClipboardPasting | None = None
    """Reads images from the clipboard."""

    async def refresh(self) -> None:
        """Ask every server what it has and list it in the session."""
        await self._ask_servers(nearby=False)
        self.list_providers()

    async def watch(self, attended: Callable[[], bool]) -> None:
        """Notice servers that start and stop on this machine, until cancelled; seldom while nobody is there."""
        watch = Watch(self._look_around, busy=lambda: self.session.busy, attended=attended)
        self.session.bus.attach(watch.hear)
        await watch.run()

    async def _look_around(self) -> bool:
        """Ask the servers on this machine. True when anything is not as it was."""
        before = self.directory.statuses(nearby=True)
        await self._ask_servers(nearby=True)
        changed = self.directory.statuses(nearby=True) != before
        if changed:
            self.list_providers()
        return changed

    async def _ask_servers(self, *, nearby: bool) -> None:
        """Ask, let the session know the chosen model as it is now, and say what happened to its server."""
        if "httpx" not in sys.modules:  # half a second that must not hold up the screen
            await asyncio.to_thread(importlib.import_module, "httpx")
        model = self.session.state.model
        before = None if model is None else self.directory.status(model.ref.provider)
        await self.directory.refresh(nearby=nearby)
        if model is None or model != self.session.state.model:  # another was chosen meanwhile
            return
        facts = self.directory.info(model.ref)
        for text, level in remarks(model.ref, (before, model), (self.directory.status(model.ref.provider), facts)):
            self.session.notice(text, level)
        if facts != model:
            self.session.select_model(facts, self.session.state.dialect)

    def list_providers(self) -> None:
        """Tell the session what can be used now."""
        self.session.bus.publish(ProvidersListed(providers=self.directory.statuses()))

    def choose(self) -> bool:
        """Select the model asked for, else the default; False when there is none (yet).

        Raises ``ProviderConfigError`` for a model that does not exist: before ``refresh`` it may be one of a
        server that is not known yet.
        """
        ref = self._first_choice()
        if ref is None:
            return False
        self.select(ref)
        self.wished = None
        return True

    async def start(self) -> str:
        """Choose a model, after looking for servers if need be. Returns what is wrong; empty when all is well.

        Before that, a restoration of files that a dead process of this session had begun is brought to its end.
        """
        self._hear_the_recorder()
        if self.session.state.transcript:
            await self.session.finish_restoring()
        if not self._must_look_first():
            try:
                if self.choose():
                    return ""
            except ProviderConfigError:
                pass  # it may belong to a server that is found in a moment
        await self.refresh()
        try:
            return "" if self.choose() else self.directory.nothing_available()
        except ProviderConfigError as error:
            return str(error)

    async def know_window(self) -> None:
        """Ask the chosen model's server for the model's window when nobody knows it: requests are bounded by it."""
        model = self.session.state.model
        if model is not None and model.context_window is None:
            await self.directory.refresh(only=model.ref.provider)
            self.select(model.ref)

    def _hear_the_recorder(self) -> None:
        """What the writer thread has to say is said in the session, on the session's own loop."""
        if self.journal is None:
            return
        loop = asyncio.get_running_loop()

        def tell(message: str) -> None:
            loop.call_soon_threadsafe(self.session.notice, message, NoticeLevel.WARNING)

        def change(problem: str) -> None:
            loop.call_soon_threadsafe(self.session.bus.publish, SavingChanged(problem=problem))

        recorder = self.journal.recorder
        recorder.on_problem, recorder.on_saving = tell, change
        if recorder.refused:
            self.session.bus.publish(SavingChanged(problem="the database cannot be opened"))

    def _must_look_first(self) -> bool:
        """True when the wished model is a local server's: only the server knows whether it has it."""
        if self.wished is None:
            return False
        name = self.wished.partition("/")[0]
        found = next((status for status in self.directory.statuses() if status.name == name), None)
        return found is None or found.local

    def select(self, ref: ModelRef) -> None:
        """Let a model answer from the next request on, and say what it cannot do.

        Raises ``ProviderConfigError`` when its provider does not exist or is disabled.
        """
        dialect = self.directory.dialect(ref)
        model = self.directory.info(ref)
        if model == self.session.state.model:
            return
        self.session.select_model(model, dialect)
        if model.tools is False:
            self.session.notice(
                f"{ref} does not support tool calling: tools are described in its prompt and its answers are searched"
                " for calls. Expect mistakes; another model may do better on code.",
                NoticeLevel.WARNING,
            )

    def _first_choice(self) -> ModelRef | None:
        if self.wished is not None:
            return self.directory.resolve(self.wished)
        if self.demo:
            return ModelRef(provider=DEMO_NAME, model=DEMO_MODEL)
        names = [status.name for status in self.directory.statuses()]
        provider, model = self.settings.start_model(names)
        if provider is not None and model is not None:
            return ModelRef(provider=provider, model=model)
        return self.directory.default()

    def resolve(self, text: str) -> ModelRef:
        """The model a person means. Raises ``ProviderConfigError`` with the nearest names."""
        return self.directory.resolve(text)

    def prices(self) -> str:
        """How old prices are, in words."""
        return self.catalogue.freshness.words(time.time())

    async def aclose(self) -> None:
        """Stop what runs, write what is left, close connections."""
        if self.titles is not None:
            await self.titles.aclose()
        await self.session.aclose()
        if self.sessions is not None:
            self.sessions.close()
        if self.toolbox is not None:
            await self.toolbox.aclose()
        if self.journal is not None and (unsaved := self.journal.close()):
            sys.stderr.write(f"patchbay: {unsaved}\n")
        await self.directory.aclose()
        await self.observing.aclose()
