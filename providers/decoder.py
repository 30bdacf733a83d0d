"""From the body of a reply to events: what the decoders of all dialects share."""

import codecs
from abc import ABC, abstractmethod

from .blocks import BlockTracker
from .endpoint import Endpoint
from .errors import (
    ServerSaid,
    classify_inband,
    empty_answer,
    ended_early,
    not_understood,
    read_error,
    read_stray_error,
    unusable,
)
from .events import JsonObject, ResponseError, ResponseEvent
from .json_values import as_object, parse_json, parse_object
from .sse import MAX_LINE_BYTES, JsonLinesReader, LineTooLongError, ServerEvent, SseReader

DONE = "[DONE]"
"""The data of the last event of OpenAI-style streams; gateways add it to other dialects too."""

_KEPT_FOR_MESSAGES = 2000


class ResponseDecoder(ABC):
    """Turns what one server sends for one request into events; it never raises, whatever that is.

    ``feed`` takes one event of a stream, ``whole`` a reply that came in one piece, ``finish`` says that the body is
    over, ``fail`` that something broke. Each returns the events that follow from it.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        self.blocks = BlockTracker()
        self.unreadable = ""
        """The last thing that was no JSON object: it explains a stream that ends early."""

    @property
    @abstractmethod
    def complete(self) -> bool:
        """True once the answer is all there, so that a connection lost after it is no failure."""

    @abstractmethod
    def on_object(self, event: JsonObject, name: str) -> None:
        """Take one event of a stream; ``name`` is its ``event:`` line, often empty."""

    @abstractmethod
    def on_document(self, document: JsonObject) -> bool:
        """Take a reply that came in one piece. False when it is no answer in this dialect."""

    @abstractmethod
    def on_end(self) -> None:
        """Make the terminal event of a complete answer."""

    def on_done_mark(self) -> None:  # noqa: B027 - a dialect may, but need not, care
        """``[DONE]`` came; dialects that know no such mark ignore it."""

    def feed(self, event: ServerEvent) -> list[ResponseEvent]:
        """Take one event of a stream."""
        if self.blocks.ended:
            return []
        self._take(event)
        return self.blocks.take()

    def _take(self, event: ServerEvent) -> None:
        if event.data.strip() == DONE:
            self.on_done_mark()
            return
        value = parse_object(event.data)
        if value is None:
            self._on_unreadable(event)
        elif not self._failed_in_band(value, event.name):
            self.on_object(value, event.name)

    def _on_unreadable(self, event: ServerEvent) -> None:
        """Take data that is no JSON object: lines that lack the blank lines between them, or an error in words."""
        lines = [line for line in event.data.split("\n") if line.strip()]
        if len(lines) > 1 and all(line.strip() == DONE or parse_object(line) is not None for line in lines):
            for line in lines:
                self._take(ServerEvent(data=line, name=event.name))
            return
        self.unreadable = event.data[:_KEPT_FOR_MESSAGES]
        if event.name.endswith(("error", "exception")):
            self.blocks.fail(classify_inband(self.endpoint, ServerSaid(message=self.unreadable)))

    def whole(self, text: str) -> list[ResponseEvent]:
        """Take a JSON reply that came in one piece, as servers send that cannot stream."""
        try:
            value = parse_json(text)
        except ValueError:
            return self.fail(not_understood(self.endpoint, text))
        if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
            return self._listed([as_object(each) for each in value], text)
        document = value if isinstance(value, dict) else {}
        if self._failed_in_band(document):
            return self.blocks.take()
        if not self.on_document(document):
            said = read_error(value)
            return self.fail(classify_inband(self.endpoint, said) if said else not_understood(self.endpoint, text))
        self.on_end()
        return self.blocks.take()

    def _listed(self, events: list[JsonObject], text: str) -> list[ResponseEvent]:
        """Take a stream that came as one JSON list."""
        for each in events:
            if not self._failed_in_band(each):
                self.on_object(each, "")
        if not (self.blocks.started or self.blocks.ended):
            said = read_error(events[0])
            return self.fail(classify_inband(self.endpoint, said) if said else not_understood(self.endpoint, text))
        return self.finish()

    def finish(self) -> list[ResponseEvent]:
        """The body is over."""
        if self.complete:
            self.on_end()
        elif self.blocks.started or self.unreadable:
            self.blocks.fail(ended_early(self.endpoint, self.unreadable))
        else:
            self.blocks.fail(empty_answer(self.endpoint))
        return self.blocks.take()

    def fail(self, error: ResponseError) -> list[ResponseEvent]:
        """The exchange broke; an answer that was complete by then stands."""
        if self.complete:
            self.on_end()
        self.blocks.fail(error)
        return self.blocks.take()

    def _failed_in_band(self, value: JsonObject, name: str = "") -> bool:
        """True when the object reports an error: ``error`` is filled, whatever else is there, or it is called one."""
        said = read_error(value) if value.get("error") else read_stray_error(value, name)
        if said is None:
            return False
        self.before_failure(value)
        self.blocks.fail(classify_inband(self.endpoint, said))
        return True

    def before_failure(self, value: JsonObject) -> None:  # noqa: B027 - a dialect may, but need not, care
        """Take what an event that reports an error carries besides it (text, usage)."""


class AnswerBody:
    """The bytes of a success reply -> events. Its first character tells what it is.

    Content types lie: streams come as ``application/json`` and documents as ``text/event-stream``.
    """

    def __init__(self, decoder: ResponseDecoder, *, json_lines: bool = False, limit: int = MAX_LINE_BYTES) -> None:
        self._decoder = decoder
        self._json_lines = json_lines
        self._limit = limit
        self._reader: SseReader | JsonLinesReader | None = None
        self._document = False
        self._settled = False
        """Whether a document has shown that it is no stream of lines."""
        self._kept = bytearray()
        """All of a document; of a stream only the beginning, to quote should there be no event in it."""
        self.events_seen = 0
        """How many events of the stream came: what the idle watchdog goes by. Comments and blank lines are none."""

    def feed(self, chunk: bytes) -> list[ResponseEvent]:
        """Take bytes, cut anywhere."""
        if self._reader is not None:
            if self.events_seen == 0:
                self._kept += chunk[: max(0, _KEPT_FOR_MESSAGES - len(self._kept))]
            return self._read(self._reader, chunk)
        self._kept += chunk
        if len(self._kept) > self._limit:
            return self._decoder.fail(unusable(self._decoder.endpoint, str(LineTooLongError(self._limit))))
        if self._document:
            return self._after_first_line()
        beginning = bytes(self._kept).removeprefix(codecs.BOM_UTF8).lstrip()[:1]
        if not beginning:
            return []
        if beginning in b"<[{" and not (self._json_lines and beginning == b"{"):
            self._document = True
            return self._after_first_line()
        self._reader = JsonLinesReader(self._limit) if beginning == b"{" else SseReader(self._limit)
        return self._read(self._reader, bytes(self._kept))

    def finish(self) -> list[ResponseEvent]:
        """The body is over."""
        text = self._kept.decode("utf-8", "replace").removeprefix("\ufeff").strip()
        if self._reader is None:
            return self._decoder.whole(text) if text else self._decoder.finish()
        events = self._handle(self._reader.finish())
        stray = _without_comments(text[:_KEPT_FOR_MESSAGES])
        if self.events_seen == 0 and stray:
            return events + self._decoder.fail(not_understood(self._decoder.endpoint, stray))
        return events + self._decoder.finish()

    def _after_first_line(self) -> list[ResponseEvent]:
        """A document whose first line is an object by itself, with another one below it, is a stream of lines."""
        if self._settled:
            return []
        first, _, rest = bytes(self._kept).removeprefix(codecs.BOM_UTF8).lstrip().partition(b"\n")
        following = rest.lstrip()[:1]
        if not following:
            return []
        self._settled = True
        if following != b"{" or parse_object(first.decode("utf-8", "replace")) is None:
            return []
        self._reader = JsonLinesReader(self._limit)
        return self._read(self._reader, bytes(self._kept))

    def _read(self, reader: SseReader | JsonLinesReader, chunk: bytes) -> list[ResponseEvent]:
        try:
            return self._handle(reader.feed(chunk))
        except LineTooLongError as problem:
            return self._decoder.fail(unusable(self._decoder.endpoint, f"{problem}; the answer was given up."))

    def _handle(self, found: list[ServerEvent]) -> list[ResponseEvent]:
        self.events_seen += len(found)
        return [event for each in found for event in self._decoder.feed(each)]


def _without_comments(text: str) -> str:
    """What a server sent besides server-sent comments."""
    return "\n".join(line for line in text.splitlines() if line and not line.startswith(":"))
