"""OpenAI Responses, used without server-side state: every request carries the whole conversation.

Reference: https://platform.openai.com/docs/api-reference/responses-streaming. An answer is a list of items;
``output_index`` is what names an item, for its id may change on the way (GitHub Copilot) and may be missing.
Items are read from their own events: some servers leave ``response.completed`` without them.
"""

from .decoder import ResponseDecoder
from .effort import responses_effort
from .endpoint import Endpoint
from .errors import ServerSaid, classify_inband, read_error
from .events import InvalidArguments, JsonObject, StopReason
from .http import DialectProvider
from .json_values import as_index, as_json_text, as_list, as_object, as_text, to_json
from .messages import (
    AssistantBlock,
    AssistantMessage,
    ChatRequest,
    ImageBlock,
    Message,
    ServerBlock,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    ToolResultMessage,
    UserMessage,
)
from .stop_reasons import stop_reason
from .usage import responses_usage

ENCRYPTED = "reasoning.encrypted_content"
MIN_OUTPUT_TOKENS = 16
"""The least ``max_output_tokens`` the API takes."""
MAX_ID_CHARACTERS = 64
"""Longer item ids are refused, and some proxies make such."""

_WITHOUT_REASONING = ("gpt-3", "gpt-4", "chatgpt-4")
"""Models that refuse to be asked for encrypted reasoning."""
_STATUSES = frozenset({"completed", "incomplete", "failed", "cancelled"})
"""What a response as a whole may be at its end."""
_ITEM = "item"
_BEYOND = 1_000_000
"""Where the places begin of items that only the list at the end of a response has."""


class OpenAIResponses(DialectProvider):
    """A server that speaks Responses. Its base URL ends in ``/v1`` or whatever stands for it."""

    ask_path = "/responses"
    models_path = "/models"

    def key_headers(self, key: str) -> dict[str, str]:
        """The key as a bearer token."""
        return {"Authorization": f"Bearer {key}"}

    def new_decoder(self) -> "ResponsesDecoder":
        """A decoder for one answer."""
        return ResponsesDecoder(self.endpoint)

    def request_body(self, request: ChatRequest) -> JsonObject:
        """The request as Responses want it; nothing is stored, so reasoning is asked for in encrypted form."""
        quirks = self.endpoint.quirks
        body: JsonObject = {
            "model": request.model,
            "input": [item for each in request.messages for item in _items(each, request.model, self.endpoint)],
            "stream": True,
            "store": False,
        }
        if not request.model.rpartition("/")[2].startswith(_WITHOUT_REASONING):
            body["include"] = [ENCRYPTED]
        if system := request.whole_system:
            body["instructions"] = system
        if request.tools:
            body["tools"] = [
                {
                    "type": "function",
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": tool.parameters,
                    "strict": False,
                }
                for tool in request.tools
            ]
            if request.tool_choice != "auto":
                body["tool_choice"] = request.tool_choice
        if request.max_tokens is not None:
            body["max_output_tokens"] = max(MIN_OUTPUT_TOKENS, request.max_tokens)
        if request.temperature is not None and quirks.temperature:
            body["temperature"] = request.temperature
        body |= responses_effort(request)
        return body | quirks.extra_body | request.extra


def _items(message: Message, model: str, endpoint: Endpoint) -> list[JsonObject]:
    """A message of the conversation as input items."""
    match message:
        case UserMessage():
            return [{"role": "user", "content": [_input_part(block) for block in message.blocks]}]
        case ToolResultMessage():
            return [{"type": "function_call_output", "call_id": message.call_id, "output": message.content}]
        case AssistantMessage():
            own = (message.provider, message.dialect, message.model) == (endpoint.name, endpoint.dialect, model)
            origins = [_origin(block) for block in message.blocks if isinstance(block, ThinkingBlock)]
            # An item that names itself is refused without the reasoning it came from.
            named = all(origin.get("encrypted_content") for origin in origins if origin)
            items = (_output_item(block, own=own, named=named) for block in message.blocks)
            return [item for item in items if item is not None]


def _input_part(block: TextBlock | ImageBlock) -> JsonObject:
    if isinstance(block, TextBlock):
        return {"type": "input_text", "text": block.text}
    return {"type": "input_image", "image_url": f"data:{block.media_type};base64,{block.data_base64}"}


