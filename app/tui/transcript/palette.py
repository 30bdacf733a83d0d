"""Colours by role, and the signs drawn beside them.

Rows of a transcript carry *looks* (a role and attributes), never colours; a palette turns a look into a
Rich style when a row is painted. So a change of theme re-paints and never re-wraps.

Every text role is kept readable: a colour of the theme with less than 4.5:1 against the background
(WCAG 2.2, 1.4.3, level AA) is moved towards the text colour until it has that contrast.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from typing import NamedTuple, cast

from rich.style import Style
from textual.color import Color, ColorParseError

AA_CONTRAST = 4.5
"""The least contrast of normal text that WCAG calls readable."""


class Look(NamedTuple):
    """How a piece of text looks, without a colour. ``on`` is the role behind it ("" is the pane itself)."""

    role: str = "text"
    bold: bool = False
    italic: bool = False
    underline: bool = False
    strike: bool = False
    on: str = ""
    link: str = ""
    """An http or https address that the terminal may open."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """Single-width signs, so that columns stay columns in every terminal."""

    running: str = "●"
    ok: str = "✓"
    failed: str = "✗"
    edited: str = "✎"
    folded: str = "▸"
    unfolded: str = "▾"
    bar: str = "▎"
    quote: str = "│"
    bullets: str = "•◦▪"
    todo: str = "○"
    rule: str = "─"
    cross: str = "┼"
    column: str = "│"
    more: str = "…"
    down: str = "↓"
    cursor: str = "▌"
    switch: str = "→"
    dot: str = "·"
    favourite: str = "♥"


UNICODE_SIGNS = Signs()
ASCII_SIGNS = Signs(
    running="*",
    ok="+",
    failed="x",
    edited="~",
    folded=">",
    unfolded="v",
    bar="|",
    quote="|",
    bullets="*-+",
    todo="o",
    rule="-",
    cross="+",
    column="|",
    more="~",
    down="v",
    cursor=">",
    switch=">",
    dot="-",
    favourite="*",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Palette:
    """One colour (``#rrggbb``) for each role. The ``code_`` roles colour source code."""

    background: str
    panel: str
    text: str
    muted: str
    accent: str
    person: str
    """The bar beside a prompt."""
    speaker: str
    """The bar beside an answer."""
    ok: str
    warn: str
    danger: str
    added: str
    removed: str
    added_background: str
    removed_background: str
    selection: str
    code_keyword: str
    code_string: str
    code_number: str
    code_comment: str
    code_function: str
    code_type: str
    dark: bool = True
    _styles: dict[Look, Style] = field(default_factory=dict[Look, Style], compare=False, repr=False)

    def style(self, look: Look) -> Style:
        """The Rich style of a look; it has a background only if the look names one.

        Raises AttributeError for an unknown role.
        """
        style = self._styles.get(look)
        if style is None:
            style = Style(
                color=self.color(look.role),
                bgcolor=self.color(look.on) if look.on else None,
                bold=look.bold or None,
                italic=look.italic or None,
                underline=look.underline or None,
                strike=look.strike or None,
                link=look.link or None,
            )
            self._styles[look] = style
        return style

    def color(self, role: str) -> str:
        """The colour of a role as ``#rrggbb``."""
        return cast(str, getattr(self, role))

    @property
    def base(self) -> Style:
        """Text on the pane's own background: what every row starts from."""
        return self.style(Look(role="text", on="background"))

    @classmethod
    def from_theme(cls, variables: Mapping[str, str]) -> "Palette":
        """The palette of a theme, from its variables (``App.theme_variables``).

        A role is looked up under its own name (``code-keyword``), then under the Textual variable it is
        nearest to (``success`` for ok); what a theme does not say comes from the built-in palette of the
        same brightness. Colours that cannot be read (``auto 60%``) count as not said.
        """
        return _of_theme(frozenset(variables.items()))

    def readable(self) -> "Palette":
        """The same palette with every text role at AA contrast against background and panel."""
        common = (self.background, self.panel)
        extra = {"added": self.added_background, "removed": self.removed_background}
        grounds = {role: (*common, extra.get(role, self.panel)) for role in _ROLES if role not in _GROUNDS}
        fixed = {role: _with_contrast(self.color(role), on, dark=self.dark) for role, on in grounds.items()}
        return replace(self, **fixed, _styles={})


_GROUNDS = frozenset({"background", "panel", "added_background", "removed_background", "selection"})
_ROLES = tuple(f.name for f in fields(Palette) if f.name not in ("dark", "_styles"))
_NEAREST: Mapping[str, str] = {
    "ok": "success",
    "warn": "warning",
    "danger": "error",
    "added": "success",
    "removed": "error",
    "text": "foreground",
    "muted": "foreground-muted",
    "person": "accent",
    "speaker": "secondary",
}


@lru_cache(maxsize=8)
def _of_theme(items: frozenset[tuple[str, str]]) -> Palette:
    """Every pane asks for the same one, and 150 colours take a while."""
    variables = dict(items)
    background = _parse(variables.get("background", ""))
    base = LIGHT if background is not None and background.brightness > 0.5 else DARK
    chosen = {role: color.hex6 for role in _ROLES if (color := _find(variables, role)) is not None}
    return replace(base, **chosen, _styles={}).readable()


def _parse(value: str) -> Color | None:
    """A colour of a theme, or None when it is not a plain one."""
    try:
        color = Color.parse(value)
    except ColorParseError:
        return None
    return None if color.ansi is not None or color.a == 0 else color


def _find(variables: Mapping[str, str], role: str) -> Color | None:
    """The theme's colour for a role; half-transparent ones are laid on the background."""
    names = (role.replace("_", "-"), _NEAREST.get(role, ""))
    color = next((found for name in names if (found := _parse(variables.get(name, ""))) is not None), None)
    background = _parse(variables.get("background", ""))
    return color if color is None or background is None else background + color


def contrast(one: str, other: str) -> float:
    """WCAG contrast ratio of two ``#rrggbb`` colours, from 1 to 21."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@lru_cache(maxsize=512)
def _luminance(color: str) -> float:
    channels = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in _rgb(color)]
    return 0.2126 * channels[0] + 0.7152 * channels[1] + 0.0722 * channels[2]


def _rgb(color: str) -> tuple[float, float, float]:
    red, green, blue = Color.parse(color).normalized
    return red, green, blue


def _with_contrast(color: str, grounds: tuple[str, ...], *, dark: bool) -> str:
    """The colour itself, or the nearest mix with white (dark themes) or black that is readable on all grounds."""
    target = Color.parse("#ffffff" if dark else "#000000")
    mixed = (Color.parse(color).blend(target, step / 20).hex6 for step in range(20))
    readable = (mix for mix in mixed if all(contrast(mix, ground) >= AA_CONTRAST for ground in grounds))
    return next(readable, target.hex6)


DARK = Palette(
    background="#14161a",
    panel="#1d2026",
    text="#d8dce3",
    muted="#8d96a5",
    accent="#6cb2f5",
    person="#6cb2f5",
    speaker="#b69cf0",
    ok="#7fc98b",
    warn="#e3b558",
    danger="#f0817c",
    added="#7fc98b",
    removed="#f0817c",
    added_background="#17301f",
    removed_background="#3a1c1f",
    selection="#2f4a6b",
    code_keyword="#c79bf2",
    code_string="#9ccf8a",
    code_number="#e8a56b",
    code_comment="#8d96a5",
    code_function="#6cb2f5",
    code_type="#5ec4c0",
)
"""The built-in dark palette."""

LIGHT = Palette(
    background="#fbfbfa",
    panel="#f0f0ee",
    text="#24292f",
    muted="#5d656e",
    accent="#0a5cad",
    person="#0a5cad",
    speaker="#6a3fb5",
    ok="#1a6b2f",
    warn="#7d5200",
    danger="#b3261e",
    added="#1a6b2f",
    removed="#a8231b",
    added_background="#e2f4e5",
    removed_background="#fbe6e4",
    selection="#bcd7f5",
    code_keyword="#7a2fa8",
    code_string="#1d6b2c",
    code_number="#8f4700",
    code_comment="#5d656e",
    code_function="#0a5cad",
    code_type="#00666b",
    dark=False,
)
"""The built-in light palette."""
