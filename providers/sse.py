"""Incremental readers for the two framings model servers stream in: server-sent events and JSON lines.

Both take bytes as they come off the wire, cut anywhere, and give what is complete. Lines end at CR, LF or CRLF
and nowhere else: U+2028, U+2029 and U+0085 are ordinary characters inside JSON. Decoding UTF-8 waits for a whole
line, so a character cut in two by the network is never broken. Time is linear in the bytes, whatever the cuts, and
memory is bounded by ``MAX_LINE_BYTES``.

Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream, with one
departure: an event that the end of the body cuts off from its blank line is still given, because servers send such.
"""

import codecs
from dataclasses import dataclass

MAX_LINE_BYTES = 64 * 1024 * 1024
"""The longest line, and the most data of one event, that is accepted."""

_CR, _LF = b"\r", b"\n"


class LineTooLongError(Exception):
    """A line, or the data of one event, is larger than the limit in bytes: no model server sends that."""

    def __init__(self, limit: int) -> None:
        super().__init__(f"a single line of the answer is larger than {limit:,} bytes")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerEvent:
    """One event: its name, empty when the server gave none, and its data."""

    data: str
    name: str = ""


class LineReader:
    """Cuts bytes into lines without their ends. ``feed`` any number of times, then ``finish``."""

    def __init__(self, limit: int = MAX_LINE_BYTES) -> None:
        self._limit = limit
        self._held = bytearray()  # not a list of pieces: one-byte pieces would cost forty times their size
        self._after_cr = False
        self._at_start = True

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines this chunk completes. Raises ``LineTooLongError`` when an unfinished line passes the limit."""
        if self._after_cr and chunk.startswith(_LF):
            chunk = chunk[1:]  # the second half of a CRLF whose CR ended the chunk before
            self._after_cr = False
        if not chunk:
            return []
        self._after_cr = chunk.endswith(_CR)
        lines = chunk.splitlines()  # for bytes: at CR, LF and CRLF only
        rest = b"" if chunk.endswith((_CR, _LF)) else lines.pop()
        if lines and self._held:
            lines[0] = bytes(self._held + lines[0])
            self._held.clear()
        self._held += rest
        if len(self._held) > self._limit or any(len(line) > self._limit for line in lines):
            raise LineTooLongError(self._limit)
        return self._without_mark(lines)

    def finish(self) -> list[bytes]:
        """The last line when the body ends without a line end."""
        if not self._held:
            return []
        last = bytes(self._held)
        self._held.clear()
        return self._without_mark([last])

    def _without_mark(self, lines: list[bytes]) -> list[bytes]:
        """Drop the byte order mark some servers begin with."""
        if self._at_start and lines:
            self._at_start = False
            lines[0] = lines[0].removeprefix(codecs.BOM_UTF8)
        return lines


class SseReader:
    """Server-sent events out of bytes."""

    def __init__(self, limit: int = MAX_LINE_BYTES) -> None:
        self._lines = LineReader(limit)
        self._limit = limit
        self._name = ""
        self._data: list[str] = []
        self._size = 0

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        """The events this chunk completes. Raises ``LineTooLongError``."""
        return self._events(self._lines.feed(chunk))

    def finish(self) -> list[ServerEvent]:
        """The event the end of the body leaves open, if any."""
        return self._events([*self._lines.finish(), b""])

    def _events(self, lines: list[bytes]) -> list[ServerEvent]:
        events: list[ServerEvent] = []
        for line in lines:
            if line:
                self._field(line)
                continue
            if self._data:
                events.append(ServerEvent(name=self._name, data="\n".join(self._data)))
                self._data = []
                self._size = 0
            self._name = ""
        return events

    def _field(self, line: bytes) -> None:
        """Take one line: a comment (begins with a colon) and unknown fields (id, retry) mean nothing here."""
        field, _, value = line.partition(b":")
        if field == b"data":
            self._size += len(value) + 1  # the line itself counts, so that empty ones cannot pile up
            if self._size > self._limit:
                raise LineTooLongError(self._limit)
            self._data.append(value.removeprefix(b" ").decode("utf-8", "replace"))
        elif field == b"event":
            self._name = value.removeprefix(b" ").decode("utf-8", "replace")


class JsonLinesReader:
    """One JSON text a line (application/x-ndjson); blank lines are skipped."""

    def __init__(self, limit: int = MAX_LINE_BYTES) -> None:
        self._lines = LineReader(limit)

    def feed(self, chunk: bytes) -> list[ServerEvent]:
        """The lines this chunk completes, as events without a name. Raises ``LineTooLongError``."""
        return self._events(self._lines.feed(chunk))

    def finish(self) -> list[ServerEvent]:
        """The last line when it has no line end."""
        return self._events(self._lines.finish())

    @staticmethod
    def _events(lines: list[bytes]) -> list[ServerEvent]:
        return [ServerEvent(data=line.decode("utf-8", "replace")) for line in lines if line.strip()]
