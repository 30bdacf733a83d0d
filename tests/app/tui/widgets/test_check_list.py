"""The checks above the prompt: their rows, and when they are there."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from patchbay.app.engine.state import CheckRun, SessionState, Verification
from patchbay.app.engine.verify_events import Check, CheckOutcome, VerifyOutcome
from patchbay.app.tui.transcript.palette import ASCII_SIGNS
from patchbay.app.tui.widgets.check_list import FEW_CHECKS, MOST_CHECKS, CheckList, CheckView, check_rows
from support.widget_app import WidgetApp


def check(name: str, outcome: CheckOutcome | None = None, *, started: float | None = None) -> CheckRun:
    known = Check(name=name, command=f"{name} --all", origin="settings")
    return CheckRun(check=known, outcome=outcome, started_at=started, summary="exit 1", duration_s=1.25)


RUNS = (
    check("pytest", CheckOutcome.FAILED, started=1.0),
    check("ruff", CheckOutcome.PASSED, started=2.0),
    check("mypy", started=97.9),
    check("docs"),
)
VIEW = CheckView(verification=Verification(verify_id="v", rounds=3, checks=RUNS), now=100.0, stop_key="Esc")


def texts(rows) -> list[str]:
    return ["".join(segment.text for segment in row) for row in rows]


def test_each_check_with_its_sign_word_and_time() -> None:
    rows = check_rows(VIEW, 60, most=MOST_CHECKS)
    assert [row.split()[0:2] for row in texts(rows)[1:]] == [
        ["✗", "pytest"],
        ["✓", "ruff"],
        ["●", "mypy"],
        ["○", "docs"],
    ]
    assert [row.split()[-3:] for row in texts(rows)[1:4]] == [
        ["failed", "1.2", "s"],
        ["passed", "1.2", "s"],
        ["running", "2.1", "s"],
    ]
    assert texts(rows)[0].split() == ["verify", "1/4", "passed", "Esc", "stops"]
    assert texts(rows)[4].rstrip().endswith("waiting")
    assert [row[0].role for row in rows[1:]] == ["danger", "ok", "accent", "muted"]


def test_signs_of_a_poor_terminal() -> None:
    assert all(text.isascii() for text in texts(check_rows(VIEW, 60, most=MOST_CHECKS, signs=ASCII_SIGNS)))


def test_the_round_and_who_is_at_work() -> None:
    (head, *_) = texts(check_rows(replace(VIEW, mending=True), 80, most=MOST_CHECKS))
    assert "1/4 passed · round 1 of 3 · the model mends" in head


def test_few_rows_stay_with_the_check_that_runs() -> None:
    runs = (
        *[check(f"c{n}", CheckOutcome.PASSED, started=1.0) for n in range(8)],
        check("now", started=2.0),
        check("z"),
    )
    view = replace(VIEW, verification=replace(VIEW.verification, checks=runs))
    rows = texts(check_rows(view, 80, most=FEW_CHECKS))
    assert len(rows) == 1 + FEW_CHECKS and "7 more not shown" in rows[0]
    assert any(" now " in row for row in rows)


@given(st.text(max_size=80), st.text(max_size=200), st.integers(40, 200), st.sampled_from([None, *CheckOutcome]))
def test_any_text_stays_within_its_row(name: str, command: str, width: int, outcome) -> None:
    run = CheckRun(check=Check(name=name, command=command, origin="x"), started_at=1.0, outcome=outcome)
    view = replace(VIEW, verification=replace(VIEW.verification, checks=(run,)))
    for text in texts(check_rows(view, width, most=3)):
        assert cell_len(text) <= width and "\n" not in text and "\x1b" not in text


@pytest.mark.parametrize(("size", "rows"), [((160, 48), 5), ((80, 24), 4)])
async def test_it_is_there_while_checks_run(size: tuple[int, int], rows: int) -> None:
    app = WidgetApp(lambda: [CheckList(stop_key="Esc", clock=lambda: 100.0)])
    async with app.run_test(size=size) as pilot:
        view = app.query_one(CheckList)
        running = SessionState(verification=VIEW.verification)
        for state, height in (
            (SessionState(), 0),
            (running, rows),
            (replace(running, verification=replace(VIEW.verification, outcome=VerifyOutcome.GREEN)), 0),
        ):
            view.sync(state)
            await pilot.pause()
            assert (view.size.height if view.display else 0) == height
