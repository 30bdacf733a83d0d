"""A dialog that is as high as what it shows, and scrolls what the screen has no room for."""

from textual.containers import VerticalScroll
from textual.widget import Widget

_MOST_HEIGHT = 92
"""Of the screen, in percent: what the style sheets let such a dialog have."""


def fit(dialog: Widget, scrolled: VerticalScroll) -> None:
    """Let ``scrolled`` have the rows that the rest of its dialog leaves it. To be called after a layout."""
    rest = sum(row.virtual_region_with_margin.height for row in dialog.children if row is not scrolled)
    most = dialog.screen.size.height * _MOST_HEIGHT // 100
    scrolled.styles.max_height = max(1, most - dialog.gutter.height - rest - scrolled.styles.margin.height)
