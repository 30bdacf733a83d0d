"""Recorded exchanges as a server: a whole session can run against them, offline and in order.

The server is strict. A request must answer the tool calls that the recorded one answered, each once and by its id;
what differs is kept as a problem, and the recorded reply is given all the same. Where the recorded client made up ids
of its own, each call that was made must be answered instead.
"""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import httpx

from .dialects import DIALECTS
from .endpoint import Endpoint
from .events import JsonObject, JsonValue
from .http import DialectProvider
from .json_values import as_list, as_object, as_text, parse_object
from .presets import PRESETS
from .recorded import Case, case_of, decode, pieces_of

_EXHAUSTED = json.dumps({"error": {"type": "invalid_request_error", "message": "the recording has no further answer"}})


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedExchange:
    """A request to a model and the reply to it."""

    case: Case
    provider: str
    model: str
    request: JsonObject
    """The body of the request."""

    @property
    def results(self) -> list[str]:
        """The ids of the calls it answers, in order."""
        return answered_calls(self.request)

    @property
    def prompts(self) -> list[str]:
        """What the person had said up to it, oldest first."""
        return prompts(self.request)


def read_exchanges(path: Path) -> list[RecordedExchange]:
    """The exchanges of a folder of case files, by name, or of one file with a list of ``turns``.

    Lists of models and side calls (titles) are left out. Raises ValueError or OSError with the reason.
    """
    files = sorted(path.rglob("*.json")) if path.is_dir() else [path]
    return [exchange for file in files for exchange in _read(file)]


def _read(file: Path) -> Iterator[RecordedExchange]:
    content = parse_object(file.read_text(encoding="utf-8"))
    if content is None:
        raise ValueError(f"{file}: no JSON object")
    for turn in map(as_object, as_list(content.get("turns"))) if "turns" in content else [content]:
        case = case_of(turn, file.stem)
        request = as_object(as_object(turn.get("request")).get("body"))
        if case.listing or turn.get("side_call") is True:
            continue
        if case.dialect not in DIALECTS:
            raise ValueError(f"{file}: unknown family {case.dialect!r}; there are {', '.join(sorted(DIALECTS))}")
        if not request:
            raise ValueError(f"{file}: the body of the request was not recorded")
        yield RecordedExchange(
            case=case,
            provider=as_text(turn.get("provider")) or as_text(content.get("provider")) or "recorded",
            model=as_text(turn.get("model")) or as_text(request.get("model")) or "recorded",
            request=request,
        )


def split_sessions(exchanges: Sequence[RecordedExchange]) -> list[list[RecordedExchange]]:
    """The exchanges of each session: one begins where a request does not go on with what was said before."""
    sessions: list[list[RecordedExchange]] = []
    said: list[str] = []
    answered = 0
    for exchange in exchanges:
        now = exchange.prompts
        if not sessions or now[: len(said)] != said or len(exchange.results) < answered:
            sessions.append([])
        sessions[-1].append(exchange)
        said, answered = now, len(exchange.results)
    return sessions


def recorded_provider(exchanges: Sequence[RecordedExchange], transport: "ReplayTransport") -> DialectProvider:
    """The provider of exchanges with one service, with the quirks known by its name, over a transport."""
    name, dialect = exchanges[0].provider, exchanges[0].case.dialect
    quirks = PRESETS.get(name, PRESETS["custom"]).quirks
    pattern = quirks.tool_call_id_pattern
    if pattern and not all(re.fullmatch(pattern, each) for exchange in exchanges for each in exchange.results):
        quirks = replace(quirks, tool_call_id_pattern="")  # whoever published the recording replaced the ids
    endpoint = Endpoint(name=name, dialect=dialect, base_url="http://recorded.invalid", quirks=quirks)
    return DIALECTS[dialect](endpoint, transport=transport)


