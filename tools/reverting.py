"""Takes a part of a finished change back, and touches nothing that somebody else changed since."""

from dataclasses import dataclass

from .diffs import LineChange, changed_lines
from .failures import ToolFailure
from .text_file import TextFile, decode, displayable


@dataclass(frozen=True, slots=True, kw_only=True)
class Reversal:
    """What shall become of one file. Texts are as events carry them; None is no file."""

    left: str | None
    """As the session left it."""
    wanted: str | None
    """The same without the part that is taken back."""


def reverted(disk: bytes | None, reversal: Reversal, shown: str) -> bytes | None:
    """The content of the file without that part: a three-way merge in which the present content always wins.

    Bytes outside of the part stay as they are on disk. Raises ``ToolFailure`` when the lines of the part are no
    longer what the session left, with nothing done.
    """
    left, wanted = reversal.left, reversal.wanted
    if disk is None:
        if left is not None or wanted is None:
            raise ToolFailure(f"{shown} is gone: there is nothing to take back.")
        _refuse_lost_bytes(wanted, shown)
        return wanted.encode()
    file = decode(disk)
    if file is None:
        raise ToolFailure(f"{shown} is no text any more: it was left as it is.")
    if left is None or (wanted is None and displayable(file.text) != left):
        raise _changed(shown)
    return None if wanted is None else file.encoded(_merged(file, left, wanted, shown))


def _merged(file: TextFile, left: str, wanted: str, shown: str) -> str:
    """The text on disk with the changes from ``left`` to ``wanted``."""
    _, lines, back = _changes(left, wanted)
    _, _, since = _changes(left, displayable(file.text))
    present, _, _ = _changes(file.text, "")  # the lines with their bytes, where those of an event have replacements
    pieces: list[str] = []
    at = 0
    for start, end, new_start, new_end in back:
        if any(first <= end and last >= start for first, last, _, _ in since):
            raise _changed(shown)
        moved = sum((b - a) - (last - first) for first, last, a, b in since if last < start)
        restored = "".join(lines[new_start:new_end])
        _refuse_lost_bytes(restored, shown)
        file.refuse_unencodable(restored)
        pieces += (*present[at : start + moved], restored)
        at = end + moved
    return "".join([*pieces, *present[at:]])


def _changes(before: str, after: str) -> tuple[list[str], list[str], list[LineChange]]:
    old, new, groups = changed_lines(before, after)
    return old, new, [change for group in groups for change in group]


def _changed(shown: str) -> ToolFailure:
    return ToolFailure(
        f"These lines of {shown} are not as this session left them: somebody changed them since. Nothing was reverted."
    )


def _refuse_lost_bytes(restored: str, shown: str) -> None:
    if "\ufffd" in restored:
        raise ToolFailure(
            f"The old lines of {shown} hold bytes that are no text, which a review cannot bring back. Use undo."
        )
