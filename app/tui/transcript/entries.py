"""Entries of the session as cells: each view makes the cells of one entry and keeps them up to date.

A view is asked with a newer value of the same entry and changes only what differs; it says which cells
changed, and gives new cells when the entry got longer. Views hold no state that is not in the entry, so any
of them can be thrown away and made again.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from ....providers.events import ResponseError
from ....tools.safe_text import safe_line
from ...engine.answer_ends import cut_short
from ...engine.attached import attachment_line
from ...engine.compaction_words import compaction_line
from ...engine.events import Cost, CostSource, NoticeLevel
from ...engine.state import (
    AnswerEntry,
    AnswerPart,
    CommandEntry,
    CompactionEntry,
    Entry,
    NoticeEntry,
    PromptEntry,
    ServerPart,
    SwitchEntry,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolRun,
)
from ..screen_text import screen_text
from .cells import Cell, LinesCell, PromptCell, TextCell, ThoughtCell
from .own_command import OwnCommandCell
from .palette import Look, Signs
from .rows import MUTED, PLAIN, Line, expand_tabs, plain_line
from .tool_cell import ToolCell


@dataclass(slots=True, kw_only=True)
class Surroundings:
    """What views need besides their entry. ``now`` is seconds since the epoch, set with every sync."""

    signs: Signs
    retry_hint: str = ""
    now: float = 0.0
    thoughts_folded: bool = True
    runs: Mapping[str, ToolRun] = field(default_factory=dict[str, ToolRun])
    touched: list[Cell] = field(default_factory=list[Cell])
    """Cells that changed in this sync."""


class EntryView:
    """The cells of an entry that never changes."""

    def __init__(self, key: tuple[str, str], entry: Entry, cells: list[Cell]) -> None:
        self.key = key
        self.entry = entry
        self.cells = cells

    @property
    def live(self) -> bool:
        """True while a time in it runs."""
        return False

    def update(self, entry: Entry) -> list[Cell]:
        """Take a newer value of the entry. Returns cells to be added at its end."""
        self.entry = entry
        return []

    def refresh(self) -> None:
        """Let times go on, with no new event."""


def entry_key(entry: Entry, index: int, *, queued: bool) -> tuple[str, str]:
    """What makes two entries the same one."""
    match entry:
        case PromptEntry(prompt_id=prompt_id):
            return ("queued" if queued else "prompt", prompt_id)
        case AnswerEntry(request_id=request_id):
            return ("answer", request_id)
        case CommandEntry(run_id=run_id):
            return ("own", run_id)
        case NoticeEntry() | SwitchEntry() | CompactionEntry():
            return ("line", f"{index} {entry.at}")


def view_entry(key: tuple[str, str], entry: Entry, before: Entry | None, around: Surroundings) -> EntryView:
    """The view of an entry that stands after ``before``."""
    signs = around.signs
    gap = before is not None
    match entry:
        case PromptEntry(text=text):
            return EntryView(
                key, entry, [PromptCell(text, signs, queued=key[0] == "queued", gap=gap), *_attached(entry, signs)]
            )
        case AnswerEntry():
            follows = isinstance(before, AnswerEntry) and before.turn_id == entry.turn_id
            return AnswerView(key, entry, around, gap=gap and not follows)
        case NoticeEntry(message=message, level=level):
            return EntryView(
                key, entry, [_notice(message, level, signs, gap=not isinstance(before, NoticeEntry) and gap)]
            )
        case CommandEntry():
            return CommandView(key, entry, around, gap=gap)
        case SwitchEntry(ref=ref):
            line = plain_line(f"{signs.switch} {safe_line(str(ref))}", MUTED)
            return EntryView(key, entry, [LinesCell([line], gap=gap)])
        case CompactionEntry():
            return EntryView(key, entry, [_compaction(entry, signs, gap=gap)])


def _attached(entry: PromptEntry, signs: Signs) -> list[Cell]:
    """One quiet line for each thing that went along with a prompt."""
    shown = (attachment_line(each) for each in entry.attachments)
    lines = [plain_line(f"+ {name}  {amount}", MUTED) for name, amount in shown]
    return [LinesCell(lines, lead=((f"{signs.bar} ", Look(role="person")),), selectable=True)] if lines else []


def _notice(message: str, level: NoticeLevel, signs: Signs, *, gap: bool) -> Cell:
    role = {NoticeLevel.INFO: "muted", NoticeLevel.WARNING: "warn", NoticeLevel.ERROR: "danger"}[level]
    lines = [plain_line(expand_tabs(line), Look(role=role)) for line in screen_text(message).split("\n")]
    return LinesCell(lines, lead=((f"{signs.bar} ", Look(role=role)),), gap=gap, selectable=True)


def _compaction(entry: CompactionEntry, signs: Signs, *, gap: bool) -> Cell:
    """How much smaller it got and who wrote the summary; Enter shows what was dropped."""
    line = [(safe_line(compaction_line(entry.compacted)), Look(role="accent")), ("   Enter shows it", MUTED)]
    return LinesCell([line], lead=((f"{signs.bar} ", Look(role="accent")),), gap=gap, selectable=True)


class CommandView(EntryView):
    """A command of the person's own, with its run."""

    def __init__(self, key: tuple[str, str], entry: CommandEntry, around: Surroundings, *, gap: bool) -> None:
        self._around = around
        self._run_id = entry.run_id
        self._cell = OwnCommandCell(entry, around.signs, now=around.now, gap=gap)
        self._cell.run = around.runs.get(entry.run_id)
        super().__init__(key, entry, [self._cell])

    @property
    def live(self) -> bool:
        """True while it runs, or is about to."""
        return self._cell.run is None or self._cell.run.outcome is None

    def refresh(self) -> None:
        """Show what came since."""
        if self._cell.grow(self._around.runs.get(self._run_id), self._around.now):
            self._around.touched.append(self._cell)