def _output_item(block: AssistantBlock, *, own: bool, named: bool) -> JsonObject | None:
    """A block of an answer as the item it was, or as one of no particular origin."""
    metadata = block.provider_metadata if own and not isinstance(block, ServerBlock) else None
    extras = _with_usable_id(metadata or {}, named=named)
    match block:
        case TextBlock() if extras:
            part: JsonObject = {"type": "output_text", "text": block.text, "annotations": []}
            return {"type": "message", "role": "assistant", "status": "completed", "content": [part], **extras}
        case TextBlock():
            # The short form, a role and plain text, is not understood by llama.cpp.
            text: JsonObject = {"type": "output_text", "text": block.text}
            return {"type": "message", "role": "assistant", "content": [text]} if block.text else None
        case ToolCallBlock():
            arguments = "{}" if isinstance(block.arguments, InvalidArguments) else to_json(block.arguments)
            call: JsonObject = {"type": "function_call", "call_id": block.call_id, "name": block.name}
            return call | {"arguments": arguments} | extras
        case ThinkingBlock() if own and _origin(block).get("encrypted_content"):
            return _with_usable_id(_origin(block), named=True)
        case ServerBlock() if own:
            return block.payload
        case _:
            return None


def _origin(block: ThinkingBlock) -> JsonObject:
    """The reasoning item a block ends. What a server that stores nothing can read of it is its encrypted content."""
    return as_object((block.provider_metadata or {}).get(_ITEM))


def _with_usable_id(item: JsonObject, *, named: bool) -> JsonObject:
    item_id = as_text(item.get("id"))
    usable = named and 0 < len(item_id) <= MAX_ID_CHARACTERS
    return {name: value for name, value in item.items() if name != "id" or usable}


