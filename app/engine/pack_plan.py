"""What some rows of the journal become when they are packed: one record, and their long texts, each once. Pure."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias, cast

from .codec import journal_text
from .packed_rows import Hole, JournalRow, Path, fill, pack, packed_text, text_name

LONG_CHARS = 2048
"""Texts from this length on lie beside the rows, once; snapshots keep the same ones (``state_codec.KEPT_CHARS``)."""

_Parsed: TypeAlias = tuple[Any, list[tuple[Path, str]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Rows that go into one record, and what is written for them."""

    rows: tuple[JournalRow, ...]
    body: bytes
    texts: tuple[tuple[str, bytes], ...]
    """Names and compressed texts that are new."""
    parts: tuple[tuple[str, str, int, int], ...]
    """Texts that are a part of another one: name, name of that one, start and end."""
    names: frozenset[str]
    """All texts that the packed journal then has: a snapshot need not keep them."""

    @property
    def chars(self) -> int:
        """Characters of the rows' bodies."""
        return sum(len(row.body) for row in self.rows)

    @property
    def bytes_before(self) -> int:
        """Bytes of the rows' bodies."""
        return sum(len(row.body.encode()) for row in self.rows)

    @property
    def bytes_after(self) -> int:
        """Bytes of what stands for them."""
        return len(self.body) + sum(len(body) for _, body in self.texts)


def plan(rows: Sequence[JournalRow], known: frozenset[str]) -> Step:
    """What the rows become, where texts of the names ``known`` lie there already."""
    parsed = [_parsed(row.body) for row in rows]
    events = [event for event, _ in parsed]
    whole = _outputs(events)
    # The pieces of a long output lie there as one text, or within what the model got of it.
    texts = {
        text_name(text): text
        for event, long in parsed
        if (piece := _piece(event)) is None or piece[0] not in whole
        for _, text in long
    }
    parts: dict[str, tuple[str, int, int]] = {}
    outputs: dict[str, tuple[str, int]] = {}
    for run_id, output in whole.items():
        content = _content(events, run_id)
        name, at = text_name(output), content.find(output)
        if at < 0:
            texts.setdefault(name, output)
            outputs[run_id] = name, 0
            continue
        outputs[run_id] = text_name(content), at
        if name not in texts:
            parts[name] = text_name(content), at, at + len(output)
    bodies, holes = _emptied(rows, parsed, outputs)
    packed = pack([row._replace(body=body) for row, body in zip(rows, bodies, strict=True)], holes)
    return Step(
        rows=tuple(rows),
        body=packed,
        texts=tuple((name, packed_text(text)) for name, text in texts.items() if name not in known),
        parts=tuple((name, *part) for name, part in parts.items() if name not in known),
        names=frozenset((*texts, *parts)),
    )


def _parsed(body: str) -> _Parsed:
    """The JSON of a row and its long texts; None where it would not give the same row again: that is taken as it is."""
    try:
        event: Any = json.loads(body)
        if isinstance(event, dict) and journal_text(event) == body:
            return cast("Any", event), list(_long_texts(event, ()))
    except (ValueError, RecursionError):
        pass
    return None, []


def _long_texts(value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    match value:
        case str():
            if len(value) >= LONG_CHARS:
                yield path, value
        case dict():
            for name, item in cast("dict[str, Any]", value).items():
                yield from _long_texts(item, (*path, name))
        case list():
            for place, item in enumerate(cast("list[Any]", value)):
                yield from _long_texts(item, (*path, place))
        case _:
            return


def _outputs(events: Sequence[Any]) -> dict[str, str]:
    """The live output of each command that printed much, put together from its pieces."""
    pieces: dict[str, list[str]] = {}
    for event in events:
        if (piece := _piece(event)) is not None:
            pieces.setdefault(piece[0], []).append(piece[1])
    whole = {run_id: "".join(each) for run_id, each in pieces.items()}
    return {run_id: output for run_id, output in whole.items() if len(output) >= LONG_CHARS}


def _piece(event: Any) -> tuple[str, str] | None:
    """A command's id and some of its live output."""
    match event:
        case {"$type": "ToolActivity", "event": {"$type": "ToolOutputDelta", "run_id": str(run_id), "text": str(text)}}:
            return run_id, text
        case _:
            return None


def _content(events: Sequence[Any], run_id: str) -> str:
    """What the model got of a command: it mostly holds the live output. Empty when that is not among the rows."""
    for event in events:
        match event:
            case {"$type": "ToolActivity", "event": {"$type": "ToolRunFinished", "content": str(content), **rest}} if (
                rest.get("run_id") == run_id
            ):
                return content
            case _:
                continue
    return ""


def _emptied(
    rows: Sequence[JournalRow], parsed: Sequence[_Parsed], outputs: dict[str, tuple[str, int]]
) -> tuple[list[str], dict[int, list[Hole]]]:
    """The bodies without what lies beside them, and where it was."""
    bodies: list[str] = []
    holes: dict[int, list[Hole]] = {}
    told = {run_id: at for run_id, (_, at) in outputs.items()}
    for place, (row, (event, long)) in enumerate(zip(rows, parsed, strict=True)):
        piece = _piece(event)
        if piece is not None and piece[0] in outputs:
            run_id, text = piece
            start, told[run_id] = told[run_id], told[run_id] + len(text)
            found = [Hole(("event", "text"), outputs[run_id][0], start, told[run_id])]
        else:
            found = [Hole(path, text_name(text), 0, len(text)) for path, text in long]
        for hole in found:
            fill(event, hole.path, "")
        if found:
            holes[place] = found
        bodies.append(journal_text(event) if found else row.body)
    return bodies, holes
