"""A request that is refused for one of its fields: asked again without it, said, and remembered."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from patchbay.providers.anthropic_messages import AnthropicMessages
from patchbay.providers.endpoint import Quirks
from patchbay.providers.events import ErrorKind, Notice, ResponseEnd, ResponseError, ResponseEvent
from patchbay.providers.http import MAX_AMENDMENTS
from patchbay.providers.learnt import Learnt, Lesson
from patchbay.providers.messages import (
    AssistantMessage,
    ChatRequest,
    Effort,
    TextBlock,
    ThinkingBlock,
    UserMessage,
)
from patchbay.providers.ollama import Ollama
from patchbay.providers.openai_chat import OpenAIChat
from support.wire import HELLO, check_grammar, collect, endpoint, sse, text_of

ANSWER = sse({"choices": [{"delta": {"content": "Hello"}, "finish_reason": "stop"}]}, done=True)
WHOLE = {"id": "i", "content": [{"type": "text", "text": "Hello"}], "stop_reason": "end_turn"}

Reply = tuple[int, bytes]


class Picky(httpx.AsyncBaseTransport):
    """Answers by path and body."""

    def __init__(self, reply: Callable[[str, dict[str, Any]], Reply]) -> None:
        self._reply = reply
        self.asked: list[tuple[str, dict[str, Any]]] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        body = json.loads(request.content)
        self.asked.append((request.url.path, body))
        status, content = self._reply(request.url.path, body)
        return httpx.Response(status, stream=httpx.ByteStream(content))


def refusing(*fields: str, status: int = 400) -> Callable[[str, dict[str, Any]], Reply]:
    def reply(_path: str, body: dict[str, Any]) -> Reply:
        named = next((field for field in fields if field in body), None)
        if named is None:
            return 200, ANSWER
        message = f"Unsupported parameter: '{named}' is not supported with this model."
        return status, json.dumps({"error": {"message": message, "param": named}}).encode()

    return reply


def notices(events: list[ResponseEvent]) -> list[str]:
    check_grammar(events)
    return [event.message for event in events if isinstance(event, Notice)]


async def test_a_refused_field_goes_once_for_all() -> None:
    server = Picky(refusing("stream_options"))
    kept: list[Lesson] = []
    chat = OpenAIChat(endpoint(), transport=server, learnt=Learnt(keep=kept.append))
    events = await collect(chat)
    assert text_of(events) == "Hello"
    assert notices(events) == ["here: m does not take stream_options, which is left out from now on."]
    assert [("stream_options" in body) for _, body in server.asked] == [True, False]
    assert notices(await collect(chat)) == []
    assert len(server.asked) == 3
    assert [lesson.field for lesson in kept] == ["stream_options"]
    later = Picky(refusing("stream_options"))
    assert notices(await collect(OpenAIChat(endpoint(), transport=later, learnt=Learnt(kept)))) == []
    assert len(later.asked) == 1


async def test_several_fields_go_one_after_the_other() -> None:
    server = Picky(refusing("temperature", "stream_options"))
    request = ChatRequest(model="m", messages=HELLO.messages, temperature=0.1)
    events = await collect(OpenAIChat(endpoint(), transport=server), request)
    assert len(notices(events)) == 2 and text_of(events) == "Hello"


async def test_a_server_that_always_refuses_is_not_asked_for_ever() -> None:
    extra = {f"odd_{at}": at for at in range(20)}
    server = Picky(refusing(*extra))
    events = await collect(OpenAIChat(endpoint(quirks=Quirks(extra_body={**extra})), transport=server))
    assert isinstance(events[-1], ResponseError) and "odd_" in events[-1].message
    assert len(server.asked) == MAX_AMENDMENTS + 1


async def test_a_refusal_that_repeats_itself_ends_at_once() -> None:
    server = Picky(lambda _path, _body: (400, b'{"error": "stream_options is not supported"}'))
    events = await collect(OpenAIChat(endpoint(), transport=server))
    assert isinstance(events[-1], ResponseError) and events[-1].kind is ErrorKind.INVALID_REQUEST
    assert len(server.asked) == 2


@pytest.mark.parametrize("status", [401, 403, 429, 503])
async def test_other_failures_are_nobodys_field(status: int) -> None:
    server = Picky(refusing("stream_options", status=status))
    events = await collect(OpenAIChat(endpoint(), transport=server))
    assert isinstance(events[-1], ResponseError)
    assert len(server.asked) == 1


# -- Thinking that is not accepted any more ----------------------------------------------------------------------------


async def test_thinking_that_is_refused_is_left_out_this_once() -> None:
    def reply(_path: str, body: dict[str, Any]) -> Reply:
        if '"thinking"' in json.dumps(body):
            return 400, b'{"error":{"message":"messages.1.content.0: Invalid `signature` in `thinking` block"}}'
        return 200, json.dumps(WHOLE).encode()

    server = Picky(reply)
    provider = AnthropicMessages(endpoint("anthropic_messages"), transport=server)
    said = AssistantMessage(
        blocks=(ThinkingBlock(text="T", signature="s"), TextBlock(text="a")),
        provider="here",
        dialect="anthropic_messages",
        model="claude-opus-4-6",
    )
    again = UserMessage(blocks=(TextBlock(text="and?"),))
    request = ChatRequest(model="claude-opus-4-6", messages=(*HELLO.messages, said, again), effort=Effort.HIGH)
    for turn in (1, 2):
        events = await collect(provider, request)
        assert isinstance(events[-1], ResponseEnd)
        assert "without it" in notices(events)[0]
        assert len(server.asked) == 2 * turn
    assert server.asked[1][1]["messages"][1]["content"] == [{"type": "text", "text": "a"}]


# -- Servers that imitate Ollama ---------------------------------------------------------------------------------------


def imitation(status: int, body: bytes) -> Callable[[str, dict[str, Any]], Reply]:
    return lambda path, _body: (200, ANSWER) if path == "/v1/chat/completions" else (status, body)


@pytest.mark.parametrize(
    ("status", "body"),
    [(404, b'{"detail":"Not Found"}'), (405, b""), (404, b'{"error":{"message":"File Not Found","code":404}}')],
)
async def test_an_ollama_without_chat_is_spoken_to_at_v1_from_then_on(status: int, body: bytes) -> None:
    server = Picky(imitation(status, body))
    ollama = Ollama(endpoint("ollama", base_url="http://localhost:11434"), transport=server)
    events = await collect(ollama)
    assert text_of(events) == "Hello"
    assert "window cannot be set" in notices(events)[0]
    assert notices(await collect(ollama)) == []
    assert [path for path, _ in server.asked] == ["/api/chat", "/v1/chat/completions", "/v1/chat/completions"]
    await ollama.aclose()


async def test_a_model_that_is_not_there_is_no_reason_to_speak_differently() -> None:
    server = Picky(imitation(404, b'{"error":"model \'m\' not found"}'))
    events = await collect(Ollama(endpoint("ollama", base_url="http://localhost:11434"), transport=server))
    assert isinstance(events[-1], ResponseError) and events[-1].kind is ErrorKind.NOT_FOUND
    assert len(server.asked) == 1


async def test_chat_completions_chosen_for_ollama_say_once_what_they_cannot() -> None:
    server = Picky(imitation(404, b""))
    quirks = Quirks(asked_window=4096)
    chat = OpenAIChat(endpoint(base_url="http://localhost:11434/v1", quirks=quirks), transport=server)
    assert "cannot be set" in notices(await collect(chat))[0]
    assert notices(await collect(chat)) == []


def test_the_window_is_asked_for_and_stays_the_same_for_a_model() -> None:
    ollama = Ollama(endpoint("ollama"))

    def window(size: int | None, model: str = "m") -> Any:
        body = ollama.request_body(ChatRequest(model=model, messages=HELLO.messages, context_window=size))
        return body.get("options")

    assert window(None) is None
    assert [window(32_768), window(8_192), window(4_096, "n")] == [
        {"num_ctx": 32_768},
        {"num_ctx": 32_768},
        {"num_ctx": 4_096},
    ]
