"""Every role is readable in every theme; looks become styles."""

import pytest
from rich.cells import cell_len
from textual.theme import BUILTIN_THEMES

from patchbay.app.tui.transcript.palette import (
    AA_CONTRAST,
    ASCII_SIGNS,
    DARK,
    LIGHT,
    UNICODE_SIGNS,
    Look,
    Palette,
    contrast,
)

TEXT_ROLES = [
    role
    for role in (field for field in Palette.__dataclass_fields__ if not field.startswith("_"))
    if role not in {"background", "panel", "added_background", "removed_background", "selection", "dark"}
]
GROUNDS = {"added": ["added_background"], "removed": ["removed_background"]}


def unreadable(palette: Palette) -> list[tuple[str, str]]:
    return [
        (role, ground)
        for role in TEXT_ROLES
        for ground in ["background", "panel", *GROUNDS.get(role, [])]
        if contrast(palette.color(role), palette.color(ground)) < AA_CONTRAST
    ]


@pytest.mark.parametrize("palette", [DARK, LIGHT], ids=["dark", "light"])
def test_built_in_palettes_are_readable_as_they_are(palette: Palette) -> None:
    assert unreadable(palette) == []


@pytest.mark.parametrize("name", sorted(BUILTIN_THEMES))
def test_palettes_of_other_themes_are_made_readable(name: str) -> None:
    palette = Palette.from_theme(BUILTIN_THEMES[name].to_color_system().generate())
    assert unreadable(palette) == []


def test_contrast_is_wcags() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def test_a_themes_own_role_wins_over_the_nearest_variable() -> None:
    palette = Palette.from_theme({"background": "#000000", "success": "#11ff11", "ok": "#22ee22"})
    assert palette.ok.lower() == "#22ee22"


def test_a_light_background_gives_the_light_palette() -> None:
    assert Palette.from_theme({"background": "#ffffff"}).dark is False
    assert Palette.from_theme({"background": "auto 60%"}).background.lower() == DARK.background


def test_looks_become_styles() -> None:
    style = DARK.style(Look(role="accent", bold=True, on="panel", link="https://example.com"))
    assert style.bold and style.link == "https://example.com"
    assert style.color is not None and style.color.get_truecolor().hex == DARK.accent
    assert style.bgcolor is not None and style.bgcolor.get_truecolor().hex == DARK.panel


def test_an_unknown_role_is_an_error() -> None:
    with pytest.raises(AttributeError):
        DARK.style(Look(role="nosuchrole"))


@pytest.mark.parametrize("signs", [UNICODE_SIGNS, ASCII_SIGNS], ids=["unicode", "ascii"])
def test_signs_are_single_width(signs: object) -> None:
    values = {name: getattr(signs, name) for name in type(signs).__dataclass_fields__}  # type: ignore[attr-defined]
    assert {name: value for name, value in values.items() if any(cell_len(sign) != 1 for sign in value)} == {}
    assert all(len(value) == 1 for name, value in values.items() if name != "bullets")


def test_ascii_signs_are_ascii() -> None:
    assert all(getattr(ASCII_SIGNS, name).isascii() for name in type(ASCII_SIGNS).__dataclass_fields__)
