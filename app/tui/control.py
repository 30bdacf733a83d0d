"""What the user interface is given by the composition root: a session and the few things it may ask for."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol, TypeAlias

from ...providers.base import Exchange, ModelRef
from ..engine.ledger_reader import LedgerReader
from ..engine.session import Session
from ..trust import FolderTrust
from .attaching import Attaching
from .pasting import Pasting
from .sessions import OpenSession, Sessions
from .shelf import EmptyShelf, ModelShelf


class Ending(Enum):
    """Why the user interface was left."""

    QUIT = "quit"
    DEMO = "demo"
    """The person asked for the demo from the first screen."""
    RELOAD = "reload"
    """The folder is trusted now: begin again with its settings."""


Leaving: TypeAlias = Ending | OpenSession
"""Why the user interface was left, or for what."""


class Exchanges(Protocol):
    """The latest raw exchanges with providers."""

    def index(self) -> Sequence[tuple[int, float]]:
        """Number and time (seconds since the epoch) of each that is kept, oldest first."""
        ...

    def exchange(self, number: int) -> Exchange | None:
        """One of them, as it is now; None when it is no longer kept."""
        ...


class Control(Protocol):
    """A running session and its providers."""

    @property
    def session(self) -> Session:
        """The session to show."""
        ...

    @property
    def exchanges(self) -> Exchanges:
        """What went over the wire lately."""
        ...

    @property
    def ledger(self) -> LedgerReader:
        """What was used and paid, in this session and all others."""
        ...

    @property
    def sessions(self) -> Sessions | None:
        """All sessions on disk; None where there are none (the demo)."""
        ...

    async def start(self) -> str:
        """Choose a model, looking for servers if need be. Returns what is wrong, in words; empty when all is well."""
        ...

    async def refresh(self) -> None:
        """Ask every server again what it has."""
        ...

    async def watch(self, attended: Callable[[], bool]) -> None:
        """Ask the servers on this machine now and then, until cancelled; seldom while nobody is there."""
        ...

    def prices(self) -> str:
        """How old prices are, in words."""
        ...

    def select(self, ref: ModelRef) -> None:
        """Let a model answer from the next request on. Raises ``ProviderConfigError``."""
        ...

    def resolve(self, text: str) -> ModelRef:
        """The model a person means. Raises ``ProviderConfigError`` with the nearest names."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Preferences:
    """How the person wants it to look and feel."""

    theme: str | None = None
    keys: Mapping[str, Sequence[str]] = field(default_factory=dict[str, Sequence[str]])
    ascii: bool = False
    history_file: Path | None = None
    config_file: Path = Path()
    asked_model: str | None = None
    """What ``--model`` named: when it cannot be had, that is said aloud and not only on the first screen."""
    first_prompt: str | None = None
    """Sent as soon as a model is there (the demo's task)."""
    attaching: Attaching | None = None
    """What reads the files that a prompt mentions; None when there is none."""
    pasting: Pasting | None = None
    """What reads images from the clipboard; None when there is none."""
    shelf: ModelShelf = field(default_factory=EmptyShelf)
    """Favourite and recent models."""
    trust: FolderTrust | None = None
    """How the folder stands, and whether the person is asked; None for the demo's own folder."""
