"""A faulty network on purpose: an HTTP transport that plays healthy answers and breaks some of them.

What it does is decided by a plan, usually a seeded one, so that a run that went wrong can be run again. It stands
around another transport (recorded replies, a made-up server), reads its whole answer, and cuts that between events.
"""

import asyncio
import json
import random
import re
import zlib
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import httpx

ENDLESS_BYTES = 1024 * 1024 * 1024
"""How long a giant line is, and what a gzip bomb unfolds to."""
_PIECE_BYTES = 1024 * 1024
_BOMB_MEMBER_BYTES = 16 * 1024 * 1024
_GARBAGE_BYTES = 200
_EVENT_END = re.compile(rb"(?<=\n\n)")


class Fault(StrEnum):
    """What goes wrong with one exchange."""

    NONE = "none"
    RATE_LIMIT = "429"
    RATE_LIMIT_WITH_WAIT = "429 with Retry-After"
    RATE_LIMIT_FOR_LONG = "429 with a Retry-After of an hour"
    OVERLOADED = "529"
    SERVER_ERROR = "500"
    REFUSED = "connection refused"
    REDIRECT = "redirect to another host"
    DISCONNECT = "disconnect"
    STALL = "stall"
    GARBAGE = "garbage"
    GIANT_LINE = "giant line"
    GZIP_BOMB = "gzip bomb"
    DUPLICATE = "duplicated event"
    EARLY_END = "early end"


_REFUSALS: Mapping[Fault, tuple[int, Mapping[str, str]]] = {
    Fault.RATE_LIMIT: (429, {}),
    Fault.RATE_LIMIT_WITH_WAIT: (429, {"retry-after": "7"}),
    Fault.RATE_LIMIT_FOR_LONG: (429, {"retry-after": "3600"}),
    Fault.OVERLOADED: (529, {}),
    Fault.SERVER_ERROR: (500, {}),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Blow:
    """One fault, and how much of the answer comes before it."""

    fault: Fault
    after: float = 0.0
    """The share of the answer's events that come whole before it strikes: 0 none, 1 all."""
    seed: int = 0
    """Decides the bytes of garbage."""


def blows(chance: random.Random, share: float, faults: Sequence[Fault] = tuple(Fault)) -> Iterator[Blow]:
    """Without end, a blow for each exchange: in ``share`` of them (0 to 1) one of ``faults``, else none."""
    while True:
        fault = chance.choice(faults) if chance.random() < share else Fault.NONE
        yield Blow(fault=fault, after=chance.random(), seed=chance.getrandbits(32))


class ChaosTransport(httpx.AsyncBaseTransport):
    """Plays the answers of ``inner`` and strikes each with the next blow of ``plan``; ``pace_s`` between two events."""

    def __init__(self, inner: httpx.AsyncBaseTransport, plan: Iterator[Blow], *, pace_s: float = 0.0) -> None:
        self._inner = inner
        self._plan = plan
        self._pace_s = pace_s
        self.struck: list[Fault] = []
        """What was done, an entry for each request."""
        self.hosts: list[str] = []
        """Where the requests went: a redirect that was followed shows here."""
        self.open = 0
        """Replies that were not closed yet."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer of the inner transport, struck. Raises ``httpx.ConnectError`` for a refused connection."""
        blow = next(self._plan)
        self.struck.append(blow.fault)
        self.hosts.append(request.url.host)
        if blow.fault in _REFUSALS:
            status, headers = _REFUSALS[blow.fault]
            return httpx.Response(status, headers=headers, content=_complaint(request, status))
        match blow.fault:
            case Fault.REFUSED:
                raise httpx.ConnectError("connection refused", request=request)
            case Fault.REDIRECT:
                return httpx.Response(307, headers={"location": f"https://elsewhere.invalid{request.url.path}"})
            case Fault.GZIP_BOMB:
                headers = {"content-type": "text/event-stream", "content-encoding": "gzip"}
                return httpx.Response(200, headers=headers, stream=_Body(self, _bomb()))
            case _:
                reply = await self._inner.handle_async_request(request)
                body = await reply.aread()
                await reply.aclose()
                stream = _Body(self, _struck(_events(body), blow, self._pace_s))
                return httpx.Response(reply.status_code, headers=reply.headers, stream=stream)


class _Body(httpx.AsyncByteStream):
    """Bytes made while they are read; closing it counts."""

    def __init__(self, owner: ChaosTransport, pieces: AsyncGenerator[bytes]) -> None:
        self._owner = owner
        self._pieces = pieces
        self._closed = False
        owner.open += 1

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """The bytes."""
        async for piece in self._pieces:
            yield piece

    async def aclose(self) -> None:
        """The reader is done."""
        if not self._closed:
            self._closed = True
            self._owner.open -= 1
        await self._pieces.aclose()


def _complaint(request: httpx.Request, status: int) -> bytes:
    """An error as a careless server words it: it quotes what it was sent, the key included."""
    quoted = {name: request.headers[name] for name in ("authorization", "x-api-key") if name in request.headers}
    message = f"chaos {status} for a request with the headers {json.dumps(quoted)}"
    return json.dumps({"error": {"type": "chaos", "message": message}}).encode()


def _events(body: bytes) -> list[bytes]:
    """The events of a body with their line ends: JSON lines, or server-sent events."""
    if body.lstrip().startswith(b"{"):
        return body.splitlines(keepends=True)
    return [event for event in _EVENT_END.split(body) if event]


async def _struck(events: list[bytes], blow: Blow, pace_s: float) -> AsyncGenerator[bytes]:
    """The events with the blow in their midst."""
    before = round(blow.after * len(events))
    for event in events[:before]:
        await asyncio.sleep(pace_s)
        yield event
    match blow.fault:
        case Fault.DISCONNECT:
            raise httpx.ReadError("connection reset by peer")
        case Fault.STALL:
            await asyncio.Event().wait()
        case Fault.EARLY_END:
            return
        case Fault.GARBAGE:
            yield random.Random(blow.seed).randbytes(_GARBAGE_BYTES) + b"\n\n"  # noqa: S311 - no secret
        case Fault.GIANT_LINE:
            yield b"data: "
            for _ in range(ENDLESS_BYTES // _PIECE_BYTES):
                await asyncio.sleep(0)
                yield b"x" * _PIECE_BYTES
        case Fault.DUPLICATE if before:
            yield events[before - 1]
        case _:
            pass
    for event in events[before:]:
        await asyncio.sleep(pace_s)
        yield event


async def _bomb() -> AsyncGenerator[bytes]:
    for _ in range(ENDLESS_BYTES // _BOMB_MEMBER_BYTES):
        await asyncio.sleep(0)
        yield _bomb_member()


@cache
def _bomb_member() -> bytes:
    """Some kilobytes that unfold to ``_BOMB_MEMBER_BYTES`` of a comment that never ends."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return packer.compress(b":" * _BOMB_MEMBER_BYTES) + packer.flush()
