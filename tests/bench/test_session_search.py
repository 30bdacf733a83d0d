"""A search over a thousand sessions answers within a keypress: measured against reading their texts, and by growth."""

from pathlib import Path

import pytest

from patchbay.app.engine import archive
from patchbay.app.tui.widgets.session_rows import found
from support.costs import ATTEMPTS, seconds
from support.many_sessions import many_sessions

TYPED = (
    "p",
    "pa",
    "par",
    "parser",
    "parser num",
    "parser number 7",
    "kaparser",
    "mi",
    "kaparser losettings",
    "number mi",
    "zebra",
)
MOST_OF_A_SCAN = 2.5
"""What the slowest letter may cost, of one pass over all texts (20 MB) with LIKE. Measured: 0.6 to 0.9, 11 to 16 ms."""
MOST_GROWTH = 4.0
"""How much more the slowest letter may cost over ten times as many sessions. Measured: 1.0 to 1.3."""


def slowest(connection, rows) -> float:
    def look(text: str) -> None:
        found(rows, archive.search(connection, text), text, "/src/here")

    return max(seconds(lambda text=text: look(text)) for text in TYPED)


def test_a_letter_costs_about_one_pass_over_the_texts_and_hardly_grows(tmp_path: Path) -> None:
    few, many = (many_sessions(tmp_path / f"{count}.db", count) for count in (100, 1000))
    rows_of_few, rows = (archive.list_sessions(each, limit=100_000) for each in (few, many))
    assert len(rows) == 1000
    measured: list[tuple[float, float]] = []
    for _ in range(ATTEMPTS):
        letter = slowest(many, rows)
        scan = seconds(lambda: many.execute("SELECT count(*) FROM texts WHERE body LIKE '%zebra%'").fetchone())
        measured.append((letter / scan, letter / slowest(few, rows_of_few)))
        if measured[-1][0] <= MOST_OF_A_SCAN and measured[-1][1] <= MOST_GROWTH:
            return
    pytest.fail(f"share of a scan and growth in {ATTEMPTS} attempts: {measured}")
