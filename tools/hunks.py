"""Hunks of a change as things that can be taken or left one by one, byte for byte.

Which lines make a hunk is decided in one place, ``diffs.changed_lines``; ``unified_diff`` shows the same hunks
in the same order, so that the number of a hunk in a preview is its number here. A hunk reaches from its first
changed line to its last one; unchanged lines between them belong to it, the context around it does not.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from .diffs import bare, changed_lines
from .failures import ToolFailure
from .safe_text import reveal
from .text_file import TextFile, decode, displayable


@dataclass(frozen=True, slots=True, kw_only=True)
class Hunk:
    """One hunk: the lines that go and the lines that come, with their ends as they are in the file."""

    start: int
    """Lines of the old text before it."""
    old: tuple[str, ...]
    new: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What becomes of one hunk. ``text`` are other lines in place of its new ones, line ends ``\\n``."""

    accepted: bool
    text: str | None = None


class HunkedChange:
    """The content of a file before and after (None: no file), as hunks. Binary content has none."""

    def __init__(self, before: bytes | None, after: bytes | None) -> None:
        self.before = before
        self.after = after
        self._file: TextFile | None = None
        self._old: list[str] = []
        self.hunks: tuple[Hunk, ...] = ()
        old, new = decode(before or b""), decode(after or b"")
        if old is None or new is None or before == after:
            return
        self._file = old if before else new
        self._old, lines, groups = changed_lines(old.text, new.text)
        self.hunks = tuple(
            Hunk(
                start=group[0][0],
                old=tuple(self._old[group[0][0] : group[-1][1]]),
                new=tuple(lines[group[0][2] : group[-1][3]]),
            )
            for group in groups
        )
        if before and after and (old.encoding, old.mark) != (new.encoding, new.mark):
            self._file = None  # another encoding is a change of every byte: its hunks can only be shown

    def chosen(self, choices: Mapping[int, Choice]) -> bytes | None:
        """The content with some hunks only; one that is not in ``choices`` is taken.

        All taken as they are give ``after``, none taken gives ``before``, to the byte. Raises ``ToolFailure`` for
        a text that the file's encoding cannot hold, and for a choice from a change of the encoding itself.
        """
        made = [choices.get(number, Choice(accepted=True)) for number in range(len(self.hunks))]
        if all(choice.accepted and choice.text is None for choice in made):
            return self.after
        if not any(choice.accepted for choice in made):
            return self.before
        if self._file is None:
            raise ToolFailure("This change gives the file another encoding: it can only be taken or left as a whole.")
        pieces: list[str] = []
        at = 0
        for hunk, choice in zip(self.hunks, made, strict=True):
            pieces += self._old[at : hunk.start]
            pieces += self._lines(hunk, choice)
            at = hunk.start + len(hunk.old)
        text = "".join([*pieces, *self._old[at:]])
        return None if not text and self.after is None else self._file.encoded(text)

    def _lines(self, hunk: Hunk, choice: Choice) -> tuple[str, ...]:
        if not choice.accepted:
            return hunk.old
        if choice.text is None:
            return hunk.new
        return self._persons_lines(hunk, choice.text)

    def _persons_lines(self, hunk: Hunk, text: str) -> tuple[str, ...]:
        """The person's lines as the file has them. A line they left as it was shown keeps its bytes."""
        if self._file is not None:
            self._file.refuse_unencodable(_without(text, hunk))
        end = self._line_end(hunk)
        known = {shown_line(line): bare(line) for line in (*hunk.old, *hunk.new)}
        lines = [known.get(line, line) + end for line in text.removesuffix("\n").split("\n")] if text else []
        side = hunk.new or hunk.old
        if lines and side and not side[-1].endswith("\n"):
            lines[-1] = lines[-1].removesuffix(end)
        return tuple(lines)

    def _line_end(self, hunk: Hunk) -> str:
        """The line end of the hunk's own lines, else that of most of the file."""
        near = next((line for line in (*hunk.new, *hunk.old) if line.endswith("\n")), None)
        if near is not None:
            return "\r\n" if near.endswith("\r\n") else "\n"
        ended = sum(line.endswith("\r\n") for line in self._old)
        return "\r\n" if 2 * ended > len(self._old) else "\n"


def shown_line(line: str) -> str:
    """A line as a person sees it in a diff: without its end, nothing hidden in it."""
    return reveal(displayable(bare(line)))


def _without(text: str, hunk: Hunk) -> str:
    """Those of the person's lines that are not the hunk's own."""
    known = {shown_line(line) for line in (*hunk.old, *hunk.new)}
    return "\n".join(line for line in text.split("\n") if line not in known)
