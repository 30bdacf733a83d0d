"""OpenAI Chat Completions, and the many servers that speak something like it.

Reference: https://platform.openai.com/docs/api-reference/chat. Departures that are handled: text as a list of
parts (Mistral), thinking in ``reasoning_content``, ``reasoning`` or ``reasoning_details``, tool calls without index
or id, usage in any chunk, errors inside the stream, streams without a finish reason or without an end mark.
"""

from .decoder import ResponseDecoder
from .effort import chat_effort
from .endpoint import Endpoint
from .errors import ServerSaid, classify_inband, read_error
from .events import InvalidArguments, JsonObject, JsonValue, Notice, StopReason
from .http import DialectProvider
from .json_values import as_count, as_index, as_json_text, as_list, as_object, as_text, to_json
from .messages import (
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
from .usage import chat_usage

_FAILED = frozenset({"error", "insufficient_system_resource", "network_error"})
"""Finish reasons that report a failure (OpenRouter, Mistral; DeepSeek; Z.ai)."""

DETAILS = "reasoning_details"
FIELD = "field"
"""Where a thinking block notes which field of the reply it came in."""
_THOUGHTS = ("reasoning_content", "reasoning", "reasoning_text", "thinking")
"""Fields for thinking: most servers; OpenRouter, Groq, vLLM; GitHub Copilot; imitations of Ollama."""
_MAY_THINK = frozenset({*_THOUGHTS, DETAILS})
_THINKING_PARTS = frozenset({"thinking", "reasoning"})
"""Parts of a list of content that hold thinking (Mistral; Databricks)."""
_CALL_FIELDS = frozenset({"index", "id", "type", "function", "name", "arguments"})
_TEXT, _THINKING = "text", "thinking"


class OpenAIChat(DialectProvider):
    """A server that speaks Chat Completions. Its base URL ends in ``/v1`` or whatever stands for it."""

    ask_path = "/chat/completions"
    models_path = "/models"
    _warned = False

    def opening(self) -> tuple[Notice, ...]:
        """That Ollama cuts what does not fit its window, when the person chose this way to speak to it."""
        if self._warned or self.endpoint.dialect != "openai_chat" or self.endpoint.quirks.asked_window is None:
            return ()
        self._warned = True
        message = f'{self.name}: the context window cannot be set over /v1. Use preset = "ollama" to have it set.'
        return (Notice(message=message),)

    def key_headers(self, key: str) -> dict[str, str]:
        """The key as a bearer token."""
        return {"Authorization": f"Bearer {key}"}

    def new_decoder(self) -> "ChatDecoder":
        """A decoder for one answer."""
        return ChatDecoder(self.endpoint)

    def request_body(self, request: ChatRequest) -> JsonObject:
        """The request as Chat Completions want it, with the endpoint's quirks."""
        quirks = self.endpoint.quirks
        body: JsonObject = {"model": request.model, "messages": chat_messages(request, self.endpoint), "stream": True}
        if quirks.stream_options:
            body["stream_options"] = {"include_usage": True}
        if request.tools:
            body["tools"] = [
                {
                    "type": "function",
                    "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
                }
                for tool in request.tools
            ]
            if request.tool_choice != "auto":
                body["tool_choice"] = request.tool_choice
        if request.max_tokens is not None:
            body[quirks.max_tokens_field] = request.max_tokens
        if request.temperature is not None and quirks.temperature:
            body["temperature"] = request.temperature
        body |= chat_effort(quirks.effort, request)
        return body | quirks.extra_body | request.extra


def chat_messages(request: ChatRequest, endpoint: Endpoint) -> list[JsonValue]:
    """The conversation as Chat Completions messages."""
    out: list[JsonValue] = []
    if system := request.whole_system:
        out.append({"role": "system", "content": system})
    last_prompt = max((at for at, each in enumerate(request.messages) if isinstance(each, UserMessage)), default=-1)
    for at, message in enumerate(request.messages):
        written = _message(message, request.model, endpoint, in_loop=at > last_prompt)
        if written is not None:
            out.append(written)
    return out


def _message(message: Message, model: str, endpoint: Endpoint, *, in_loop: bool) -> JsonObject | None:
    match message:
        case UserMessage():
            return {"role": "user", "content": _user_content(message)}
        case ToolResultMessage():
            return {"role": "tool", "tool_call_id": message.call_id, "content": message.content}
        case AssistantMessage():
            return _assistant(message, model, endpoint, in_loop=in_loop)


def _user_content(message: UserMessage) -> JsonValue:
    """Plain text where there is only text: not every server takes parts."""
    if not any(isinstance(block, ImageBlock) for block in message.blocks):
        return "\n\n".join(block.text for block in message.blocks if isinstance(block, TextBlock))
    return [
        {"type": "text", "text": block.text}
        if isinstance(block, TextBlock)
        else {"type": "image_url", "image_url": {"url": f"data:{block.media_type};base64,{block.data_base64}"}}
        for block in message.blocks
    ]


def _assistant(message: AssistantMessage, model: str, endpoint: Endpoint, *, in_loop: bool) -> JsonObject | None:
    """An answer of a model; None when there is nothing in it to send."""
    own = (message.provider, message.dialect, message.model) == (endpoint.name, endpoint.dialect, model)
    text = "".join(block.text for block in message.blocks if isinstance(block, TextBlock))
    calls = [_tool_call(block, own=own) for block in message.blocks if isinstance(block, ToolCallBlock)]
    if not text and not calls:
        return None
    out: JsonObject = {"role": "assistant", "content": text or None}
    if calls:
        out["tool_calls"] = [*calls]
    thoughts = "".join(block.text for block in message.blocks if isinstance(block, ThinkingBlock)) if own else ""
    match endpoint.quirks.reasoning_replay:
        case "always":
            out["reasoning_content"] = thoughts
        case "loop" if in_loop and thoughts:
            out["reasoning_content"] = thoughts
        case "details" if own and (details := _kept_details(message)):
            out[DETAILS] = details
        case "echo" if own:
            out |= _echo(message, thoughts if in_loop else "")
        case _:
            pass
    return out


def _tool_call(block: ToolCallBlock, *, own: bool) -> JsonObject:
    """A call in the history. Its arguments must be JSON for servers that parse them, whatever the model wrote."""
    arguments = "{}" if isinstance(block.arguments, InvalidArguments) else to_json(block.arguments)
    extras = {name: value for name, value in (block.provider_metadata or {}).items() if name != DETAILS}
    return {
        **(extras if own else {}),
        "id": block.call_id,
        "type": "function",
        "function": {"name": block.name, "arguments": arguments},
    }


def _kept_details(message: AssistantMessage) -> list[JsonValue]:
    """The ``reasoning_details`` that came with an answer, unchanged."""
    metadata = (block.provider_metadata for block in message.blocks if not isinstance(block, ServerBlock))
    return [detail for each in metadata if each for detail in as_list(each.get(DETAILS))]


def _echo(message: AssistantMessage, thoughts: str) -> JsonObject:
    """The thinking of an answer in the form it came: details where they hold more than the text, else its field."""
    details = _kept_details(message)
    metadata = (block.provider_metadata or {} for block in message.blocks if isinstance(block, ThinkingBlock))
    field = next((name for each in metadata if (name := as_text(each.get(FIELD)))), "")
    if any(as_object(each).get(name) for each in details for name in ("signature", "data")) or not field:
        return {DETAILS: details} if details else {}
    return {field: thoughts} if thoughts else {}


class ChatDecoder(ResponseDecoder):
    """Chat Completions chunks, or one whole completion, into events. Of several choices the first one counts."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self._choice: int | None = None
        self._finish = ""
        self._done = False
        self._refused = False
        self._said: ServerSaid | None = None
        """The error inside of a choice."""
        self._by_deltas = False
        self._details = _Details()
        self._field = ""

    @property
    def complete(self) -> bool:
        """A finish reason came, or ``[DONE]`` after an answer had begun (some servers never give a reason)."""
        return bool(self._finish) or (self._done and self.blocks.started)

    def on_done_mark(self) -> None:
        """Nothing follows the mark."""
        self._done = True
        if self.complete:
            self.on_end()

    def on_object(self, event: JsonObject, name: str) -> None:
        """Take a chunk."""
        choices = as_list(event.get("choices"))
        if event.get("choices") is None and not event.get("usage") and (said := read_error(event)):
            self.blocks.fail(classify_inband(self.endpoint, said))
            return
        if choices or event.get("id") or event.get("model"):
            self.blocks.start(response_id=as_text(event.get("id")), model=as_text(event.get("model")))
        for each in choices:
            self._on_choice(as_object(each))
        self._on_usage(event)

    def on_document(self, document: JsonObject) -> bool:
        """Take a whole completion: its ``message`` reads like one big ``delta``."""
        choices = as_list(document.get("choices"))
        if not choices:
            return False
        self.on_object(document, "")
        return True

    def before_failure(self, value: JsonObject) -> None:
        """OpenRouter reports errors in chunks that also carry text and usage."""
        if value.get("choices"):
            self.on_object(value, "")

    def on_end(self) -> None:
        """The terminal event."""
        if self._finish in _FAILED:
            unsaid = ServerSaid(message=f"the server gave up the answer (finish reason {self._finish!r})")
            self.blocks.fail(classify_inband(self.endpoint, self._said or unsaid))
            return
        if details := self._details.joined():
            self.blocks.annotate_latest({DETAILS: details})
        reason = stop_reason(self._finish)
        if self._refused and reason is StopReason.END_TURN:
            reason = StopReason.REFUSAL
        self.blocks.end(reason, self._finish)

    def _on_choice(self, choice: JsonObject) -> None:
        index = as_index(choice.get("index"))
        if self._choice is None:
            self._choice = index
        if index not in (None, self._choice):
            return
        self._on_delta(self._piece(choice))
        if choice.get("error"):
            self._said = read_error(choice) or self._said
        self._finish = as_text(choice.get("finish_reason")) or self._finish

    def _piece(self, choice: JsonObject) -> JsonObject:
        """What a choice adds: a delta, or a message; one that sums up what came in deltas adds nothing."""
        delta = as_object(choice.get("delta"))
        if delta:
            self._by_deltas = True
            return delta
        return {} if self._by_deltas and self.blocks.any_block else as_object(choice.get("message"))

    def _on_delta(self, delta: JsonObject) -> None:
        self._on_thinking(delta)
        self._on_content(delta.get("content"))
        refusal = as_text(delta.get("refusal"))
        if refusal:
            self._refused = True
            self._on_text(refusal)
        calls = delta.get("tool_calls")
        for call in [calls] if isinstance(calls, dict) else as_list(calls):
            self._on_call(as_object(call))
        if legacy := as_object(delta.get("function_call")):
            self._on_call({"index": 0, "function": legacy})

    def _on_text(self, piece: str) -> None:
        if piece:
            self.blocks.close(_THINKING)
            self.blocks.text(_TEXT, piece)

    def _on_thought(self, piece: str, field: str = "") -> None:
        if piece:
            self.blocks.close(_TEXT)
            if field and not self._field:
                self._field = field
                self.blocks.annotate(_THINKING, {FIELD: field}, thinking=True)
            self.blocks.thinking(_THINKING, piece)

    def _on_content(self, content: JsonValue) -> None:
        """Text, or a list of parts of text and thinking."""
        if isinstance(content, str):
            self._on_text(content)
            return
        for part in as_list(content) if isinstance(content, list) else [content]:
            match part:
                case str():
                    self._on_text(part)
                case {"type": str(kind)} if kind in _THINKING_PARTS:
                    self._on_thought(_words_of(part.get(kind) or part.get("summary") or part.get("text")))
                case _:
                    self._on_text(as_text(as_object(part).get("text")))

    def _on_thinking(self, delta: JsonObject) -> None:
        """One of several fields; a server that fills more than one says the same thing in each."""
        if _MAY_THINK.isdisjoint(delta):
            return
        details = [as_object(each) for each in as_list(delta.get(DETAILS))]
        for detail in details:
            self._details.add(detail)
        in_details = "".join(as_text(each.get("text")) or as_text(each.get("summary")) for each in details)
        field = next((name for name in _THOUGHTS if _words_of(delta.get(name))), "")
        self._on_thought(_words_of(delta.get(field)) or in_details, field)

    def _on_call(self, call: JsonObject) -> None:
        function = as_object(call.get("function")) or call
        self.blocks.close_prose()
        self.blocks.call(
            as_index(call.get("index")),
            call_id=as_text(call.get("id")),
            name=as_text(function.get("name")),
            arguments=as_json_text(function.get("arguments")),
            metadata={name: value for name, value in call.items() if name not in _CALL_FIELDS},
        )

    def _on_usage(self, event: JsonObject) -> None:
        for holder in (event, event.get("x_groq"), *as_list(event.get("choices"))):  # in a choice: Moonshot
            if isinstance(holder, dict) and (report := as_object(holder.get("usage"))):
                self.blocks.usage(chat_usage(report))
                return


def _words_of(value: JsonValue) -> str:
    """The text in a piece of prose: text itself, an object that holds some, or a list of such."""
    match value:
        case str():
            return value
        case dict():
            return as_text(value.get("text")) or as_text(value.get("content"))
        case list():
            return "".join(map(_words_of, value))
        case _:
            return ""


class _Details:
    """The ``reasoning_details`` of one answer: pieces of one index and type are one detail, their texts joined."""

    def __init__(self) -> None:
        self._rows: list[JsonObject] = []
        self._texts: list[dict[str, list[str]]] = []
        self._place: dict[tuple[int, str], int] = {}

    def add(self, piece: JsonObject) -> None:
        """Take one piece; without an index it is a detail of its own."""
        index = as_count(piece.get("index"))
        at = len(self._rows)
        if index is not None:
            at = self._place.setdefault((index, as_text(piece.get("type"))), at)
        if at == len(self._rows):
            self._rows.append({})
            self._texts.append({})
        for name, value in piece.items():
            if name in ("text", "summary", "data") and isinstance(value, str):
                self._texts[at].setdefault(name, []).append(value)
            elif value is not None:
                self._rows[at][name] = value

    def joined(self) -> list[JsonValue]:
        """The details as they go back."""
        return [
            row | {name: "".join(pieces) for name, pieces in texts.items()}
            for row, texts in zip(self._rows, self._texts, strict=True)
        ]
