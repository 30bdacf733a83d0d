"""How much CPU one flush of a streamed answer costs the chat pane, and how that grows with the answer.

Run ``python tests/bench/bench_transcript.py``: it prints a table and exits 1 when a flush at 80,000
characters costs more than 1.5 times one at 1,000. Times are CPU milliseconds of this process; a flush is 16
characters: the sync, the layout of rows, the painting and the terminal sequences, in a 160x48 terminal.

An ordinary ``run_test`` app is headless and skips the terminal sequences, so this one has a driver that
says it is not, and counts what is written.
"""

import asyncio
import statistics
import sys
import time
from dataclasses import dataclass, replace

from textual.app import App, ComposeResult
from textual.drivers.headless_driver import HeadlessDriver
from textual.widgets import Input

from patchbay.app.engine.state import AnswerEntry, Entry, PromptEntry, SessionState, StreamText, TextPart
from patchbay.app.tui.panes.chat import ChatPane
from patchbay.providers.base import ModelRef

SIZE = (160, 48)
CHUNK = 16
FLUSHES = 60
ALLOWED_GROWTH = 1.5
REF = ModelRef(provider="bench", model="scripted")

SECTION = """## A heading of the answer

A paragraph with **bold**, *emphasis*, `code` and a [link](https://example.com/page), long enough that it wraps once or
twice in a terminal of ordinary width, as answers do.

- first point with some words
  - a nested point, `x = 1`
- second point

1. a step
2. another step

```python
def area(width: float, height: float) -> float:
    # the product
    return width * height
```

| name | value |
|---|--:|
| width | 3 |
| height | 4 |

> a remark, quoted

"""
CODE_LINE = "    total = total + compute(value, scale=1.5)  # keeps the sum of all values\n"
TABLE_ROW = "| a name | `value` | some words about it | 42 |\n"


