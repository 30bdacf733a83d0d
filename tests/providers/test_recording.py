"""What an exchange log keeps of a client's traffic, in memory and as files, and what it must never keep."""

import asyncio
import gzip
import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from patchbay.providers import exchanges
from patchbay.providers.anthropic_messages import AnthropicMessages
from patchbay.providers.base import ProviderConfigError
from patchbay.providers.events import ResponseEnd, ResponseError, TextDelta
from patchbay.providers.exchanges import KEPT_BYTES, KEPT_EXCHANGES, ExchangeLog
from patchbay.providers.messages import ChatRequest, TextBlock, UserMessage
from patchbay.providers.openai_chat import OpenAIChat
from patchbay.providers.recorded import decode, read_case
from patchbay.providers.redact import remember_secret
from support.wire import HELLO, Server, collect, endpoint, sse, text_of

KEY = "sk-of-the-recording-tests-0123456789"
DONE = [
    {"id": "r", "choices": [{"delta": {"content": "Grüße"}}]},
    {"id": "r", "choices": [{"delta": {}, "finish_reason": "stop"}]},
]
ANSWER = sse(*DONE, done=True)
STREAM = {"content-type": "text/event-stream"}


def chat(server: httpx.AsyncBaseTransport, log: ExchangeLog, **changes: Any) -> OpenAIChat:
    remember_secret(KEY)
    return OpenAIChat(endpoint(**({"api_key": lambda: KEY} | changes)), transport=server, log=log)


def filed(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(folder.iterdir())]


async def test_an_exchange_in_memory() -> None:
    log = ExchangeLog(clock=lambda: 12.5)
    await collect(chat(Server(ANSWER, headers=STREAM), log))
    (kept,) = log.exchanges()
    assert (kept.number, kept.at, kept.provider, kept.dialect, kept.model) == (1, 12.5, "here", "openai_chat", "m")
    assert (kept.method, kept.path, kept.status) == ("POST", "/v1/chat/completions", 200)
    assert json.loads(kept.request_body)["messages"] == [{"role": "user", "content": "hello"}]
    assert (kept.response_body, kept.response_bytes) == (ANSWER.decode(), len(ANSWER))
    assert (kept.ended, kept.cut, kept.clipped) == (True, False, False)
    assert kept.request_headers["authorization"] == "[redacted]"
    assert kept.response_headers == STREAM


async def test_a_file_is_a_case_that_decodes_to_the_same_answer(tmp_path: Path) -> None:
    folder = tmp_path / "a/b"
    log = ExchangeLog(folder)
    headers = {"content-type": "text/event-stream; charset=utf-8", "x-request-id": "q", "retry-after": "3"}
    events = await collect(chat(Server(ANSWER, headers=headers), log, name="my host"))
    (case,) = filed(folder)
    assert case["request"].pop("body")["model"] == "m"
    assert case == {
        "id": "00001-my_host",
        "family": "openai_chat",
        "provider": "my host",
        "model": "m",
        "kind": "stream",
        "provenance": "recorded",
        "request": {"method": "POST", "path": "/v1/chat/completions"},
        "status": 200,
        "content_type": "text/event-stream; charset=utf-8",
        "response_headers": {"x-request-id": "q", "retry-after": "3"},
        "body": ANSWER.decode(),
        "cut": False,
    }
    decoded = await decode(read_case(folder / "00001-my_host.json"))
    assert "".join(decoded.text) == text_of(events) == "Grüße"
    assert decoded.events == len(events)


