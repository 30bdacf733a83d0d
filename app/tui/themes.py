"""Patchbay's own themes and style sheets, read from ``patchbay.styles``.

A theme file (TOML) has a name, ``dark``, Textual's base colours in ``[colors]`` and our colours by role in
``[roles]``. Roles become theme variables, so that style sheets and content write ``$muted`` or ``$added``.
``role_defaults`` gives every role a colour under any other theme, Textual's own ones too.
"""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import cast

from textual.theme import Theme

from ... import styles

DEFAULT_THEME = "patchbay-dark"
THEME_NAMES = ("patchbay-dark", "patchbay-light", "patchbay-contrast")
"""Our themes, in the order the theme key goes through."""
TEXT_ROLES = ("text", "muted", "person", "speaker", "accent", "ok", "warn", "danger", "added", "removed")
"""Roles that colour words: each must be readable on background, surface and panel."""
_BASE_COLORS = frozenset(
    {"background", "surface", "panel", "foreground", "primary", "secondary", "accent", "success", "warning", "error"}
)


class ThemeError(ValueError):
    """A theme file cannot be used; the message names the file and what is wrong with it."""


def parse_theme(text: str, origin: str) -> Theme:
    """A theme from the text of its file. Raises ``ThemeError``; ``origin`` is the file's name for the message."""
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ThemeError(f"{origin} is no valid TOML: {error}.") from None
    name = table.get("name")
    if not isinstance(name, str) or not name:
        raise ThemeError(f'{origin} has no name: add name = "my-theme" at its top.')
    colors, roles = _strings(table, "colors", origin), _strings(table, "roles", origin)
    if missing := sorted(_BASE_COLORS - colors.keys()):
        raise ThemeError(f"{origin}: [colors] lacks {', '.join(missing)}.")
    theme = Theme(name=name, dark=bool(table.get("dark", True)), primary=colors["primary"], variables=roles)
    for role in _BASE_COLORS:
        setattr(theme, role, colors[role])
    return theme


@cache
def own_themes() -> tuple[Theme, ...]:
    """The themes Patchbay ships, to be registered with the app."""
    folder = files(styles)
    return tuple(
        parse_theme((folder / f"{name}.toml").read_text(encoding="utf-8"), f"{name}.toml") for name in THEME_NAMES
    )


def role_defaults(*, dark: bool) -> dict[str, str]:
    """What ``App.get_theme_variable_defaults`` returns: the roles of our theme of the same brightness."""
    return dict(own_themes()[0 if dark else 1].variables)


def next_theme(current: str) -> str:
    """The theme after ``current``; the first one after a foreign theme."""
    position = THEME_NAMES.index(current) + 1 if current in THEME_NAMES else 0
    return THEME_NAMES[position % len(THEME_NAMES)]


def style_sheets() -> list[Path]:
    """Every style sheet, for ``App.CSS_PATH``; sorted, so that their order is the same everywhere."""
    folder = Path(str(files(styles)))
    return sorted(folder.glob("*.tcss"))


def _strings(table: Mapping[str, object], key: str, origin: str) -> dict[str, str]:
    """A table of strings. Raises ``ThemeError``."""
    found = table.get(key, {})
    if not isinstance(found, dict):
        raise ThemeError(f"{origin}: [{key}] must be a table of colours.")
    entries = cast("dict[str, object]", found)
    bad = [name for name, value in entries.items() if not isinstance(value, str)]
    if bad:
        raise ThemeError(f'{origin}: {bad[0]} in [{key}] must be a colour in quotes, as "#7fc98b".')
    return {name: str(value) for name, value in entries.items()}
