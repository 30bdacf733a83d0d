"""Bodies of replies as they are meant, whatever compression they came in, with bounded memory.

Patchbay asks for uncompressed answers, but servers and proxies send what they like. A few kilobytes can unfold to
gigabytes, so nothing is unfolded by more than a piece at a time, and never by more than ``MAX_UNFOLDED_BYTES``.
Content codings: RFC 9110 section 8.4.1.
"""

import asyncio
import zlib
from collections.abc import AsyncGenerator, Iterator

import httpx

from .sse import MAX_LINE_BYTES

MAX_UNFOLDED_BYTES = MAX_LINE_BYTES
"""The most a compressed body may come to: as much as a single line may."""
PIECE_BYTES = 256 * 1024
_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
_GZIP_FIRST_BYTE = 0x1F
_UNCOMPRESSED = frozenset({"", "identity"})
_WINDOWS = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": _ZLIB}


async def body_bytes(reply: httpx.Response) -> AsyncGenerator[bytes]:
    """The bytes of a streamed reply as they come.

    Raises ``httpx.DecodingError`` for a coding that is not known, applied twice, broken, or unfolding without end; else
    what httpx raises.
    """
    if reply.is_stream_consumed:  # a transport that had all of it at once: nothing is left to bound
        yield reply.content
        return
    coding = reply.headers.get("content-encoding", "").strip().lower()
    if coding in _UNCOMPRESSED:
        async for chunk in reply.aiter_raw():
            yield chunk
        return
    if coding not in _WINDOWS:
        raise httpx.DecodingError(f"it answers in the compression {coding!r}, which was not asked for")
    unfolder = _Unfolder(_WINDOWS[coding])
    async for chunk in reply.aiter_raw():
        for piece in unfolder.feed(chunk):
            yield piece
            await asyncio.sleep(0)  # a bomb must not hold up the screen


class _Unfolder:
    """Decompresses one body in pieces of at most ``PIECE_BYTES``."""

    def __init__(self, window: int) -> None:
        self._window = window
        self._stream = zlib.decompressobj(window)
        self._total = 0
        self._untouched = True

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What the chunk unfolds to. Raises ``httpx.DecodingError``."""
        if self._untouched and self._window == _ZLIB and chunk and chunk[0] & 0x0F != 8:
            self._window = _RAW  # some servers take "deflate" at its word and leave out the zlib header
            self._stream = zlib.decompressobj(_RAW)
        self._untouched = self._untouched and not chunk
        while chunk:
            if self._stream.eof:  # a body may be several gzip members
                if chunk[0] != _GZIP_FIRST_BYTE:
                    return  # padding
                self._stream = zlib.decompressobj(self._window)
            try:
                piece = self._stream.decompress(chunk, PIECE_BYTES)
            except zlib.error as problem:
                raise httpx.DecodingError(f"its compressed answer is broken ({problem})") from None
            self._total += len(piece)
            if self._total > MAX_UNFOLDED_BYTES:
                raise httpx.DecodingError(
                    f"its compressed answer unfolds to more than {MAX_UNFOLDED_BYTES:,} bytes; it was given up"
                )
            if piece:
                yield piece
            chunk = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail
