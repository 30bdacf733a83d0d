"""The Textual application: themes, keys and the main screen. Everything else is the screen's."""

from collections.abc import Callable, Sequence
from typing import ClassVar

from textual.app import App
from textual.command import Provider
from textual.filter import LineFilter

from ..engine.ledger import CostOf
from .actions import ActionTable
from .ascii_paint import AsciiFilter
from .commands import ActionCommands
from .control import Control, Leaving, Preferences
from .main_screen import MainScreen
from .terminal_keys import release_alt_digits
from .themes import DEFAULT_THEME, own_themes, role_defaults, style_sheets
from .transcript.palette import ASCII_SIGNS, UNICODE_SIGNS


class PatchbayApp(App[Leaving]):
    """One session on screen; ``run`` returns why it was left."""

    COMMANDS: ClassVar[set[type[Provider] | Callable[[], type[Provider]]]] = {ActionCommands}
    ENABLE_COMMAND_PALETTE = True
    TITLE = "Patchbay"

    def __init__(self, control: Control, preferences: Preferences, *, cost_of: CostOf) -> None:
        """Raises ``KeymapError`` when the person's keys cannot be used."""
        self._table = ActionTable.remapped(preferences.keys)
        release_alt_digits()
        super().__init__(css_path=[*style_sheets()])
        self._control = control
        self._preferences = preferences
        self._cost_of = cost_of
        self._ascii = AsciiFilter() if preferences.ascii else None
        for theme in own_themes():
            self.register_theme(theme)
        wanted = preferences.theme or DEFAULT_THEME
        self.theme = wanted if wanted in self.available_themes else DEFAULT_THEME
        self.set_keymap(self._table.keymap())

    def get_theme_variable_defaults(self) -> dict[str, str]:
        """Our colours by role, also under a theme that does not name them."""
        return role_defaults(dark=self.current_theme.dark)

    def get_line_filters(self) -> Sequence[LineFilter]:
        """What happens to every line before it is written."""
        filters = super().get_line_filters()
        return filters if self._ascii is None else [*filters, self._ascii]

    async def action_quit(self) -> None:
        """Textual has a key for it that goes before those of screens: it means what ours means."""
        for screen in self.screen_stack:
            if isinstance(screen, MainScreen):
                screen.action_quit()
                return
        self.exit()

    def on_mount(self) -> None:
        """Show the session."""
        signs = ASCII_SIGNS if self._preferences.ascii else UNICODE_SIGNS
        self.push_screen(MainScreen(self._control, self._preferences, self._table, self._cost_of, signs))
