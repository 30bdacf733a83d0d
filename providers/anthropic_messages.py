"""Anthropic Messages.

Reference: https://docs.anthropic.com/en/api/messages-streaming. Blocks come marked with their own index, start and
end; what is not text, thinking or a call of one of our tools (server tools and their results, compaction, kinds
yet unknown) is collected whole and goes back as it came.
"""

from .decoder import ResponseDecoder
from .effort import anthropic_effort, anthropic_takes_temperature, thinking_refused, without_thinking
from .endpoint import Endpoint
from .events import InvalidArguments, JsonObject, JsonValue, ResponseError
from .http import DialectProvider
from .json_values import as_index, as_json_text, as_list, as_object, as_text, parse_object
from .messages import (
    AssistantBlock,
    AssistantMessage,
    ChatRequest,
    ServerBlock,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    ToolResultMessage,
    UserMessage,
)
from .stop_reasons import stop_reason
from .usage import anthropic_usage

API_VERSION = "2023-06-01"

_MAX_TOKENS: tuple[tuple[str, int], ...] = (
    ("claude-3-haiku", 4_096),
    ("claude-3-opus", 4_096),
    ("claude-3-sonnet", 4_096),
    ("claude-3-5", 8_192),
    ("claude-3-7", 64_000),
    ("claude-opus-4-1", 32_000),
    ("claude-opus-4-5", 64_000),
    ("claude-opus-4-2", 32_000),  # claude-opus-4-20250514
    ("claude-opus-4-0", 32_000),
    ("claude-sonnet-4-5", 64_000),
    ("claude-sonnet-4-2", 64_000),  # claude-sonnet-4-20250514
    ("claude-sonnet-4-0", 64_000),
    ("claude-haiku-4", 64_000),
    ("claude-opus-4", 128_000),
    ("claude-sonnet-4", 128_000),
    ("claude-opus-5", 128_000),
    ("claude-sonnet-5", 128_000),
)
"""The most output tokens by beginning of the model's name: the protocol wants a number, the first match counts."""
_DEFAULT_MAX_TOKENS = 32_000
"""For models not listed."""

_CACHE_TTL = "cache_ttl"
"""The option that says how long caches are kept: ``5m``, which is the default, or ``1h``, which costs more to write."""


class AnthropicMessages(DialectProvider):
    """A server that speaks Messages. Its base URL has no ``/v1``."""

    ask_path = "/v1/messages"
    models_path = "/v1/models?limit=1000"

    def fixed_headers(self) -> dict[str, str]:
        """The version of the protocol."""
        return {"anthropic-version": API_VERSION}

    def key_headers(self, key: str) -> dict[str, str]:
        """The key in Anthropic's own header."""
        return {"x-api-key": key}

    def new_decoder(self) -> "MessagesDecoder":
        """A decoder for one answer."""
        return MessagesDecoder(self.endpoint)

    def request_body(self, request: ChatRequest) -> JsonObject:
        """The request as Messages want it.

        Four cache breakpoints: after the tools, after what does not change of the system prompt, and after each of
        the last two messages of the person or of tools, so that the place the request before this one wrote to is
        found again.
        """
        quirks = self.endpoint.quirks
        options = quirks.extra_body | request.extra
        cached = _cache_mark(options.pop(_CACHE_TTL, None))
        limit = max_tokens(request)
        body: JsonObject = {
            "model": request.model,
            "max_tokens": limit,
            "messages": [*anthropic_messages(request, self.endpoint, cached)],
            "stream": True,
        }
        if system := _system(request, cached):
            body["system"] = [*system]
        if request.tools:
            tools: list[JsonObject] = [
                {"name": tool.name, "description": tool.description, "input_schema": tool.parameters}
                for tool in request.tools
            ]
            tools[-1]["cache_control"] = cached
            body["tools"] = [*tools]
            if request.tool_choice != "auto":
                body["tool_choice"] = {"type": "any" if request.tool_choice == "required" else request.tool_choice}
        thinking = anthropic_effort(request, limit)
        thinks = as_object(thinking.get("thinking")).get("type") in ("enabled", "adaptive")
        takes_temperature = quirks.temperature and not thinks and anthropic_takes_temperature(request.model)
        if request.temperature is not None and takes_temperature:
            body["temperature"] = request.temperature
        return body | thinking | options

    def amended(self, body: JsonObject, error: ResponseError, reply: str) -> tuple[JsonObject, str] | None:
        """A conversation whose kept thinking is refused goes without it, and the model without thinking, once."""
        return without_thinking(body, self.name) if thinking_refused(reply) else None


