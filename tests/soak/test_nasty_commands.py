"""Commands that hang, flood and hide, in the sandbox and without one: a tenth of them here, all with ``make soak``."""

import os
import random
import sys
from pathlib import Path

import pytest

from support.nasty import NASTY, Nasty, Trial, lacking

RUNS = int(os.environ.get("PATCHBAY_SOAK_RUNS", "100"))
SEED = int(os.environ.get("PATCHBAY_SOAK_FIRST", "0"))
_ALL = [(nasty, fenced) for nasty in NASTY for fenced in (True, False)]
CHOSEN = random.Random(SEED).sample(_ALL, min(len(_ALL), max(1, len(_ALL) * RUNS // 1000)))


@pytest.mark.skipif(sys.platform != "linux", reason="looks for survivors in /proc")
@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    ("nasty", "fenced"), CHOSEN, ids=[f"{nasty.name}, {'fenced' if fenced else 'free'}" for nasty, fenced in CHOSEN]
)
async def test_it_ends_in_time_and_leaves_nothing(nasty: Nasty, fenced: bool, tmp_path: Path) -> None:
    if reason := lacking(nasty.needs):
        pytest.skip(reason)
    trial = Trial(tmp_path, fenced=fenced)
    try:
        await trial.warm_up()
        found = await trial.attempt(nasty)
    finally:
        await trial.aclose()
    print(f"\n{nasty.name}: {found.seconds:.2f} s, {found.grown / 1e6:.1f} MB grown, {found.written} characters shown")
    assert found.problems == []
