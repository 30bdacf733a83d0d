"""What the session browser lists: sessions by folder, found by title and by text, ranked and painted. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.cells import cell_len
from textual.content import Content

from ....tools.safe_text import safe_line
from ...engine.archive import Hit, SessionRow
from ...engine.archive_views import Message
from .. import amounts
from ..transcript.palette import Signs
from ..transcript.rows import break_text, elide
from .header import short_path
from .rewind import age
from .switcher_rows import fuzzy_score

_WHOLE = 1000
"""A title that holds a word whole scores more than this for it (``fuzzy_score``)."""
_SCATTERED = 5
"""Points a letter that scattered letters of a title must reach: fewer are chance."""
_IN_TEXT = 500
"""What a session scores that holds every word in its messages: more than scattered letters, less than its title."""
_MODEL_CELLS = 26
_SHORT_MODEL_CELLS = 16
_COST_CELLS = 10
_MESSAGES_CELLS = 9
_AGE_CELLS = 8
_PREVIEW_CHARS = 1200


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A session that is listed, with the place in its text where the words were found."""

    session: SessionRow
    snippet: str = ""
    marks: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the rows are painted with. ``now`` is seconds since the epoch."""

    now: float
    current: str = ""
    in_use: frozenset[str] = frozenset()


def found(rows: Sequence[SessionRow], hits: Sequence[Hit], text: str, folder: str) -> list[Found]:
    """What matches the text by title (letters in their order) or by messages; this folder first, then the others.

    Without a text: all, newest first. Folders come in the order of their best session.
    """
    words = text.casefold().split()
    if not words:
        return _by_folder([Found(session=row) for row in rows], folder)
    by_id = {hit.session.session_id: hit for hit in hits}
    scored: list[tuple[float, Found]] = []
    for row in rows:
        hit = by_id.get(row.session_id)
        score = _title_score(row.title.casefold(), words)
        if score is None and hit is None:
            continue
        points = (score or 0) + (0 if hit is None else _IN_TEXT + min(hit.hits, 50))
        told = hit is not None and hit.kind not in ("name", "title")
        each = Found(session=row, snippet=hit.snippet, marks=hit.marks) if hit and told else Found(session=row)
        scored.append((points, each))
    scored.sort(key=lambda entry: -entry[0])  # stable: among equals the newest stays first
    return _by_folder([each for _, each in scored], folder)


def _title_score(title: str, words: Sequence[str]) -> int | None:
    total = 0
    for word in words:
        score = fuzzy_score(title, word)
        if score is None or (score < _WHOLE and (len(word) < 3 or score < _SCATTERED * len(word))):
            return None
        total += score
    return total


def _by_folder(listed: Sequence[Found], folder: str) -> list[Found]:
    groups: dict[str, list[Found]] = {folder: []}
    for each in listed:
        groups.setdefault(each.session.folder, []).append(each)
    return [each for group in groups.values() for each in group]


def folder_line(folder: str, count: int, here: bool, width: int, signs: Signs) -> Content:
    """The line above the sessions of a folder."""
    place = elide(safe_line(short_path(folder, Path.home())), max(8, width - 24), signs.more)
    words = "1 session" if count == 1 else f"{count} sessions"
    return Content.assemble(
        (f" {place}", "bold $accent" if here else "bold $text"),
        (f"  {'this folder, ' if here else ''}{words}", "$muted"),
    )


def session_line(row: SessionRow, width: int, signs: Signs, standing: Standing) -> Content:
    """A session in columns: mark, title, model, cost, messages, age; narrow screens say less of the model."""
    current = row.session_id == standing.current
    elsewhere = not current and row.session_id in standing.in_use
    mark = signs.running if current else signs.todo if elsewhere else " "
    model_cells = _MODEL_CELLS if width >= 100 else _SHORT_MODEL_CELLS if width >= 60 else 0
    message_cells = _MESSAGES_CELLS if width >= 64 else 0
    room = max(8, width - 4 - model_cells - _COST_CELLS - message_cells - _AGE_CELLS)
    copied = f"{signs.switch} " if row.forked else ""
    title = elide(copied + " ".join(safe_line(row.title).split()), room, signs.more)
    named = row.model if model_cells == _MODEL_CELLS else row.model.partition("/")[2] or row.model
    model = elide(safe_line(named), model_cells - 2, signs.more) if model_cells else ""
    when = "in use" if elsewhere else "open" if current else age(standing.now - row.updated_at)
    line = Content.assemble(
        (f"  {mark} ", "$warn" if elsewhere else "$accent"),
        (_left(title, room), "bold $text" if current else "$text"),
        (_left(f"  {model}", model_cells) if model_cells else "", "$muted"),
        (f"{money(row):>{_COST_CELLS}}", "$text"),
        (f"{row.messages:>{_MESSAGES_CELLS - 4}} msg" if message_cells else "", "$muted"),
        (f"{when:>{_AGE_CELLS}}", "$warn" if elsewhere else "$accent" if current else "$muted"),
    )
    return line.pad_right(max(0, width - line.cell_length))


def snippet_line(each: Found, width: int, signs: Signs) -> Content:
    """Where the words stand in the session's text."""
    pieces: list[tuple[str, str]] = [("      ", "")]
    end = 0
    for start, stop in each.marks:
        pieces += [
            (safe_line(each.snippet[end:start]), "$muted"),
            (safe_line(each.snippet[start:stop]), "bold $accent"),
        ]
        end = stop
    pieces.append((safe_line(each.snippet[end:]), "$muted"))
    line = Content.assemble(*pieces)
    return line.truncate(width - 1) + Content.assemble((signs.more, "$muted")) if line.cell_length > width else line


def money(row: SessionRow) -> str:
    """What a session cost: ``~`` for an estimate, ``?`` for what nobody knows, ``free``, or a dash for no call."""
    unknown = "?" if row.unknown_calls else ""
    if row.cost:
        return f"{amounts.dollars(row.cost, estimated=row.estimated)}{'+?' if unknown else ''}"
    return unknown or ("free" if row.calls else "-")


def preview(messages: Sequence[Message], width: int, signs: Signs) -> Content:
    """The last messages in so many cells, each with the bar of who wrote it."""
    if not messages:
        return Content.assemble(("No message yet.", "$muted"))
    return Content("\n\n").join(_message(each, max(8, width - 2), signs) for each in messages)


def _message(message: Message, width: int, signs: Signs) -> Content:
    person = message.kind == "prompt"
    text = message.text.strip()
    cut = text if len(text) <= _PREVIEW_CHARS else f"{text[:_PREVIEW_CHARS]}{signs.more}"
    bar = (f"{signs.bar} ", "$person" if person else "$speaker")
    look = "bold $text" if person else "$text"
    return Content("\n").join(Content.assemble(bar, (line, look)) for line in _wrapped(cut, width))


def _wrapped(text: str, width: int) -> Iterator[str]:
    for line in text.splitlines():
        shown = safe_line(line.expandtabs(4))
        yield from (shown[start:end] for start, end in break_text(shown, width, width, words=True))


def _left(text: str, cells: int) -> str:
    return text + " " * max(0, cells - cell_len(text))
