"""Finds tool calls and thinking in an answer while it streams.

What counts as a call (``text_tools_calls`` decides on its content):

- a fenced block tagged ``json``, ``tool_call`` or ``tool_calls`` that holds calls as JSON and nothing else;
- ``<tool_call>…</tool_call>``, ``<function=NAME>…</function>``, ``[TOOL_REQUEST]…[END_TOOL_REQUEST]``,
  ``[TOOL_CALLS]…`` and ``<|python_tag|>…``, the forms of Hermes, Qwen, Llama, LM Studio and Mistral models;
- JSON that is the whole answer.

It has to begin a line, outside of any other fenced block, and **only blanks or further calls may follow it to the end
of the answer**. So an example in the middle of an explanation, and what is quoted with ``>``, in backticks or in a
block of another language, never runs. Of several either all are calls or none is.

Text is held back only while it may become a call, and flows at once otherwise; each piece costs what it is long.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from .text_tools_calls import CallReader, FoundCall, NotACall
from .text_tools_openings import (
    BARE,
    INFO_LENGTH,
    MAYBE,
    JsonScan,
    Opening,
    fence_opened,
    fence_ticks,
    overlap,
    tag_opened,
)
from .text_tools_thinking import BLANK, THOUGHT, LeadingThought

MAX_HELD = 1024 * 1024
"""Characters held back for calls (one may write a file); when there are more, they stay text."""
MAX_BLANK = 4096
"""Characters of blank held back before something that may be a call."""
_PORTION = 4096
"""Characters read in one go: an answer that comes whole costs no more than one in pieces."""


class Kind(Enum):
    """What a piece of the answer is."""

    TEXT = "text"
    THINKING = "thinking"
    BREAK = "break"
    """No text: what came before was thinking whose beginning nothing marked."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of the answer that may be shown."""

    kind: Kind
    text: str = ""