@dataclass(slots=True)
class ReplayTransport(httpx.AsyncBaseTransport):
    """Answers requests for answers with the recorded replies, in pieces of ``chunk`` bytes (0: in one)."""

    exchanges: Sequence[RecordedExchange]
    chunk: int = 0
    requests: list[JsonObject] = field(default_factory=list[JsonObject])
    """What was asked, in order."""
    issued: set[str] = field(default_factory=set[str])
    """The ids of the calls that the replies so far made."""
    problems: list[str] = field(default_factory=list[str])
    """What a strict server would have refused."""

    @property
    def left(self) -> Sequence[RecordedExchange]:
        """The exchanges that were not asked for yet."""
        return self.exchanges[len(self.requests) :]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The next recorded reply."""
        body = parse_object(request.content.decode("utf-8", "replace")) or {}
        if not self.left:
            return httpx.Response(400, headers={"content-type": "application/json"}, content=pieces_of(_EXHAUSTED, 0))
        recorded = self.left[0]
        self.requests.append(body)
        self.problems += self._differences(recorded, body)
        reply = recorded.case
        self.issued.update(call.call_id for call in (await decode(reply)).calls)
        return httpx.Response(reply.status, headers=reply.headers, content=pieces_of(reply.body, self.chunk))

    def _differences(self, recorded: RecordedExchange, body: JsonObject) -> Iterator[str]:
        where = f"request {len(self.requests)} ({recorded.case.name})"
        answered, wanted, made = answered_calls(body), recorded.results, made_calls(body)
        if self.issued.issuperset(wanted) and sorted(answered) != sorted(wanted):
            yield f"{where}: it answers the tool calls {_listed(answered)}, the recorded one {_listed(wanted)}"
        elif sorted(answered) != sorted(made):
            yield f"{where}: it answers the tool calls {_listed(answered)}, but holds the calls {_listed(made)}"
        elif not self.issued.issuperset(wanted) and len(answered) < len(self.issued):
            yield f"{where}: it answers the tool calls {_listed(answered)}, not all of {_listed(sorted(self.issued))}"


def _listed(ids: Sequence[str]) -> str:
    return ", ".join(ids) or "none"


def new_prompts(exchanges: Sequence[RecordedExchange]) -> list[str]:
    """What the person said that led to each exchange; empty where a turn went on by itself."""
    said: list[str] = []
    before = 0
    for exchange in exchanges:
        now = exchange.prompts
        said.append("\n\n".join(now[before:] if before else now[-1:]))
        before = max(before, len(now))
    return said


def prompts(body: JsonObject) -> list[str]:
    """The person's words in a request of any dialect, oldest first."""
    rows = map(as_object, as_list(body.get("messages")) or as_list(body.get("input")))
    texts = [text for row in rows if row.get("role") == "user" for text in _texts(row.get("content"))]
    return texts or [text for text in (as_text(body.get("input")),) if text]


def _texts(content: JsonValue) -> Iterator[str]:
    if isinstance(content, str):
        yield content
    for part in map(as_object, as_list(content)):
        if part.get("type") in ("text", "input_text"):
            yield as_text(part.get("text"))


def answered_calls(body: JsonObject) -> list[str]:
    """The ids of the tool calls that a request of any dialect answers, in order."""
    ids: list[JsonValue] = []
    for row in map(as_object, as_list(body.get("messages"))):
        if row.get("role") == "tool":
            ids.append(row.get("tool_call_id"))
        blocks = map(as_object, as_list(row.get("content")))
        ids += [block.get("tool_use_id") for block in blocks if block.get("type") == "tool_result"]
    items = map(as_object, as_list(body.get("input")))
    ids += [item.get("call_id") for item in items if as_text(item.get("type")).endswith("_call_output")]
    return [as_text(each) for each in ids]


def made_calls(body: JsonObject) -> list[str]:
    """The ids of the tool calls in the answers that a request of any dialect holds, in order."""
    ids: list[JsonValue] = []
    for row in map(as_object, as_list(body.get("messages"))):
        ids += [as_object(call).get("id") for call in as_list(row.get("tool_calls"))]
        blocks = map(as_object, as_list(row.get("content")))
        ids += [block.get("id") for block in blocks if block.get("type") == "tool_use"]
    items = map(as_object, as_list(body.get("input")))
    ids += [item.get("call_id") for item in items if item.get("type") in ("function_call", "custom_tool_call")]
    return [as_text(each) for each in ids]
