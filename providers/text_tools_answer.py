"""The events of an answer, with the calls and the thinking that its text held taken out of it.

Blocks are numbered anew, since one block of text may become several; everything else passes as it is, byte for byte.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace

from .events import (
    BlockEvent,
    JsonObject,
    Notice,
    OpaqueBlock,
    ResponseEnd,
    ResponseError,
    ResponseEvent,
    ResponseStart,
    StopReason,
    TextDelta,
    TextEnd,
    TextStart,
    ThinkingDelta,
    ThinkingEnd,
    ThinkingStart,
    ToolCallDelta,
    ToolCallEnd,
    ToolCallStart,
    UsageUpdate,
)
from .json_values import to_json
from .text_tools_calls import FoundCall
from .text_tools_parser import AnswerParser, Kind, Piece
from .text_tools_prompt import INLINE_THINKING

_ENDED_WELL = frozenset({StopReason.END_TURN, StopReason.TOOL_CALLS, StopReason.OTHER})


class RewrittenAnswer:
    """Takes the events of one answer and gives those to pass on."""

    def __init__(self, parser: AnswerParser, new_call_id: Callable[[], str]) -> None:
        self.parser = parser
        self._new_call_id = new_call_id
        self._next_index = 0
        self._numbers: dict[int, int] = {}
        self._source: int | None = None
        """The index of the text block being read."""
        self._metadata: JsonObject | None = None
        """What its end brought along."""
        self._open: tuple[Kind, int] | None = None
        """The block of text or thinking that is open on our side, and its index."""
        self._native = False
        """True once a call came by the protocol: from then on text is only text."""

    def take(self, event: ResponseEvent) -> list[ResponseEvent]:
        """What becomes of one event; mostly one other."""
        match event:
            case TextDelta():
                return self._delta(event)
            case TextStart():
                return []
            case TextEnd():
                self._metadata = event.provider_metadata or self._metadata
                return []
            case ResponseStart() | UsageUpdate() | Notice():
                return [event]
            case ResponseEnd():
                return self._end(event)
            case ResponseError():
                pieces, _ = self.parser.finish(orderly=False)
                return [*self._said(pieces), *self._closed(), event]
            case _:
                return self._other(event)

    def _delta(self, event: TextDelta) -> list[ResponseEvent]:
        before = self._settled() if self._source not in (None, event.index) else []
        self._source = event.index
        pieces = [Piece(Kind.TEXT, event.text)] if self._native else self.parser.feed(event.text)
        return [*before, *self._said(pieces)]

    def _other(self, event: BlockEvent) -> list[ResponseEvent]:
        """An event of a block that is no text."""
        if not isinstance(event, ThinkingStart | ToolCallStart | OpaqueBlock):
            return [_renumbered(event, self._numbers[event.index])]
        before = self._settled()
        self._native = self._native or isinstance(event, ToolCallStart)
        self._numbers[event.index] = self._take_index()
        return [*before, _renumbered(event, self._numbers[event.index])]

    def _settled(self) -> list[ResponseEvent]:
        """Another block begins: what was held back of the text is shown, and its block ends."""
        out = [*self._said(self.parser.release()), *self._closed()]
        self._source = None
        return out

    def _end(self, event: ResponseEnd) -> list[ResponseEvent]:
        orderly = event.stop_reason in _ENDED_WELL and not self._native
        pieces, calls = self.parser.finish(orderly=orderly)
        out = [*self._said(pieces), *self._closed()]
        for call in calls:
            out.extend(self._call(call))
        if calls:
            event = replace(event, stop_reason=StopReason.TOOL_CALLS)
        elif self.parser.refused and not self._native:
            out.append(
                Notice(message=f"What looks like a tool call in this answer was not run: {self.parser.refused}.")
            )
        return [*out, event]

    def _call(self, call: FoundCall) -> list[ResponseEvent]:
        index, call_id = self._take_index(), self._new_call_id()
        return [
            ToolCallStart(index=index, call_id=call_id, name=call.name),
            ToolCallDelta(index=index, arguments_json=to_json(call.arguments)),
            ToolCallEnd(index=index, call_id=call_id, name=call.name, arguments=call.arguments),
        ]

    def _take_index(self) -> int:
        self._next_index += 1
        return self._next_index - 1

    def _said(self, pieces: Iterable[Piece]) -> list[ResponseEvent]:
        """Pieces of text and thinking as events, each kind in blocks of its own."""
        out: list[ResponseEvent] = []
        for piece in pieces:
            if self._open is not None and self._open[0] is not piece.kind:
                out.extend(self._closed(whole=False))
            match piece.kind:
                case Kind.TEXT:
                    index = self._opened(piece.kind, out)
                    out.append(TextDelta(index=index, text=piece.text))
                case Kind.THINKING:
                    index = self._opened(piece.kind, out)
                    out.append(ThinkingDelta(index=index, text=piece.text))
                case Kind.BREAK:
                    pass
        return out

    def _opened(self, kind: Kind, out: list[ResponseEvent]) -> int:
        if self._open is None:
            index = self._take_index()
            self._open = (kind, index)
            out.append(TextStart(index=index) if kind is Kind.TEXT else ThinkingStart(index=index))
        return self._open[1]

    def _closed(self, *, whole: bool = True) -> list[ResponseEvent]:
        """The end of our block. ``whole``: the server's block ended too, and what it brought along goes with it."""
        out: list[ResponseEvent] = []
        metadata = self._metadata if whole else None
        if metadata is not None:
            self._metadata = None
            if self._open is None or self._open[0] is not Kind.TEXT:
                out.extend(self._closed())
                self._opened(Kind.TEXT, out)
        match self._open:
            case (Kind.TEXT, index):
                out.append(TextEnd(index=index, provider_metadata=metadata))
            case (_, index):
                out.append(ThinkingEnd(index=index, provider_metadata=INLINE_THINKING))
            case None:
                pass
        self._open = None
        return out


def _renumbered(event: BlockEvent, index: int) -> BlockEvent:
    return event if event.index == index else replace(event, index=index)
