"""The screen a session is worked with: panes, prompt, bar, and the actions of the table that work everywhere."""

import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar, cast

from textual import events, work
from textual.app import App, ComposeResult, SuspendNotSupported
from textual.binding import BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Rule

from ..engine.events import NoticeLevel
from ..engine.ledger import CostOf
from ..engine.state import AnswerEntry, CommandEntry, PromptEntry, SessionState
from ..trust import Standing
from . import modals
from .actions import ActionTable, Context, bindings, key_label
from .bridge import Bridge
from .control import Control, Ending, Preferences
from .effort import choose_effort
from .external_editor import EditorError, edit_text
from .git_branch import git_branch
from .mode import choose_mode
from .panes.chat import ChatPane
from .panes.diff import DiffPane
from .panes.review import ReviewPane
from .panes.tool_log import ToolLogPane
from .prompt_history import add_to_history, read_history
from .sessions_screen import SessionsScreen
from .switching_screen import SwitchingScreen
from .themes import next_theme
from .transcript.palette import Signs
from .verifying_screen import VerifyingScreen
from .widgets.approval import ApprovalBar
from .widgets.budget_bar import BudgetBar
from .widgets.check_list import CheckList
from .widgets.cost_bar import CostBar
from .widgets.header import Header
from .widgets.hints import KeyHints
from .widgets.prompt import Prompt
from .widgets.prompt_box import PromptBox
from .widgets.tabs import PANES, TabLine
from .widgets.todo_list import TodoList
from .widgets.trust_bar import TrustBar
from .widgets.welcome import Welcome
from .window_screen import WindowScreen

QUIT_WINDOW_S = 2.0
"""A second Ctrl+C within this time quits."""

_COMMAND = re.compile(r"/[a-z-]+")
_PANE_CONTEXTS: dict[str, Context] = {"chat": "chat", "diff": "diff", "tools": "tools"}


