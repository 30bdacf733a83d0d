"""The spending screen: its numbers are the store's and the ledger's, every bar has a figure, every figure a source."""

import re
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest
from textual.widgets import Static

from patchbay.app.engine.events import CostSource
from patchbay.app.engine.ledger_rows import LedgerCall
from patchbay.app.engine.spending import By, spent
from patchbay.app.tui.spending import LEGEND, Order, Scope, View, detail, ordered
from patchbay.app.tui.widgets.spending import GROUPS, SpendingScreen, SpendingTable
from support.screens import Desk, on_screen
from support.sessions import until
from support.three_providers import SONNET, Costly

ROOMY, SMALL = (160, 48), (80, 24)


@asynccontextmanager
async def spending(tmp_path: Path, *, size: tuple[int, int] = ROOMY, play: bool = True, keys: str = "alt+m"):
    costly = Costly(tmp_path / "state" / "patchbay.db")
    if play:
        await costly.play()
    async with on_screen(costly.session, SONNET, size=size) as desk:
        desk.panel.ledger = costly.ledger
        await desk.pilot.press(keys)
        await desk.when(lambda: isinstance(desk.app.screen, SpendingScreen) and said(desk, "headline") != "")
        yield desk, costly
    costly.recorder.close()


def said(desk: Desk, name: str) -> str:
    return str(desk.app.screen.query_one(f"#spending-{name}", Static).render())


def rows(desk: Desk) -> list[str]:
    table = desk.app.screen.query_one(SpendingTable)
    return [str(line).rstrip() for line in (*table.rows, *([table.total] if table.total is not None else []))]


async def press(desk: Desk, *keys: str, shows: str) -> None:
    await desk.pilot.press(*keys)
    await desk.when(lambda: said(desk, "head").startswith(shows))


async def test_the_sum_is_the_stores_to_the_last_digit(tmp_path: Path) -> None:
    async with spending(tmp_path) as (desk, costly):
        totals = costly.session.state.totals
        assert f"~${totals.cost} and 1 of unknown price   9 calls" in said(desk, "headline")
        assert Decimal(re.findall(r"\$([\d.]+)", rows(desk)[-1])[0]) == totals.cost


@pytest.mark.parametrize("size", [ROOMY, SMALL], ids=["roomy", "small"])
async def test_rows_of_every_grouping_add_up_on_screen(tmp_path: Path, size: tuple[int, int]) -> None:
    async with spending(tmp_path, size=size) as (desk, costly):
        for by in GROUPS:
            await desk.when(lambda by=by: said(desk, "head").startswith(by))
            costs = [Decimal(found) for row in rows(desk)[:-1] for found in re.findall(r"\$([\d.]+)", row)]
            assert sum(costs) == costly.session.state.totals.cost, by
            for row in rows(desk):
                assert len(row) <= desk.app.screen.query_one(SpendingTable).size.width
                assert not re.search(r"[▰▱]", row) or re.search(r"\d %$", row), "a bar without its number"
            await desk.pilot.press("right")


async def test_each_number_says_where_it_comes_from(tmp_path: Path) -> None:
    async with spending(tmp_path) as (desk, _):
        shown = rows(desk)
        assert [re.findall(r"  ([rc~?]+)(?:  |$)", row) for row in shown] == [
            ["c~"],
            ["c"],
            ["r"],
            ["?", "?"],
            ["rc~?"],
        ]
        assert LEGEND in said(desk, "legend")
        assert re.search(r"anthropic/sonnet: \$1\.277742 computed, ~\$0\.00\d+ estimated", said(desk, "detail"))
        await desk.pilot.press("end")
        assert "1 of 1 calls of unknown price" in said(desk, "detail")


async def test_tokens_by_class_and_the_window(tmp_path: Path) -> None:
    async with spending(tmp_path) as (desk, costly):
        await desk.pilot.press("v")
        totals = costly.session.state.totals
        classes = (totals.input_tokens, totals.cache_read_tokens, totals.cache_write_tokens, totals.output_tokens)
        assert re.findall(r"~([\d,]+)", rows(desk)[-1])[:4] == [f"{count:,}" for count in classes]
        assert f"Window: ~{costly.session.state.context_tokens:,} of 1 M tokens" in said(desk, "cache")


async def test_what_broke_the_cache_is_said(tmp_path: Path) -> None:
    async with spending(tmp_path) as (desk, _):
        shown = said(desk, "cache")
        assert "broken once" in shown
        assert "11,840 tokens anew  provider switched from anthropic to openai" in shown


