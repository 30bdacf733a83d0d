"""Inline Markdown (emphasis, code, links) as spans.

HTML stays text. Entities may stand for control and bidirectional characters, so text is made safe again
after parsing. Only http and https links can be opened; their address is always shown.
"""

import re
from functools import lru_cache

from markdown_it import MarkdownIt
from markdown_it.token import Token

from ....tools.safe_text import safe_text
from .palette import Look
from .rows import PLAIN, Line, Span, plain_line, split_lines

_MARKUP = re.compile(r"[\\`*_~\[\]&]|https?://")
_ADDRESS = re.compile(r"https?://[^\s<>\"'`|\\^{}]+")
_OPENABLE = re.compile(r"https?://[!-~]+")
CODE = Look(role="code_type", on="panel")


@lru_cache(maxsize=1)
def _parser() -> MarkdownIt:
    return MarkdownIt("commonmark", {"html": False}).enable("strikethrough").disable(["autolink", "html_inline"])


def inline_lines(text: str, base: Look = PLAIN) -> list[Line]:
    """The lines of a paragraph. A newline of the source stays one: models break lines where they mean it."""
    if _MARKUP.search(text) is None:
        return [plain_line(line.strip(), base) for line in text.split("\n")]
    return list(split_lines(_spans(text, base)))


def closed_markers(text: str) -> str:
    """Text that is still growing, with its open ``**`` and backtick closed, so that a look does not flip later."""
    end = "`" if text.count("`") % 2 else ""
    bare = re.sub(r"`[^`]*(?:`|$)", "", text)
    bold = bare.count("**") % 2 == 1 and not bare.endswith("**")
    return text.rstrip() + end + ("**" if bold else "") if end or bold else text


def _spans(text: str, base: Look) -> list[Span]:
    children = _parser().parseInline(text)[0].children or []
    walk = _Walk(base)
    for token in children:
        walk.take(token)
    spans = walk.spans
    return [(safe_text(part), look) for part, look in spans] if "&" in text else spans


class _Walk:
    """Turns a run of inline tokens into spans; keeps the looks and links that are open."""

    def __init__(self, base: Look) -> None:
        self.spans: list[Span] = []
        self._looks = [base]
        self._address = ""
        self._link_start = 0

    def take(self, token: Token) -> None:
        """Add what one token shows."""
        look = self._looks[-1]
        match token.type:
            case "text" | "text_special" | "html_inline":
                self._add_text(token.content, look)
            case "code_inline":
                self.spans.append((token.content, look._replace(role=CODE.role, on=CODE.on)))
            case "softbreak" | "hardbreak":
                self.spans.append(("\n", look))
            case "strong_open":
                self._looks.append(look._replace(bold=True))
            case "em_open":
                self._looks.append(look._replace(italic=True))
            case "s_open":
                self._looks.append(look._replace(strike=True))
            case "link_open":
                self._open_link(str(token.attrGet("href") or ""), look)
            case "link_close":
                self._close_link()
            case "strong_close" | "em_close" | "s_close":
                self._looks.pop()
            case "image":
                self.spans.append((f"[{token.content or 'image'}]", look._replace(role="muted")))
            case _:
                self.spans.append((token.content, look))

    def _add_text(self, text: str, look: Look) -> None:
        """Plain text, with bare addresses marked as links."""
        if not text:
            return
        position = 0
        for found in () if self._address or "http" not in text else _ADDRESS.finditer(text):
            address = _trimmed(found[0])
            self.spans.append((text[position : found.start()], look))
            position = found.start() + len(address)
            link = address if _OPENABLE.fullmatch(address) else ""
            self.spans.append((address, look._replace(role="accent", underline=True, link=link)))
        self.spans.append((text[position:], look))

    def _open_link(self, address: str, look: Look) -> None:
        self._address = address
        self._link_start = len(self.spans)
        link = address if _OPENABLE.fullmatch(address) else ""
        self._looks.append(look._replace(role="accent", underline=True, link=link))

    def _close_link(self) -> None:
        self._looks.pop()
        label = "".join(text for text, _ in self.spans[self._link_start :])
        if label not in (self._address, self._address.removeprefix("mailto:")):
            self.spans.append((f" ({self._address})", self._looks[-1]._replace(role="muted")))
        self._address = ""


def _trimmed(address: str) -> str:
    """An address found in prose without the punctuation that follows it."""
    address = address.rstrip(".,:;!?*_~")
    while address.endswith((")", "]")) and address.count(address[-1]) > address.count(
        "(" if address[-1] == ")" else "["
    ):
        address = address[:-1].rstrip(".,:;!?*_~")
    return address
