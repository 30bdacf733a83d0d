"""The transport that plays recorded replies: what bytes it really sends."""

import httpx
import pytest

from patchbay.providers.recorded import Case, RecordedTransport


def case(body: str) -> Case:
    return Case(name="n", dialect="openai_chat", listing=False, status=201, headers={"x-a": "b"}, body=body)


async def sent(body: str, *, chunk: int = 0, crlf: bool = False) -> list[bytes]:
    transport = RecordedTransport(case(body), chunk=chunk, crlf=crlf)
    async with httpx.AsyncClient(transport=transport) as client, client.stream("GET", "http://n.invalid") as reply:
        assert (reply.status_code, reply.headers["x-a"]) == (201, "b")
        return [piece async for piece in reply.aiter_bytes()]


@pytest.mark.parametrize(("chunk", "pieces"), [(0, ["dätä".encode()]), (1, 6), (4, 2)])
async def test_pieces(chunk: int, pieces: object) -> None:
    found = await sent("dätä", chunk=chunk)
    assert b"".join(found) == "dätä".encode()
    assert (found if chunk == 0 else len(found)) == pieces


async def test_an_empty_body_is_no_piece() -> None:
    assert await sent("") == []


@pytest.mark.parametrize("body", ["data: a\n\ndata: b\r\n", ": c\n\n", "\n\nevent: e\n"])
async def test_event_streams_get_their_line_ends(body: str) -> None:
    assert await sent(body, crlf=True) == [body.replace("\r\n", "\n").replace("\n", "\r\n").encode()]
    assert await sent(body) == [body.encode()]


@pytest.mark.parametrize("body", ['{"a": 1}\n{"b": 2}\n', "plain\n"])
async def test_other_bodies_stay_as_they_are(body: str) -> None:
    assert await sent(body, crlf=True) == [body.encode()]
