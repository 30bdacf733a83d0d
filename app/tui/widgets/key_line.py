"""The line of keys at the foot of a screen: the keys stand out, what they do does not."""

from textual.content import Content

from ..transcript.palette import ASCII_SIGNS, UNICODE_SIGNS, Signs

ARROWS = {"← →": "Left/Right", "↑ ↓": "Up/Down"}
"""What poor terminals are shown instead."""


def key_line(*keys: tuple[str, str], signs: Signs = UNICODE_SIGNS) -> Content:
    """Pairs of a key, as it is written on screen, and what it does."""
    return Content("   ").join(
        Content.assemble((key_text(key, signs), "$text"), " ", (word, "$muted")) for key, word in keys
    )


def key_text(key: str, signs: Signs) -> str:
    """A key with signs that the terminal has."""
    return ARROWS.get(key, key) if signs == ASCII_SIGNS else key
