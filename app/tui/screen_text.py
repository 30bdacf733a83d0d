"""Text from models, tools, files and servers as it may be painted: nothing in it steers the terminal or is a key."""

from ...providers.redact import RedactingStream, redact_registered
from ...tools.safe_text import SafeTextStream, safe_text


def screen_text(text: str) -> str:
    """The text without control sequences and with every known key replaced, also one that they had split."""
    return redact_registered(safe_text(text))


class ScreenTextStream:
    """``screen_text`` for text that comes in chunks."""

    def __init__(self) -> None:
        self._safe = SafeTextStream()
        self._redacting = RedactingStream()

    def feed(self, chunk: str) -> str:
        """Take the next chunk; return what is certain by now."""
        return self._redacting.feed(self._safe.feed(chunk))

    def flush(self) -> str:
        """The input is over; return the rest."""
        return self._redacting.feed(self._safe.flush()) + self._redacting.flush()
