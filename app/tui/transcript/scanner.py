"""Block structure of Markdown, one line at a time.

The document comes out flat: a list of leaves (paragraph, heading, code, table, rule), each with what stands
before its rows (quote bars, list bullets, indentation). So a paragraph in a list in a quote streams like
any other, and work per line is the same at any length and depth.

Lines are judged as CommonMark 0.31 and GFM tables do: containers are matched first, then new ones open,
what is left is a leaf; text that matches nothing continues an open paragraph lazily. Left out: indented code
after a blank line within one block, link reference definitions and HTML blocks (both stay text).

``look_at`` judges a line without changing anything: the line that is still growing is shown by it.
"""

import re
from enum import Enum, auto
from itertools import takewhile
from typing import NamedTuple

from .leaves import Container, Kind, Leaf
from .palette import Signs
from .rows import Span, expand_tabs
from .table import split_cells

_MARKER = re.compile(r"( {0,3})([-+*]|\d{1,9}[.)])( {1,4}(?! )| (?= )|(?=$))")
_QUOTE = re.compile(r" {0,3}> ?")
_FENCE = re.compile(r"( {0,3})(`{3,}|~{3,})")
_HEADING = re.compile(r" {0,3}(#{1,6})(?= |\t|$)")
_HEADING_END = re.compile(r"(?:^|[ \t])#+$")
_TASK = re.compile(r"\[([ xX])\] ")
_DELIMITER = re.compile(r" {0,3}\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")
_UNCLEAR = re.compile(r"[ \t>]*(?:[-+*_=#>|:`~ ]*|\d{1,9}[.)]?|[-+*] \[[ xX]?\]?|[-+*] +|\|[-: |]*)")
_UNCLEAR_LENGTH = 80
"""Characters after which a growing line is taken for what it looks like."""
_TABBED = re.compile(r"[ \t>]*(?:[-+*>]|\d{1,9}[.)])\t")
_CODE_INDENT = 4
_JUDGED = 1000
"""Characters of a growing line that decide what it is."""


class Act(Enum):
    """What a line does."""

    OPEN = auto()
    """It begins a leaf (or, with ``kind`` None, only containers)."""
    APPEND = auto()
    """It belongs to the open leaf."""
    CLOSE = auto()
    """It ends the open fence."""
    BLANK = auto()
    UNDERLINE = auto()
    """It makes the open paragraph a heading."""
    DELIMIT = auto()
    """It makes the last line of the open paragraph the head of a table."""


class Step(NamedTuple):
    """A line as judged: pure, and nothing has happened yet."""

    act: Act
    containers: tuple[Container, ...]
    text: str = ""
    kind: Kind | None = None
    level: int = 0
    language: str = ""
    fence: str = ""
    fence_indent: int = 0


