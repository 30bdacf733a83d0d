"""The converting half of ``web_fetch``, a program of its own: a page that takes for ever can then be killed.

HTML from outside goes through two steps. A streaming pass, linear in its size, keeps what a reader sees: it drops
scripts, styles, navigation and hidden elements, keeps few attributes, and bounds depth and length. Then
markdownify writes what is left as Markdown. Started with ``python -I``: it imports nothing of ours.

Argument: a JSON object with ``url`` (for relative links) and ``max_characters`` of clean HTML. Standard input: HTML in
UTF-8. Output: two JSON lines with ``title``, ``text``, ``plain`` and ``cut`` (the page goes on): first the text alone,
then Markdown. Whoever kills this program in its second step still has the first line.
"""

import contextlib
import html
import json
import re
import resource
import sys
import warnings
from collections.abc import Iterator
from html.parser import HTMLParser
from typing import Any, cast
from urllib.parse import urljoin, urlsplit

MAX_DEPTH = 60
"""Elements deeper than this lose their tags, not their text."""
_MEMORY_BYTES = 1_500_000_000
_TITLE_CHARACTERS = 200
_HREF_CHARACTERS = 1000
_LEAST_SHARE = 0.02
"""If less of all text than this is left, what was dropped was no navigation."""

_VOID = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr"]
)
_DROPPED = frozenset(
    [
        "script",
        "style",
        "template",
        "noscript",
        "svg",
        "iframe",
        "object",
        "canvas",
        "audio",
        "video",
        "head",
        "select",
        "button",
        "textarea",
        "dialog",
        "map",
    ]
)
_NAVIGATION = frozenset(("nav", "footer"))
_OPTIONAL_END = frozenset(("p", "li", "dt", "dd", "tr", "td", "th"))
_BLOCKS = frozenset(
    [
        "p",
        "div",
        "section",
        "article",
        "main",
        "aside",
        "header",
        "figure",
        "figcaption",
        "details",
        "summary",
        "address",
        "ul",
        "ol",
        "li",
        "dl",
        "dt",
        "dd",
        "table",
        "tr",
        "blockquote",
        "pre",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
    ]
)
_KEPT = _BLOCKS | frozenset(
    [
        "a",
        "b",
        "strong",
        "i",
        "em",
        "code",
        "kbd",
        "samp",
        "del",
        "s",
        "sub",
        "sup",
        "caption",
        "thead",
        "tbody",
        "tfoot",
        "th",
        "td",
        "br",
        "hr",
        "q",
    ]
)
_UNSEEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden|font-size\s*:\s*0(?:px|em|pt|%|\s*[;\"]|\s*$)", re.I)
_LANGUAGE = re.compile(r"\b(?:language|lang|highlight-source|highlight|brush:)-?\s*([a-z0-9+#]{1,20})\b", re.I)
_COMMENT = re.compile(r"<!--.*?(?:-->|(?=</script)|\Z)", re.DOTALL | re.I)
"""Taken out beforehand: the parser reads unfinished ones in the square of their number."""
_ANCHOR_SIGNS = re.compile(r"[ \t]*(?:¶|🔗|\[#\]\([^)\s]*\))[ \t]*$", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n(?:[ \t]*\n){2,}")
_SPACE = re.compile(r"\s+")
_LONG_SPACE = re.compile(r"[ \t]{200,}|\n{4,}")
_CLOSED_BY = {
    "li": (frozenset(("li",)), frozenset(("ul", "ol"))),
    "dt": (frozenset(("dt", "dd")), frozenset(("dl",))),
    "dd": (frozenset(("dt", "dd")), frozenset(("dl",))),
    "td": (frozenset(("td", "th")), frozenset(("tr", "table"))),
    "th": (frozenset(("td", "th")), frozenset(("tr", "table"))),
    "tr": (frozenset(("tr",)), frozenset(("table",))),
    "tbody": (frozenset(("thead", "tbody")), frozenset(("table",))),
    "tfoot": (frozenset(("thead", "tbody")), frozenset(("table",))),
}
"""Which open elements the start of one ends, and within which."""


class Cleaner(HTMLParser):
    """Keeps the visible part of a page as simple HTML. ``strict`` drops navigation and hidden elements too."""

    def __init__(self, url: str, *, limit: int, strict: bool = True) -> None:
        super().__init__(convert_charrefs=True)
        self.title = ""
        self.cut = False
        self.seen_characters = 0
        """Of text, dropped text included; scripts and styles are none."""
        self.kept_characters = 0
        self.main_characters = 0
        self._url = url
        self._room = limit
        self._strict = strict
        self._out: list[str] = []
        self._main: list[str] = []
        self._in_main = 0
        self._open: list[str] = []
        self._dropping = ""
        self._nested = 0
        self._in_title = False
        self._spaced = True

    def clean(self) -> str:
        """The whole page, or only its main part when it says which that is and there is text in it."""
        while self._open:
            self._close_last()
        chosen = self._main if self._strict and self.main_characters > 200 else self._out
        return "".join(chosen)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep, drop, or drop with all that is in it."""
        if tag == "title" and not self.title and self._dropping in ("", "head"):
            self._in_title = True
            return
        if self._dropping:
            self._start_inside_dropped(tag)
            if self._dropping:
                return
        given = {name: value or "" for name, value in attrs}
        if tag not in _VOID and self._is_dropped(tag, given):
            self._dropping, self._nested = tag, 1
        elif tag in ("img", "br", "hr"):
            self._write(_void(tag, given))
        elif tag in _KEPT:
            self._start_kept(tag, given)

    def handle_endtag(self, tag: str) -> None:
        """Close what is open, down to this tag."""
        if tag == "title":
            self._in_title = False
        elif self._dropping:
            if tag == self._dropping:
                self._nested -= 1
                self._dropping = self._dropping if self._nested else ""
        elif tag in self._open[-MAX_DEPTH:]:
            while self._close_last() != tag:
                pass

    def handle_data(self, data: str) -> None:
        """Text."""
        if self._in_title:
            self.title = (self.title + data)[: 4 * _TITLE_CHARACTERS]
            return
        visible = len(data.strip())
        if self._dropping:
            self.seen_characters += visible if self._dropping not in ("script", "style", "head") else 0
            return
        self.seen_characters += visible
        if self._add_text(data):
            self.kept_characters += visible
            self.main_characters += visible if self._in_main else 0

    def _start_inside_dropped(self, tag: str) -> None:
        """Nested ones are counted; an element whose end may be left out ends at the next of its kind."""
        if (self._dropping, tag) == ("head", "body") or (tag == self._dropping and tag in _OPTIONAL_END):
            self._dropping = ""
        elif tag == self._dropping:
            self._nested += 1

    def _is_dropped(self, tag: str, given: dict[str, str]) -> bool:
        if tag in _DROPPED:
            return True
        if not self._strict or tag in ("html", "body"):
            return False
        hidden = "hidden" in given or given.get("aria-hidden") == "true" or _UNSEEN.search(given.get("style", ""))
        return bool(hidden) or tag in _NAVIGATION or given.get("role") == "navigation"

    def _start_kept(self, tag: str, given: dict[str, str]) -> None:
        self._end_before(tag)
        if len(self._open) >= MAX_DEPTH:
            self._add_text(" ")
            return
        attribute = ""
        if tag == "a":
            attribute = _attribute("href", self._link(given.get("href", "")))
        elif tag in ("pre", "code") and (found := _LANGUAGE.search(given.get("class", ""))):
            attribute = _attribute("class", found[1].lower())
        elif tag == "ol" and given.get("start", "").isdecimal():
            attribute = _attribute("start", given["start"][:6])
        self._in_main += tag in ("main", "article")
        if self._write(f"<{tag}{attribute}>"):
            self._open.append(tag)
        else:
            self._in_main -= tag in ("main", "article")

    def _end_before(self, tag: str) -> None:
        """End the elements whose end tags may be left out before this one (HTML standard, 13.1.2.4)."""
        if tag in _BLOCKS and self._open and self._open[-1] == "p":
            self._close_last()
        ended, within = _CLOSED_BY.get(tag, (frozenset[str](), frozenset[str]()))
        for place in range(len(self._open) - 1, -1, -1) if ended else ():
            if self._open[place] in within:
                return
            if self._open[place] in ended:
                while len(self._open) > place:
                    self._close_last()
                return

    def _close_last(self) -> str:
        name = self._open.pop()
        self._write(f"</{name}>", always=True)
        self._in_main -= name in ("main", "article")
        return name

    def _add_text(self, text: str) -> bool:
        """Text with its white space collapsed: long runs of it cost markdownify time in the square of their length."""
        if "pre" in self._open:
            text = _LONG_SPACE.sub(lambda run: run[0][:3], text)
        else:
            text = _SPACE.sub(" ", text)
            text = text[1:] if text.startswith(" ") and self._spaced else text
        self._spaced = text.endswith(" ") if text else self._spaced
        escaped = html.escape(text, quote=False)
        if len(escaped) <= self._room:
            return self._write(escaped)
        if self._room:  # as much as fits for certain: an escape has at most five characters
            self._write(html.escape(text[: self._room // 5], quote=False))
        self.cut, self._room = True, 0
        return False

    def _link(self, href: str) -> str:
        """Where a link goes: from the root when on this host, whole when elsewhere, empty when it leads nowhere."""
        href = href.strip()
        if not href or href.startswith("#") or len(href) > _HREF_CHARACTERS:
            return ""
        try:
            whole = urljoin(self._url, href)
            here, there = urlsplit(self._url), urlsplit(whole)
        except ValueError:
            return ""
        if there.scheme not in ("http", "https"):
            return whole if there.scheme == "mailto" else ""
        if (here.scheme, here.netloc) != (there.scheme, there.netloc):
            return whole
        return whole[len(f"{there.scheme}://{there.netloc}") :] or "/"

    def _write(self, text: str, *, always: bool = False) -> bool:
        """False when there is no room any more. Ends of elements are always written."""
        if not always and len(text) > self._room:
            self.cut, self._room = True, 0
            return False
        self._room -= 0 if always else len(text)
        self._out.append(text)
        if self._in_main:
            self._main.append(text)
        return True


def converted(page: str, url: str, *, limit: int) -> Iterator[dict[str, object]]:
    """The page as text, then as Markdown: the objects that are printed."""
    page = _COMMENT.sub("", page)
    cleaner = _fed(Cleaner(url, limit=limit), page)
    if cleaner.kept_characters < _LEAST_SHARE * cleaner.seen_characters:
        cleaner = _fed(Cleaner(url, limit=limit, strict=False), page)
    clean = cleaner.clean()
    title = _SPACE.sub(" ", cleaner.title).strip()[:_TITLE_CHARACTERS]
    yield {"title": title, "text": _tidy(_text(clean)), "plain": True, "cut": cleaner.cut}
    with contextlib.suppress(RecursionError, MemoryError):
        yield {"title": title, "text": _tidy(_markdown(clean)), "plain": False, "cut": cleaner.cut}


def _fed(cleaner: Cleaner, page: str) -> Cleaner:
    cleaner.feed(page)
    cleaner.close()
    return cleaner


def _markdown(clean: str) -> str:
    from markdownify import MarkdownConverter  # half of this program's start

    converter = cast("type[Any]", MarkdownConverter)(
        heading_style="atx",
        bullets="-",
        escape_asterisks=False,
        escape_underscores=False,
        table_infer_header=True,
        code_language_callback=_code_language,
    )
    return str(converter.convert(clean))


def _code_language(element: Any) -> str:
    """The language noted at a ``pre`` or at the ``code`` in it."""
    inner = element.find("code")
    classes = element.get("class") or (inner.get("class") if inner is not None else None) or [""]
    return str(classes[0])


def _text(clean: str) -> str:
    """The text alone, a line for each block."""
    broken = re.sub(r"<(/?)([a-z0-9]+)[^<>]*>", lambda tag: "\n" if tag[2] in _BLOCKS or tag[2] == "br" else "", clean)
    return html.unescape(broken)


def _tidy(text: str) -> str:
    text = "\n".join(line.rstrip() for line in text.split("\n"))
    return _BLANK_LINES.sub("\n\n", _ANCHOR_SIGNS.sub("", text)).strip()


def _void(tag: str, given: dict[str, str]) -> str:
    if tag != "img":
        return f"<{tag}>"
    alternative = _SPACE.sub(" ", given.get("alt", "")).strip()[:300]
    return f" [image: {html.escape(alternative)}] " if alternative else ""


def _attribute(name: str, value: str) -> str:
    return f' {name}="{html.escape(value)}"' if value else ""


def main(argument: str, page: str) -> None:
    """Convert one page; print the result."""
    warnings.simplefilter("ignore")
    with contextlib.suppress(ValueError, OSError):  # not every system bounds memory
        resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    request = cast("dict[str, Any]", json.loads(argument))
    for result in converted(page, str(request["url"]), limit=int(request["max_characters"])):
        sys.stdout.write(json.dumps(result) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.stdin.buffer.read().decode("utf-8", "replace"))