async def test_only_the_owner_may_read_what_was_recorded(tmp_path: Path) -> None:
    log = ExchangeLog(tmp_path / "new")
    await collect(chat(Server(ANSWER), log))
    (path,) = (tmp_path / "new").iterdir()
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize("dialect", [OpenAIChat, AnthropicMessages])
async def test_keys_are_nowhere(dialect: type[Any], tmp_path: Path) -> None:
    remember_secret(KEY)
    echo = sse({"error": {"message": f"Incorrect API key provided: {KEY}"}})
    headers = {
        "set-cookie": "session=s3cr3t-cookie",
        "openai-organization": "org-of-mine",
        "x-request-id": f"id-{KEY}",
        "x-echo": f"Bearer {KEY}",
    }
    split = [echo[:-30], echo[-30:]]  # the key comes in two pieces
    log = ExchangeLog(tmp_path)
    made = dialect(
        endpoint(name="here", api_key=lambda: KEY, headers={"X-Proxy-Token": "tok-of-mine-77"}),
        transport=Server(split, headers=headers),
        log=log,
    )
    asked = ChatRequest(model="m", messages=(UserMessage(blocks=(TextBlock(text=f"my key is {KEY}"),)),))
    await collect(made, asked)
    written = "".join(path.read_text() for path in tmp_path.iterdir())
    shown = repr(log.exchanges())
    for secret in (KEY, "s3cr3t-cookie", "org-of-mine", "tok-of-mine-77"):
        assert secret not in written
        assert secret not in shown
    assert "my key is [redacted]" in written and "my key is [redacted]" in shown
    assert "provided: [redacted]" in written and "provided: [redacted]" in shown
    assert "authorization" not in written.lower() and "x-api-key" not in written.lower()


async def test_the_stream_is_not_held_up(tmp_path: Path) -> None:
    rest = asyncio.Event()

    async def body() -> AsyncIterator[bytes]:
        yield sse(DONE[0])
        await rest.wait()
        yield sse(DONE[1], done=True)

    log = ExchangeLog(tmp_path)
    stream = chat(Server(body), log).stream(HELLO)
    async for event in stream:
        if isinstance(event, TextDelta):
            break
    (running,) = log.exchanges()
    assert (running.status, running.ended, running.cut) == (200, False, False)
    assert "Gr" in running.response_body
    assert not list(tmp_path.iterdir())
    rest.set()
    assert isinstance([event async for event in stream][-1], ResponseEnd)
    assert [case["cut"] for case in filed(tmp_path)] == [False]


async def test_an_answer_that_was_cancelled_is_written_and_marked(tmp_path: Path) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield sse(DONE[0])
        await asyncio.Event().wait()

    log = ExchangeLog(tmp_path)
    stream = chat(Server(body), log).stream(HELLO)
    async for event in stream:
        if isinstance(event, TextDelta):
            break
    await stream.aclose()
    (case,) = filed(tmp_path)
    assert (case["body"], case["cut"]) == (sse(DONE[0]).decode(), True)
    assert log.exchanges()[0].cut


async def test_an_answer_read_to_its_last_event_is_whole(tmp_path: Path) -> None:
    """The runner leaves with the last event, and what follows it (usage, an end mark) must not count as cut off."""
    pieces = [sse(DONE[0]), sse(DONE[1], done=True), b": the end\n\n"]
    stream = chat(Server(pieces), ExchangeLog(tmp_path)).stream(HELLO)
    async for event in stream:
        if isinstance(event, ResponseEnd):
            break
    await stream.aclose()
    (case,) = filed(tmp_path)
    assert (case["body"], case["cut"]) == (b"".join(pieces).decode(), False)


async def test_an_answer_that_broke_off_is_written_and_marked(tmp_path: Path) -> None:
    async def body() -> AsyncIterator[bytes]:
        yield sse(DONE[0])
        raise httpx.ReadError("connection reset")

    events = await collect(chat(Server(body), ExchangeLog(tmp_path)))
    assert isinstance(events[-1], ResponseError)
    (case,) = filed(tmp_path)
    assert case["cut"] and "Gr" in case["body"]
    decoded = await decode(read_case(next(tmp_path.iterdir())))
    assert decoded.error is not None and "".join(decoded.text) == "Grüße"


