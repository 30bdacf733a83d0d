"""No control character gets through, nothing readable is lost, however the text is cut."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patchbay.tools.safe_text import SafeTextStream, reveal, safe_line, safe_text

SPLIT = (
    "\x1b [ ] P \\ \x07 \x9b \x9d \x90 \x9c \r \n \t 0; 31 m ( B abc "
    "\u200d \U0001f469 \ufe0f \u202e \x18 \x00 \x7f \ud800 é"
)
PIECES = st.lists(st.sampled_from([*SPLIT.split(" "), " "]), max_size=30).map("".join)


def hostile(text: str) -> list[str]:
    return [c for c in text if c not in "\n\t" and unicodedata.category(c) in ("Cc", "Cs", "Cf", "Zl", "Zp")]


@pytest.mark.parametrize(
    ("text", "safe"),
    [
        ("plain ä 漢字\twith tab\n", "plain ä 漢字\twith tab\n"),
        ("a\x1b[31;1mred\x1b[0mb", "aredb"),
        ("a\x1b]0;title\x07b", "ab"),
        ("a\x1b]52;c;QUJD\x1b\\b", "ab"),
        ("a\x9d52;c;QUJD\x9cb", "ab"),
        ("\x1b]8;;http://x.test\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("a\x1bPtmux;\x1b\x1b]52;c;QQ\x07\x1b\\b", "ab"),
        ("a\x1b]52;c;never ends", "a"),
        ("a\x1b]52;c;never ends\nnext", "a\nnext"),
        ("a\x1b_G;\x1b\\b\x1b^p\x1b\\c\x1bXs\x1b\\d", "abcd"),
        ("a\x1b(0b\x1bcd\x1b", "abd"),
        ("a\x9b2Jb", "ab"),
        ("one\r\ntwo\rthree\r\r\nfour", "one\ntwo\nthree\nfour"),
        ("rm -rf /\x08\x08ls\x00\x7f", "rm -rf /ls"),
        ("quote\x9d and the rest of the line stays", "quote and the rest of the line stays"),
        ("a\u202eb\u200bc\ufeffd", "a⟨U+202E⟩b⟨U+200B⟩c⟨U+FEFF⟩d"),
        ("a\u2028b", "a⟨U+2028⟩b"),
        ("x\U000e0072", "x⟨U+E0072⟩"),
        ("a\ud800b", "a\ufffdb"),
        ("\U0001f469\u200d\U0001f4bb", "\U0001f469\U0001f4bb"),
        ("e\ufe0f\ufe0f", "e\ufe0f⟨U+FE0F⟩"),
    ],
)
def test_what_becomes_of(text: str, safe: str) -> None:
    assert safe_text(text) == safe


def test_clean_text_is_the_same_object() -> None:
    text = "def f():\n\treturn 'ä'\n"
    assert safe_text(text) is text


def test_line_shows_line_ends_and_has_none() -> None:
    assert safe_line("a\nb\r\nc\td") == "a↵b↵c d"


def test_reveal_takes_nothing_out() -> None:
    assert reveal("ls \x1b]0;; rm -rf ~\x07\x9b\u200b\n\t") == "ls ⟨U+001B⟩]0;; rm -rf ~⟨U+0007⟩⟨U+009B⟩⟨U+200B⟩\n\t"


@given(st.text() | PIECES)
def test_no_control_gets_through(text: str) -> None:
    for shown in (safe_text(text), reveal(text)):
        assert not [c for c in hostile(shown) if unicodedata.category(c) != "Cf"]
        assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200b\u200e\u200f\ufeff")
    assert "\n" not in safe_line(text) and "\t" not in safe_line(text)


@given(st.text(alphabet=st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs"))))
def test_ordinary_text_is_kept(text: str) -> None:
    kept = "".join(c for c in text if c not in "\u115f\u1160\u3164\uffa0")  # letters without a glyph
    assert safe_text(kept) == kept


@given(PIECES, st.lists(st.integers(1, 5), min_size=1, max_size=40))
def test_cut_anywhere_gives_the_same(text: str, sizes: list[int]) -> None:
    stream = SafeTextStream()
    shown, at = "", 0
    for size in [*sizes, len(text)]:
        shown += stream.feed(text[at : at + size])
        at += size
    assert shown + stream.flush() == safe_text(text)


def test_stream_holds_back_little_of_an_endless_sequence() -> None:
    stream = SafeTextStream()
    assert "".join(stream.feed("\x1b]52;c;" + "A" * 1000) for _ in range(1000)) == ""
    assert sum(len(part) for part in vars(stream).values()) < 10_000
    assert stream.feed("\x07after") == "after"


def test_stream_shows_a_long_text_after_a_stray_introducer() -> None:
    stream = SafeTextStream()
    text = "\x9d" + "word " * 2000
    assert stream.feed(text) + stream.flush() == text[1:]
