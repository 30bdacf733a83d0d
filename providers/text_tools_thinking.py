"""Thinking that a model writes into its answer: ``<think>…</think>`` at the beginning, and nowhere else.

An answer that speaks of such tags later on is left as it is.
"""

from .text_tools_openings import overlap

THINK, THOUGHT = "<think>", "</think>"
BLANK = " \t\r\n"
_MAX_BLANK = 4096


class LeadingThought:
    """Splits an answer that comes in pieces into its leading thinking and the rest.

    With ``expected`` the answer begins inside of thinking, as with chat templates that write the first tag
    themselves.
    """

    def __init__(self, *, expected: bool = False) -> None:
        self._expected = expected
        self._held: str = ""
        self._inside = False
        self._shown = False
        self._unmarked: list[str] = []
        self.passed = False
        """True from the first character of the answer itself."""
        self.misjudged = False
        """True when thinking was expected and there was none, as far as the whole answer shows."""

    @property
    def seen(self) -> bool:
        """True when the answer began with thinking."""
        return self._inside

    def feed(self, piece: str) -> tuple[str, str]:
        """Thinking to be shown, and text of the answer."""
        rest: str = self._held + piece
        self._held = ""
        if not self._inside:
            body = rest.lstrip(BLANK)
            near = len(rest) - len(body) < _MAX_BLANK
            if near and len(body) < len(THINK) and THINK.startswith(body):
                self._held = rest
                return "", ""
            marked = near and body.startswith(THINK)
            if not marked and not self._expected:
                self.passed = True
                return "", rest
            self._expected = not marked
            self._inside = True
            rest = body.removeprefix(THINK)
        thought, ended, answer = rest.partition(THOUGHT)
        if ended:
            self.passed = True
            return self._visible(thought), answer
        cut = len(rest) - overlap(rest, THOUGHT)
        self._held = rest[cut:]
        return self._visible(rest[:cut]), ""

    def finish(self, *, orderly: bool) -> tuple[str, str]:
        """What was held back. Expected thinking that never ended, in a whole answer, was the answer itself."""
        held, self._held = self._held, ""
        self.misjudged = orderly and self._expected and self._inside and not self.passed
        if self.misjudged:
            return "", "".join([*self._unmarked, held])
        return (self._visible(held), "") if self._inside else ("", held)

    def _visible(self, text: str) -> str:
        """Thinking to be shown; a block that holds only blanks is none."""
        if self._expected:
            self._unmarked.append(text)
        if not self._shown:
            text = text.lstrip(BLANK)
        self._shown = self._shown or bool(text)
        return text