def max_tokens(request: ChatRequest) -> int:
    """The most output tokens to allow: what was asked for, else what the model can."""
    if request.max_tokens is not None:
        return request.max_tokens
    name = request.model.rpartition("/")[2].replace(".", "-")
    return next((limit for start, limit in _MAX_TOKENS if name.startswith(start)), _DEFAULT_MAX_TOKENS)


def _cache_mark(ttl: JsonValue) -> JsonObject:
    return {"type": "ephemeral", "ttl": ttl} if ttl else {"type": "ephemeral"}


def _system(request: ChatRequest, cached: JsonObject) -> list[JsonObject]:
    """The system prompt: a breakpoint after the rules, and after it what changes from day to day."""
    rules: JsonObject = {"type": "text", "text": request.system, "cache_control": cached}
    tail: JsonObject = {"type": "text", "text": request.system_tail}
    return [block for block in (rules, tail) if as_text(block.get("text")).strip()]


def anthropic_messages(request: ChatRequest, endpoint: Endpoint, cached: JsonObject | None = None) -> list[JsonObject]:
    """The conversation with user and assistant in turn; the results of one turn come first in one user message."""
    out: list[JsonObject] = []
    results: list[JsonObject] = []
    prompts: list[JsonObject] = []

    def close_user_message() -> None:
        if results or prompts:
            out.append({"role": "user", "content": [*results, *prompts]})
            results.clear()
            prompts.clear()

    for message in request.messages:
        match message:
            case ToolResultMessage():
                results.append(_tool_result(message))
            case UserMessage():
                prompts.extend(_prompt_blocks(message))
            case AssistantMessage():
                if blocks := _assistant_blocks(message, request.model, endpoint):
                    close_user_message()
                    out.append({"role": "assistant", "content": [*blocks]})
    close_user_message()
    _mark_for_cache(out, cached or _cache_mark(None))
    return out


def _tool_result(message: ToolResultMessage) -> JsonObject:
    result: JsonObject = {"type": "tool_result", "tool_use_id": message.call_id, "content": message.content}
    return result | {"is_error": True} if message.is_error else result


def _prompt_blocks(message: UserMessage) -> list[JsonObject]:
    blocks: list[JsonObject] = []
    for block in message.blocks:
        if isinstance(block, TextBlock):
            if block.text.strip():  # blank text is refused
                blocks.append({"type": "text", "text": block.text})
        else:
            source: JsonObject = {"type": "base64", "media_type": block.media_type, "data": block.data_base64}
            blocks.append({"type": "image", "source": source})
    return blocks


def _assistant_blocks(message: AssistantMessage, model: str, endpoint: Endpoint) -> list[JsonObject]:
    """What a model answered. Signed and opaque blocks are valid only for the endpoint and model that made them."""
    own = (message.provider, message.dialect, message.model) == (endpoint.name, endpoint.dialect, model)
    return [written for block in message.blocks if (written := _assistant_block(block, own=own)) is not None]


