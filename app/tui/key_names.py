"""Keys by name: as the person writes them in the settings, as Textual spells them, and as they stand on screen."""

from collections.abc import Mapping

from textual.binding import Binding
from textual.keys import Keys
from textual.widgets import TextArea


class KeyNameError(ValueError):
    """No terminal sends such a key, or it is needed for something else; the message says which, and what to write."""


_NAMED_KEYS: Mapping[str, str] = {
    "escape": "Esc",
    "pageup": "PgUp",
    "pagedown": "PgDn",
    "delete": "Del",
    "slash": "/",
    "left_curly_bracket": "{",
    "right_curly_bracket": "}",
    "up": "↑",
    "down": "↓",
}


def key_label(key: str) -> str:
    """A key as it is written on screen: ``ctrl+o`` is ``Ctrl+O``, ``J`` stays ``J``."""
    *modifiers, last = key.split("+")
    label = _NAMED_KEYS.get(last, last if len(last) == 1 and not modifiers else last.title())
    return "+".join([*(modifier.title() for modifier in modifiers), label])


_MODIFIERS = frozenset({"ctrl", "alt", "shift", "super"})
_SPECIAL_KEYS = frozenset(key.value.rpartition("+")[2] for key in Keys if not key.value.startswith("<"))
_PRINTABLE_NAMES: Mapping[str, str] = {
    "[": "left_square_bracket",
    "]": "right_square_bracket",
    "{": "left_curly_bracket",
    "}": "right_curly_bracket",
    ",": "comma",
    ".": "full_stop",
    "?": "question_mark",
    "/": "slash",
    "-": "minus",
    "=": "equals_sign",
    "+": "plus",
    " ": "space",
}
_EDITING_KEYS = frozenset(
    key.strip() for binding in TextArea.BINDINGS if isinstance(binding, Binding) for key in binding.key.split(",")
) - {"ctrl+c", "super+c", "pageup", "pagedown", "up", "down"}
"""Keys the prompt needs. The ones taken out it passes on when it has no use for them."""


def canonical_key(key: str) -> str:
    """The key in Textual's own spelling. Raises ``KeyNameError``."""
    modifiers, last = _parts(key)
    if not _MODIFIERS.issuperset(modifiers) or not (_printable(last) or last in _SPECIAL_KEYS):
        raise KeyNameError(f"no key is called {key!r}. Write it as ctrl+o, alt+1, shift+tab or f2.")
    return "+".join([*sorted(modifiers), last])


def typing_free_key(key: str) -> str:
    """The same for a key that works while somebody types in the prompt. Raises ``KeyNameError``."""
    normal = canonical_key(key)
    modifiers, last = _parts(key)
    typed = _printable(last) and modifiers in ([], ["shift"])
    if typed or normal in _EDITING_KEYS:
        use = "types a character" if typed else "edits the text"
        raise KeyNameError(f"{key_label(normal)} {use} in the prompt. Use a function key, or Alt or Ctrl and a letter.")
    return normal


def _parts(key: str) -> tuple[list[str], str]:
    """The modifiers in lower case, and the key itself."""
    *modifiers, last = key.strip().split("+") if key.strip() not in ("+", "") else [key.strip()]
    last = _PRINTABLE_NAMES.get(last, last if len(last) == 1 and not modifiers else last.lower())
    return [word.lower() for word in modifiers], last


def _printable(last: str) -> bool:
    return len(last) == 1 or last in _PRINTABLE_NAMES.values()