async def test_no_reply_is_kept_in_memory_only(tmp_path: Path) -> None:
    log = ExchangeLog(tmp_path)
    await collect(chat(Server(fails=httpx.ConnectError("refused")), log))
    (kept,) = log.exchanges()
    assert (kept.status, kept.response_body) == (None, "")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("status", "content_type", "kind"),
    [(200, "application/json", "json"), (200, "application/x-ndjson", "stream"), (429, "text/event-stream", "error")],
)
async def test_kinds(status: int, content_type: str, kind: str, tmp_path: Path) -> None:
    body = json.dumps({"choices": [{"message": {"content": "a"}, "finish_reason": "stop"}]}).encode()
    await collect(chat(Server(body, status=status, headers={"content-type": content_type}), ExchangeLog(tmp_path)))
    assert [(case["kind"], case["status"]) for case in filed(tmp_path)] == [(kind, status)]


async def test_a_list_of_models_is_no_answer(tmp_path: Path) -> None:
    log = ExchangeLog(tmp_path)
    assert await chat(Server(b'{"data": [{"id": "m"}]}'), log).list_models() == ["m"]
    (case,) = filed(tmp_path)
    assert (case["kind"], case["model"], case["request"]["body"]) == ("models", "", None)
    assert read_case(next(tmp_path.iterdir())).listing


async def test_compressed_replies_are_kept_as_they_are_read(tmp_path: Path) -> None:
    packed = gzip.compress(ANSWER)
    server = Server(packed, headers={"content-encoding": "gzip"})
    log = ExchangeLog(tmp_path)
    assert text_of(await collect(chat(server, log))) == "Grüße"
    assert filed(tmp_path)[0]["body"] == ANSWER.decode()
    assert log.exchanges()[0].response_body == ANSWER.decode()


async def test_a_bomb_stays_small() -> None:
    log = ExchangeLog()
    bomb = gzip.compress(b" " * 50_000_000)
    await collect(chat(Server(bomb, headers={"content-encoding": "gzip"}), log))
    assert len(log.exchanges()[0].response_body) <= KEPT_BYTES


async def test_memory_is_bounded(tmp_path: Path) -> None:
    log = ExchangeLog(tmp_path)
    long = "x" * (2 * KEPT_BYTES)
    body = sse({"choices": [{"delta": {"content": long}}]}, DONE[1], done=True)
    asked = ChatRequest(model="m", messages=(UserMessage(blocks=(TextBlock(text=long),)),))
    await collect(chat(Server(body), log), asked)
    (kept,) = log.exchanges()
    assert (len(kept.response_body), len(kept.request_body), kept.response_bytes) == (KEPT_BYTES, KEPT_BYTES, len(body))
    assert (kept.model, kept.clipped) == ("m", True)
    (case,) = filed(tmp_path)
    assert (case["body"], case["request"]["body"]["messages"][0]["content"]) == (body.decode(), long)

    for _ in range(KEPT_EXCHANGES + 5):
        await collect(chat(Server(ANSWER), log))
    numbers = [each.number for each in log.exchanges()]
    assert numbers == list(range(7, KEPT_EXCHANGES + 7))


async def test_recording_goes_on_after_what_is_there_and_writes_over_nothing(tmp_path: Path) -> None:
    (tmp_path / "00041-here.json").write_text("{}")
    (tmp_path / "notes.txt").write_text("mine")
    first, second = ExchangeLog(tmp_path), ExchangeLog(tmp_path)
    for log in (first, second, first):
        await collect(chat(Server(ANSWER), log))
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["00041-here.json", *(f"000{n}-here.json" for n in (42, 43, 44)), "notes.txt"]
    assert (tmp_path / "00041-here.json").read_text() == "{}"


async def test_a_full_disk_ends_the_recording_not_the_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = ExchangeLog(tmp_path)
    told: list[str] = []
    log.on_problem = told.append

    def full(*_: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(exchanges.os, "open", full)
    for _ in range(2):
        assert text_of(await collect(chat(Server(ANSWER), log))) == "Grüße"
    assert len(told) == 1 and "No space left on device" in told[0] and str(tmp_path) in told[0]
    assert len(log.exchanges()) == 2


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        ExchangeLog(tmp_path / "file")


async def test_nothing_is_kept_without_a_log() -> None:
    server = Server(b"", status=404)
    with pytest.raises(ProviderConfigError):
        await OpenAIChat(endpoint(), transport=server).list_models()
    assert server.requests[0].extensions.keys() == {"timeout"}