class MainScreen(SwitchingScreen, WindowScreen, VerifyingScreen, SessionsScreen):
    """Chat, diff and tool log of one session, its prompt and its bar."""

    BINDINGS: ClassVar[list[BindingType]] = [*bindings("global")]

    def __init__(
        self, control: Control, preferences: Preferences, table: ActionTable, cost_of: CostOf, signs: Signs
    ) -> None:
        super().__init__()
        self.table = table
        self._control = control
        self._session = control.session
        self._preferences = preferences
        self._cost_of = cost_of
        self._signs = signs
        self._bridge = Bridge(self._session, batch=self._batched)
        self._interrupted_at = 0.0
        self._problem = ""

    # ---- building

    def compose(self) -> ComposeResult:
        """Some twenty widgets, however long the session gets."""
        self._take_shape(self._patchbay.size)  # before there is a widget: each change later styles all of them anew
        self._show_welcome(self._session.state)
        history = self._preferences.history_file
        yield Header(signs=self._signs, id="header")
        yield TabLine(signs=self._signs, id="tabs")
        with Horizontal(id="body"):
            with Vertical(id="left"):
                yield Welcome(
                    self.table, config_file=_short(self._preferences.config_file), signs=self._signs, id="welcome"
                )
                retry = key_label(self.table["session.retry"].keys[0]) if self.table["session.retry"].keys else "/retry"
                yield ChatPane(signs=self._signs, retry_hint=f"{retry} asks again", id="chat")
            yield Rule("vertical", id="rule")
            with Vertical(id="side"):
                yield ReviewPane(self._session, self.table, signs=self._signs, id="review")
                yield Rule(id="split")
                yield ToolLogPane(signs=self._signs, id="tools")
        yield TrustBar(self._preferences.trust, self.table, signs=self._signs, id="trust")
        fold_keys = self.table["view.toggle_todos"].keys
        yield TodoList(key=key_label(fold_keys[0]) if fold_keys else "", signs=self._signs, id="todos")
        stop_keys = self.table["session.cancel"].keys
        yield CheckList(stop_key=key_label(stop_keys[0]) if stop_keys else "", signs=self._signs, id="checks")
        yield ApprovalBar(self.table, signs=self._signs, id="approval")
        yield BudgetBar(self.table, signs=self._signs, id="budget")
        yield PromptBox(
            Prompt(
                history=read_history(history) if history else (),
                remember=self._remember,
                images=self._preferences.pasting is not None,
                id="prompt",
            ),
            self.table,
            files=self._path_source(),
            values=self._argument_values,
            id="prompt-box",
        )
        yield CostBar(self._cost_of, signs=self._signs, id="bar")
        yield KeyHints(self.table, id="hints")

    def on_mount(self) -> None:
        """Connect the views, look for models, and begin."""
        header = self.query_one(Header)
        header.show_branch(git_branch(self._session.folder))
        self._bridge.add(self, "chat", "status", "providers")
        self._bridge.add(self.query_one(ChatPane), "chat", clocked=True)
        self._bridge.add(self.query_one(DiffPane), "files", "tools")
        self._bridge.add(self.query_one(ToolLogPane), "tools", clocked=True)
        self._bridge.add(self.query_one(CostBar), "status", clocked=True)
        self._bridge.add(header, "status")
        self._bridge.add(self.query_one(TabLine), "chat", "files", "tools")
        self._bridge.add(self.query_one(Welcome), "status", "providers")
        self._bridge.add(self.query_one(ApprovalBar), "tools")
        self._bridge.add(self.query_one(BudgetBar), "status")
        self._bridge.add(self.query_one(TodoList), "tools", "status")
        self._bridge.add(self.query_one(CheckList), "tools", "status", clocked=True)
        self.run_worker(self._bridge.run(), group="bridge")
        self._show_trust()
        self._focus_home()
        self._begin()

    @work(group="begin")
    async def _begin(self) -> None:
        """Choose a model off the start path; the first frame never waits for a server."""
        self._problem = await self._control.start()
        self.run_worker(self._control.watch(lambda: self._patchbay.app_focus), group="watch", exclusive=True)
        if self._session.state.model is None:
            if self._problem and not self._welcome_shown:
                self._session.notice(self._problem, NoticeLevel.ERROR)
            elif self._problem and self._preferences.asked_model:
                self.notify(self._problem, severity="warning", timeout=15, markup=False)
            return
        await self._control.refresh()
        if self._preferences.first_prompt and not self._session.state.transcript:
            self._session.submit(self._preferences.first_prompt)

    def _batched(self, sync: Callable[[], None]) -> None:
        with self._patchbay.batch_update():
            sync()

    # ---- views

    def sync(self, state: SessionState) -> None:
        """Whether there is a conversation yet."""
        self._show_welcome(state)

    def _show_welcome(self, state: SessionState) -> None:
        begun = any(isinstance(entry, PromptEntry | AnswerEntry | CommandEntry) for entry in state.transcript[:8])
        begun = begun or state.verification is not None
        self.set_class(not begun and not state.queued, "welcome")

    @property
    def _patchbay(self) -> App[Ending]:
        return cast("App[Ending]", self.app)

    def on_descendant_focus(self, event: events.DescendantFocus) -> None:
        """The key hints follow the focus, and so does the pane that is shown alone."""
        pane = event.widget.id if event.widget.id in PANES else None
        if pane is not None:
            self._show(pane)
        context: Context = "approval" if isinstance(event.widget, ApprovalBar) else "prompt"
        self.query_one(ApprovalBar).fold(self.query_one(ReviewPane).has_focus_within)
        context = "trust" if isinstance(event.widget, TrustBar) else context
        context = "budget" if isinstance(event.widget, BudgetBar) else context
        self.query_one(KeyHints).show(_PANE_CONTEXTS.get(pane or "", context))

    # ---- messages of the widgets

    def on_prompt_submitted(self, event: Prompt.Submitted) -> None:
        """A prompt, a slash command, or Enter on nothing."""
        text = event.text
        if not text:
            if self._session.state.model is None and self._welcome_shown:
                self._patchbay.exit(Ending.DEMO)
            return
        command = self.table.parse_command(text)
        if command is not None:
            action, argument = command
            self._run_command(action.id, argument, action.name)
        elif _COMMAND.fullmatch(text):
            known = " ".join(f"/{each.slash}" for each in self.table.commands)
            self.notify(f"{text} is no command. There are: {known}", severity="warning", markup=False)
            self._prompt.replace_all(text)
        elif text.startswith("!"):
            self._run_own(text)
        elif self._session.state.model is None:
            self.notify(self._problem or "No model is connected yet.", severity="warning", markup=False)
            self._prompt.replace_all(text)
        else:
            self._send(text)

    def _run_command(self, action_id: str, argument: str, name: str) -> None:
        match action_id, argument:
            case "session.switch_model", str(model) if model:
                self._select(model)
            case "view.next_theme", str(theme) if theme:
                self._set_theme(theme)
            case "session.next_effort", str(effort) if effort:
                self.notify(choose_effort(self._session, effort), markup=False)
            case "session.show_budget", str(words) if words:
                self._set_budget(words)
            case "session.next_mode", str(mode) if mode:
                self.notify(choose_mode(self._session, mode), markup=False)
            case "session.paste_image", str(words):
                self.paste_beside(words)
            case "session.verify", str(rounds) if rounds:
                self.verify_rounds(rounds)
            case "session.compact", str(focus):
                self._compact(focus)
            case _:
                self.call_later(self.run_action, name)

    def on_prompt_edit_requested(self, event: Prompt.EditRequested) -> None:
        """The person's own editor takes the terminal; what they wrote comes back into the prompt."""
        try:
            with self._patchbay.suspend():
                text = edit_text(event.text, os.environ)
        except (EditorError, SuspendNotSupported) as error:
            self.notify(str(error) or "This terminal cannot be handed to an editor.", severity="error", markup=False)
            return
        self._prompt.replace_all(text)

    def on_approval_bar_appeared(self) -> None:
        """A question waits: its keys work at once (after its deaf moment), and somebody who is away hears it."""
        self.query_one(ApprovalBar).focus()
        if not self._patchbay.app_focus:
            self._patchbay.bell()

    def on_approval_bar_gone(self) -> None:
        """Back to the prompt, or to another question."""
        self._focus_home()

    def on_approval_bar_answered(self, event: ApprovalBar.Answered) -> None:
        """A person's answer to the question that waits."""
        self._session.resolve(event.approval_id, event.decision, event.comment)

    def on_approval_bar_hunks_wanted(self) -> None:
        """The question is answered hunk by hunk, where its diff stands."""
        self.query_one(DiffPane).follow_newest()
        self._go("diff")

    def on_trust_bar_answered(self, event: TrustBar.Answered) -> None:
        """The folder's settings count from here on, when they may and nothing was said yet."""
        trust = self._preferences.trust
        if event.problem:
            self.notify(event.problem, severity="warning", markup=False)
        self._show_trust()
        self._focus_home()
        if trust is not None and trust.standing.counts and trust.config.items:
            if self._welcome_shown and not self._prompt.text:
                self._patchbay.exit(Ending.RELOAD)
            else:
                self._session.notice("The folder's own settings count from the next start on.")

    def _show_trust(self) -> None:
        trust = self._preferences.trust
        restricted = trust is not None and trust.standing is Standing.UNTRUSTED
        self.query_one(Header).show_remark(Standing.UNTRUSTED.value if restricted else "")

    def on_tab_line_chosen(self, event: TabLine.Chosen) -> None:
        """A click on a tab."""
        self._view(event.pane).focus()

    def _remember(self, prompt: str) -> None:
        if self._preferences.history_file is not None:
            add_to_history(self._preferences.history_file, prompt)

    # ---- actions

    def action_show_help(self) -> None:
        """The key help."""
        self._open(modals.key_help(self.table, self._signs))

    def action_command_palette(self) -> None:
        """Textual's palette over our actions."""
        self._patchbay.action_command_palette()

    def action_cancel(self) -> None:
        """From a pane back to the prompt; there, stop what runs."""
        in_pane = self.focused is not None and self.focused.id in PANES
        if in_pane or not self._session.cancel():
            self._focus_home()

    def action_ask_trust(self) -> None:
        """Whether this folder is trusted, also when that was answered."""
        if not self.query_one(TrustBar).ask():
            self.notify("The demo's folder is Patchbay's own.", markup=False)

    def action_retry(self) -> None:
        """Ask again for an answer that is missing or broke off."""
        if not self._session.retry():
            self.notify("There is nothing to ask again.", markup=False)

    def action_next_effort(self) -> None:
        """More thinking; after the most comes the provider's own choice again."""
        self.notify(choose_effort(self._session), timeout=3, markup=False)

    def action_next_mode(self) -> None:
        """The next mode; one that cannot be had is skipped, and why is said."""
        self.notify(choose_mode(self._session), timeout=4, markup=False)

    def action_show_cost(self) -> None:
        """What this session and all others cost."""
        self._show_spending(tokens=False)

    def action_show_tokens(self) -> None:
        """The same screen, with its tokens."""
        self._show_spending(tokens=True)

    def _show_spending(self, *, tokens: bool) -> None:
        spending = modals.spending(self._control, tokens=tokens, signs=self._signs)
        self._bridge.add(spending, "status")
        self._open(spending)

    def action_toggle_thinking(self) -> None:
        """Show or fold all thinking."""
        self.query_one(ChatPane).toggle_thinking()

    def action_toggle_todos(self) -> None:
        """Fold or unfold the model's plan."""
        if not self.query_one(TodoList).toggle():
            self.notify("The model has no plan open.", timeout=3, markup=False)

    def action_show_exchange(self) -> None:
        """What went over the wire for the selected answer, or last."""
        exchange = modals.exchange(self._control.exchanges, self.query_one(ChatPane).selected_entry, self._signs)
        if exchange is None:
            self.notify("Nothing was exchanged with a provider yet.", markup=False)
        else:
            self._open(exchange)

    def action_next_theme(self) -> None:
        """The next of our themes."""
        self._set_theme(next_theme(self._patchbay.theme))

    def _set_theme(self, name: str) -> None:
        if name not in self._patchbay.available_themes:
            ours = sorted(theme for theme in self._patchbay.available_themes if theme.startswith("patchbay"))
            message = f"There is no theme {name!r}. There are: {', '.join(ours)}"
            self.notify(message, severity="warning", markup=False)
            return
        self._patchbay.theme = name

    def action_interrupt(self) -> None:
        """Copy what is selected; else, the second time, quit. What was written stays where it is saved."""
        selected = self.get_selected_text()
        if selected:
            self._patchbay.copy_to_clipboard(selected)
            self.clear_selection()
            self.notify("Copied.", timeout=2, markup=False)
            return
        now = time.monotonic()
        if now - self._interrupted_at < QUIT_WINDOW_S:
            self.action_quit()
            return
        self._interrupted_at = now
        self.notify("Press Ctrl+C again to quit.", timeout=QUIT_WINDOW_S, markup=False)

    def action_quit(self) -> None:
        """Leave; the session is on disk. Of one that is not, that is said first."""
        if self._stays_unsaved():
            return
        self._patchbay.exit(Ending.QUIT)


def _short(file: Path) -> str:
    home = Path.home()
    return f"~/{file.relative_to(home)}" if file.is_relative_to(home) else str(file)