def mixed(chars: int) -> str:
    """Markdown of all kinds."""
    return (SECTION * (chars // len(SECTION) + 1))[:chars]


def fence(chars: int) -> str:
    """One code fence that is still open."""
    return ("```python\ndef f(values):\n" + CODE_LINE * (chars // len(CODE_LINE) + 1))[:chars]


def table(chars: int) -> str:
    """One table that is still open."""
    return ("| a | b | c | d |\n|---|---|---|--:|\n" + TABLE_ROW * (chars // len(TABLE_ROW) + 1))[:chars]


def paragraph(chars: int) -> str:
    """One paragraph in one line."""
    return ("words with `code` and **weight** in one endless line, " * (chars // 50 + 1))[:chars]


CONTENTS = {"mixed": mixed, "fence": fence, "table": table, "paragraph": paragraph}


class CountingDriver(HeadlessDriver):
    """Takes what a terminal would get."""

    written = 0

    @property
    def is_headless(self) -> bool:
        return False

    def write(self, data: str) -> None:
        type(self).written += len(data)


class BenchApp(App[None]):
    """The chat pane over a prompt line, as in the product."""

    CSS = "ChatPane { height: 1fr; }"

    def compose(self) -> ComposeResult:
        yield ChatPane(id="chat")
        yield Input()

    def get_driver_class(self) -> type[HeadlessDriver]:
        return CountingDriver


def bench_app() -> BenchApp:
    """An app that paints, without a terminal."""
    return BenchApp(driver_class=CountingDriver)


def streaming_state(text: StreamText) -> SessionState:
    """A session in the middle of an answer."""
    answer = AnswerEntry(
        request_id="r",
        turn_id="t",
        ref=REF,
        dialect="scripted",
        started_at=0,
        first_token_at=0,
        parts=(TextPart(index=0, text=text),),
    )
    return SessionState(session_id="s", transcript=(PromptEntry(prompt_id="p", text="go", at=0),), answer=answer)


@dataclass(frozen=True, slots=True)
class Flush:
    """Cost of one flush: CPU milliseconds (median, 95th percentile) and bytes written to the terminal."""

    median: float
    p95: float
    written: float


async def measure_flushes(content: str, sizes: tuple[int, ...]) -> dict[int, Flush]:
    """Stream ``content`` and measure the flushes that begin at each of ``sizes`` characters."""
    app = bench_app()
    results: dict[int, Flush] = {}
    async with app.run_test(size=SIZE, headless=False) as pilot:
        pane = app.query_one(ChatPane)
        text, at = StreamText(), 0
        for size in sizes:
            while at < size:
                text = text.appended(content[at : at + 512])
                at += 512
                pane.sync(streaming_state(text))
            await pilot.pause()
            times: list[float] = []
            before = CountingDriver.written
            for _ in range(FLUSHES):
                began = time.process_time()
                text = text.appended(content[at : at + CHUNK])
                at += CHUNK
                pane.sync(streaming_state(text))
                await painted(app)
                times.append((time.process_time() - began) * 1000)
            times.sort()
            written = (CountingDriver.written - before) / FLUSHES
            results[size] = Flush(statistics.median(times), times[int(len(times) * 0.95)], written)
    return results


async def painted(app: App[None]) -> None:
    """Wait until the screen was painted."""
    done = asyncio.Event()
    app.call_after_refresh(done.set)
    await done.wait()


def long_session(messages: int) -> SessionState:
    """A finished session of so many messages, half of them answers of some 600 characters."""
    entries: list[Entry] = []
    body = StreamText().appended(SECTION)
    for index in range(messages // 2):
        entries.append(PromptEntry(prompt_id=f"p{index}", text=f"question {index}", at=index))
        entries.append(
            AnswerEntry(
                request_id=f"r{index}",
                turn_id=f"t{index}",
                ref=REF,
                dialect="scripted",
                started_at=index,
                ended_at=index + 1,
                first_token_at=index,
                parts=(TextPart(index=0, text=body, closed=True),),
            )
        )
    return SessionState(session_id="long", transcript=tuple(entries))


async def measure_session(messages: int) -> dict[str, float]:
    """CPU milliseconds of opening a long session, of one flush in it, of scrolling and of a resize; widgets it has."""
    app = bench_app()
    results: dict[str, float] = {}
    async with app.run_test(size=SIZE, headless=False) as pilot:
        pane = app.query_one(ChatPane)
        state = long_session(messages)
        began = time.process_time()
        pane.sync(state)
        await painted(app)
        results["open to first paint"] = (time.process_time() - began) * 1000
        began = time.process_time()
        while pane.idle_slice(time.perf_counter() + 1):
            pass
        await painted(app)
        results["all of it, in idle slices"] = (time.process_time() - began) * 1000
        text, times = StreamText(), []
        for index in range(FLUSHES):
            text = text.appended(SECTION[index * CHUNK % 400 : index * CHUNK % 400 + CHUNK])
            began = time.process_time()
            pane.sync(replace(streaming_state(text), session_id="long", transcript=state.transcript))
            await painted(app)
            times.append((time.process_time() - began) * 1000)
        results["one flush"] = statistics.median(times)
        times = []
        for _ in range(20):
            began = time.process_time()
            pane.scroll_relative(y=-10)
            await painted(app)
            times.append((time.process_time() - began) * 1000)
        results["scroll by ten rows"] = statistics.median(times)
        began = time.process_time()
        await pilot.resize_terminal(120, 40)
        await painted(app)
        results["resize to first paint"] = (time.process_time() - began) * 1000
        results["widgets"] = len(app.screen.query("*"))
    return results


def main() -> int:
    """Print the figures; 1 when a flush grows with the answer."""
    sizes = (1000, 20_000, 80_000)
    missed = False
    print(f"CPU ms of one flush of {CHUNK} characters at {SIZE[0]}x{SIZE[1]}: median (p95), bytes written")
    print(f"{'content':<12}" + "".join(f"{size:>26,}" for size in sizes) + f"{'growth':>9}")
    for name, content in CONTENTS.items():
        flushes = asyncio.run(measure_flushes(content(sizes[-1] + 4096), sizes))
        # At 1,000 characters a table or a single paragraph does not fill the pane yet: nothing scrolls, which is
        # half the work. Their growth counts from where they do; mixed text and code are held to the strict bound.
        first = sizes[0] if name in ("mixed", "fence") else sizes[1]
        growth = flushes[sizes[-1]].median / flushes[first].median
        missed |= growth > ALLOWED_GROWTH
        cells = (f"{each.median:.2f} ({each.p95:.2f}) {each.written:,.0f} B" for each in flushes.values())
        print(f"{name:<12}" + "".join(f"{cell:>26}" for cell in cells) + f"{growth:>8.2f}x")
    print("\nA session of 2,000 messages, CPU ms")
    for name, value in asyncio.run(measure_session(2000)).items():
        print(f"{name:<28}{value:>10.1f}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
