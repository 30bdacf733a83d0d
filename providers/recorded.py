"""Recorded replies, decoded by the very code that reads live ones.

A case file is a JSON object with ``family`` (the dialect), ``status``, ``content_type``, ``response_headers`` and
``body``; ``id`` names it. An HTTP transport plays the reply to a provider of that dialect; nothing is sent anywhere.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from .dialects import DIALECTS
from .endpoint import Endpoint
from .events import (
    ErrorKind,
    JsonObject,
    ResponseEnd,
    ResponseError,
    ResponseEvent,
    TextDelta,
    ThinkingDelta,
    ToolCallDelta,
    ToolCallEnd,
    Usage,
    UsageUpdate,
)
from .exchanges import FAMILIES
from .json_values import as_count, as_object, as_text, parse_object, to_json
from .messages import ChatRequest, TextBlock, UserMessage

_NOT_REPLAYED = frozenset({"content-encoding", "content-length", "transfer-encoding"})
"""Headers about the bytes on the wire, which a recorded body no longer is."""
_DIALECT = {family: dialect for dialect, family in FAMILIES.items()}
"""The dialects of families that go by another name."""
_REQUEST = ChatRequest(model="recorded", messages=(UserMessage(blocks=(TextBlock(text="recorded"),)),))
_SSE_BEGINNINGS = ("data:", "event:", "id:", "retry:", ":")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One recorded reply."""

    name: str
    dialect: str
    listing: bool
    status: int
    headers: dict[str, str]
    body: str


@dataclass(slots=True, kw_only=True)
class Decoded:
    """What came out of a reply, put together from its events."""

    events: int = 0
    text: list[str] = field(default_factory=list[str])
    thinking: list[str] = field(default_factory=list[str])
    arguments: dict[int, list[str]] = field(default_factory=dict[int, list[str]])
    calls: list[ToolCallEnd] = field(default_factory=list[ToolCallEnd])
    usage: Usage = field(default_factory=Usage)
    end: ResponseEnd | None = None
    error: ResponseError | None = None

    def add(self, event: ResponseEvent) -> None:
        """Take one event."""
        self.events += 1
        match event:
            case TextDelta():
                self.text.append(event.text)
            case ThinkingDelta():
                self.thinking.append(event.text)
            case ToolCallDelta():
                self.arguments.setdefault(event.index, []).append(event.arguments_json)
            case ToolCallEnd():
                self.calls.append(event)
            case UsageUpdate():
                self.usage = event.usage
            case ResponseEnd():
                self.end = event
            case ResponseError():
                self.error = event
            case _:
                pass

    def to_json(self, name: str) -> JsonObject:
        """The line that is printed."""
        cost = self.usage.reported_cost
        return {
            "id": name,
            "text": "".join(self.text),
            "thinking": "".join(self.thinking),
            "tool_calls": [self._call(call) for call in self.calls],
            "usage": {
                "input_tokens": self.usage.input_tokens,
                "cache_read_tokens": self.usage.cache_read_tokens,
                "cache_write_tokens": self.usage.cache_write_tokens,
                "output_tokens": self.usage.output_tokens,
                "thinking_tokens": self.usage.thinking_tokens,
                "reported_cost": None if cost is None else format(cost, "f"),
            },
            "stop_reason": self.end.stop_reason.value if self.end else None,
            "raw_stop_reason": self.end.raw_stop_reason if self.end else None,
            "error": None if self.error is None else _error(self.error),
            "events": self.events,
        }

    def _call(self, call: ToolCallEnd) -> JsonObject:
        """A call as the wire had it: nothing at all means no arguments, and what is no object is shown raw only."""
        raw = "".join(self.arguments.get(call.index, []))
        arguments: JsonObject | None = None
        if not raw.strip():
            arguments = {}
        elif isinstance(call.arguments, dict):
            arguments = parse_object(raw)
        return {"id": call.call_id, "name": call.name, "arguments": arguments, "arguments_raw": raw}


def _error(error: ResponseError) -> JsonObject:
    return {
        "kind": error.kind.value,
        "message": error.message,
        "status": error.status,
        "retryable": error.retryable,
        "retry_after": error.retry_after,
    }


class RecordedTransport(httpx.AsyncBaseTransport):
    """Answers every request with a recorded reply, in pieces of ``chunk`` bytes (0: in one)."""

    def __init__(self, case: Case, *, chunk: int = 0, crlf: bool = False) -> None:
        self._case = case
        self._chunk = chunk
        self._crlf = crlf

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The recorded reply."""
        body = self._case.body
        if self._crlf and body.lstrip("\ufeff\r\n ").startswith(_SSE_BEGINNINGS):
            body = body.replace("\r\n", "\n").replace("\n", "\r\n")
        return httpx.Response(self._case.status, headers=self._case.headers, content=pieces_of(body, self._chunk))


async def pieces_of(body: str, size: int) -> AsyncIterator[bytes]:
    """A recorded body as the bytes that came, in pieces of ``size`` bytes (0: in one)."""
    content = body.encode("utf-8", "surrogatepass")
    for at in range(0, len(content), size or max(1, len(content))):
        yield content[at : at + (size or len(content))]


async def decode(case: Case, *, chunk: int = 0, crlf: bool = False) -> Decoded:
    """What the provider of the case's dialect makes of it."""
    decoded = Decoded()
    dialect = DIALECTS.get(case.dialect)
    if dialect is None or case.listing:
        what = "a list of models is no answer" if case.listing else f"unknown family {case.dialect!r}"
        decoded.add(
            ResponseError(kind=ErrorKind.PROTOCOL, message=f"{what}; known families: {', '.join(sorted(DIALECTS))}")
        )
        return decoded
    endpoint = Endpoint(name="recorded", dialect=case.dialect, base_url="http://recorded.invalid")
    provider = dialect(endpoint, transport=RecordedTransport(case, chunk=chunk, crlf=crlf))
    try:
        async for event in provider.stream(_REQUEST):
            decoded.add(event)
    finally:
        await provider.aclose()
    return decoded


def read_case(path: Path) -> Case:
    """A case file. Raises ValueError or OSError with the reason when it is none."""
    content = parse_object(path.read_text(encoding="utf-8"))
    if content is None:
        raise ValueError("no JSON object")
    return case_of(content, path.stem)


def case_of(content: JsonObject, name: str) -> Case:
    """The recorded reply that an object of a case file describes; ``name`` is for one without an id."""
    body = content.get("body")
    family = as_text(content.get("family"))
    headers = {
        header: as_text(value)
        for header, value in as_object(content.get("response_headers")).items()
        if header.lower() not in _NOT_REPLAYED
    }
    content_type = as_text(content.get("content_type"))
    if content_type:
        headers = {header: value for header, value in headers.items() if header.lower() != "content-type"}
        headers["content-type"] = content_type
    return Case(
        name=as_text(content.get("id")) or name,
        dialect=_DIALECT.get(family, family),
        listing=content.get("kind") == "models",
        status=as_count(content.get("status")) or 200,
        headers=headers,
        body=body if isinstance(body, str) else to_json(body),
    )
