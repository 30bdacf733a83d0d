"""What a question that waits looks like: its rows, words and colours. Pure.

Nothing in it is markup, and control characters of the command or the diff are made visible.
"""

from collections.abc import Sequence
from typing import NamedTuple, TypedDict

from rich.cells import cell_len
from textual.content import Content

from ....tools.events import ApprovalRequested
from ....tools.safe_text import reveal
from ..actions import ActionTable, key_label
from ..diffing import parse_unified
from ..transcript.palette import Signs
from ..transcript.rows import break_text, elide, expand_tabs

_LINE_LIMIT = 2000
"""Characters of one line of a diff that are shown; of a command every one is."""


class Entry(TypedDict, total=False):
    """What is being written in the bar's line."""

    commenting: bool
    confirming: bool
    mistyped: bool


class PreviewRow(NamedTuple):
    """A row of the preview and the role that colours it."""

    text: str
    role: str


def has_hunks(question: ApprovalRequested) -> bool:
    """Whether a question can be answered hunk by hunk."""
    return not question.confirm and any(not diff.cut for diff in parse_unified(question.preview))


def preview_lines(question: ApprovalRequested) -> list[str]:
    """The preview's lines, with everything invisible made visible.

    The two header lines of a diff are left out when they name no other file than the title does.
    """
    lines = reveal(question.preview).rstrip("\n").split("\n") if question.preview else []
    if len(lines) > 2 and lines[0].startswith("--- ") and lines[1].startswith("+++ "):
        named = {line[4:].removeprefix(side) for line, side in zip(lines, ("a/", "b/"), strict=False)}
        lines = lines[2:] if named <= {reveal(question.title), "/dev/null"} else lines
    if lines and lines[0].startswith(("--- ", "@@ -")):
        return [expand_tabs(_shortened(line)) for line in lines]
    return [expand_tabs(line) for line in lines]


def _shortened(line: str) -> str:
    return line if len(line) <= _LINE_LIMIT else f"{line[:_LINE_LIMIT]} [{len(line) - _LINE_LIMIT:,} more characters]"


def preview_rows(lines: Sequence[str], width: int) -> list[PreviewRow]:
    """The lines wrapped to a width, nothing left out; a line of a diff has the colour of its first character."""
    room = max(4, width - 5)
    rows: list[PreviewRow] = []
    for line in lines:
        muted = line.startswith(("@@", "---", "+++"))
        role = "muted" if muted else {"+": "added", "-": "removed"}.get(line[:1], "text")
        rows += (PreviewRow(line[start:end], role) for start, end in break_text(line, room, room, words=False))
    return rows


def title_content(question: ApprovalRequested, width: int, signs: Signs, others: int = 0) -> Content:
    """Two rows: what asks for what, and why; also what "always" would allow, when the keys have no room to say it."""
    more = f"   +{others} more waiting" if others > 0 else ""
    name = revealed_line(question.name)
    reason = revealed_line(question.reason)
    pattern = revealed_line(question.pattern or "")
    if cell_len(pattern) > _pattern_room(width):
        reason = f'{reason}; always means "{pattern}"'
    room = max(10, width - cell_len(name) - len(more) - 6)
    return Content.assemble(
        (f"{signs.running} ", "$danger" if question.confirm else "$warn"),
        (f"{name}  ", "bold $danger" if question.confirm else "bold $text"),
        (elide(revealed_line(question.title), room, signs.more), "$text"),
        (more, "$muted"),
        "\n",
        (f"  {elide(reason, max(10, width - 3), signs.more)}", "bold $danger" if question.confirm else "$muted"),
    )


def _pattern_room(width: int) -> int:
    """Cells left for the pattern when all other keys and their words stand beside it."""
    return max(8, width - 70)


def revealed_line(text: str) -> str:
    """Text on one line with nothing hidden in it."""
    return reveal(text).replace("\n", "↵").replace("\t", "⇥")


def keys_content(
    question: ApprovalRequested,
    table: ActionTable,
    width: int,
    signs: Signs,
    *,
    commenting: bool = False,
    confirming: bool = False,
    mistyped: bool = False,
) -> Content:
    """The keys that answer now, and only those."""
    pattern = (
        "" if question.pattern is None else elide(revealed_line(question.pattern), _pattern_room(width), signs.more)
    )
    if commenting:
        keys = [("Enter", "no, with this comment"), ("Esc", "back")]
    elif confirming:
        word = elide(revealed_line(question.confirm), max(8, width - 50), signs.more)
        keys = [("Enter", "yes"), ("Esc", "no answer")]
        keys = [("", f'That is not "{word}".'), *keys] if mistyped else keys
    elif question.confirm:
        word = elide(revealed_line(question.confirm), max(8, width - 50), signs.more)
        words = {"approval.once": f'type "{word}" for yes', "approval.deny": "no", "approval.comment": "comment"}
        keys = [(key_label(table[id].keys[0]), word) for id, word in words.items() if table[id].keys]
    else:
        words = {
            "approval.once": "once",
            "approval.session": "this session",
            "approval.always": f'always "{pattern}"' if question.pattern is not None else "",
            "approval.deny": "no",
            "approval.comment": "comment",
            "approval.hunks": "hunks" if has_hunks(question) else "",
        }
        keys = [(key_label(table[id].keys[0]), word) for id, word in words.items() if word and table[id].keys]
    return Content("   ").join(Content.assemble((key, "bold $accent"), " ", (word, "$text")) for key, word in keys)
