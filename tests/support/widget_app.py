"""A bare application around widgets under test: our themes and style sheets, nothing else."""

from collections.abc import Callable, Iterable

from textual.app import App, ComposeResult
from textual.message import Message
from textual.widget import Widget

from patchbay.app.tui import themes


class WidgetApp(App[None]):
    """Composes what it is given and keeps the messages that reach it, by their class name."""

    CSS_PATH = themes.style_sheets()

    def __init__(self, make: Callable[[], Iterable[Widget]], theme: str = themes.DEFAULT_THEME) -> None:
        super().__init__()
        self._make = make
        self.heard: list[Message] = []
        for own in themes.own_themes():
            self.register_theme(own)
        self.theme = theme

    def get_theme_variable_defaults(self) -> dict[str, str]:
        return themes.role_defaults(dark=self.current_theme.dark)

    def compose(self) -> ComposeResult:
        yield from self._make()

    def screen_text(self) -> list[str]:
        """The rows of the screen as plain text."""
        return ["".join(segment.text for segment in row) for row in self.screen._compositor.render_strips()]

    def hear(self, message: Message) -> None:
        """The message hook of ``run_test``."""
        self.heard.append(message)

    def messages(self, kind: type) -> list:
        return [message for message in self.heard if isinstance(message, kind)]
