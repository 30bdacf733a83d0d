"""The cost of a flush does not grow with the answer: CPU time, painting included, against the same run's start."""

import pytest
from bench.bench_transcript import ALLOWED_GROWTH, CONTENTS, bench_app, long_session, measure_flushes, painted

from patchbay.app.tui.panes.chat import ChatPane
from support.costs import check_ratio_of

MOST_WIDGETS = 60


@pytest.mark.parametrize("name", CONTENTS)
async def test_a_flush_at_80_000_characters_costs_at_most_half_more_than_at_1_000(name: str) -> None:
    content = CONTENTS[name](84_096)

    async def growth() -> float:
        flushes = await measure_flushes(content, (1000, 80_000))
        return flushes[80_000].median / flushes[1000].median

    await check_ratio_of(growth, ALLOWED_GROWTH, name)


async def test_two_thousand_messages_are_one_widget() -> None:
    app = bench_app()
    async with app.run_test(size=(160, 48), headless=False):
        app.query_one(ChatPane).sync(long_session(2000))
        await painted(app)
        assert len(app.screen.query("*")) <= MOST_WIDGETS
