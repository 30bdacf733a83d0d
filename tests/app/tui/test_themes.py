import re
from importlib.resources import files

import pytest

from patchbay import styles
from patchbay.app.tui import themes
from patchbay.app.tui.themes import TEXT_ROLES, ThemeError, own_themes, parse_theme
from patchbay.app.tui.transcript.palette import Palette, contrast

AA = 4.5
AAA = 7.0
GROUNDS = ("background", "surface", "panel")
OWN = {theme.name: theme for theme in own_themes()}


def color(theme, role: str) -> str:
    return theme.variables.get(role) or getattr(theme, role)


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("role", TEXT_ROLES)
@pytest.mark.parametrize("ground", [*GROUNDS, "selection"])
def test_words_are_readable_on_every_ground(name: str, role: str, ground: str):
    assert contrast(color(OWN[name], role), color(OWN[name], ground)) >= AA


@pytest.mark.parametrize("name", OWN)
@pytest.mark.parametrize("side", ["added", "removed"])
def test_changed_lines_are_readable_with_code_colours(name: str, side: str):
    theme = OWN[name]
    for ground in (f"{side}-background", f"{side}-emphasis"):
        for role in (side, "text"):
            assert contrast(color(theme, role), color(theme, ground)) >= AA, (role, ground)
    for role in (role for role in theme.variables if role.startswith("code-")):
        assert contrast(color(theme, role), color(theme, f"{side}-background")) >= AA, role


def test_the_contrast_theme_reaches_the_stricter_level():
    theme = OWN["patchbay-contrast"]
    for role in TEXT_ROLES:
        for ground in GROUNDS:
            assert contrast(color(theme, role), color(theme, ground)) >= AAA, (role, ground)


def test_all_themes_know_the_same_roles_and_dark_ones_are_dark():
    roles = set(own_themes()[0].variables)
    assert all(set(theme.variables) == roles for theme in OWN.values())
    for theme in OWN.values():
        assert (contrast(theme.background, "#000000") < contrast(theme.background, "#ffffff")) is theme.dark


@pytest.mark.parametrize("name", OWN)
def test_the_transcripts_palette_takes_the_roles_as_they_are(name: str):
    theme = OWN[name]
    palette = Palette.from_theme({"background": theme.background, "panel": theme.panel, **theme.variables})
    for role in ("muted", "ok", "danger", "added", "removed", "code-keyword", "added-background", "speaker"):
        assert palette.color(role.replace("-", "_")).lower() == theme.variables[role], role


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "mine.toml is no valid TOML"),
        ("dark = true", r'mine.toml has no name: add name = "my-theme"'),
        ('name = "x"\n[colors]\nprimary = "#fff"', r"mine.toml: \[colors\] lacks accent, background"),
        ('name = "x"\n[roles]\nmuted = 3', r"muted in \[roles\] must be a colour in quotes"),
        ('name = "x"\ncolors = 3', r"\[colors\] must be a table"),
    ],
)
def test_a_bad_theme_file_says_what_is_wrong(text: str, message: str):
    with pytest.raises(ThemeError, match=message):
        parse_theme(text, "mine.toml")


def test_the_theme_key_goes_round_and_comes_back_from_foreign_themes():
    seen = [themes.DEFAULT_THEME]
    for _ in themes.THEME_NAMES:
        seen.append(themes.next_theme(seen[-1]))
    assert seen == [*themes.THEME_NAMES, themes.THEME_NAMES[0]]
    assert themes.next_theme("nord") == themes.THEME_NAMES[0]


def test_style_sheets_reach_into_no_pane():
    """Universal and pseudo-class rules make Textual restyle whole trees on each focus change."""
    sheets = [sheet for sheet in files(styles).iterdir() if sheet.name.endswith(".tcss")]
    assert {str(path) for path in themes.style_sheets()} == {str(sheet) for sheet in sheets}
    for sheet in sheets:
        text = re.sub(r"/\*.*?\*/", "", sheet.read_text(encoding="utf-8"), flags=re.DOTALL)
        for selector in re.findall(r"([^{};]+)\{", text):
            assert "*" not in selector, (sheet.name, selector)
            for part in selector.split(","):
                assert not re.search(r":[a-z-]+\s+\S", part.strip()), (sheet.name, part)


def test_defaults_follow_the_brightness_of_a_foreign_theme():
    assert themes.role_defaults(dark=False)["muted"] == OWN["patchbay-light"].variables["muted"]
    assert themes.role_defaults(dark=True)["muted"] == OWN["patchbay-dark"].variables["muted"]
