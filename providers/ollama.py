"""Ollama's native chat API, where the context window can be set and an overlong prompt is refused, not cut.

Reference: https://github.com/ollama/ollama/blob/main/docs/api.md. Answers stream as one JSON object a line.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import httpx

from .base import ModelInfo, ModelRef
from .decoder import ResponseDecoder
from .effort import ollama_effort
from .endpoint import Endpoint
from .errors import ResponseFailure
from .events import InvalidArguments, JsonObject, Notice, ResponseError, ResponseEvent
from .http import DialectProvider
from .json_values import as_count, as_json_text, as_list, as_object, as_text, first_count
from .messages import (
    AssistantMessage,
    ChatRequest,
    ImageBlock,
    Message,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    ToolResultMessage,
    UserMessage,
)
from .openai_chat import OpenAIChat
from .stop_reasons import stop_reason
from .usage import ollama_usage

_OPTIONS = "options"
_THOUGHTS = ("thinking", "reasoning_content", "reasoning")
_NO_SUCH_PATH = frozenset({404, 405})


class Ollama(DialectProvider):
    """An Ollama server. Its base URL is the server's root; a ``/v1`` at its end is left out.

    Servers that imitate Ollama may lack its chat: those are spoken to in Chat Completions, which they have.
    """

    ask_path = "/api/chat"
    models_path = "/api/tags"
    json_lines = True

    def __init__(self, endpoint: Endpoint, **plugs: Any) -> None:
        super().__init__(endpoint, **plugs)
        self._plugs = plugs
        self._windows: dict[str, int] = {}
        """The window asked for each model: another one would make the server load the model again."""
        self._compatible: OpenAIChat | None = None

    def key_headers(self, key: str) -> dict[str, str]:
        """The key as a bearer token, for ollama.com and servers behind a proxy."""
        return {"Authorization": f"Bearer {key}"}

    def new_decoder(self) -> "OllamaDecoder":
        """A decoder for one answer."""
        return OllamaDecoder(self.endpoint)

    def url(self, path: str) -> str:
        """The address of a path under the server's root."""
        return self._root + path

    @property
    def _root(self) -> str:
        return self.endpoint.base_url.rstrip("/").removesuffix("/v1")

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ResponseEvent]:
        """Answer one request; see ``base.Provider.stream``."""
        if self._compatible is None:
            async with aclosing(super().stream(request)) as events:
                async for event in events:
                    if self._compatible is not None and _is_no_such_path(event):
                        break
                    yield event
                else:
                    return
            message = f"{self.name} has no /api/chat: it is spoken to at /v1, where its window cannot be set."
            yield Notice(message=message)
        async with aclosing(self._compatible.stream(request)) as events:
            async for event in events:
                yield event

    def amended(self, body: JsonObject, error: ResponseError, reply: str) -> tuple[JsonObject, str] | None:
        """Nothing; but a chat that is not there, be the model what it may, is not asked for again."""
        if _is_no_such_path(error) and "model" not in reply.lower() and self._compatible is None:
            self._compatible = OpenAIChat(replace(self.endpoint, base_url=f"{self._root}/v1"), **self._plugs)
        return None

    async def aclose(self) -> None:
        """Close pooled connections. A later request opens new ones."""
        await super().aclose()
        if self._compatible is not None:
            await self._compatible.aclose()

    def request_body(self, request: ChatRequest) -> JsonObject:
        """The request as Ollama wants it. ``options`` of quirks and request go over ours."""
        quirks = self.endpoint.quirks
        options: JsonObject = {}
        if request.context_window is not None:
            options["num_ctx"] = self._windows.setdefault(request.model, request.context_window)
        if request.max_tokens is not None:
            options["num_predict"] = request.max_tokens
        if request.temperature is not None and quirks.temperature:
            options["temperature"] = request.temperature
        for more in (quirks.extra_body, request.extra):
            options |= as_object(more.get(_OPTIONS))
        body: JsonObject = {
            "model": request.model,
            "messages": [*ollama_messages(request, self.endpoint)],
            "stream": True,
            # Without these two an overlong conversation loses its beginning without a word.
            "truncate": False,
            "shift": False,
        }
        if request.tools and request.tool_choice != "none":
            body["tools"] = [
                {
                    "type": "function",
                    "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
                }
                for tool in request.tools
            ]
        body |= ollama_effort(request)
        body |= quirks.extra_body | request.extra
        if options:
            body[_OPTIONS] = options
        return body

    async def model_info(self, model: str) -> ModelInfo | None:
        """What ``/api/show`` says the model can, and the window ``/api/ps`` says it is loaded with."""
        ref = ModelRef(provider=self.name, model=model)
        try:
            shown = as_object(await self.fetch("POST", "/api/show", {"model": model}))
            running = as_object(await self.fetch("GET", "/api/ps"))
        except (ResponseFailure, httpx.HTTPError, httpx.InvalidURL, OSError):
            return None
        able = as_list(shown.get("capabilities"))
        loaded = (as_object(row) for row in as_list(running.get("models")))
        row = as_object(next((row for row in loaded if model in (row.get("model"), row.get("name"))), None))
        asked = as_object(self.endpoint.quirks.extra_body.get(_OPTIONS))
        info = ModelInfo(
            ref=ref,
            context_window=first_count(asked, "num_ctx") or as_count(row.get("context_length")),
            tools="tools" in able if able else None,
            vision="vision" in able if able else None,
            thinking="thinking" in able if able else None,
        )
        return None if info == ModelInfo(ref=ref) else info


