"""The only maker of block events: whatever the dialect, the grammar of ``providers.events`` holds here.

A decoder says what it saw, under whatever key the server uses for a block (an index, an item id, a name);
``BlockTracker`` gives each block our own ascending index, opens it with its first piece, closes it, and makes sure
that there is one terminal event with every block closed before it.
"""

import secrets
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from .events import (
    InvalidArguments,
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
    Usage,
    UsageUpdate,
)
from .json_values import mend_object, mend_text, parse_json

CUT_AT_LIMIT = "the answer reached its output limit before the call was complete"
BROKEN_OFF = "the answer broke off before the call was complete"


def make_call_id() -> str:
    """An id for a tool call that came without one, in the shape every provider takes."""
    return f"call_{secrets.token_hex(12)}"


def parse_arguments(raw: str) -> JsonObject | InvalidArguments:
    """The arguments of a tool call. Nothing at all, and null, mean none; anything but an object is invalid."""
    if not raw.strip():
        return {}
    try:
        value = parse_json(raw)
    except ValueError as problem:
        return InvalidArguments(raw=raw, reason=f"not valid JSON: {problem}")
    if value is None:
        return {}
    if not isinstance(value, dict):
        return InvalidArguments(raw=raw, reason=f"a JSON object is needed, not {type(value).__name__}")
    if mend_object(value) != value:
        return InvalidArguments(
            raw=raw, reason="holds what JSON cannot carry on: NaN, half a character, or nesting too deep"
        )
    return value


@dataclass(slots=True, kw_only=True)
class _Prose:
    """An open block of text or thinking."""

    index: int
    thinking: bool
    half: str = ""
    """The first half of a surrogate pair whose second half comes with the next piece."""
    signature: str | None = None
    redacted: bool = False
    metadata: JsonObject = field(default_factory=dict)


@dataclass(slots=True, kw_only=True)
class _Call:
    """An open tool call. It has no index before its name is known."""

    index: int = -1
    wire_id: str = ""
    call_id: str = ""
    name: str = ""
    half: str = ""
    pieces: list[str] = field(default_factory=list)
    metadata: JsonObject = field(default_factory=dict)

    @property
    def raw(self) -> str:
        return "".join(self.pieces)

    def is_whole(self) -> bool:
        """True when the pieces so far are a complete JSON object."""
        tail = self.pieces[-1].rstrip() if self.pieces else ""
        return tail.endswith("}") and isinstance(parse_arguments(self.raw), dict)


