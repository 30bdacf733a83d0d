"""Made-up command lines through the gate; what it lets through is run where only a scratch folder can change."""

import os
from pathlib import Path

import pytest

from support.confined import landlock_version
from support.gate_fuzzing import fuzz, make_workspace

RUNS = int(os.environ.get("PATCHBAY_SOAK_RUNS", "100"))
FIRST = int(os.environ.get("PATCHBAY_SOAK_FIRST", "0"))
BATCH = 25
LINES_PER_RUN = 40
P99_S = 0.1
"""The bound on a machine that is busy with other tests; on a quiet one it is below 0.02."""


@pytest.mark.timeout(600)
@pytest.mark.skipif(landlock_version() < 4, reason="needs a Linux kernel with Landlock, ABI 4 or later")
@pytest.mark.parametrize("first", range(FIRST, FIRST + RUNS, BATCH))
def test_the_gate_never_raises_and_what_it_lets_through_changes_nothing(first: int, tmp_path: Path) -> None:
    figures = fuzz(first, LINES_PER_RUN * min(BATCH, FIRST + RUNS - first), make_workspace(tmp_path / "repo"), run=True)
    print(
        f"\nseed {first}: {len(figures.seconds)} lines, {figures.ran} run, p50 {figures.percentile(0.5) * 1000:.1f} ms,"
        f" p99 {figures.percentile(0.99) * 1000:.1f} ms"
    )
    assert figures.changed == []
    assert figures.percentile(0.99) < P99_S
