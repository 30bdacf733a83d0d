"""Sessions over a network that keeps failing: a tenth of them here, all thousand with ``make soak``."""

import os
import time
from collections import Counter
from pathlib import Path

import pytest

from support.soaking import Run, soak

RUNS = int(os.environ.get("PATCHBAY_SOAK_RUNS", "100"))
FIRST = int(os.environ.get("PATCHBAY_SOAK_FIRST", "0"))
"""The seed to begin with: to play one run again, FIRST is its seed and RUNS is 1."""
BATCH = 25


@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(FIRST, FIRST + RUNS, BATCH))
def test_no_hang_no_lost_text_no_tool_twice_no_key_leak(first: int, tmp_path: Path) -> None:
    started = time.monotonic()
    runs = [soak(seed, tmp_path) for seed in range(first, min(first + BATCH, FIRST + RUNS))]
    print(f"\n{_figures(runs)}, {time.monotonic() - started:.1f} s")
    assert [(run.seed, run.problems) for run in runs if run.problems] == []


def _figures(runs: list[Run]) -> str:
    struck: Counter[str] = Counter()
    for run in runs:
        struck.update({fault.value: count for fault, count in run.struck.items()})
    faults = sum(struck.values()) - struck["none"]
    return (
        f"seeds {runs[0].seed}-{runs[-1].seed}: {sum(run.requests for run in runs)} requests, {faults} struck"
        f" ({len(struck) - 1} kinds), {sum(run.retries for run in runs)} retries,"
        f" {sum(run.failovers for run in runs)} failovers, {sum(run.cancelled for run in runs)} cancelled,"
        f" {sum(run.tools for run in runs)} tools, {sum(run.virtual_s for run in runs) / 3600:.1f} h of waiting,"
        f" {sum(bool(run.problems) for run in runs)} runs with problems"
    )
