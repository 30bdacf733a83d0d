"""Random sequences of edits and commands, undone and done again: 20 of them here, 200 with ``make soak``."""

import os
import time
from pathlib import Path

import pytest

from support.undoing import play

RUNS = int(os.environ.get("PATCHBAY_SOAK_RUNS", "100")) // 5
FIRST = int(os.environ.get("PATCHBAY_SOAK_FIRST", "0"))
BATCH = 10


@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(FIRST, FIRST + RUNS, BATCH))
def test_undo_all_and_redo_all_give_the_same_bytes_modes_and_links(first: int, tmp_path: Path) -> None:
    started = time.monotonic()
    runs = [play(seed, tmp_path / str(seed)) for seed in range(first, min(first + BATCH, FIRST + RUNS))]
    steps, undone = sum(run.steps for run in runs), sum(run.undone for run in runs)
    print(
        f"\nseeds {first}-{runs[-1].seed}: {steps} steps, {undone} undone or redone, {time.monotonic() - started:.1f} s"
    )
    assert [(run.seed, run.problems) for run in runs if run.problems] == []