def _is_no_such_path(event: ResponseEvent) -> bool:
    return isinstance(event, ResponseError) and event.status in _NO_SUCH_PATH


def ollama_messages(request: ChatRequest, endpoint: Endpoint) -> list[JsonObject]:
    """The conversation as Ollama's messages."""
    system = request.whole_system
    out: list[JsonObject] = [{"role": "system", "content": system}] if system else []
    last_prompt = max((at for at, each in enumerate(request.messages) if isinstance(each, UserMessage)), default=-1)
    for at, message in enumerate(request.messages):
        written = _message(message, request.model, endpoint, in_loop=at > last_prompt)
        if written is not None:
            out.append(written)
    return out


def _message(message: Message, model: str, endpoint: Endpoint, *, in_loop: bool) -> JsonObject | None:
    match message:
        case UserMessage():
            text = "\n\n".join(block.text for block in message.blocks if isinstance(block, TextBlock))
            out: JsonObject = {"role": "user", "content": text}
            if images := [block.data_base64 for block in message.blocks if isinstance(block, ImageBlock)]:
                out["images"] = [*images]
            return out
        case ToolResultMessage():
            return {
                "role": "tool",
                "tool_name": message.name,
                "tool_call_id": message.call_id,
                "content": message.content,
            }
        case AssistantMessage():
            return _assistant(message, model, endpoint, in_loop=in_loop)


def _assistant(message: AssistantMessage, model: str, endpoint: Endpoint, *, in_loop: bool) -> JsonObject | None:
    """An answer; a model sees its own thoughts again while it works with tools, as its template expects."""
    own = (message.provider, message.dialect, message.model) == (endpoint.name, endpoint.dialect, model)
    text = "".join(block.text for block in message.blocks if isinstance(block, TextBlock))
    calls = [_call(block) for block in message.blocks if isinstance(block, ToolCallBlock)]
    thoughts = "".join(block.text for block in message.blocks if isinstance(block, ThinkingBlock))
    if not text and not calls:
        return None
    out: JsonObject = {"role": "assistant", "content": text}
    if calls:
        out["tool_calls"] = [*calls]
    if own and in_loop and thoughts:
        out["thinking"] = thoughts
    return out


def _call(block: ToolCallBlock) -> JsonObject:
    arguments: JsonObject = {} if isinstance(block.arguments, InvalidArguments) else block.arguments
    return {"id": block.call_id, "function": {"name": block.name, "arguments": arguments}}


class OllamaDecoder(ResponseDecoder):
    """Lines of a chat answer into events. Calls come whole, with or without an id, and before the last line."""

    def __init__(self, endpoint: Endpoint) -> None:
        super().__init__(endpoint)
        self._done = False
        self._reason = ""
        self._calls = 0

    @property
    def complete(self) -> bool:
        """The line with ``done`` came."""
        return self._done

    def on_object(self, event: JsonObject, name: str) -> None:
        """Take a line."""
        message = as_object(event.get("message"))
        if message or event.get("done"):
            self.blocks.start(model=as_text(event.get("model")))
        # Imitations name thinking as Chat Completions do.
        thinking = next((said for name in _THOUGHTS if (said := as_text(message.get(name)))), "")
        self._on_prose(thinking, as_text(message.get("content")))
        for each in as_list(message.get("tool_calls")):
            self._on_call(as_object(each))
        if event.get("done") is True:
            self._done = True
            self._reason = as_text(event.get("done_reason"))
            self.blocks.usage(ollama_usage(event))
            self.on_end()

    def on_document(self, document: JsonObject) -> bool:
        """Take an answer that came as one object; it reads like the last line."""
        if not isinstance(document.get("message"), dict):
            return False
        self.on_object(document, "")
        return True

    def on_end(self) -> None:
        """The terminal event."""
        self.blocks.end(stop_reason(self._reason), self._reason)

    def _on_prose(self, thinking: str, text: str) -> None:
        if thinking:
            self.blocks.close("text")
            self.blocks.thinking("thinking", thinking)
        if text:
            self.blocks.close("thinking")
            self.blocks.text("text", text)

    def _on_call(self, call: JsonObject) -> None:
        """A whole call; its arguments are an object, in old versions and look-alikes JSON text."""
        function = as_object(call.get("function"))
        arguments = function.get("arguments")
        self.blocks.close_prose()
        self.blocks.call(
            self._calls,
            call_id=as_text(call.get("id")),
            name=as_text(function.get("name")),
            arguments=as_json_text(arguments),
        )
        self._calls += 1
