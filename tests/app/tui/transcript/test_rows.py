"""Wrapping: every row fits, nothing is lost, and copying gives the text back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from patchbay.app.tui.transcript.rows import PLAIN, Row, break_text, elide, plain_line, split_lines, wrap, wrap_lines

TEXT = st.text(alphabet=st.sampled_from("ab cde fgh漢字👍é\u0301—。x" + "👩\u200d💻"), max_size=120)


def copied(rows: list[Row]) -> str:
    text = ""
    for index, row in enumerate(rows):
        text += (row.joint if index else "") + row.text[row.skip :]
    return text


@given(TEXT, st.integers(2, 30), st.booleans())
def test_every_row_fits_and_no_character_but_blanks_at_breaks_is_lost(text: str, width: int, words: bool) -> None:
    rows = wrap(plain_line(text), width, words=words)
    assert all(cell_len(row.text) <= width for row in rows)
    assert "".join(row.text for row in rows).replace(" ", "") == text.replace(" ", "")


@given(st.text(alphabet="ab cd", max_size=80), st.integers(1, 20))
def test_code_is_copied_to_the_letter(text: str, width: int) -> None:
    prefix = [("| ", PLAIN)]
    assert copied(wrap(plain_line(text), width, first=prefix, rest=prefix, words=False)) == text


def test_prose_is_copied_with_single_blanks_where_it_was_broken() -> None:
    rows = wrap(plain_line("the quick brown fox jumps"), 11, first=[("- ", PLAIN)], rest=[("  ", PLAIN)])
    assert [row.text for row in rows] == ["- the quick", "  brown fox", "  jumps"]
    assert copied(rows) == "the quick brown fox jumps"


@pytest.mark.parametrize(
    ("text", "width", "shown"),
    [
        ("one two three", 7, ["one two", "three"]),
        ("one two three", 8, ["one two", "three"]),
        ("onetwothree", 4, ["onet", "woth", "ree"]),
        ("a veryverylongword b", 6, ["a", "veryve", "rylong", "word b"]),
        ("", 5, [""]),
        ("漢字漢字", 5, ["漢字", "漢字"]),
        ("ab漢字", 4, ["ab漢", "字"]),
        ("漢字。", 5, ["漢", "字。"]),
        ("👍👍", 1, ["👍", "👍"]),
        ("e\u0301e\u0301e\u0301", 2, ["e\u0301e\u0301", "e\u0301"]),
    ],
)
def test_breaks(text: str, width: int, shown: list[str]) -> None:
    assert [text[start:end] for start, end in break_text(text, width, width)] == shown


def test_a_joined_emoji_is_never_cut() -> None:
    text = "xx👩\u200d💻yy"
    assert [text[start:end] for start, end in break_text(text, 4, 4)] == ["xx👩\u200d💻", "yy"]


def test_looks_survive_wrapping() -> None:
    bold = PLAIN._replace(bold=True)
    rows = wrap([("plain ", PLAIN), ("bold words", bold)], 10)
    assert [row.spans for row in rows] == [(("plain ", PLAIN), ("bold", bold)), (("words", bold),)]


def test_lines_split_at_newlines_within_spans() -> None:
    assert list(split_lines([("a\nb", PLAIN), ("c\n", PLAIN)])) == [[("a", PLAIN)], [("b", PLAIN), ("c", PLAIN)], []]


def test_only_the_first_row_has_the_first_prefix() -> None:
    rows = wrap_lines([plain_line("a"), plain_line("b")], 10, first=[("* ", PLAIN)], rest=[("  ", PLAIN)])
    assert [row.text for row in rows] == ["* a", "  b"]


@given(TEXT, st.integers(0, 20))
def test_elided_text_fits(text: str, width: int) -> None:
    assert cell_len(elide(text, width, "…")) <= max(width, 1)


def test_elided_text_says_so() -> None:
    assert elide("abcdef", 4, "…") == "abc…"
    assert elide("abcd", 4, "…") == "abcd"
