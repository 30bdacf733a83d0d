"""A document looks the same however its text arrived, and no flush does more work than its size asks for."""

from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rich.cells import cell_len

from patchbay.app.tui.transcript import blocks
from patchbay.app.tui.transcript.blocks import LONGEST_PARAGRAPH, SEGMENT
from patchbay.app.tui.transcript.document import Document
from patchbay.app.tui.transcript.palette import UNICODE_SIGNS
from patchbay.app.tui.transcript.rows import Row
from support.markdown_texts import DOCUMENTS, EVERYTHING, pieces

Looks = list[tuple[object, ...]]


def laid(text: str, width: int = 60, *, closed: bool = True) -> Document:
    document = Document(UNICODE_SIGNS)
    document.feed(text)
    if closed:
        document.close()
    document.lay(width)
    return document


def looks(document: Document) -> Looks:
    return [(row.spans, row.skip, row.joint, row.fill) for row in document.rows]


def texts(document: Document) -> list[str]:
    return [row.text.rstrip() for row in document.rows]


@given(DOCUMENTS, st.lists(st.integers(0, 400), max_size=12), st.integers(12, 70))
@example(EVERYTHING, list(range(0, 2000, 7)), 60)
@example(EVERYTHING, list(range(2000)), 33)
def test_streamed_in_any_pieces_it_looks_like_the_whole(text: str, cuts: list[int], width: int) -> None:
    document = Document(UNICODE_SIGNS)
    for piece in pieces(text, cuts):
        document.feed(piece)
        document.lay(width)
    document.close()
    document.lay(width)
    assert looks(document) == looks(laid(text, width))


@given(DOCUMENTS, st.lists(st.integers(0, 400), max_size=6), st.lists(st.integers(8, 90), min_size=7, max_size=7))
def test_resized_while_it_streams_it_looks_like_the_whole(text: str, cuts: list[int], widths: list[int]) -> None:
    document = Document(UNICODE_SIGNS)
    for piece, width in zip(pieces(text, cuts), widths, strict=False):
        document.feed(piece)
        document.lay(width)
    document.close()
    document.lay(40)
    assert looks(document) == looks(laid(text, 40))


@given(DOCUMENTS, st.lists(st.integers(0, 400), max_size=10))
@example(EVERYTHING, list(range(0, 2000, 3)))
def test_in_mid_stream_it_looks_like_one_made_anew(text: str, cuts: list[int]) -> None:
    document, seen = Document(UNICODE_SIGNS), ""
    for piece in pieces(text, cuts):
        document.feed(piece)
        document.lay(50)
        seen += piece
        assert looks(document) == looks(laid(seen, 50, closed=False))


@given(DOCUMENTS, st.lists(st.integers(0, 400), min_size=1, max_size=10))
def test_rows_before_the_first_changed_one_are_the_same_objects(text: str, cuts: list[int]) -> None:
    document = Document(UNICODE_SIGNS)
    for piece in pieces(text, cuts):
        before = list(document.rows)
        document.feed(piece)
        first = document.lay(50)
        assert all(one is other for one, other in zip(before[:first], document.rows[:first], strict=True))


@given(DOCUMENTS, st.integers(20, 60))
def test_every_row_fits(text: str, width: int) -> None:
    assert all(cell_len(row.text) <= width for row in laid(text, width).rows)


def test_everything_once() -> None:
    shown = texts(laid(EVERYTHING, 60))
    assert shown[0] == "Title of the thing"
    assert "Second line here." in shown
    for row in (
        "1. First",
        "   ◦ nested one",
        "     more lazy text",
        "        return x + 1  # comment",
        "3. Third",
        "○ todo",
        "✓ done",
        "  │ quote in list",
        "│ quote bold",
        "│ over lines",
        "│ lazy continuation",
        "│ • q item",
        "│   │ deeper",
        " indented code",
        " not closed ``` here",
        "<div>html</div>",
        "Text ends with **unclosed",
    ):
        assert row in shown, row
    table = shown.index("Para before table") + 2
    assert [cell.strip() for cell in shown[table].split("│")] == ["a", "b x", "number"]
    assert "two pipes | esc" in shown[table + 2]


