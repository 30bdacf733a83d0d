"""The screens that a key opens. Each is loaded when it is opened for the first time, so that no start pays for them.

This is the one place that names their modules (``tests/test_imports.py`` holds the list). A function here makes one of
them, ready to be pushed.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ...tools.base import Checkpoints
from ..engine.session import Session
from ..engine.state import Entry, PromptEntry, SessionState
from .actions import ActionTable
from .control import Control, Exchanges, Preferences
from .sessions import Sessions
from .transcript.palette import Signs

if TYPE_CHECKING:
    from ..engine.context_report import ContextReport
    from .widgets.context_meter import ContextScreen
    from .widgets.dropped import DroppedScreen
    from .widgets.exchange import ExchangeScreen
    from .widgets.help import HelpScreen
    from .widgets.provider_switcher import Inspect, ProviderSwitcher
    from .widgets.rewind import RewindScreen
    from .widgets.session_browser import SessionBrowser
    from .widgets.spending import SpendingScreen


def key_help(table: ActionTable, signs: Signs) -> "HelpScreen":
    """Every key and command."""
    from .widgets.help import HelpScreen

    return HelpScreen(table, signs=signs)


def switcher(control: Control, preferences: Preferences, inspect: "Inspect", signs: Signs) -> "ProviderSwitcher":
    """Every model; ``inspect`` says what going on with one means."""
    from .widgets.provider_switcher import ProviderSwitcher

    return ProviderSwitcher(
        control.session.state, signs=signs, prices=control.prices(), shelf=preferences.shelf, inspect=inspect
    )


def session_browser(
    sessions: Sessions, table: ActionTable, session: Session, *, renamed: Callable[[str], None], signs: Signs
) -> "SessionBrowser":
    """Every session on disk; ``renamed`` hears the name that the one on screen was given."""
    from .widgets.session_browser import SessionBrowser

    return SessionBrowser(
        sessions, table, folder=session.state.folder, busy=lambda: session.busy, renamed=renamed, signs=signs
    )


def rewind(checkpoints: Checkpoints, prompts: Sequence[PromptEntry]) -> "RewindScreen":
    """Back to before one of the prompts, newest first."""
    from .widgets.rewind import RewindScreen

    return RewindScreen(checkpoints, prompts, time.time())


async def context_meter(session: Session, signs: Signs) -> "ContextScreen | None":
    """Where the model's window goes with the next request, weighed in a thread; None without a model."""
    report = await asyncio.to_thread(_context_report, session)
    if report is None:
        return None
    from .widgets.context_meter import ContextScreen

    return ContextScreen(report, signs=signs)


def _context_report(session: Session) -> "ContextReport | None":
    from ..engine.context_report import context_report

    state, request = session.state, session.next_request()
    return None if request is None or state.model is None else context_report(state, request, state.model)


def dropped(state: SessionState, at: int, signs: Signs) -> "DroppedScreen":
    """What the compaction at a place of the transcript took out."""
    from .widgets.dropped import DroppedScreen

    return DroppedScreen(state, at, signs=signs)


def spending(control: Control, *, tokens: bool, signs: Signs) -> "SpendingScreen":
    """What was spent, by its cost or by its tokens."""
    from .spending import View
    from .widgets.spending import SpendingScreen

    view = View.TOKENS if tokens else View.COST
    return SpendingScreen(control.ledger, control.session.state, view=view, signs=signs)


def exchange(exchanges: Exchanges, entry: Entry | None, signs: Signs) -> "ExchangeScreen | None":
    """The exchange that an answer came from, else the latest one; None when there was none yet."""
    from .widgets.exchange import ExchangeScreen, chosen_exchange

    number = chosen_exchange(exchanges, entry)
    return None if number is None else ExchangeScreen(exchanges, number, signs=signs)