class Scanner:
    """Takes whole lines and keeps the flat list of leaves. The last leaf may be open."""

    def __init__(self, signs: Signs) -> None:
        self.leaves: list[Leaf] = []
        self._signs = signs
        self._containers: tuple[Container, ...] = ()
        self._open: Leaf | None = None
        self._fence = ""
        self._fence_indent = 0
        self._blank = False

    def feed_line(self, line: str) -> None:
        """Take one whole line, without its newline."""
        self._apply(self._judge(line))

    def look_at(self, line: str) -> tuple[bool, Leaf | None]:
        """The line that still grows: (it belongs to the open leaf, or else the leaf it would begin).

        A line that may yet become something else (``-``, ``1``, two backticks) is neither.
        """
        if self._fence and set(line.strip()) == {self._fence[0]}:
            return False, None
        if not self._fence and len(line) < _UNCLEAR_LENGTH and _UNCLEAR.fullmatch(line):
            return False, None
        step = self._judge(line[:_JUDGED])
        text = step.text + line[_JUDGED:]
        match step.act:
            case Act.APPEND:
                return True, None
            case Act.OPEN if step.kind is not None:
                leaf = self._leaf(step._replace(text=text))
                return False, leaf
            case _:
                return False, None

    def partial_text(self, line: str) -> str:
        """What of a growing line belongs to the open leaf (``look_at`` said it does)."""
        return self._judge(line[:_JUDGED]).text + line[_JUDGED:]

    def finish(self) -> None:
        """The document is over."""
        self._close()
        self._show_empty_items(0)

    # ---- judging

    def _judge(self, line: str) -> Step:
        line = _indented(line)
        matched, rest = self._match_containers(line)
        kept = self._containers[:matched]
        all_matched = matched == len(self._containers)
        if self._fence and all_matched:
            return self._judge_in_fence(rest)
        if not rest.strip():
            return Step(Act.BLANK, kept)
        paragraph = self._open if self._open is not None and self._open.kind is Kind.PARAGRAPH else None
        return self._judge_open(kept, rest, paragraph, all_matched=all_matched)

    def _match_containers(self, line: str) -> tuple[int, str]:
        """How many open containers the line is in, and what is left of it."""
        matched = 0
        for container in self._containers:
            if container.quote:
                quote = _QUOTE.match(line)
                if quote is None:
                    break
                line = line[quote.end() :]
            elif line.strip():
                if _indent(line) < container.indent:
                    break
                line = line[container.indent :]
            else:
                line = ""
            matched += 1
        return matched, line

    def _judge_in_fence(self, rest: str) -> Step:
        stripped = rest.strip()
        ends = stripped.startswith(self._fence) and set(stripped) == {self._fence[0]} and _indent(rest) < _CODE_INDENT
        if ends:
            return Step(Act.CLOSE, self._containers)
        cut = min(_indent(rest), self._fence_indent)
        return Step(Act.APPEND, self._containers, rest[cut:])

    def _judge_open(self, kept: tuple[Container, ...], rest: str, paragraph: Leaf | None, *, all_matched: bool) -> Step:
        """Open containers from the left, then say what the rest is."""
        continues = paragraph is not None and all_matched
        while True:
            if _indent(rest) >= _CODE_INDENT:
                return self._judge_indented(kept, rest, paragraph)
            quote = _QUOTE.match(rest)
            if quote is not None:
                kept = (*kept, Container(marker=f"{self._signs.quote} ", quote=True))
                rest = rest[quote.end() :]
            elif (item := self._item(kept, rest, interrupts=continues)) is not None:
                container, rest = item
                kept = (*kept, container)
            else:
                break
            continues, paragraph = False, None
            if not rest.strip():
                return Step(Act.OPEN, kept)
        return self._judge_leaf(kept, rest, paragraph, continues=continues)

    def _judge_indented(self, kept: tuple[Container, ...], rest: str, paragraph: Leaf | None) -> Step:
        """Four columns in: the paragraph goes on, else it is code."""
        if paragraph is not None:
            return Step(Act.APPEND, self._containers, rest.strip())
        opened = self._open
        if opened is not None and opened.kind is Kind.CODE and kept == self._containers:
            return Step(Act.APPEND, kept, rest[_CODE_INDENT:])
        return Step(Act.OPEN, kept, rest[_CODE_INDENT:], Kind.CODE)

    def _judge_leaf(self, kept: tuple[Container, ...], rest: str, paragraph: Leaf | None, *, continues: bool) -> Step:
        heading = _HEADING.match(rest)
        if heading is not None:
            text = _HEADING_END.sub("", rest[heading.end() :].strip()).strip()
            return Step(Act.OPEN, kept, text, Kind.HEADING, level=len(heading[1]))
        fence = _FENCE.match(rest)
        if fence is not None and not (fence[2][0] == "`" and "`" in rest[fence.end() :]):
            language = rest[fence.end() :].strip().split(" ", 1)[0].strip("{}.")
            return Step(Act.OPEN, kept, "", Kind.CODE, language=language, fence=fence[2], fence_indent=len(fence[1]))
        stripped = rest.strip()
        if continues and paragraph is not None and (special := self._judge_under(kept, stripped, paragraph)):
            return special
        if _is_rule(stripped):
            return Step(Act.OPEN, kept, "", Kind.RULE)
        table = self._open is not None and self._open.kind is Kind.TABLE and kept == self._containers
        if paragraph is not None or table:
            return Step(Act.APPEND, self._containers, rest.strip() if table else rest.lstrip())
        return Step(Act.OPEN, kept, rest.lstrip(), Kind.PARAGRAPH)

    def _judge_under(self, kept: tuple[Container, ...], stripped: str, paragraph: Leaf) -> Step | None:
        """A line under a paragraph that changes what the paragraph is."""
        head = paragraph.lines[-1]
        delimits = stripped[0] in "|:-" and ("|" in head or "|" in stripped) and _DELIMITER.fullmatch(stripped)
        if delimits and len(split_cells(head)) == len(split_cells(stripped)):
            return Step(Act.DELIMIT, kept, stripped)
        if stripped[0] in "=-" and set(stripped) == {stripped[0]}:
            return Step(Act.UNDERLINE, kept, level=1 if stripped[0] == "=" else 2)
        return None

    def _item(self, kept: tuple[Container, ...], rest: str, *, interrupts: bool) -> tuple[Container, str] | None:
        """The list item that begins here, and what follows its marker."""
        marker = _MARKER.match(rest)
        if marker is None or _is_rule(rest.strip()):
            return None
        after = rest[marker.end() :]
        sign = marker[2]
        if interrupts and (not after.strip() or (sign[0].isdigit() and int(sign[:-1]) != 1)):
            return None
        indent = marker.end() if after.strip() else marker.end(2) + 1
        depth = sum(not container.quote for container in kept)
        if sign[0].isdigit():
            number = self._next_number(len(kept), sign)
            return Container(marker=f"{number}. ", indent=indent, number=number, delimiter=sign[-1]), after
        bullet, done = self._signs.bullets[depth % len(self._signs.bullets)], False
        task = _TASK.match(after)
        if task is not None:
            done = task[1] != " "
            bullet, after = self._signs.ok if done else self._signs.todo, after[task.end() :]
        return Container(marker=f"{bullet} ", indent=indent, delimiter=sign, done=done), after

    def _next_number(self, depth: int, sign: str) -> int:
        """The number as written, or the next one when a list writes ``1.`` before every item."""
        number = int(sign[:-1])
        if depth < len(self._containers):
            before = self._containers[depth]
            if before.number is not None and before.delimiter == sign[-1]:
                return max(number, before.number + 1)
        return number

    # ---- applying

    def _apply(self, step: Step) -> None:
        match step.act:
            case Act.APPEND:
                if self._open is not None:
                    self._open.lines.append(step.text)
            case Act.CLOSE:
                self._close()
            case Act.BLANK:
                self._close()
                self._blank = True
                self._keep(step.containers)
            case Act.UNDERLINE:
                self._underline(step.level)
            case Act.DELIMIT:
                self._delimit(step)
            case Act.OPEN:
                self._begin(step)

    def _begin(self, step: Step) -> None:
        self._close()
        self._keep(step.containers)
        if step.kind is None:
            return
        leaf = self._leaf(step)
        self._add(leaf)
        self._fence, self._fence_indent = step.fence, step.fence_indent
        if leaf.kind in (Kind.HEADING, Kind.RULE):
            self._close()

    def _keep(self, containers: tuple[Container, ...]) -> None:
        """Leave the containers the line is not in; an item that never held anything still shows its bullet."""
        common = sum(
            1 for _ in takewhile(lambda pair: pair[0] is pair[1], zip(self._containers, containers, strict=False))
        )
        self._show_empty_items(common)
        self._containers = containers

    def _show_empty_items(self, common: int) -> None:
        dropped = self._containers[common:]
        if any(not container.quote and not container.shown for container in dropped):
            self._add(self._leaf(Step(Act.OPEN, self._containers, "", Kind.PARAGRAPH)))
            self._close()

    def _add(self, leaf: Leaf) -> None:
        for container in leaf.containers:
            container.shown = True
        self.leaves.append(leaf)
        self._open = leaf
        self._blank = False

    def _close(self) -> None:
        if self._open is not None:
            self._open.closed = True
        self._open = None
        self._fence = ""

    def _underline(self, level: int) -> None:
        """A setext heading: what was shown as a paragraph is one heading."""
        leaf = self._open
        if leaf is not None:
            leaf.kind, leaf.level = Kind.HEADING, level
            leaf.lines = [" ".join(line.strip() for line in leaf.lines)]
            self._close()

    def _delimit(self, step: Step) -> None:
        """A table begins with the line before; what stood above that line stays a paragraph."""
        leaf = self._open
        if leaf is None:
            return
        head = leaf.lines[-1]
        if len(leaf.lines) == 1:
            leaf.kind = Kind.TABLE
        else:
            leaf.lines.pop()
            self._close()
            leaf = self._leaf(step._replace(kind=Kind.TABLE, text=head))
            self._add(leaf)
        leaf.lines = [head.strip(), step.text]

    def _leaf(self, step: Step) -> Leaf:
        """The leaf a step begins, with what stands before its rows. Changes nothing."""
        kind = step.kind or Kind.PARAGRAPH
        fenced = kind is Kind.CODE and bool(step.fence)
        return Leaf(
            kind=kind,
            containers=step.containers,
            first=tuple(container.prefix(first=True) for container in step.containers),
            rest=tuple(container.prefix(first=False) for container in step.containers),
            gap=self._gap(kind, step.containers),
            lines=[] if fenced or kind is Kind.RULE else [step.text],
            level=step.level,
            language=step.language,
        )

    def _gap(self, kind: Kind, containers: tuple[Container, ...]) -> tuple[Span, ...] | None:
        """An empty row above: where the source has one, and around whatever is no running text; none under headings."""
        before = self.leaves[-1] if self.leaves else None
        if before is None or before.kind is Kind.HEADING:
            return None
        heavy = kind is not Kind.PARAGRAPH or before.kind is not Kind.PARAGRAPH
        listed = any(not container.quote for container in containers)
        quotes = sum(container.quote for container in containers) != sum(c.quote for c in before.containers)
        if not self._blank and (listed or not (heavy or quotes)):
            return None
        pairs = zip(before.containers, containers, strict=False)
        return tuple(mine.prefix(first=False) for mine, theirs in pairs if mine is theirs)


def _is_rule(stripped: str) -> bool:
    if not stripped or stripped[0] not in "-*_":
        return False
    return stripped.count(stripped[0]) >= 3 and not stripped.strip(f"{stripped[0]} \t")


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _indented(line: str) -> str:
    """The line with the tabs before its text, or around a list marker, as spaces."""
    if "\t" not in line:
        return line
    if _TABBED.match(line):
        return expand_tabs(line)
    text = line.lstrip(" \t")
    space = line[: len(line) - len(text)]
    return expand_tabs(space) + text
