"""Tables: cells, alignment, and that every row fits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from patchbay.app.tui.transcript.palette import UNICODE_SIGNS
from patchbay.app.tui.transcript.table import Table, fitted, split_cells, table_rows


def shown(lines: list[str], width: int) -> list[str]:
    table = Table()
    for line in lines:
        table.add(line)
    return [row.text.rstrip() for row in table_rows(table, width, UNICODE_SIGNS, first=(), rest=())]


@pytest.mark.parametrize(
    ("line", "cells"),
    [
        ("| a | b |", ["a", "b"]),
        ("a | b", ["a", "b"]),
        ("| a \\| b |", ["a | b"]),
        ("| a |  |", ["a", ""]),
        ("|", [""]),
    ],
)
def test_cells(line: str, cells: list[str]) -> None:
    assert split_cells(line) == cells


def test_columns_are_aligned() -> None:
    assert shown(["| name | n |", "|:--|--:|", "| a | 1 |", "| **bb** | 22 |"], 40) == [
        "name │  n",
        "─────┼───",
        "a    │  1",
        "bb   │ 22",
    ]


def test_wide_characters_keep_columns_straight() -> None:
    rows = shown(["| a | b |", "|---|---|", "| 漢字 | x |", "| y | z |"], 40)
    assert {cell_len(row.split("│")[0]) for row in rows if "│" in row} == {5}


def test_a_wide_column_is_wrapped_and_the_narrow_ones_keep_their_width() -> None:
    assert shown(["| id | text |", "|--|--|", "| 7 | one two three four |"], 16) == [
        "id │ text",
        "───┼────────────",
        "7  │ one two",
        "   │ three four",
    ]


def test_rows_with_too_few_or_too_many_cells_are_evened_out() -> None:
    assert shown(["|a|b|", "|-|-|", "|1|", "|1|2|3|"], 20)[2:] == ["1 │", "1 │ 2"]


def test_line_breaks_in_cells() -> None:
    assert shown(["|a|b|", "|-|-|", "|x<br>y|z|"], 20)[2:] == ["x │ z", "y │"]


def test_where_columns_cannot_fit_rows_become_records() -> None:
    assert shown(["|a|b|c|", "|-|-|-|", "|one|two|three|"], 12) == ["a: one", "b: two", "c: three"]


@given(st.lists(st.integers(0, 60), min_size=1, max_size=8), st.integers(1, 120))
def test_fitted_columns_fit(wished: list[int], room: int) -> None:
    widths = fitted(wished, room)
    if widths is not None:
        assert sum(widths) <= max(room, len(wished))
        assert all(1 <= width <= max(1, wish) for width, wish in zip(widths, wished, strict=True))


@given(
    st.lists(st.lists(st.text("ab 漢x", max_size=30), min_size=3, max_size=3), min_size=1, max_size=4),
    st.integers(14, 80),
)
def test_no_row_is_wider_than_the_pane(rows: list[list[str]], width: int) -> None:
    lines = ["| a | b | c |", "|---|:-:|--:|", *("|" + "|".join(row) + "|" for row in rows)]
    table = Table()
    for line in lines:
        table.add(line)
    assert all(cell_len(row.text) <= width for row in table_rows(table, width, UNICODE_SIGNS, first=(), rest=()))
