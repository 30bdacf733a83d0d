"""The three panes of the main screen: which one is shown where they do not fit, and the way from one to the other."""

from collections.abc import Callable
from typing import Literal, TypeVar, cast

from textual import events
from textual.app import App
from textual.geometry import Size
from textual.screen import Screen
from textual.widget import Widget

from ..engine.session import Session
from .bridge import Bridge
from .panes.chat import ChatPane
from .panes.diff import DiffPane
from .panes.tool_log import ToolLogPane
from .widgets.approval import ApprovalBar
from .widgets.budget_bar import BudgetBar
from .widgets.prompt import Prompt
from .widgets.tabs import PANES, TabLine
from .widgets.trust_bar import TrustBar

WIDE_COLUMNS = 110
"""Fewer columns show one pane at a time."""
TALL_ROWS = 30
"""Fewer rows do without the row of key hints."""


_Result = TypeVar("_Result")


class PanesScreen(Screen[None]):
    """A screen with the chat, the diff and the tool log of a session, its questions and its prompt."""

    _session: Session
    _bridge: Bridge
    _pane: str = "chat"
    """The pane that is shown alone where there is room for one."""

    def on_resize(self, event: events.Resize) -> None:
        """One pane at a time where three do not fit."""
        self._take_shape(event.size)

    def _take_shape(self, size: Size) -> None:
        self.set_class(size.width < WIDE_COLUMNS, "narrow")
        self.set_class(size.height < TALL_ROWS, "low")

    @property
    def _welcome_shown(self) -> bool:
        return self.has_class("welcome")

    @property
    def _prompt(self) -> Prompt:
        return self.query_one(Prompt)

    def _open(self, screen: Screen[_Result | None], chosen: Callable[[_Result], None] | None = None) -> None:
        """Show a screen over this one; ``chosen`` hears what was decided there.

        Who decides nothing comes back to where they were, or to a question that appeared meanwhile.
        """

        def closed(result: _Result | None) -> None:
            self._bridge.remove(screen)
            if result is not None:
                self._focus_home()
                if chosen is not None:
                    chosen(result)

        cast("App[object]", self.app).push_screen(screen, closed)

    def _focus_home(self) -> None:
        """To the question that waits, else to the prompt."""
        asked = self.query_one(ApprovalBar) if self._session.state.approvals else None
        (asked or self._budget_question or self._trust_question or self._prompt).focus()

    @property
    def _budget_question(self) -> BudgetBar | None:
        """The bar, when a request waits."""
        bar = self.query_one(BudgetBar)
        return bar if bar.waiting is not None else None

    @property
    def _trust_question(self) -> TrustBar | None:
        """The bar, when it asks and the person is not leaving it."""
        bar = self.query_one(TrustBar)
        return bar if bar.display and self.focused is not bar else None

    def _show(self, pane: str) -> None:
        self._pane = pane
        for name in PANES:
            self.set_class(name == pane, f"on-{name}")
        self.query_one(TabLine).activate(pane)

    def _view(self, pane: str) -> ChatPane | DiffPane | ToolLogPane:
        return cast("ChatPane | DiffPane | ToolLogPane", self.query_one(f"#{pane}"))

    def action_next_pane(self) -> None:
        """Prompt, chat, diff, tool log, and round again."""
        self._step_pane(1)

    def action_previous_pane(self) -> None:
        """The ring the other way."""
        self._step_pane(-1)

    def _step_pane(self, step: int) -> None:
        question: list[Widget] = [self.query_one(ApprovalBar)] if self._session.state.approvals else []
        question += [bar for bar in (*self.query(BudgetBar), *self.query(TrustBar)) if bar.display]
        panes = map(self._view, PANES[1:] if self._welcome_shown else PANES)
        ring: list[Widget] = [*question, self._prompt, *panes]
        position = next((at for at, widget in enumerate(ring) if widget.has_focus), 0)
        ring[(position + step) % len(ring)].focus()

    def action_show_chat(self) -> None:
        """Go to the chat."""
        self._go("chat")

    def action_show_diff(self) -> None:
        """Go to the diff."""
        self._go("diff")

    def action_show_tools(self) -> None:
        """Go to the tool log."""
        self._go("tools")

    def _go(self, pane: Literal["chat", "diff", "tools"]) -> None:
        self._show(pane)
        self._view(pane).focus()

    def action_scroll_up(self) -> None:
        """A page up in the pane that is shown."""
        self._scrolled.action_page_up()

    def action_scroll_down(self) -> None:
        """A page down in the pane that is shown."""
        self._scrolled.action_page_down()

    def action_jump_to_end(self) -> None:
        """Follow the newest again."""
        self._scrolled.jump_to_end()

    @property
    def _scrolled(self) -> ChatPane | DiffPane | ToolLogPane:
        focused = self.focused.id if self.focused is not None else None
        narrow = self._pane if self.has_class("narrow") else "chat"
        return self._view(focused if focused in PANES else narrow)
