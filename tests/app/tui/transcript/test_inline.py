"""Inline Markdown: looks, links, and that nothing dangerous comes out of entities."""

import pytest

from patchbay.app.tui.transcript.inline import closed_markers, inline_lines
from patchbay.app.tui.transcript.rows import Line


def text(lines: list[Line]) -> str:
    return "\n".join("".join(part for part, _ in line) for line in lines)


def looks(source: str) -> dict[str, object]:
    return {part: look for line in inline_lines(source) for part, look in line}


def test_emphasis_code_and_strikethrough() -> None:
    found = looks("a **b** *c* `d` ~~e~~ ***f***")
    assert found["b"].bold and found["c"].italic and found["e"].strike
    assert found["d"].on == "panel"
    assert found["f"].bold and found["f"].italic
    assert not found["a "].bold


def test_newlines_stay() -> None:
    assert text(inline_lines("one\ntwo **x**\nthree")) == "one\ntwo x\nthree"


def test_a_link_shows_where_it_goes_and_can_be_opened() -> None:
    lines = inline_lines("see [the docs](https://example.com/a) now")
    assert text(lines) == "see the docs (https://example.com/a) now"
    label = next(look for part, look in lines[0] if part == "the docs")
    assert label.link == "https://example.com/a" and label.underline


@pytest.mark.parametrize("address", ["file:///etc/passwd", "mailto:a@b.c", "ssh://host", "https://exa\u202emple.com"])
def test_only_http_addresses_open(address: str) -> None:
    lines = inline_lines(f"[label]({address})")
    assert "label" in text(lines)
    assert all(not look.link or look.link.isascii() for _, look in lines[0])
    assert all(look.link.startswith(("", "https://")) for _, look in lines[0])
    if not address.startswith("http"):
        assert all(not look.link for _, look in lines[0])


@pytest.mark.parametrize(
    ("source", "address"),
    [
        ("go to https://example.com/x, please", "https://example.com/x"),
        ("(https://example.com/a_(b))", "https://example.com/a_(b)"),
        ("https://example.com.", "https://example.com"),
        ("<https://example.com/q?a=1&b=2>", "https://example.com/q?a=1&b=2"),
    ],
)
def test_bare_addresses_are_links_without_the_punctuation(source: str, address: str) -> None:
    linked = [part for line in inline_lines(source) for part, look in line if look.link]
    assert linked == [address]


def test_html_stays_text() -> None:
    assert text(inline_lines("a <b>bold</b> & <script>x</script>")) == "a <b>bold</b> & <script>x</script>"


@pytest.mark.parametrize("entity", ["&#x202e;", "&#x200b;", "&#8238;", "&zwj;&zwj;"])
def test_entities_cannot_smuggle_invisible_characters(entity: str) -> None:
    shown = text(inline_lines(f"a{entity}b"))
    assert "⟨U+" in shown
    assert not set(shown) & set("\u202e\u200b\u200d")


def test_entities_cannot_smuggle_control_characters() -> None:
    assert "\x1b" not in text(inline_lines("a&#27;[31mb &#x9b;31m"))


@pytest.mark.parametrize(
    ("growing", "closed"),
    [
        ("a **bol", "a **bol**"),
        ("a `cod", "a `cod`"),
        ("a **b** c", "a **b** c"),
        ("a **", "a **"),
        ("`a ** b` c", "`a ** b` c"),
    ],
)
def test_growing_text_gets_its_markers_closed(growing: str, closed: str) -> None:
    assert closed_markers(growing) == closed
