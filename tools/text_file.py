"""Text files as they are on disk: encoding, byte order mark and line ends survive a change of the text."""

import bisect
import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass

from .failures import ToolFailure

_SURROGATE = re.compile(r"[\ud800-\udfff]")
_ODD_BYTES = bytes(b for b in range(32) if b not in b"\t\n\x0b\x0c\r\x1b\x08\x07") + b"\x7f"
_SAMPLE = 8192
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class TextFile:
    """The text of a file, with its line ends as they are and undecodable bytes as lone surrogates (PEP 383)."""

    text: str
    encoding: str = "utf-8"
    mark: bytes = b""

    def encoded(self, text: str) -> bytes:
        """``text`` as bytes of this file's encoding, with its byte order mark."""
        return self.mark + text.encode(self.encoding, "surrogateescape" if self.encoding == "utf-8" else "strict")

    def refuse_unencodable(self, new_text: str) -> None:
        """Raise ``ToolFailure`` for text that cannot be put in this file without mixing encodings."""
        if _SURROGATE.search(new_text):
            raise ToolFailure("The new text holds lone surrogates, which no file can hold.", kind="encoding")
        if not new_text.isascii() and _SURROGATE.search(self.text):
            raise ToolFailure(
                "The file is not UTF-8, and its encoding is unknown: the new text must be plain ASCII.", kind="encoding"
            )


def decode(data: bytes) -> TextFile | None:
    """The text of a file; None when it is binary."""
    if data.startswith((codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)):
        return None
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            try:
                return TextFile(text=data[len(mark) :].decode(encoding), encoding=encoding, mark=mark)
            except UnicodeDecodeError:
                return None
    sample = data[:_SAMPLE]
    odd = len(sample) - len(sample.translate(None, _ODD_BYTES))
    if b"\0" in data or odd * 10 > 3 * len(sample):
        return None
    return TextFile(text=data.decode("utf-8", "surrogateescape"))


def in_style_of(old: bytes | None, content: str) -> bytes:
    """A whole new content with the encoding, byte order mark and line ends of the old one (None: no file).

    ``\\n`` becomes ``\\r\\n`` when every line of the old text ends so and the new text does not say otherwise.
    Raises ``ToolFailure`` for text that no file can hold.
    """
    TextFile(text="").refuse_unencodable(content)
    style = (decode(old) if old else None) or TextFile(text="")
    dos = "\r\n" in style.text and style.text.count("\r\n") == style.text.count("\n")
    return style.encoded(content.replace("\n", "\r\n") if dos and "\r" not in content else content)


def displayable(text: str) -> str:
    """``text`` with lone surrogates replaced, so that it can be written as UTF-8 or JSON."""
    return text if text.isascii() else _SURROGATE.sub("\ufffd", text)


class Lines:
    """A text with ``\\n`` as its only line end, and the way back to the places in the original."""

    def __init__(self, original: str) -> None:
        self._original = original
        old_mac = "\n" not in original and "\r" in original
        self._pairs: list[int] = []
        if old_mac:
            self.text = original.replace("\r", "\n")
            self._usual = "\r"
            return
        if "\r\n" in original:
            self._pairs = [match.start() - n for n, match in enumerate(re.finditer("\r\n", original))]
        self.text = original.replace("\r\n", "\n") if self._pairs else original
        self._usual = "\r\n" if 2 * len(self._pairs) > self.text.count("\n") else "\n"

    def replaced(self, parts: Iterable[tuple[int, int, str]]) -> str:
        """The original with the parts that ``text[start:end]`` stand for replaced; ``parts`` are in order.

        What old and new text have in common at both ends keeps its bytes. New line ends are like those of
        the part that goes, else like most of the file.
        """
        pieces: list[str] = []
        kept_from = 0
        for start, end, new in parts:
            first, last, middle = self._difference(start, end, new)
            pieces += (self._original[kept_from:first], middle)
            kept_from = last
        return "".join([*pieces, self._original[kept_from:]])

    def _difference(self, start: int, end: int, new: str) -> tuple[int, int, str]:
        """Where in the original the change begins and ends, and what stands there afterwards."""
        old = self.text[start:end]
        lead = _common_prefix(old, new)
        tail = _common_prefix(old[lead:][::-1], new[lead:][::-1])
        first, last = self._place(start + lead), self._place(end - tail)
        middle = new[lead : len(new) - tail]
        return (
            first,
            last,
            middle.replace("\n", self._line_end(self._original[first:last])) if "\n" in middle else middle,
        )

    def _place(self, offset: int) -> int:
        return offset + bisect.bisect_left(self._pairs, offset)

    def _line_end(self, replaced: str) -> str:
        if self._usual == "\r" or "\n" not in replaced:
            return self._usual
        return "\r\n" if replaced[: replaced.index("\n") + 1].endswith("\r\n") else "\n"


def as_lines(text: str) -> str:
    """``text`` with every ``\\r\\n`` as ``\\n``."""
    return text.replace("\r\n", "\n") if "\r" in text else text


def _common_prefix(one: str, other: str) -> int:
    """The number of characters that both begin with."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[low:middle] == other[low:middle] else (low, middle - 1)
    return low
