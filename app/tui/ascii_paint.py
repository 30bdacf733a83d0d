"""The last step before the terminal for those who asked for signs that every terminal has (setting ``ascii``).

What we draw ourselves is chosen from ``ASCII_SIGNS`` already; this is for what others draw (frames, scroll bars) and
for signs in the text of models and tools. Letters of any script stay: a terminal that cannot show those shows no text.
"""

from dataclasses import astuple

from rich.segment import Segment
from textual.color import Color
from textual.filter import LineFilter

from .transcript.palette import ASCII_SIGNS, UNICODE_SIGNS

_SIGNS = {
    "‐‑‒–—―−⁃": "-",
    "‘’‚‛′": "'",
    "“”„‟″«»": '"',
    "⋯": "~",
    "▫◉◎◆◇■□★☆♡∙": "*",
    "✔☑": "+",
    "✘✕✖×☒": "x",
    "⇒➜➤›▹▶▷⟩": ">",
    "←⇐‹◂◀◁⟨": "<",
    "↑▴▲△⇧": "^",
    "▼▽": "v",
    "↵⏎↩": "/",
    "≤": "<",
    "≥": ">",
    "≈∼": "~",
    "±": "+",
}
_VERTICAL = "│┃┆┇┊┋║╎╏▏▎▍▌▋▊▉▐▕"
_HORIZONTAL = "─━┄┅┈┉═╌╍▔▀"
_BARS = dict(zip("▁▂▃▄▅▆▇█", "_..oo###", strict=True))


def _table() -> dict[int, str]:
    """Every replacement is as wide as what it stands for, one column, so that columns stay columns."""
    frames = {chr(code): "+" for code in range(0x2500, 0x2580)}
    blocks = {chr(code): "#" for code in range(0x2580, 0x25A0)}
    spinners = {chr(code): "*" for code in range(0x2800, 0x2900)}
    lines = dict.fromkeys(_VERTICAL, "|") | dict.fromkeys(_HORIZONTAL, "-")
    signs = {sign: plain for group, plain in _SIGNS.items() for sign in group}
    own = dict(zip("".join(astuple(UNICODE_SIGNS)), "".join(astuple(ASCII_SIGNS)), strict=True))
    return str.maketrans(frames | blocks | spinners | lines | _BARS | signs | own)


_TABLE = _table()


class AsciiFilter(LineFilter):
    """Paints signs as their ASCII likeness."""

    def apply(self, segments: list[Segment], background: Color) -> list[Segment]:
        """The same segments; only text that holds such a sign is made anew."""
        return [each if each.text.isascii() else _plain(each) for each in segments]


def _plain(segment: Segment) -> Segment:
    return Segment(segment.text.translate(_TABLE), segment.style, segment.control)
