"""What the switcher foretells of a model, held to what a server then counts: real dialects, real ledger, ten pairs."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from patchbay.app.cli.compose import Wish, open_runtime
from patchbay.app.cli.runtime import Runtime
from patchbay.app.engine.events import CallPriced
from patchbay.app.engine.state import AnswerEntry
from patchbay.app.settings import load_settings
from patchbay.providers.base import ModelRef
from support.counting_server import Counting, counting_server

MODELS = {
    "cloud/opus": (15, 75, "1.5", "18.75"),
    "cloud/sonnet": (3, 15, "0.3", "3.75"),
    "cloud/haiku": (1, 5, "0.1", "1.25"),
    "other/large": ("1.25", 10, "0.125", None),
    "other/small": ("0.05", "0.4", "0.005", None),
    "other/plain": ("0.27", "1.1", None, None),
}
"""Input, output, cache read and cache write: USD for a million tokens."""
PAIRS = (
    ("cloud/opus", "cloud/haiku"),
    ("cloud/sonnet", "cloud/opus"),
    ("cloud/haiku", "other/large"),
    ("cloud/opus", "other/small"),
    ("cloud/sonnet", "other/plain"),
    ("other/large", "cloud/sonnet"),
    ("other/small", "cloud/opus"),
    ("other/plain", "cloud/haiku"),
    ("other/large", "other/small"),
    ("other/small", "other/plain"),
)


def config(server: Counting) -> str:
    lines = [
        '[providers.cloud]\ndialect = "anthropic_messages"\nkind = "custom"\n'
        f'base_url = "{server.base_url}"\nmodels = ["opus", "sonnet", "haiku"]',
        f'[providers.other]\nkind = "custom"\nbase_url = "{server.base_url}/v1"\nmodels = ["large", "small", "plain"]',
    ]
    for name, (given, output, read, write) in MODELS.items():
        lines.append(f'[pricing."{name.partition("/")[2]}"]\ninput_per_mtok = {given}\noutput_per_mtok = {output}')
        lines += [f"cache_read_per_mtok = {read}"] if read else []
        lines += [f"cache_write_per_mtok = {write}"] if write else []
    return "\n".join(lines)


@asynccontextmanager
async def running(server: Counting, home: Path, folder: Path, model: str) -> AsyncIterator[Runtime]:
    file = home / ".config" / "patchbay" / "config.toml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(config(server))
    folder.mkdir(exist_ok=True)
    (folder / "story.txt").write_text("The lighthouse keeper counted the ships, one after the other.\n" * 120)
    runtime = open_runtime(load_settings(folder, environ=os.environ), Wish(folder=folder, model=model))
    try:
        assert await runtime.start() == ""
        yield runtime
    finally:
        await runtime.aclose()


async def ask(runtime: Runtime, text: str) -> None:
    runtime.session.submit(text)
    await runtime.session.wait_idle()


def foretold(runtime: Runtime, name: str):
    ref = ModelRef.parse(name)
    return runtime.session.preview(runtime.directory.info(ref), runtime.directory.dialect(ref))


def last_cost(runtime: Runtime) -> Decimal:
    answers = [entry for entry in runtime.session.state.transcript if isinstance(entry, AnswerEntry)]
    cost = answers[-1].cost
    assert cost is not None
    assert cost.amount is not None
    return cost.amount


def within(expected: Decimal | None, actual: Decimal, share: float = 0.1) -> bool:
    assert expected is not None
    return abs(expected - actual) <= actual * Decimal(str(share))


@pytest.mark.parametrize(("first", "second"), PAIRS, ids=lambda name: name.replace("/", "-"))
async def test_the_forecast_of_a_switch_is_what_the_server_then_counts(
    first: str, second: str, own_home: Path, tmp_path: Path
) -> None:
    reading = {"name": "read", "arguments": {"path": "story.txt"}}
    with counting_server(reading, {}, reading, {}) as server:
        async with running(server, own_home, tmp_path / "project", first) as runtime:
            await ask(runtime, "Read the story and tell me of it.")
            await ask(runtime, "Read it again, and count the ships.")
            ahead = foretold(runtime, second)
            assert ahead.now is not None
            assert ahead.plan.cached_tokens == 0
            assert ahead.cache_lost
            runtime.select(ModelRef.parse(second))
            await ask(runtime, "Once more, please.")
            assert within(ahead.plan.expected, last_cost(runtime)), (ahead.plan, server.reported[-1])
            # The model that goes on finds its cache: foretold as well.
            again = foretold(runtime, second)
            await ask(runtime, "And again.")
            assert server.reported[-1]["read"] > 0
            assert within(again.plan.expected, last_cost(runtime), 0.25), (again.plan, server.reported[-1])
            assert again.plan.cached_tokens > 0
            assert again.plan.most is not None
            assert again.plan.most >= last_cost(runtime)


async def test_every_row_of_the_ledger_is_in_the_budget_and_the_cap_holds(own_home: Path, tmp_path: Path) -> None:
    calls = [{"name": "read", "arguments": {"path": "story.txt"}}] * 12
    with counting_server(*calls) as server:
        async with running(server, own_home, tmp_path / "project", "cloud/sonnet") as runtime:
            rows: list[CallPriced] = []
            runtime.session.bus.attach(
                lambda stamped: rows.append(stamped.event) if isinstance(stamped.event, CallPriced) else None
            )
            await ask(runtime, "Read the story, often.")
            assert sum(row.cost.amount or Decimal(0) for row in rows) == runtime.session.state.totals.cost
            assert sum(each.amount for each in runtime.session.state.budget.own) == runtime.session.state.totals.cost
