"""An answer to one thing costs what this thing costs: what is there already, or could be, adds next to nothing."""

import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from textual import events
from textual.widgets import Input

from patchbay.app.engine.events import ProviderActivity, Stamped
from patchbay.app.engine.reducer import reduce
from patchbay.app.engine.state import SessionState, StreamText, ToolRun
from patchbay.app.tui.actions import ActionTable
from patchbay.app.tui.panes.tool_log import ToolLogPane
from patchbay.app.tui.widgets.prompt import Prompt
from patchbay.app.tui.widgets.prompt_box import PromptBox
from patchbay.app.tui.widgets.provider_switcher import ProviderSwitcher
from patchbay.providers.events import TextDelta
from patchbay.tools.events import Outcome
from support.costs import LEAST_S, check_ratio, check_ratio_of, multiple
from support.session_states import model, provider, run, streaming
from support.widget_app import WidgetApp

MOST = 4.0
"""Measured: 1 to 2."""
MOST_FOR_TEN_TIMES = 25.0
"""Ten times as much to do. Measured: 2 to 11; what grows with the square would take a hundred."""


def text(content: str) -> StreamText:
    return StreamText().appended(content)


def test_a_delta_costs_the_same_however_long_the_answer_is() -> None:
    event = ProviderActivity(turn_id="t", request_id="r", event=TextDelta(index=0, text="x"))

    def deltas(state: SessionState) -> None:
        for seq in range(500):
            state = reduce(state, Stamped(seq=seq, at=1.0, session_id="s", event=event))

    long, short = streaming(20_000), streaming(50)
    check_ratio(lambda: multiple(lambda: deltas(long), lambda: deltas(short)), MOST)


def tool_runs(count: int) -> tuple[ToolRun, ...]:
    ended = run(output=text("line\n" * 5), outcome=Outcome.OK, summary="exit 0", duration_s=0.5)
    return tuple(replace(ended, run_id=f"r{n}", title=f"command {n}", started_at=100.0 + n) for n in range(count))


async def test_a_line_in_the_tool_log_costs_the_same_after_thousands_of_runs() -> None:
    few, many = ToolLogPane(), ToolLogPane()

    def stream(pane: ToolLogPane, runs: tuple[ToolRun, ...]) -> None:
        running = run(run_id="now", output=text("start\n"), started_at=9000.0)
        for n in range(100):
            running = replace(running, output=running.output.appended(f"line {n}\n"))
            pane.sync(SessionState(session_id="s", runs=runs, active_runs=(running,)))

    app = WidgetApp(lambda: [few, many])
    async with app.run_test(size=(60, 60)) as pilot:
        await pilot.pause()
        some, thousands = tool_runs(20), tool_runs(1000)
        stream(few, some)
        stream(many, thousands)
        check_ratio(lambda: multiple(lambda: stream(many, thousands), lambda: stream(few, some)), MOST)
        assert many.row_count > few.row_count


async def growth(step: Callable[[int], Awaitable[object]], small: int, large: int) -> float:
    """How much more the large step costs than the small one: CPU time of this thread, painting included."""
    spent: dict[int, list[float]] = {small: [], large: []}
    for _ in range(3):
        for size, times in spent.items():
            before = time.thread_time()
            await step(size)
            times.append(time.thread_time() - before)
    return min(spent[large]) / max(min(spent[small]), LEAST_S)


async def test_a_large_paste_costs_what_its_lines_cost() -> None:
    prompt = Prompt()
    app = WidgetApp(lambda: [PromptBox(prompt, ActionTable())])
    async with app.run_test(size=(80, 24)) as pilot:

        async def paste(count: int) -> None:
            prompt.text = ""
            pasted = "\n".join(f"line {number} of a long log with some words in it" for number in range(count))
            prompt.post_message(events.Paste(pasted))
            await pilot.pause()
            assert prompt.text == pasted

        await check_ratio_of(lambda: growth(paste, 1_000, 10_000), MOST_FOR_TEN_TIMES)


async def test_typing_in_the_switcher_costs_what_its_models_cost() -> None:
    async with WidgetApp(list).run_test(size=(160, 48)) as pilot:

        async def choose(count: int) -> None:
            many = tuple(model("openrouter", f"maker{i % 40}/model-{i}") for i in range(count))
            switcher = ProviderSwitcher(SessionState(providers=(provider("openrouter", *many),)))
            pilot.app.push_screen(switcher)
            await pilot.pause()
            for typed in ("maker7 147", "maker7 14", "maker7", ""):
                switcher.query_one(Input).value = typed
                await pilot.pause()
            await pilot.press("escape")

        await check_ratio_of(lambda: growth(choose, 150, 1500), MOST_FOR_TEN_TIMES)