class AnswerView(EntryView):
    """An answer: its first line (model, time, price), its parts in order, and how it ended when that was bad."""

    def __init__(self, key: tuple[str, str], entry: AnswerEntry, around: Surroundings, *, gap: bool) -> None:
        super().__init__(key, entry, [])
        self._around = around
        self._answer = entry
        bar = Look(role="speaker")
        self._header = LinesCell([header_line(entry, around)], lead=((f"{around.signs.bar} ", bar),), gap=gap)
        self._parts: list[tuple[AnswerPart, Cell]] = []
        self._ended = False
        self.cells = [self._header, *self._new_parts(entry), *self._ending(entry)]

    def update(self, entry: Entry) -> list[Cell]:
        """Grow the parts that grew; new parts and the ending are returned as new cells."""
        if not isinstance(entry, AnswerEntry):
            return []
        for index, (part, cell) in enumerate(self._parts):
            newer = entry.parts[index]
            if newer is not part or not _settled(part, cell):
                self._parts[index] = (newer, cell)
                if self._grow(cell, newer):
                    self._around.touched.append(cell)
        self.entry = self._answer = entry
        self._set_header(entry)
        added = [*self._new_parts(entry), *self._ending(entry)]
        self.cells += added
        return added

    def refresh(self) -> None:
        """Let times go on, with no new event."""
        self.update(self._answer)

    def set_retry_hint(self, *, shown: bool) -> None:
        """The way to try again stands only under the last answer, where it works."""
        error = self._answer.error
        if error is None or not self._ended or not isinstance(ending := self.cells[-1], LinesCell):
            return
        lines = error_lines(error, self._around.retry_hint if shown else "")
        if len(lines) != len(ending.lines):
            ending.lines = lines
            self._around.touched.append(ending)

    @property
    def live(self) -> bool:
        """True while a time in it runs: the answer itself, or a tool it called."""
        running = any(isinstance(cell, ToolCell) and not _settled(part, cell) for part, cell in self._parts)
        return running or self._answer.ended_at is None

    def _set_header(self, entry: AnswerEntry) -> None:
        line = header_line(entry, self._around)
        if line != self._header.lines[0]:
            self._header.lines = [line]
            self._around.touched.append(self._header)

    def _new_parts(self, entry: AnswerEntry) -> list[Cell]:
        cells: list[Cell] = []
        for part in entry.parts[len(self._parts) :]:
            before = self._parts[-1][1] if self._parts else None
            cell = self._cell(part, gap=isinstance(part, TextPart) and before is not None)
            self._parts.append((part, cell))
            cells.append(cell)
        return cells

    def _cell(self, part: AnswerPart, *, gap: bool) -> Cell:
        around = self._around
        match part:
            case TextPart():
                return TextCell(part.text, around.signs, closed=part.closed, gap=gap)
            case ThinkingPart():
                title = thought_title(part, around.now, around.signs)
                cell = ThoughtCell(part.text, around.signs, closed=part.closed, title=title, gap=gap)
                cell.folded = around.thoughts_folded
                return cell
            case ToolCallPart():
                cell = ToolCell(part, around.signs, now=around.now, gap=gap)
                cell.run = around.runs.get(part.run_id)
                return cell
            case ServerPart(kind=kind):
                return LinesCell([plain_line(f"{around.signs.dot} {safe_line(kind)}, by the provider", MUTED)], gap=gap)

    def _grow(self, cell: Cell, part: AnswerPart) -> bool:
        around = self._around
        match part, cell:
            case TextPart(), TextCell():
                return cell.grow(part.text, closed=part.closed)
            case ThinkingPart(), ThoughtCell():
                return cell.grow(part.text, closed=part.closed, title=thought_title(part, around.now, around.signs))
            case ToolCallPart(), ToolCell():
                return cell.grow(part, around.runs.get(part.run_id), around.now)
            case _:
                return False

    def _ending(self, entry: AnswerEntry) -> list[Cell]:
        """What stands below an answer that did not end well."""
        short = cut_short(entry)
        if self._ended or (entry.error is None and not short):
            return []
        self._ended = True
        bar = self._around.signs.bar
        if entry.error is not None:
            lines, role = error_lines(entry.error, self._around.retry_hint), "danger"
        else:
            lines, role = [plain_line(short, Look(role="warn"))], "warn"
        return [LinesCell(lines, lead=((f"{bar} ", Look(role=role)),), gap=bool(entry.parts), selectable=True)]


