"""Alt with a digit, in every terminal.

Textual 8.2 reads ESC 1 to ESC 9 as the characters some macOS terminals type with Option (``¡™£…``), so that the
keys of the pane tabs would write into the prompt on all terminals that speak the old protocol. Taking those rows
out of its table makes them what they are elsewhere: ``alt+1`` to ``alt+9``.
"""

from collections.abc import MutableMapping
from typing import cast

from textual import _ansi_sequences


def release_alt_digits() -> None:
    """Let Alt and a digit arrive as ``alt+1`` to ``alt+9``. A table that has no such rows is left alone."""
    table = cast("MutableMapping[str, object]", getattr(_ansi_sequences, "ANSI_SEQUENCES_KEYS", {}))
    for digit in "123456789":
        table.pop(f"\x1b{digit}", None)