class AnswerParser:
    """Takes the text of one answer piece by piece. Any way to cut it gives the same text, thinking and calls.

    ``fences`` False allows fenced calls only as the whole answer: for models that were told nothing of them.
    ``thought_first`` says that the answer begins inside of thinking, as with templates that open it themselves.
    """

    def __init__(self, reader: CallReader, *, fences: bool = True, thought_first: bool = False) -> None:
        self._reader = reader
        self._fences = fences
        self._front = LeadingThought(expected=thought_first)
        self._step: Callable[[str], str] = self._line
        """What reads on; it returns what it leaves to the next one."""
        self._out: list[Piece] = []
        self._held = ""
        """The beginning of something, too short to tell of what."""
        self._blank = ""
        """Blanks before whatever comes next."""
        self._waiting: list[str] = []
        """Calls, whole ones and the open one, with the blanks between them: text again if anything else follows."""
        self._size = 0
        self._calls: list[FoundCall] = []
        self._painted = False
        self._ticks = ""
        """What opened the fenced block we are in, which is no call."""
        self._after_thought = False
        self._thought_seen = False
        self._opening = BARE
        self._body: list[str] = []
        self._whole = False
        self._scan = JsonScan()
        self.orphan = False
        """True when a ``</think>`` came that nothing had opened."""
        self.refused = ""
        """Why what looked like a call was not taken for one."""

    @property
    def misjudged(self) -> bool:
        """True when the answer was expected to begin inside of thinking and did not, as far as its end shows."""
        return self._front.misjudged

    def feed(self, piece: str) -> list[Piece]:
        """What may be shown now."""
        self._read_on(*((None, piece) if self._front.passed else self._front.feed(piece)))
        return self._take()

    def release(self) -> list[Piece]:
        """Something that is no text follows: what was held back is text, unless it is only blank."""
        if self._held or self._waiting:
            self._let_go()
            self._step = self._flow
        return self._take()

    def finish(self, *, orderly: bool) -> tuple[list[Piece], list[FoundCall]]:
        """The rest of the text, and the calls: none when the answer was cut off or broke off."""
        if not self._front.passed:
            self._read_on(*self._front.finish(orderly=orderly))
        # Small models stop before they close their block.
        ended = self._step == self._between and self._body and self._whole
        if orderly and ended and self._opening.closer.startswith(self._held):
            self._held = ""
            self._close("")
        if not (orderly and self._calls and not self._held and self._step == self._line):
            self._let_go()
        return self._take(), self._calls

    def _read_on(self, thought: str | None, rest: str) -> None:
        if thought is not None:
            self._thought_seen = self._after_thought = self._front.seen
        if thought:
            self._out.append(Piece(Kind.THINKING, thought))
        for at in range(0, len(rest), _PORTION):
            left, self._held = self._held + rest[at : at + _PORTION], ""
            while left:
                left = self._step(left)

    # --- what may be shown -------------------------------------------------------------------------------------------

    def _take(self) -> list[Piece]:
        out, self._out = self._out, []
        return out

    def _text(self, text: str) -> None:
        if text:
            self._painted = True
            self._out.append(Piece(Kind.TEXT, text))

    def _let_go(self) -> None:
        """All that was held back may be shown; there are no calls."""
        self._text("".join(self._waiting) + self._blank + self._held)
        self._held = self._blank = ""
        self._waiting.clear()
        self._size = 0
        self._calls = []

    def _orphan(self, rest: str) -> str:
        """A ``</think>`` that nothing opened: all before it was thinking, and calls in it are none."""
        self.orphan = self._thought_seen = self._after_thought = True
        self._let_go()
        self._painted = False
        self._out.append(Piece(Kind.BREAK))
        return rest[len(THOUGHT) :]

    # --- text --------------------------------------------------------------------------------------------------------

    def _flow(self, rest: str) -> str:
        """In a line that cannot become a call any more."""
        at = rest.find("\n")
        if at < 0:
            self._text(rest)
            return ""
        self._text(rest[:at])
        self._step = self._line
        return rest[at:]

    def _line(self, rest: str) -> str:
        """At the beginning of a line, or after a call."""
        body = rest.lstrip(BLANK)
        blank = rest[: len(rest) - len(body)]
        if self._after_thought:
            blank = ""
            self._after_thought = not body
        room = MAX_BLANK - len(self._blank)
        if len(blank) > room:
            self._blank += blank[:room]
            self._let_go()
            self._step = self._flow
            return rest[room:]
        self._blank += blank
        return self._first_word(body) if body else ""

    def _first_word(self, body: str) -> str:
        """What a line begins with, its blanks aside. Four of them make it a quotation."""
        indented = len(self._blank.rpartition("\n")[2].expandtabs(4)) > 3
        opening = None if indented else self._opened(body)
        if opening is MAYBE:
            self._held = body
            return ""
        if opening is not None:
            return self._open(opening, body)
        if not indented and not self._thought_seen and body.startswith(THOUGHT):
            return self._orphan(body)
        if self._calls:
            self.refused = "text follows it"
        self._let_go()
        self._ticks = "" if indented else fence_ticks(body)
        self._text(self._ticks)
        self._step = self._in_fence_line if self._ticks else self._flow
        return body[len(self._ticks) :]

    def _opened(self, body: str) -> Opening | None:
        """The call that a line beginning like this opens."""
        first = body[0]
        if first in "`~" and not body.strip(first) and len(body) < INFO_LENGTH:
            return MAYBE
        if first == "`":
            return fence_opened(body) if self._fences or not self._painted else None
        if first == "<" and not self._thought_seen and len(body) < len(THOUGHT) and THOUGHT.startswith(body):
            return MAYBE
        if first in "<[" and (tag := tag_opened(body)) is not None:
            return tag
        if first in "{[" and not self._painted:
            may_begin = self._reader.may_begin(body)
            return MAYBE if may_begin is None else BARE if may_begin else None
        return None

    # --- fenced blocks that are no calls -----------------------------------------------------------------------------

    def _in_fence(self, rest: str) -> str:
        """At the beginning of a line in a fenced block."""
        line, ended, after = rest.partition("\n")
        mark = line.strip(" \t\r")
        may_close = not mark.strip(self._ticks[0]) and not line.startswith(" " * 4) and len(line) < INFO_LENGTH
        if may_close and ended and len(mark) >= len(self._ticks):
            self._text(line)
            self._step = self._line
            return ended + after
        if may_close and not ended:
            self._held = line
            return ""
        self._step = self._in_fence_line
        return rest

    def _in_fence_line(self, rest: str) -> str:
        line, ended, after = rest.partition("\n")
        self._text(line + ended)
        if ended:
            self._step = self._in_fence
        return after

    # --- calls -------------------------------------------------------------------------------------------------------

    def _open(self, opening: Opening, body: str) -> str:
        """Something that may be a call begins."""
        self._opening = opening
        self._body = []
        self._whole = bool(opening.function)
        self._hold(self._blank + body[: opening.length])
        self._blank = ""
        self._step = self._between
        return body[opening.length :]

    def _hold(self, text: str) -> None:
        if text:
            self._waiting.append(text)
            self._size += len(text)

    def _between(self, rest: str) -> str:
        """In a call, outside of its JSON: before it, between two values, or at its end."""
        body = rest.lstrip(BLANK + ",;" if self._body else BLANK)
        blank = rest[: len(rest) - len(body)]
        room = MAX_HELD - self._size
        self._hold(blank[:room])
        if len(blank) > room:
            return self._refuse(rest[room:])
        return self._inside(body) if body else ""

    def _inside(self, body: str) -> str:
        """The next thing in a call: its end, a value, or an element."""
        closer, element = self._opening.closer, self._opening.element
        if self._whole and closer:
            if body.startswith(closer):
                return self._close(body)
            if closer.startswith(body):
                self._held = body
                return ""
        single = bool(self._opening.function) and bool(self._body)
        if body[0] in "{[" and not single:
            return self._value(body)
        if element and not self._body:
            if body.startswith(element):
                self._step = self._xml
                return body
            if element.startswith(body):
                self._held = body
                return ""
        return self._refuse(body)

    def _value(self, body: str) -> str:
        """JSON begins: is it the beginning of a call?"""
        may_begin = True if self._opening.function else self._reader.may_begin(body)
        if may_begin is None:
            self._held = body
            return ""
        if not may_begin:
            return self._refuse(body)
        self._scan = JsonScan()
        self._whole = False
        self._step = self._json
        return body

    def _json(self, rest: str) -> str:
        part = rest[: MAX_HELD - self._size]
        if not part:
            return self._refuse(rest)
        end = self._scan.end_in(part)
        taken = part if end is None else part[:end]
        self._hold(taken)
        self._body.append(taken)
        if end is not None:
            self._whole = True
            self._step = self._between
        return rest[len(taken) :]

    def _xml(self, rest: str) -> str:
        closer = self._opening.closer
        part = rest[: MAX_HELD - self._size]
        at = part.find(closer)
        cut = len(part) < len(rest)
        taken = part if at < 0 and cut else part[: len(part) - overlap(part, closer) if at < 0 else at]
        self._hold(taken)
        self._body.append(taken)
        after = rest[len(taken) :]
        if at >= 0:
            return self._close(after)
        if cut:
            return self._refuse(after)
        self._held = after
        return ""

    def _close(self, rest: str) -> str:
        """The end of a call was reached: it is one, or all that was held back is text."""
        closer = self._opening.closer if rest else ""
        self._hold(closer)
        try:
            self._calls.extend(self._read("".join(self._body)))
        except NotACall as problem:
            self.refused = str(problem) or self.refused
            self._let_go()
            self._step = self._flow
        else:
            self._step = self._line
        return rest[len(closer) :]

    def _read(self, body: str) -> list[FoundCall]:
        function = self._opening.function
        if function and not body:
            return self._reader.read_xml(f"<function={function}></function>")
        if body.startswith("<"):
            return self._reader.read_xml(f"<function={function}>{body}</function>" if function else body)
        return self._reader.read_json(body, function)

    def _refuse(self, rest: str) -> str:
        """It is no call: what was held back is text. What began as a fenced block goes on as one."""
        line_begins = self._waiting[-1].endswith("\n") if self._waiting else True
        self._let_go()
        self._ticks = self._opening.fence
        if self._ticks:
            self._step = self._in_fence if line_begins else self._in_fence_line
        else:
            self._step = self._flow
        return rest
