"""Bodies of web replies: what kind they are, unfolding what came compressed, and turning bytes into text.

Content types: RFC 9110 section 8.3. Content codings: section 8.4.1. Names of character sets: the WHATWG Encoding
standard, of which the labels that still occur are known here.
"""

import codecs
import re
import zlib
from collections.abc import Iterator
from enum import StrEnum

from .text_file import decode

ACCEPTED_CODINGS = "gzip, deflate"
_PIECE_BYTES = 128 * 1024
_WINDOWS = {"gzip": 16 + zlib.MAX_WBITS, "x-gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}

_HTML = frozenset(("text/html", "application/xhtml+xml"))
_TEXT = re.compile(
    r"text/.+|(?:application|image|model|message)/(?:.+\+)?(?:json|xml|yaml)"
    r"|application/(?:json-seq|x-ndjson|ndjson|jsonl|jsonlines|xml-dtd|x-yaml|toml|x-toml|(?:x-)?javascript|ecmascript"
    r"|typescript|x-sh|x-python|x-httpd-php|sql|graphql|rtf|x-tex|x-latex|x-subrip|mbox|x-patch|x-diff)"
)
_UNSAID = frozenset(("", "application/octet-stream", "binary/octet-stream", "application/unknown", "unknown/unknown"))

_CHARSET = re.compile(r"charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{2,40})", re.IGNORECASE)
_DECLARED = re.compile(
    rb"<meta[^>]{0,200}charset\s*=\s*[\"']?\s*([A-Za-z0-9_.:-]{2,40})"
    rb"|\A\s*<\?xml[^>]{0,200}encoding\s*=\s*[\"']([A-Za-z0-9_.:-]{2,40})",
    re.IGNORECASE,
)
_DECLARED_WITHIN = 2048
_MARKS = ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"))
_CODECS = {
    "utf8": "utf-8",
    "unicode11utf8": "utf-8",
    "utf16": "utf-16-le",
    "utf16le": "utf-16-le",
    "utf16be": "utf-16-be",
    "usascii": "cp1252",
    "ascii": "cp1252",
    "latin1": "cp1252",
    "iso88591": "cp1252",
    "iso885911": "cp874",
    "tis620": "cp874",
    "windows874": "cp874",
    "iso88599": "cp1254",
    "koi8r": "koi8_r",
    "koi8": "koi8_r",
    "koi8u": "koi8_u",
    "ibm866": "cp866",
    "cp866": "cp866",
    "macintosh": "mac_roman",
    "shiftjis": "cp932",
    "sjis": "cp932",
    "xsjis": "cp932",
    "windows31j": "cp932",
    "eucjp": "euc_jp",
    "xeucjp": "euc_jp",
    "iso2022jp": "iso2022_jp",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "xgbk": "gb18030",
    "gb18030": "gb18030",
    "big5": "big5hkscs",
    "big5hkscs": "big5hkscs",
    "euckr": "cp949",
    "ksc56011987": "cp949",
}
"""Codecs by label without punctuation. Only these: some of Python's codecs are no character sets."""
_FAMILIES = ((re.compile(r"(?:windows|cp|xcp)(125[0-8])"), "cp"), (re.compile(r"iso8859([2-8]|1[03-6])"), "iso8859_"))


class BodyKind(StrEnum):
    """What can be done with a body."""

    HTML = "html"
    TEXT = "text"
    UNSAID = "unsaid"
    """The server does not say: text if it looks like text."""
    BINARY = "binary"


class BadBody(Exception):
    """The body cannot be used; the message says why."""


def media_type(header: str) -> str:
    """``text/html; charset=utf-8`` without its parameters, in lower case."""
    return header.partition(";")[0].partition(",")[0].strip().lower()


def kind_of(media: str) -> BodyKind:
    """What a media type means for us."""
    if media in _HTML:
        return BodyKind.HTML
    if media in _UNSAID:
        return BodyKind.UNSAID
    return BodyKind.TEXT if _TEXT.fullmatch(media) else BodyKind.BINARY


class Unfolder:
    """Takes a body as it comes and gives it uncompressed, never more than ``limit`` bytes of it.

    Raises ``BadBody`` for a coding that was not asked for.
    """

    def __init__(self, coding: str, *, limit: int) -> None:
        coding = coding.strip().lower()
        if coding not in ("", "identity") and coding not in _WINDOWS:
            raise BadBody(f"the server sends it in the compression {coding[:40]!r}, which was not asked for")
        self._window = _WINDOWS.get(coding)
        self._stream = None if self._window is None else zlib.decompressobj(self._window)
        self._room = limit
        self._untouched = True
        self.full = False
        """The limit is reached: what follows is left out."""

    def feed(self, chunk: bytes) -> Iterator[bytes]:
        """What the chunk unfolds to. Raises ``BadBody`` when it is broken."""
        if self._stream is None:
            yield from self._kept(chunk)
            return
        if self._untouched and chunk and self._window == zlib.MAX_WBITS and chunk[0] & 0x0F != 8:
            self._window = -zlib.MAX_WBITS  # some servers leave out the header that "deflate" means
            self._stream = zlib.decompressobj(self._window)
        self._untouched = self._untouched and not chunk
        while chunk and not self.full:
            if self._stream.eof:  # gzip may have several members; other bytes after the end are padding
                if chunk[0] != 0x1F or self._window is None:
                    return
                self._stream = zlib.decompressobj(self._window)
            try:
                yield from self._kept(self._stream.decompress(chunk, _PIECE_BYTES))
            except zlib.error as problem:
                raise BadBody(f"its compression is broken ({problem})") from None
            chunk = self._stream.unused_data if self._stream.eof else self._stream.unconsumed_tail

    def end(self) -> Iterator[bytes]:
        """What was still held back. Raises ``BadBody`` for a compressed body that is cut off."""
        if self._stream is None or self.full:
            return
        while not self.full and (piece := self._stream.decompress(b"", _PIECE_BYTES)):
            yield from self._kept(piece)
        if not self._stream.eof and not self._untouched and not self.full:
            raise BadBody("it is cut off in the middle of its compression")

    def _kept(self, piece: bytes) -> Iterator[bytes]:
        self.full = self.full or len(piece) > self._room
        piece = piece[: self._room]
        self._room -= len(piece)
        if piece:
            yield piece


def text_of(body: bytes, content_type: str, *, markup: bool) -> str | None:
    """The text of a body: by its byte order mark, the header, what it declares (``markup``), UTF-8, or Windows-1252.

    None when it is no text. What cannot be decoded becomes the replacement character. Line ends become ``\\n``.
    """
    mark, codec = next(((mark, codec) for mark, codec in _MARKS if body.startswith(mark)), (b"", ""))
    if not codec:
        codec = _named(content_type, body, markup=markup)
    wide = codec.startswith("utf-16")
    if not wide and decode(body) is None and not codec.startswith("iso2022"):
        return None
    text = body[len(mark) :].decode(codec, "replace") if codec else _guessed(body)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _named(content_type: str, body: bytes, *, markup: bool) -> str:
    """The codec that header or body name; empty when neither names one that is known."""
    if (said := _CHARSET.search(content_type)) and (codec := codec_of(said[1])):
        return codec
    declared = _DECLARED.search(body[:_DECLARED_WITHIN]) if markup else None
    if declared is None:
        return ""
    codec = codec_of((declared[1] or declared[2]).decode("ascii"))
    # A declaration that could be read as ASCII is not in UTF-16, whatever it says.
    return "utf-8" if codec.startswith("utf-16") else codec


def codec_of(label: str) -> str:
    """Python's codec for the name of a character set; empty when it is none that the web uses."""
    plain = re.sub(r"[^a-z0-9]", "", label.lower())
    if known := _CODECS.get(plain):
        return known
    for pattern, prefix in _FAMILIES:
        if found := pattern.fullmatch(plain):
            return prefix + found[1]
    return ""


def _guessed(body: bytes) -> str:
    """UTF-8 when it is (a cut at the end does not count against it), else what old pages mostly are."""
    decoder = codecs.getincrementaldecoder("utf-8")("strict")
    try:
        return decoder.decode(body)
    except UnicodeDecodeError:
        return body.decode("cp1252", "replace")