def _settled(part: AnswerPart, cell: Cell) -> bool:
    """True when a part can change no more unless it is replaced: its text is whole and its run has ended."""
    match part, cell:
        case ToolCallPart(), ToolCell():
            return cell.run is not None and cell.run.outcome is not None
        case ThinkingPart(closed=closed), _:
            return closed
        case _:
            return True


def header_line(entry: AnswerEntry, around: Surroundings) -> Line:
    """``model · time · price`` of an answer; while it runs whole seconds and no price."""
    parts = [""]
    if entry.ended_at is not None:
        parts.append(f"{max(0.0, entry.ended_at - entry.started_at):.1f} s")
    elif entry.stop_reason is None and entry.error is None:
        waiting = "waiting for the first token " if entry.first_token_at is None else ""
        parts.append(f"{waiting}{max(0.0, around.now - entry.started_at):.0f} s")
    if entry.cost is not None:
        parts.append(price(entry.cost))
    return [(safe_line(entry.ref.model), Look(role="speaker")), *plain_line(f" {around.signs.dot} ".join(parts), MUTED)]


def price(cost: Cost) -> str:
    """An amount for people: ``$0.012``, ``~$0.04``, ``free`` or ``price unknown``."""
    if cost.amount is None:
        return "price unknown"
    if cost.amount == 0:
        return "free"
    places = (
        Decimal("0.01")
        if cost.amount >= 1
        else Decimal("0.001")
        if cost.amount >= Decimal("0.01")
        else Decimal("0.0001")
    )
    number = f"{cost.amount.quantize(places)}" if cost.amount >= Decimal("0.00005") else "0.0001"
    sign = "<" if cost.amount < Decimal("0.00005") else "~" if cost.source is CostSource.ESTIMATED else ""
    return f"{sign}${number}" if cost.currency == "USD" else f"{sign}{number} {cost.currency}"


def thought_title(part: ThinkingPart, now: float, signs: Signs) -> str:
    """``thought for 2.1 s``, or while it lasts ``thinking… 12 s``."""
    if part.redacted and not part.text.chars:
        return "thought, withheld by the provider"
    if part.ended_at is not None:
        return f"thought for {max(0.0, part.ended_at - part.started_at):.1f} s"
    return "thought" if part.closed else f"thinking{signs.more} {max(0.0, now - part.started_at):.0f} s"


def error_lines(error: ResponseError, hint: str) -> list[Line]:
    """What went wrong, in words, and how to go on."""
    look = Look(role="danger")
    first, *others = expand_tabs(screen_text(error.message)).split("\n")
    kind = error.kind.value.replace("_", " ")
    lines: list[Line] = [[(kind, look._replace(bold=True)), (f": {first}", PLAIN)]]
    lines += [plain_line(other) for other in others[:20]]
    return [*lines, plain_line(hint, MUTED)] if hint else lines