class BlockTracker:
    """Collects the events of one response. Decoders call it and hand on what ``take`` gives."""

    def __init__(self, *, new_call_id: Callable[[], str] = make_call_id) -> None:
        self._new_call_id = new_call_id
        self._out: list[ResponseEvent] = []
        self._next_index = 0
        self._started = False
        self._ended = False
        self._prose: dict[Hashable, _Prose] = {}
        self._calls: list[_Call] = []
        self._by_slot: dict[int, _Call] = {}
        self._closed: dict[int, _Call] = {}
        self._late: list[_Call] = []
        self._used_ids: set[str] = set()
        self._usage: Usage | None = None

    @property
    def started(self) -> bool:
        """True once the server has said anything that counts."""
        return self._started

    @property
    def ended(self) -> bool:
        """True after the terminal event; whatever comes later is dropped."""
        return self._ended

    @property
    def any_block(self) -> bool:
        """True once a block was opened: the wait for the first token is over."""
        return self._next_index > 0

    def take(self) -> list[ResponseEvent]:
        """The events since the last call."""
        out, self._out = self._out, []
        return out

    def start(self, *, response_id: str = "", model: str = "") -> None:
        """The server began to answer. Only the first call counts."""
        if not self._started:
            self._started = True
            self._emit(ResponseStart(response_id=response_id or None, model=model or None))

    def usage(self, usage: Usage) -> None:
        """Cumulative usage; repeated equal values and empty ones are not passed on."""
        if usage not in (self._usage, Usage()):
            self._usage = usage
            self.start()
            self._emit(UsageUpdate(usage=usage))

    def notice(self, message: str) -> None:
        """Something the person should know."""
        self._emit(Notice(message=mend_text(message)))

    def text(self, key: Hashable, piece: str) -> None:
        """A piece of text for the block the key names; an empty piece does not open one."""
        if piece:
            block = self._open_prose(key, thinking=False)
            if whole := _join_halves(block, piece):
                self._emit(TextDelta(index=block.index, text=whole))

    def thinking(self, key: Hashable, piece: str) -> None:
        """A piece of thinking for the block the key names; an empty piece does not open one."""
        if piece:
            block = self._open_prose(key, thinking=True)
            if whole := _join_halves(block, piece):
                self._emit(ThinkingDelta(index=block.index, text=whole))

    def sign(self, key: Hashable, signature: str) -> None:
        """A piece of the signature of a thinking block, which may have no text at all.

        An empty one opens no block, but is kept on an open one: signed with nothing is not the same as not signed.
        """
        if signature:
            block = self._open_prose(key, thinking=True)
            block.signature = (block.signature or "") + signature
        elif key in self._prose:
            self._prose[key].signature = self._prose[key].signature or ""

    def redacted(self, key: Hashable, metadata: JsonObject) -> None:
        """A thinking block whose text is withheld: whole in one call."""
        block = self._open_prose(key, thinking=True)
        block.redacted = True
        block.metadata = metadata
        self.close(key)

    def annotate(self, key: Hashable, metadata: JsonObject, *, thinking: bool = False) -> None:
        """What must go back with a text or thinking block; it opens one when there is none."""
        self._open_prose(key, thinking=thinking).metadata.update(metadata)

    def annotate_latest(self, metadata: JsonObject) -> None:
        """What must go back with the answer as a whole: it travels on the latest block that is still open."""
        if self._calls:
            self._calls[-1].metadata.update(metadata)
        elif self._prose:
            next(reversed(self._prose.values())).metadata.update(metadata)
        else:
            self.annotate("whole answer", metadata, thinking=True)

    def opaque(self, kind: str, payload: JsonObject) -> None:
        """A whole block that is not ours to read."""
        self._emit(OpaqueBlock(index=self._take_index(), kind=mend_text(kind), payload=mend_object(payload)))

    def close(self, key: Hashable) -> None:
        """The server says that the text or thinking block is complete; nothing happens when none is open."""
        block = self._prose.pop(key, None)
        if block is None:
            return
        if block.half:
            kind = ThinkingDelta if block.thinking else TextDelta
            self._emit(kind(index=block.index, text=mend_text(block.half)))
        metadata = mend_object(block.metadata) or None
        if not block.thinking:
            self._emit(TextEnd(index=block.index, provider_metadata=metadata))
            return
        self._emit(
            ThinkingEnd(
                index=block.index,
                signature=None if block.signature is None else mend_text(block.signature),
                redacted=block.redacted,
                provider_metadata=metadata,
            )
        )

    def close_prose(self) -> None:
        """Close every open text and thinking block: for dialects that mark no ends."""
        for key in list(self._prose):
            self.close(key)

    def call(
        self,
        slot: int | None,
        *,
        call_id: str = "",
        name: str = "",
        arguments: str = "",
        metadata: JsonObject | None = None,
    ) -> None:
        """A piece of a tool call.

        ``slot`` is the server's index of the call, None when it has none. Empty ids and names never overwrite,
        repeated ones are not appended, and a slot used again for another call opens another call. A whole call that
        comes once more, the same to the letter and under the same id, is one call.
        """
        if call_id and self._came_before(slot, call_id, name, arguments):
            return
        current = self._find_call(slot, call_id, name)
        if current is None or _is_another(current, call_id, name, arguments):
            current = _Call()
            self._calls.append(current)
        if slot is not None:
            self._by_slot[slot] = current
        current.metadata.update(metadata or {})
        current.wire_id = current.wire_id or mend_text(call_id)
        if name and not current.name:
            self._start_call(current, mend_text(name))
        if piece := _join_halves(current, arguments):
            current.pieces.append(piece)
            if current.name:
                self._emit(ToolCallDelta(index=current.index, arguments_json=piece))

    def close_call(self, slot: int) -> None:
        """The server says that the call is complete.

        A call without any arguments is kept open until something follows it: at the end of an answer that was cut
        at its limit, "no arguments" means "not yet".
        """
        call = self._by_slot.pop(slot, None)
        if call is None or call not in self._calls:
            return
        self._closed[slot] = call
        if call.raw.strip():
            self._finish_call(call)
        else:
            self._late.append(call)

    def end(self, stop_reason: StopReason, raw: str = "") -> None:
        """The response ended in an orderly way. Whether it wants tools is decided by its calls, not by its word."""
        if self._ended:
            return
        self.start()
        cut = stop_reason is StopReason.MAX_TOKENS
        last = self._calls[-1] if self._calls else None
        for call in list(self._calls):
            self._finish_call(call, CUT_AT_LIMIT if cut and call is last and not call.raw.strip() else "")
        self.close_prose()
        match stop_reason, bool(self._used_ids):
            case StopReason.END_TURN | StopReason.OTHER, True:
                stop_reason = StopReason.TOOL_CALLS
            case StopReason.TOOL_CALLS, False:
                stop_reason = StopReason.END_TURN
            case _:
                pass
        self._emit(ResponseEnd(stop_reason=stop_reason, raw_stop_reason=mend_text(raw) or None))
        self._ended = True

    def fail(self, error: ResponseError) -> None:
        """The response failed: text stays, calls that are still open are marked as never to be run."""
        if self._ended:
            return
        for call in list(self._calls):
            self._finish_call(call, BROKEN_OFF)
        self.close_prose()
        self._emit(error)
        self._ended = True

    def _emit(self, event: ResponseEvent) -> None:
        if not self._ended:
            self._out.append(event)

    def _take_index(self) -> int:
        """Open the next block; calls without arguments that were waiting for a successor are complete now."""
        self.start()
        for call in self._late:
            self._finish_call(call)
        self._late.clear()
        self._next_index += 1
        return self._next_index - 1

    def _open_prose(self, key: Hashable, *, thinking: bool) -> _Prose:
        block = self._prose.get(key)
        if block is not None and block.thinking is not thinking:
            self.close(key)
            block = None
        if block is None:
            block = _Prose(index=self._take_index(), thinking=thinking)
            self._prose[key] = block
            self._emit(ThinkingStart(index=block.index) if thinking else TextStart(index=block.index))
        return block

    def _came_before(self, slot: int | None, call_id: str, name: str, arguments: str) -> bool:
        """True when a call that is known comes once more. One that was closed while it was empty is opened again."""
        same = (mend_text(call_id), mend_text(name))
        closed = None if slot is None else self._closed.get(slot)
        if slot is not None and closed is not None and (closed.wire_id, closed.name) == same:
            if closed in self._late:
                self._late.remove(closed)
                self._by_slot[slot] = closed
            elif closed not in self._calls and arguments.strip() in ("", closed.raw.strip()):
                return True
        alike = (each for each in self._calls if (each.wire_id, each.name) == same)
        return arguments.lstrip().startswith("{") and any(each.raw == arguments and each.is_whole() for each in alike)

    def _find_call(self, slot: int | None, call_id: str, name: str) -> _Call | None:
        """The open call a piece belongs to: by slot, else by id, else the latest one."""
        known = self._by_slot.get(slot) if slot is not None else None
        if known is not None:
            return known
        if slot is not None and (call_id or name):
            return None
        same_id = (call for call in self._calls if call_id and call.wire_id == call_id)
        return next(same_id, self._calls[-1] if self._calls else None)

    def _start_call(self, call: _Call, name: str) -> None:
        call.name = name
        call.call_id = call.wire_id if call.wire_id and call.wire_id not in self._used_ids else self._new_call_id()
        self._used_ids.add(call.call_id)
        call.index = self._take_index()
        self._emit(ToolCallStart(index=call.index, call_id=call.call_id, name=call.name))
        if call.pieces:
            self._emit(ToolCallDelta(index=call.index, arguments_json=call.raw))

    def _finish_call(self, call: _Call, broken: str = "") -> None:
        """Close a call. ``broken`` says why it must not run, whatever its arguments look like."""
        self._calls.remove(call)
        if not call.name:
            self.notice("The model made a tool call without naming a tool; it was dropped.")
            return
        if call.half:
            call.pieces.append(mend_text(call.half))
            self._emit(ToolCallDelta(index=call.index, arguments_json=call.pieces[-1]))
        raw = call.raw
        self._emit(
            ToolCallEnd(
                index=call.index,
                call_id=call.call_id,
                name=call.name,
                arguments=InvalidArguments(raw=raw, reason=broken) if broken else parse_arguments(raw),
                provider_metadata=mend_object(call.metadata) or None,
            )
        )


def _is_another(current: _Call, call_id: str, name: str, arguments: str) -> bool:
    """True when a piece that came in the place of ``current`` begins a call of its own."""
    if not (name and current.name):
        return False
    if call_id and current.wire_id and call_id != current.wire_id:
        return True
    same_id = bool(call_id) and call_id == current.wire_id
    if name != current.name and not same_id:
        return True
    return arguments.lstrip().startswith("{") and current.is_whole()


def _join_halves(block: _Prose | _Call, piece: str) -> str:
    """The piece with what was held back before it; a first half of a surrogate pair at its end is held back."""
    piece = block.half + piece
    block.half = ""
    if "\ud800" <= piece[-1:] <= "\udbff":
        block.half, piece = piece[-1], piece[:-1]
    return mend_text(piece)