class ResponsesDecoder(ResponseDecoder):
    """Responses events, or one whole response, into events. What counts is the JSON ``type``, not ``event:``."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self._status = ""
        self._reason = ""
        self._refused = False
        self._thinking: dict[int, tuple[str, int, int]] = {}
        """The part of each reasoning item that is open."""
        self._whole_texts: list[tuple[int, str, bool]] = []
        """Parts at their end, for an answer that came in no other way."""
        self._heard: set[str] = set()
        """Ids of the calls that came by themselves."""
        self._received: dict[int, list[str]] = {}
        """The pieces of each item's content: the whole item at its end only adds what they lack."""

    @property
    def complete(self) -> bool:
        """The response said how it ended."""
        return bool(self._status)

    def on_object(self, event: JsonObject, name: str) -> None:
        """Take an event. Kinds that are not known mean nothing; what matters of them is in their item."""
        at = as_index(event.get("output_index")) or 0
        kind = as_text(event.get("type")) or name
        piece = as_text(event.get("delta")) or as_text(as_object(event.get("delta")).get("text"))
        match kind.removeprefix("response."):
            case "created" | "in_progress" | "queued":
                self._on_response(as_object(event.get("response")))
            case "output_item.added":
                self._on_item_start(at, as_object(event.get("item")))
            case "output_item.done":
                self._on_item(at, as_object(event.get("item")))
            case "output_text.delta" | "refusal.delta" as which:
                self._on_text(at, piece, refused=which == "refusal.delta")
            case "reasoning_summary_text.delta" | "reasoning_summary.delta":
                self._on_thought(at, ("summary", at, as_index(event.get("summary_index")) or 0), piece)
            case "reasoning_text.delta" | "reasoning_content.delta" | "reasoning.delta":
                self._on_thought(at, ("content", at, as_index(event.get("content_index")) or 0), piece)
            case "function_call_arguments.delta" | "custom_tool_call_input.delta":
                self._on_arguments(at, piece)
            case "output_text.done" | "refusal.done" as which:
                whole = as_text(event.get("text")) or as_text(event.get("refusal"))
                self._whole_texts.append((at, whole, which == "refusal.done"))
            case "function_call_arguments.done" | "custom_tool_call_input.done":
                whole = as_json_text(event.get("arguments")) or as_text(event.get("input"))
                self._on_arguments(at, self._missing(at, whole))
            case "completed" | "incomplete" | "failed" | "cancelled" | "done" as status:
                self._on_last(as_object(event.get("response")), "completed" if status == "done" else status)
            case "error":
                self._fail(event)
            case _:
                pass

    def on_document(self, document: JsonObject) -> bool:
        """Take a whole response."""
        if not isinstance(document.get("output"), list):
            return False
        self._on_last(document, as_text(document.get("status")) or "completed")
        return True

    def on_end(self) -> None:
        """The terminal event."""
        raw = f"{self._status}:{self._reason}" if self._reason else self._status
        match self._status:
            case "incomplete":
                stop = stop_reason(self._reason) if self._reason else StopReason.OTHER
            case "completed":
                stop = StopReason.REFUSAL if self._refused else StopReason.END_TURN
            case _:
                stop = StopReason.OTHER
        self.blocks.end(stop, raw)

    def _on_response(self, response: JsonObject) -> None:
        self.blocks.start(response_id=as_text(response.get("id")), model=as_text(response.get("model")))
        if report := as_object(response.get("usage")):
            self.blocks.usage(responses_usage(report))

    def _on_last(self, response: JsonObject, status: str) -> None:
        """The response as a whole, with the items that did not come by themselves; its own status counts."""
        self._on_response(response)
        self._on_rest([as_object(item) for item in as_list(response.get("output"))])
        said = as_text(response.get("status"))
        status = said if said in _STATUSES else status
        self._reason = as_text(as_object(response.get("incomplete_details")).get("reason"))
        if status == "failed":
            self._fail(response)
            return
        self._status = status
        self.on_end()

    def _on_rest(self, items: list[JsonObject]) -> None:
        """What only the list at the end has: everything, or calls that were never told before."""
        if not (items or self.blocks.any_block):
            for at, whole, refused in self._whole_texts:
                self._on_text(at, whole, refused=refused)
        silent = not self.blocks.any_block
        for at, item in enumerate(items, start=0 if silent else _BEYOND):
            unheard = bool(_call_id(item)) and _call_id(item) not in self._heard
            if silent or (item.get("type") in ("function_call", "custom_tool_call") and unheard):
                self._on_item(at, item)

    def _fail(self, holder: JsonObject) -> None:
        """``error`` events carry the error themselves, failed responses in ``error``."""
        said = read_error(holder) or ServerSaid(message="the server failed and did not say why")
        self.blocks.fail(classify_inband(self.endpoint, said))

    def _on_item_start(self, at: int, item: JsonObject) -> None:
        if item.get("type") in ("function_call", "custom_tool_call"):
            self._heard.add(_call_id(item))
            self.blocks.call(at, call_id=_call_id(item), name=as_text(item.get("name")))

    def _on_item(self, at: int, item: JsonObject) -> None:
        """A finished item: what did not come in pieces, and what must go back."""
        match as_text(item.get("type")):
            case "message":
                self._on_message(at, item)
            case "reasoning":
                self._on_reasoning(at, item)
            case "function_call" | "custom_tool_call":
                self._on_call(at, item)
            case "":
                pass
            case kind:
                self.blocks.opaque(kind, item)
        self._received.pop(at, None)  # without an ``output_index`` the next item has the same place

    def _on_message(self, at: int, item: JsonObject) -> None:
        parts = [as_object(part) for part in as_list(item.get("content"))]
        refused = any(part.get("refusal") for part in parts)
        whole = "".join(as_text(part.get("text")) or as_text(part.get("refusal")) for part in parts)
        self._on_text(at, self._missing(at, whole), refused=refused)
        if kept := _named(item, "id", "phase"):
            self.blocks.annotate(("text", at), kept)
        self.blocks.close(("text", at))

    def _on_reasoning(self, at: int, item: JsonObject) -> None:
        """The parts of a summary are blocks of their own; the item goes back with the last one."""
        if at not in self._received:
            for which in ("summary", "content"):
                for number, part in enumerate(as_list(item.get(which))):
                    self._on_thought(at, (which, at, number), as_text(as_object(part).get("text")))
        key = self._thinking.pop(at, ("summary", at, 0))
        empty = {"status", *(name for name in ("content",) if not item.get(name))}
        kept: JsonObject = {name: value for name, value in item.items() if value is not None and name not in empty}
        self.blocks.annotate(key, {_ITEM: kept}, thinking=True)
        self.blocks.close(key)

    def _on_call(self, at: int, item: JsonObject) -> None:
        self._heard.add(_call_id(item))
        rest = self._missing(at, as_json_text(item.get("arguments")) or as_text(item.get("input")))
        extras: JsonObject = {
            name: value for name, value in item.items() if name not in _CALL_FIELDS and value is not None
        }
        name = as_text(item.get("name"))
        self.blocks.call(at, call_id=_call_id(item), name=name, arguments=rest, metadata=extras)
        self.blocks.close_call(at)

    def _missing(self, at: int, whole: str) -> str:
        """The end of an item's content that did not come in pieces; nothing when the pieces say something else."""
        received = "".join(self._received.get(at, []))
        return whole[len(received) :] if whole.startswith(received) else ""

    def _on_text(self, at: int, piece: str, *, refused: bool) -> None:
        if piece:
            self._received.setdefault(at, []).append(piece)
            self._refused = self._refused or refused
            self.blocks.text(("text", at), piece)

    def _on_thought(self, at: int, key: tuple[str, int, int], piece: str) -> None:
        if piece:
            self._received.setdefault(at, []).append(piece)
            before = self._thinking.get(at, key)
            if before != key:
                self.blocks.close(before)
            self._thinking[at] = key
            self.blocks.thinking(key, piece)

    def _on_arguments(self, at: int, piece: str) -> None:
        if piece:
            self._received.setdefault(at, []).append(piece)
            self.blocks.call(at, arguments=piece)


_CALL_FIELDS = frozenset({"type", "call_id", "name", "arguments", "input", "status"})


def _call_id(item: JsonObject) -> str:
    return as_text(item.get("call_id")) or as_text(item.get("id"))


def _named(item: JsonObject, *names: str) -> JsonObject:
    """The members that are filled."""
    return {name: item[name] for name in names if item.get(name)}
