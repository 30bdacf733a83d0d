"""What all dialects share over HTTP: headers, refusals, watchdog, broken connections, cancelling, listing."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

import httpx
import pytest

from patchbay.providers import http as wire_http
from patchbay.providers.base import ModelInfo, ModelRef, ProviderConfigError
from patchbay.providers.events import (
    ErrorKind,
    ResponseEnd,
    ResponseError,
    ResponseEvent,
    StopReason,
    TextDelta,
)
from patchbay.providers.messages import ChatRequest, TextBlock, UserMessage
from patchbay.providers.openai_chat import OpenAIChat
from support.wire import HELLO, Server, check_grammar, collect, endpoint, sse, text_of


def chunk(text: str, finish: str | None = None) -> dict[str, Any]:
    return {"id": "r", "model": "m", "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish}]}


ANSWER = sse(chunk("Hel"), chunk("lo", "stop"), done=True)


def provider(server: httpx.AsyncBaseTransport, **changes: Any) -> OpenAIChat:
    return OpenAIChat(endpoint(**changes), transport=server)


async def failure(server: httpx.AsyncBaseTransport, **changes: Any) -> tuple[list[ResponseEvent], ResponseError]:
    events = await collect(provider(server, **changes))
    check_grammar(events)
    assert isinstance(events[-1], ResponseError), events[-1]
    return events, events[-1]


async def test_posts_json_to_the_endpoint_with_the_key_of_now() -> None:
    keys = iter(["first", "second"])
    server = Server(ANSWER)
    chat = provider(server, api_key=lambda: next(keys), headers={"X-Title": "t", "Accept": "a/b"})
    for key in ("first", "second"):
        assert text_of(await collect(chat)) == "Hello"
        asked = server.requests[-1]
        assert (asked.method, str(asked.url)) == ("POST", "https://api.example.test/v1/chat/completions")
        assert asked.headers["authorization"] == f"Bearer {key}"
    assert asked.headers["content-type"] == "application/json"
    assert (asked.headers["x-title"], asked.headers["accept"]) == ("t", "a/b")


async def test_without_a_key_there_is_no_authorization() -> None:
    server = Server(ANSWER)
    await collect(provider(server, api_key=lambda: None))
    await collect(provider(server, api_key=lambda: "  "))
    assert all("authorization" not in request.headers for request in server.requests)


@pytest.mark.parametrize("key", ["two\nlines", "a b", "“quoted”"])
async def test_a_key_that_cannot_be_sent_is_not_quoted(key: str) -> None:
    server = Server(ANSWER)
    _, error = await failure(server, api_key=lambda: key, key_variable="ACME_KEY")
    assert error.kind is ErrorKind.AUTHENTICATION and "ACME_KEY" in error.message
    assert key not in error.message and server.requests == []


async def test_a_header_that_cannot_be_sent_is_not_quoted() -> None:
    real = httpx.AsyncHTTPTransport()
    _, error = await failure(real, base_url="http://127.0.0.1:1/v1", headers={"X-Secret": "a\nb"})
    assert "a\nb" not in error.message


async def test_text_that_is_no_utf8_is_still_sent() -> None:
    server = Server(ANSWER)
    chat = provider(server)
    request = ChatRequest(model="m", messages=(UserMessage(blocks=(TextBlock(text="bad \udcff name"),)),))
    assert isinstance((await collect(chat, request))[-1], ResponseEnd)
    assert server.asked["messages"][0]["content"] == "bad ? name"


@pytest.mark.parametrize("body", [b'{"error": {"message": "no such model"}}', b"no such model", b""])
async def test_refusals_become_one_error(body: bytes) -> None:
    events, error = await failure(Server(body, status=404))
    assert events == [error]
    assert (error.kind, error.status) == (ErrorKind.NOT_FOUND, 404)


async def test_a_refusal_whose_body_breaks_off_keeps_its_status() -> None:
    async def body() -> AsyncIterator[bytes]:
        yield b"slow d"
        raise httpx.ReadError("reset")

    _, error = await failure(Server(body, status=429, headers={"retry-after": "3"}))
    assert (error.kind, error.retry_after) == (ErrorKind.RATE_LIMIT, 3)
    assert "slow d" in error.message


async def test_redirects_are_not_followed() -> None:
    server = Server(status=307, headers={"location": "https://evil.test/v1/chat/completions"})
    _, error = await failure(server, api_key=lambda: "private-key")
    assert len(server.requests) == 1
    assert error.kind is ErrorKind.PROTOCOL and "evil.test" in error.message


@pytest.mark.parametrize(
    ("problem", "part"),
    [
        (httpx.ConnectError("refused"), "cannot connect to localhost:8080: refused. Is the server running"),
        (httpx.ConnectTimeout("slow"), "cannot connect"),
        (httpx.ReadError("reset"), "broke off"),
        (httpx.RemoteProtocolError("gone"), "broke off"),
    ],
)
async def test_connection_problems(problem: Exception, part: str) -> None:
    _, error = await failure(Server(fails=problem), base_url="http://localhost:8080/v1", local=True)
    assert (error.kind, error.retryable) == (ErrorKind.NETWORK, True)
    assert part in error.message


async def test_a_defect_ends_in_an_error_too() -> None:
    _, error = await failure(Server(fails=KeyError("oops")))
    assert error.kind is ErrorKind.PROTOCOL and "KeyError" in error.message


@pytest.mark.parametrize("url", ["no-scheme", "ftp://host/v1", "http://host:port/v1"])
async def test_unusable_addresses(url: str) -> None:
    _, error = await failure(httpx.AsyncHTTPTransport(), base_url=url)
    assert error.kind is ErrorKind.PROTOCOL and "base URL" in error.message


async def test_connection_lost_in_mid_answer_keeps_the_text() -> None:
    async def body() -> AsyncIterator[bytes]:
        yield sse(chunk("half an "))
        raise httpx.ReadError("reset")

    events, error = await failure(Server(body))
    assert text_of(events) == "half an "
    assert error.kind is ErrorKind.NETWORK and error.retryable


async def test_connection_lost_after_the_end_is_no_failure() -> None:
    async def body() -> AsyncIterator[bytes]:
        yield sse(chunk("all", "stop"))
        raise httpx.ReadError("reset")

    events = await collect(provider(Server(body)))
    assert events[-1] == ResponseEnd(stop_reason=StopReason.END_TURN, raw_stop_reason="stop")


# -- What a body can be ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["text/event-stream", "application/json", "text/plain", ""])
@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_the_body_says_what_it_is_not_the_content_type(kind: str, size: int) -> None:
    document = b'\n {"id": "r", "choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]}\n'
    for body in (ANSWER, b"\xef\xbb\xbf" + ANSWER, document):
        pieces = [body[at : at + size] for at in range(0, len(body), size)]
        events = await collect(provider(Server(pieces, headers={"content-type": kind})))
        check_grammar(events)
        assert text_of(events) == "Hello"
        assert isinstance(events[-1], ResponseEnd)


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (b"<!DOCTYPE html><title>Sign in</title>", "Sign in"),
        (b"Internal server error", "Internal server error"),
        (b'{"hello": "there"}', "hello"),
        (b'{"data": [{"id": "m"}]}', "data"),
        (b"[1, 2]", "[1, 2]"),
        (b'{"broken": ', "broken"),
        (b"{" * 100_000, "{{{"),
    ],
    ids=["a page", "words", "another object", "a list of models", "a list", "cut off", "brackets"],
)
@pytest.mark.parametrize("size", [1, 10_000])
async def test_success_that_is_no_answer(body: bytes, part: str, size: int) -> None:
    pieces = [body[at : at + size] for at in range(0, len(body), size)]
    _, error = await failure(Server(pieces))
    assert (error.kind, error.retryable) == (ErrorKind.PROTOCOL, False)
    assert part in error.message and "Check the base URL" in error.message


@pytest.mark.parametrize("body", [b"", b"\n\n", b": comment\n\n", b"data: [DONE]\n\n"])
async def test_empty_answers(body: bytes) -> None:
    _, error = await failure(Server(body))
    assert error.kind is ErrorKind.PROTOCOL and "empty answer" in error.message


async def test_an_endless_line_does_not_eat_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_http, "MAX_LINE_BYTES", 10_000)
    sent = 0

    async def body() -> AsyncIterator[bytes]:
        nonlocal sent
        yield sse(chunk("text "))
        while sent < 10_000_000:
            sent += 1000
            yield b"data: " + b"x" * 994

    events, error = await failure(Server(body))
    assert error.kind is ErrorKind.PROTOCOL and "larger than 10,000 bytes" in error.message
    assert text_of(events) == "text " and sent < 20_000


# -- Waiting ---------------------------------------------------------------------------------------------------------


def holding(*pieces: bytes) -> Any:
    """A body that says its pieces and then nothing, for ever."""

    async def body() -> AsyncIterator[bytes]:
        for piece in pieces:
            yield piece
        await asyncio.Event().wait()

    return body


async def test_no_first_token() -> None:
    _, error = await failure(Server(holding()), first_token_timeout_s=0.02)
    assert error.kind is ErrorKind.TIMEOUT and "first_token_timeout_s" in error.message


async def test_no_next_token() -> None:
    events, error = await failure(Server(holding(sse(chunk("a")))), between_tokens_timeout_s=0.02)
    assert error.kind is ErrorKind.TIMEOUT and "between_tokens_timeout_s" in error.message
    assert text_of(events) == "a"


async def test_the_first_limit_holds_until_there_is_content() -> None:
    role_only = sse({"id": "r", "choices": [{"index": 0, "delta": {"role": "assistant", "content": ""}}]})
    _, error = await failure(Server(holding(role_only)), first_token_timeout_s=0.02, between_tokens_timeout_s=60)
    assert "first_token_timeout_s" in error.message


async def test_comments_are_no_sign_of_life() -> None:
    async def body() -> AsyncIterator[bytes]:
        while True:
            yield b": keep-alive\n\n"
            await asyncio.sleep(0)

    server = Server(body)
    _, error = await failure(server, first_token_timeout_s=0.03)
    assert error.kind is ErrorKind.TIMEOUT
    assert server.closed == 1


async def test_time_the_reader_takes_is_not_counted() -> None:
    released = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield sse(chunk("a"))
        await released.wait()
        yield sse(chunk("b", "stop"), done=True)

    stream = provider(Server(body), between_tokens_timeout_s=0.05).stream(HELLO)
    async with aclosing(stream):
        events = [await anext(stream), await anext(stream), await anext(stream)]
        asyncio.get_running_loop().call_later(0.08, released.set)
        await released.wait()
        events += [event async for event in stream]
    assert text_of(events) == "ab" and isinstance(events[-1], ResponseEnd)


async def test_a_server_that_forgets_to_end_a_complete_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_http, "AFTER_END_S", 0.02)
    events = await collect(provider(Server(holding(sse(chunk("all", "stop"))))))
    assert events[-1] == ResponseEnd(stop_reason=StopReason.END_TURN, raw_stop_reason="stop")


async def test_a_server_that_holds_the_line_after_its_end_mark(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_http, "DRAIN_S", 0.02)
    server = Server(holding(ANSWER))
    assert isinstance((await collect(provider(server)))[-1], ResponseEnd)
    assert server.closed == 1


# -- Cancelling ------------------------------------------------------------------------------------------------------


async def test_closing_the_stream_closes_the_connection_and_yields_nothing() -> None:
    server = Server(holding(sse(chunk("a"))))
    stream = provider(server).stream(HELLO)
    async for event in stream:
        if isinstance(event, TextDelta):
            break
    await stream.aclose()
    assert server.closed == 1
    assert [event async for event in stream] == []


async def test_cancelling_the_task_closes_the_connection() -> None:
    server = Server(holding(sse(chunk("a"))))
    seen: list[ResponseEvent] = []
    reading = asyncio.Event()

    async def read() -> None:
        async with aclosing(provider(server).stream(HELLO)) as stream:
            async for event in stream:
                seen.append(event)
                reading.set()

    task = asyncio.create_task(read())
    await reading.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert server.closed == 1
    assert not any(isinstance(event, ResponseEnd | ResponseError) for event in seen)


async def test_streams_run_side_by_side_and_a_closed_provider_opens_again() -> None:
    chat = provider(Server([ANSWER[at : at + 5] for at in range(0, len(ANSWER), 5)]))
    answers = await asyncio.gather(*(collect(chat) for _ in range(5)))
    assert [text_of(events) for events in answers] == ["Hello"] * 5
    await chat.aclose()
    await chat.aclose()
    chat = provider(Server(ANSWER))
    await collect(chat)
    await chat.aclose()
    assert text_of(await collect(chat)) == "Hello"


# -- Models ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "listing",
    [
        b'{"data": [{"id": "a"}, {"id": "b/c:d"}, {"no": "id"}, 7]}',
        b'{"models": [{"name": "a"}, {"model": "b/c:d"}]}',
        b'[{"id": "a"}, {"id": "b/c:d"}]',
    ],
)
async def test_models_are_listed(listing: bytes) -> None:
    server = Server(listing)
    assert await provider(server, api_key=lambda: "key").list_models() == ["a", "b/c:d"]
    assert str(server.requests[0].url) == "https://api.example.test/v1/models"
    assert server.requests[0].headers["authorization"] == "Bearer key"


@pytest.mark.parametrize(
    ("server", "part"),
    [
        (Server(b"<html>", status=200), "not in JSON"),
        (Server(b'{"error": {"message": "bad key"}}', status=401), "bad key"),
        (Server(fails=httpx.ConnectError("refused")), "cannot connect"),
    ],
)
async def test_a_list_that_cannot_be_had_says_why(server: Server, part: str) -> None:
    with pytest.raises(ProviderConfigError, match=part):
        await provider(server).list_models()
    assert await provider(server).model_info("m") is None


async def test_a_list_that_never_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire_http, "LISTING_TIMEOUT_S", 0.02)
    with pytest.raises(ProviderConfigError, match="did not list its models"):
        await provider(Server(holding(b"{"))).list_models()


@pytest.mark.parametrize(
    ("row", "known"),
    [
        (b'"max_model_len": 4096', {"context_window": 4096}),
        (b'"meta": {"n_ctx": 512, "n_ctx_train": 2048}', {"context_window": 512}),
        (
            b'"context_length": 8192, "top_provider": {"max_completion_tokens": 100},'
            b'"supported_parameters": ["tools"], "architecture": {"input_modalities": ["text", "image"]}',
            {"context_window": 8192, "max_output": 100, "tools": True, "thinking": False, "vision": True},
        ),
    ],
)
async def test_what_the_list_says_of_a_model(row: bytes, known: dict[str, Any]) -> None:
    server = Server(b'{"data": [{"id": "other"}, {"id": "m", ' + row + b"}]}")
    found = await provider(server).model_info("m")
    assert found == ModelInfo(ref=ModelRef(provider="here", model="m"), **known)
    assert await provider(server).model_info("other") is None
    assert await provider(server).model_info("missing") is None


@pytest.mark.parametrize(("status", "available"), [(200, True), (401, True), (404, True), (503, False)])
async def test_available_is_who_answers(status: int, available: bool) -> None:
    assert await provider(Server(status=status)).is_available() is available


async def test_a_server_that_is_down_is_not_available(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await provider(Server(fails=httpx.ConnectError("refused"))).is_available() is False

    class Silent(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            await asyncio.Event().wait()
            raise AssertionError

    monkeypatch.setattr(wire_http, "AVAILABLE_TIMEOUT_S", 0.02)
    assert await provider(Silent()).is_available() is False


# -- Proxies -----------------------------------------------------------------------------------------------------------


async def test_a_proxy_of_the_environment_is_used_but_not_for_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        asked.append(head.split(b" ", 2)[1].decode())
        head_of_reply = f"HTTP/1.1 200 OK\r\nContent-Length: {len(ANSWER)}\r\nConnection: close\r\n\r\n"
        writer.write(head_of_reply.encode() + ANSWER)
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as listening:
        here = f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}"
        monkeypatch.setenv("HTTP_PROXY", here)
        for base_url in ("http://models.example.test/v1", f"{here}/v1"):
            chat = OpenAIChat(endpoint(base_url=base_url))
            assert text_of(await collect(chat)) == "Hello"
            await chat.aclose()
    assert asked == ["http://models.example.test/v1/chat/completions", "/v1/chat/completions"]
