"""Compressed bodies: read as they are meant, and never unfolded without a bound."""

import asyncio
import gzip
import tracemalloc
import zlib
from collections.abc import AsyncIterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.providers import compression
from patchbay.providers.events import ErrorKind, ResponseEnd, ResponseError
from patchbay.providers.openai_chat import OpenAIChat
from support.wire import Server, collect, endpoint, sse, text_of

ANSWER = sse({"choices": [{"delta": {"content": "Grüße"}, "finish_reason": "stop"}]}, done=True)


def raw_deflate(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(content) + packer.flush()


async def read(coding: str, content: bytes, size: int = 10_000) -> bytes:
    async def chunks() -> AsyncIterator[bytes]:
        for at in range(0, len(content), size):
            yield content[at : at + size]

    reply = httpx.Response(200, headers={"content-encoding": coding}, content=chunks())
    return b"".join([piece async for piece in compression.body_bytes(reply)])


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("", ANSWER),
        ("identity", ANSWER),
        ("gzip", gzip.compress(ANSWER)),
        ("X-GZIP", gzip.compress(ANSWER[:9]) + gzip.compress(ANSWER[9:])),
        ("gzip", gzip.compress(ANSWER) + bytes(8)),
        ("deflate", zlib.compress(ANSWER)),
        ("deflate", raw_deflate(ANSWER)),
    ],
    ids=["none", "identity", "gzip", "two members", "padded", "zlib", "raw deflate"],
)
@pytest.mark.parametrize("size", [1, 7, 10_000])
async def test_every_coding_servers_use_cut_anywhere(coding: str, packed: bytes, size: int) -> None:
    assert await read(coding, packed, size) == ANSWER


@given(st.binary(max_size=2000), st.integers(1, 300))
def test_gzip_gives_back_what_was_packed(content: bytes, size: int) -> None:
    assert asyncio.run(read("gzip", gzip.compress(content), size)) == content


@pytest.mark.parametrize(
    ("coding", "body", "part"),
    [
        ("br", b"\x0b\x02\x80", "compression 'br'"),
        ("gzip, gzip", gzip.compress(gzip.compress(ANSWER)), "compression 'gzip, gzip'"),
        ("gzip", b"this is not gzip", "broken"),
        ("gzip", gzip.compress(ANSWER)[:-8] + bytes(8), "broken"),
    ],
    ids=["br", "twice", "no gzip", "wrong sum"],
)
async def test_what_cannot_be_read_is_a_protocol_error(coding: str, body: bytes, part: str) -> None:
    server = Server(body, headers={"content-encoding": coding})
    last = (await collect(OpenAIChat(endpoint(), transport=server)))[-1]
    assert isinstance(last, ResponseError)
    assert (last.kind, last.retryable) == (ErrorKind.PROTOCOL, False)
    assert part in last.message
    assert server.closed == 1


async def test_a_bomb_is_given_up_with_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "MAX_UNFOLDED_BYTES", 4 * 1024 * 1024)
    server = Server(gzip.compress(b": ping\n" * 10_000_000), headers={"content-encoding": "gzip"})
    tracemalloc.start()
    last = (await collect(OpenAIChat(endpoint(), transport=server)))[-1]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert isinstance(last, ResponseError) and last.kind is ErrorKind.PROTOCOL
    assert "unfolds to more than" in last.message
    assert peak < 8 * 1024 * 1024


async def test_a_bomb_of_an_error_keeps_its_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compression, "MAX_UNFOLDED_BYTES", 1024)
    bomb = gzip.compress(b"slow down " * 100_000)
    server = Server(bomb, status=429, headers={"content-encoding": "gzip"})
    last = (await collect(OpenAIChat(endpoint(), transport=server)))[-1]
    assert isinstance(last, ResponseError) and last.kind is ErrorKind.RATE_LIMIT


async def test_a_compressed_answer_streams_through() -> None:
    events = await collect(
        OpenAIChat(endpoint(), transport=Server(gzip.compress(ANSWER), headers={"content-encoding": "gzip"}))
    )
    assert text_of(events) == "Grüße"
    assert isinstance(events[-1], ResponseEnd)