async def test_periods_and_the_command_that_prints_the_same(tmp_path: Path) -> None:
    async with spending(tmp_path) as (desk, _):
        assert "patchbay cost --session session-costly --by model" in said(desk, "legend")
        for words in ("--since today", "--since 7d", "--since 30d", ""):
            await desk.pilot.press("p")
            command = " ".join(f"patchbay cost {words} --by model".split())
            await desk.when(lambda command=command: command in said(desk, "legend"))
        await desk.when(lambda: said(desk, "headline").startswith("Spending  all: ~$"))
        await desk.pilot.press("P")
        await desk.when(lambda: "Nothing was spent in this period" in rows(desk)[0])


async def test_orders_go_round_and_the_cursor_stays_on_its_row(tmp_path: Path) -> None:
    async with spending(tmp_path) as (desk, _):
        await desk.pilot.press("down")
        assert said(desk, "detail").startswith("openai/gpt")
        for order in Order:
            await desk.pilot.press("o")
            assert f"by {order}" in said(desk, "scopes")
            assert said(desk, "detail").startswith("openai/gpt")
        assert rows(desk)[-1].startswith("total")


async def test_the_screen_follows_the_session(tmp_path: Path) -> None:
    async with spending(tmp_path, play=False) as (desk, costly):
        await desk.when(lambda: "Nothing was spent in this session yet" in rows(desk)[0])
        await costly.play()
        await desk.when(lambda: f"${costly.session.state.totals.cost}" in said(desk, "headline"))
        await desk.pilot.press("escape")
        assert not isinstance(desk.app.screen, SpendingScreen)


async def test_a_ledger_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    async with spending(tmp_path) as (desk, costly):
        costly.ledger.database = tmp_path
        await desk.pilot.press("right")
        await desk.when(lambda: "The ledger cannot be read: " in said(desk, "headline"))


async def test_a_session_that_is_not_saved_has_its_numbers_too() -> None:
    from patchbay.providers.scripted import ScriptedProvider, answer, end, text, usage
    from support.sessions import make_session

    session, _ = make_session(ScriptedProvider("fake", [answer(text("hi"), usage(10, 2), end())]))
    async with on_screen(session) as desk:
        await desk.type("hello")
        await desk.idle()
        await desk.type("/tokens")
        await desk.when(lambda: isinstance(desk.app.screen, SpendingScreen) and bool(said(desk, "head")))
        assert "this session: $0.00006   1 calls   10 in, 2 out" in said(desk, "headline")


async def test_the_ascii_screen_has_no_other_bar(tmp_path: Path) -> None:
    from patchbay.app.tui.transcript.palette import ASCII_SIGNS

    costly = Costly(tmp_path / "state" / "patchbay.db")
    await costly.play()
    async with on_screen(costly.session, SONNET) as desk:
        screen = SpendingScreen(costly.ledger, costly.session.state, view=View.COST, signs=ASCII_SIGNS)
        desk.app.push_screen(screen)
        await until(lambda: screen.is_mounted)
        await desk.when(lambda: bool(said(desk, "head")))
        assert re.search(r"#+\.* +\d+ %", rows(desk)[-1])
        assert not re.search("[▰▱]", "".join(rows(desk)))
    costly.recorder.close()


def a_call(**facts: object) -> LedgerCall:
    defaults: dict[str, object] = {"request_id": "r", "session_id": "s", "turn_id": "t", "at": 1.0}
    return LedgerCall(**(defaults | {"provider": "p", "model": "m"} | facts))


def test_free_is_not_unknown_and_part_of_it_unknown_is_said() -> None:
    free = a_call(cost=Decimal(0), source=CostSource.COMPUTED)
    assert spent([free]).words() == "$0.00"
    assert spent([a_call(cost=Decimal(0), source=CostSource.COMPUTED, output_tokens=5)]).words() == "free"
    assert spent([a_call()]).words() == "?"
    assert spent([free, a_call()]).words() == "$0.00"
    assert "1 of 2 calls of unknown price" in str(detail(spent([free, a_call()]))[0])


def test_names_of_others_are_harmless_on_screen() -> None:
    hostile = spent([a_call(cost=Decimal(1))], "k", "evil\x1b[31m\nname [bold]")
    assert str(detail(hostile)[0]).startswith("evil↵name [bold]: ")


def test_groups_of_time_come_in_time() -> None:
    days = [spent([a_call(at=float(at), cost=Decimal(9 - at))], f"day {at}", f"day {at}") for at in (1, 2, 3)]
    assert [each.key for each in ordered(days[::-1], By.DAY, None)] == ["day 1", "day 2", "day 3"]
    assert [each.key for each in ordered(days, By.DAY, Order.COST)] == ["day 1", "day 2", "day 3"]
    assert [each.key for each in ordered(days, By.MODEL, Order.CALLS)] == ["day 1", "day 2", "day 3"]
    assert [scope.value for scope in Scope] == ["this session", "today", "7 days", "30 days", "all"]
