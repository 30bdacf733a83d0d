"""Recorded agent runs with prices and a budget: the pause comes before the first request that would pass it."""

import asyncio
import os
from decimal import Decimal
from itertools import accumulate
from pathlib import Path

import pytest

from patchbay.app.cli.replay import Replayed, replay
from patchbay.app.engine.state import AnswerEntry
from patchbay.providers.base import Price
from patchbay.providers.replaying import RecordedExchange, read_exchanges, split_sessions

CASES = os.environ.get("PATCHBAY_CASES", "")
RUNS = sorted((Path(CASES) / "wire" / "runs").glob("*.json")) if CASES else []
PRICE = Price(
    input_per_mtok=Decimal(3),
    output_per_mtok=Decimal(15),
    cache_read_per_mtok=Decimal("0.3"),
    cache_write_per_mtok=Decimal("3.75"),
)

pytestmark = [
    pytest.mark.cases,
    pytest.mark.skipif(not CASES, reason="PATCHBAY_CASES names no folder with recorded runs"),
]


def run_again(session: list[RecordedExchange], folder: Path, cap: Decimal | None) -> Replayed:
    work = replay(session, folder=folder, state_folder=folder / ".state", price_of=lambda _: PRICE, max_cost=cap)
    return asyncio.run(work)


def amounts(done: Replayed) -> list[Decimal]:
    answers = [entry for entry in done.session.state.transcript if isinstance(entry, AnswerEntry)]
    return [answer.cost.amount for answer in answers if answer.cost and answer.cost.amount is not None]


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.stem[:60])
def test_no_cap_is_ever_passed(run: Path, tmp_path: Path) -> None:
    for session in split_sessions(read_exchanges(run)):
        whole = run_again(session, tmp_path, None)
        free = run_again(session, tmp_path, sum(amounts(whole), Decimal(1)))
        assert (free.served, free.stopped) == (whole.served, False)
        for number, total in enumerate(accumulate(amounts(whole)), start=1):
            cap = total - Decimal("0.0000001")
            if cap <= 0:
                continue
            done = run_again(session, tmp_path, cap)
            assert done.stopped, f"request {number} would pass {cap}"
            assert done.session.state.totals.cost <= cap
            assert done.served < number
            assert done.problems == []