def test_blank_rows_stand_between_blocks_and_not_under_headings() -> None:
    assert texts(laid("# H\n\none\n\n\n\ntwo\n- a\n- b\n\n```\nx\n```\nafter")) == [
        "H",
        "one",
        "",
        "two",
        "• a",
        "• b",
        "",
        " x",
        "",
        "after",
    ]


def test_an_open_table_shows_its_rows_and_a_closed_one_its_columns() -> None:
    document = laid("| a | b |\n|---|---|\n| 1 | 2 |\n| 3", closed=False)
    assert texts(document) == ["| a | b |", "|---|---|", "| 1 | 2 |", "| 3"]
    document.feed(" | 4 |\n\nafter")
    document.lay(60)
    assert texts(document) == ["a │ b", "──┼──", "1 │ 2", "3 │ 4", "", "after"]


def test_an_open_fence_is_coloured_while_it_grows() -> None:
    document = laid("```python\nreturn 1\nreturn", closed=False)
    assert [row.spans[1][1].role for row in document.rows] == ["code_keyword", "code_keyword"]
    assert {row.fill for row in document.rows} == {"panel"}


def test_bold_text_does_not_flip_while_it_grows() -> None:
    document = laid("some **bold wor", closed=False)
    assert texts(document) == ["some bold wor"]
    assert document.rows[0].spans[-1][1].bold


@pytest.mark.parametrize("chars", [SEGMENT * 3, LONGEST_PARAGRAPH + 5000])
@pytest.mark.parametrize("ending", ["", "\n\nafter"])
def test_a_long_paragraph_streams_like_a_short_one(chars: int, ending: str) -> None:
    text = ("words with `code` and **weight**, " * (chars // 34)).strip() + ending
    document, seen = Document(UNICODE_SIGNS), 0
    while seen < len(text):
        document.feed(text[seen : seen + 97])
        seen += 97
        document.lay(60)
    document.close()
    document.lay(60)
    assert looks(document) == looks(laid(text))
    assert " ".join(texts(document)).split() == text.replace("`", "").replace("**", "").split()


def work(monkeypatch: pytest.MonkeyPatch, content: str, at: int) -> tuple[int, int]:
    """Rows made and characters parsed by ten flushes of 16 characters after ``at`` characters."""
    document, position = Document(UNICODE_SIGNS), 0
    while position < at:
        document.feed(content[position : position + 512])
        position += 512
        document.lay(100)
    rows = parsed = 0
    make, parse = Row.__init__, blocks.inline_lines

    def count_rows(self: Row, *args: object, **options: object) -> None:
        nonlocal rows
        rows += 1
        make(self, *args, **options)  # type: ignore[arg-type]

    def count_parsed(text: str, *args: object) -> object:
        nonlocal parsed
        parsed += len(text)
        return parse(text, *args)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Row, "__init__", count_rows)
        patch.setattr(blocks, "inline_lines", count_parsed)
        for _ in range(10):
            document.feed(content[position : position + 16])
            position += 16
            document.lay(100)
    return rows, parsed


@pytest.mark.parametrize(
    "content",
    [
        lambda: "```python\n" + "value = compute(value)  # step\n" * 3000,
        lambda: "| a | b |\n|---|---|\n" + "| one | two words |\n" * 5000,
        lambda: "endless words with `code` in one paragraph, " * 2000,
        lambda: "a paragraph of several words\n\n- with\n- points\n\n" * 2000,
        lambda: "- item of one endless list\n  - with a nested point\n" * 2000,
        lambda: "> quoted words on and on\n" * 4000,
        lambda: "1. outer\n   ```sh\n" + "   echo hello there\n" * 4000,
    ],
    ids=["fence", "table", "paragraph", "mixed", "list", "quote", "nested fence"],
)
def test_the_work_of_a_flush_does_not_grow_with_the_document(
    monkeypatch: pytest.MonkeyPatch, content: Callable[[], str]
) -> None:
    text = content()
    rows, parsed = work(monkeypatch, text, 80_000)
    assert rows <= 400
    assert parsed <= 10 * (SEGMENT + 64)