def _assistant_block(block: AssistantBlock, *, own: bool) -> JsonObject | None:
    extras = (block.provider_metadata or {}) if own and not isinstance(block, ServerBlock) else {}
    match block:
        case TextBlock():
            return {"type": "text", "text": block.text, **extras} if block.text.strip() else None
        case ToolCallBlock():
            arguments = {} if isinstance(block.arguments, InvalidArguments) else block.arguments
            return {"type": "tool_use", "id": block.call_id, "name": block.name, "input": arguments, **extras}
        case ThinkingBlock() if own and block.redacted:
            return {"type": "redacted_thinking", "data": extras.get("data", "")}
        case ThinkingBlock() if own and block.signature is not None:
            return {"type": "thinking", "thinking": block.text, "signature": block.signature}
        case ServerBlock() if own:
            return block.payload
        case _:
            return None


def _mark_for_cache(messages: list[JsonObject], cached: JsonObject) -> None:
    """Put a breakpoint on the last block that can carry one in each of the last two user messages."""
    users = [message for message in messages if message.get("role") == "user"]
    for message in users[-2:]:
        blocks = [as_object(block) for block in as_list(message.get("content"))]
        blocks[-1]["cache_control"] = cached


class MessagesDecoder(ResponseDecoder):
    """Messages events, or one whole message, into events. What counts is the JSON ``type``, not ``event:``."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self._usage: JsonObject = {}
        self._stop = ""
        self._stopped = False
        self._inputs: dict[int, str] = {}
        """Arguments that came with the start of a call, for when no pieces follow."""
        self._foreign: dict[int, _ForeignBlock] = {}
        self._citations: dict[int, list[JsonValue]] = {}
        self._thinking: set[int] = set()

    @property
    def complete(self) -> bool:
        """A stop reason came, or the message stopped without one."""
        return bool(self._stop) or self._stopped

    def on_object(self, event: JsonObject, name: str) -> None:
        """Take an event. Kinds that are not known mean nothing (``ping``, and those to come)."""
        index = as_index(event.get("index")) or 0
        match as_text(event.get("type")) or name:
            case "message_start":
                self._on_message(as_object(event.get("message")))
            case "content_block_start":
                self._on_block_start(index, as_object(event.get("content_block")))
            case "content_block_delta":
                self._on_delta(index, as_object(event.get("delta")))
            case "content_block_stop":
                self._on_block_stop(index)
            case "message_delta":
                self._on_stop(as_object(event.get("delta")))
                self._on_usage(as_object(event.get("usage")))
            case "message_stop" if self.blocks.started:
                self._stopped = True
                self.on_end()
            case _:
                pass

    def on_document(self, document: JsonObject) -> bool:
        """Take a whole message."""
        if not isinstance(document.get("content"), list):
            return False
        self._on_message(document)
        return True

    def on_end(self) -> None:
        """The terminal event, after blocks that were left open."""
        for index in {*self._inputs, *self._foreign, *self._citations, *self._thinking}:
            self._on_block_stop(index)
        self.blocks.end(stop_reason(self._stop), self._stop)

    def _on_message(self, message: JsonObject) -> None:
        """A message, which may come with all its content (programmatic tool calls do)."""
        first = not self.blocks.started
        self.blocks.start(response_id=as_text(message.get("id")), model=as_text(message.get("model")))
        if first:
            for index, block in enumerate(as_list(message.get("content"))):
                self._on_block_start(index, as_object(block))
                self._on_block_stop(index)
        self._on_stop(message)
        self._on_usage(as_object(message.get("usage")))

    def _on_stop(self, holder: JsonObject) -> None:
        self._stop = as_text(holder.get("stop_reason")) or self._stop
        if explanation := as_text(as_object(holder.get("stop_details")).get("explanation")):
            self.blocks.notice(explanation)

    def _on_usage(self, report: JsonObject) -> None:
        """Reports are cumulative and partial: the last value of each field that is not null counts."""
        self._usage |= {name: value for name, value in report.items() if value is not None}
        self.blocks.usage(anthropic_usage(self._usage))

    def _on_block_start(self, index: int, block: JsonObject) -> None:
        self._on_block_stop(index)  # a no-op, unless the server forgot the end of the block before
        match as_text(block.get("type")):
            case "text":
                self.blocks.text(index, as_text(block.get("text")))
                self._on_citations(index, as_list(block.get("citations")))
            case "thinking":
                self.blocks.thinking(index, as_text(block.get("thinking")))
                self.blocks.sign(index, as_text(block.get("signature")))
                self._thinking.add(index)
            case "redacted_thinking":
                self.blocks.redacted(index, {"data": as_text(block.get("data"))})
            case "tool_use":
                self._on_tool_use(index, block)
            case "":
                pass
            case _:
                self._foreign[index] = _ForeignBlock(block)

    def _on_tool_use(self, index: int, block: JsonObject) -> None:
        """A call of one of our tools; ``input`` is filled when no pieces of it will follow."""
        known = ("type", "id", "name", "input")
        self.blocks.call(
            index,
            call_id=as_text(block.get("id")),
            name=as_text(block.get("name")),
            metadata={name: value for name, value in block.items() if name not in known and value is not None},
        )
        given = block.get("input")
        self._inputs[index] = as_json_text(given) if given else ""

    def _on_delta(self, index: int, delta: JsonObject) -> None:
        if foreign := self._foreign.get(index):
            foreign.add(delta)
            return
        match as_text(delta.get("type")):
            case "text_delta":
                self.blocks.text(index, as_text(delta.get("text")))
            case "thinking_delta":
                self.blocks.thinking(index, as_text(delta.get("thinking")))
            case "signature_delta":
                self.blocks.sign(index, as_text(delta.get("signature")))
            case "input_json_delta":
                piece = as_json_text(delta.get("partial_json"))
                if piece:
                    self._inputs[index] = ""
                self.blocks.call(index, arguments=piece)
            case "citations_delta":
                self._on_citations(index, [delta.get("citation")])
            case _:
                pass

    def _on_citations(self, index: int, citations: list[JsonValue]) -> None:
        if citations:
            self._citations.setdefault(index, []).extend(citations)

    def _on_block_stop(self, index: int) -> None:
        if foreign := self._foreign.pop(index, None):
            self.blocks.opaque(as_text(foreign.payload.get("type")), foreign.whole())
            return
        if citations := self._citations.pop(index, None):
            self.blocks.annotate(index, {"citations": citations})
        if given := self._inputs.pop(index, None):
            self.blocks.call(index, arguments=given)
        if index in self._thinking:
            self._thinking.discard(index)
            self.blocks.sign(index, "")  # servers like Anthropic sign with nothing, and want that back
        self.blocks.close(index)
        self.blocks.close_call(index)


class _ForeignBlock:
    """A block that is not ours to read, put together from its start and whatever deltas it gets."""

    def __init__(self, start: JsonObject) -> None:
        self.payload = dict(start)
        self._texts: dict[str, list[str]] = {}
        self._input: list[str] = []

    def add(self, delta: JsonObject) -> None:
        """Texts grow, lists are extended by one, other values replace."""
        match delta:
            case {"type": "input_json_delta", "partial_json": str(piece)}:
                self._input.append(piece)
            case {"type": "citations_delta", "citation": citation}:
                self.payload["citations"] = [*as_list(self.payload.get("citations")), citation]
            case _:
                for name, value in delta.items():
                    if name != "type" and isinstance(value, str):
                        self._texts.setdefault(name, [as_text(self.payload.get(name))]).append(value)
                    elif name != "type" and value is not None:
                        self.payload[name] = value

    def whole(self) -> JsonObject:
        """The block as the server would have sent it in one piece."""
        texts: JsonObject = {name: "".join(pieces) for name, pieces in self._texts.items()}
        given = parse_object("".join(self._input))
        if given is not None:
            texts["input"] = given
        return self.payload | texts
