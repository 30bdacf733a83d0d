"""How a tool call begins and ends in the text of an answer, in the forms that models write."""

import re
from dataclasses import dataclass

FENCE_TAGS = ("json", "tool_call", "tool_calls")
INFO_LENGTH = 64
"""Ticks of a fenced block, and characters after them, that are waited for to tell what it is."""
FUNCTION = "<function="
PARAMETER = "<parameter="

_TAGS = {
    "<tool_call>": "</tool_call>",
    "<|tool_call|>": "",
    "[TOOL_REQUEST]": "[END_TOOL_REQUEST]",
    "[TOOL_CALLS]": "",
    "<|python_tag|>": "",
}
"""What opens a call, and what closes it: nothing where only the end of the answer does."""
_FUNCTION_TAG = re.compile(r"<function=([\w.-]{1,64})>")
_FUNCTION_SO_FAR = re.compile(r"<function=[\w.-]{0,64}")
_JSON_MARKS = re.compile(r'["{}\[\]]')
_STRING_MARKS = re.compile(r'["\\]')


@dataclass(frozen=True, slots=True)
class Opening:
    """How a call began, and what has to close it."""

    length: int
    """Characters of the opening itself."""
    closer: str = ""
    fence: str = ""
    """The ticks of a fenced block."""
    function: str = ""
    """The name in ``<function=NAME>``."""
    element: str = ""
    """The XML element that may stand in it instead of JSON."""


BARE = Opening(0)
"""JSON without anything around it."""
MAYBE = Opening(-1)
"""More has to be read to tell whether this opens a call."""


def tag_opened(body: str) -> Opening | None:
    """The call that a line beginning like this opens with a tag."""
    for tag, closer in _TAGS.items():
        if body.startswith(tag):
            return Opening(len(tag), closer=closer, element=FUNCTION if tag == "<tool_call>" else "")
        if tag.startswith(body):
            return MAYBE
    if found := _FUNCTION_TAG.match(body):
        return Opening(found.end(), closer="</function>", function=found[1], element=PARAMETER)
    return MAYBE if FUNCTION.startswith(body) or _FUNCTION_SO_FAR.fullmatch(body) else None


def fence_opened(body: str) -> Opening | None:
    """The call that a line of backticks opens: a block tagged as JSON or as a call."""
    info = body.lstrip("`")
    ticks = body[: len(body) - len(info)]
    if not info:
        return MAYBE if len(ticks) < INFO_LENGTH else None
    if not 3 <= len(ticks) < INFO_LENGTH:
        return None
    line, ended, _ = info.partition("\n")
    tag = line.strip().lower()
    if ended:
        known = tag in FENCE_TAGS and len(line) < INFO_LENGTH
        return Opening(len(ticks) + len(line) + 1, closer=ticks, fence=ticks) if known else None
    may_become = len(info) < INFO_LENGTH and any(each.startswith(tag) for each in FENCE_TAGS)
    return MAYBE if may_become else None


def fence_ticks(body: str) -> str:
    """The backticks or tildes that open a fenced block of any language; empty when none does."""
    mark = body[0]
    length = min(len(body) - len(body.lstrip(mark)), INFO_LENGTH)
    return mark * length if mark in "`~" and length >= 3 else ""


def overlap(text: str, mark: str) -> int:
    """How many characters at the end of the text may be the beginning of the mark."""
    longest = min(len(mark) - 1, len(text))
    return next((length for length in range(longest, 0, -1) if text.endswith(mark[:length])), 0)


class JsonScan:
    """Finds the end of a JSON object or list that comes in pieces. What is inside is not checked."""

    def __init__(self) -> None:
        self._depth = 0
        self._string = False
        self._escaped = False

    def end_in(self, text: str) -> int | None:
        """Where in this piece the value ends; None when it goes on."""
        at = 1 if self._escaped and text else 0
        self._escaped = self._escaped and not text
        while found := (_STRING_MARKS if self._string else _JSON_MARKS).search(text, at):
            at = found.end()
            match found[0]:
                case '"':
                    self._string = not self._string
                case "\\":
                    self._escaped = at == len(text)
                    at += 1
                case "{" | "[":
                    self._depth += 1
                case _:
                    self._depth -= 1
                    if self._depth <= 0:
                        return at
        return None
