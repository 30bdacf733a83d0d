"""Sessions killed anywhere, a thousand times with ``make soak``: nothing that was promised is lost, and they go on.

A tenth of them die here. Each run kills one process after another on the same database, at a random moment or at a
fault point around a write, a commit or a rename; after each death the session is looked at, repaired and gone on with.
Many compact on disk what the one before left, and die of that.
"""

import os
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from patchbay.app.engine.fault_points import COMPACTION_POINTS, POINTS
from support.autopsy import Autopsy
from support.doomed import Order, Zygote

RUNS = int(os.environ.get("PATCHBAY_SOAK_RUNS", "100"))
FIRST = int(os.environ.get("PATCHBAY_SOAK_FIRST", "0"))
BATCH = 20
LONGEST_LIFE_S = 0.4
COMPACTION_S = 1.5
"""How long a process lives that was to die compacting and found too little to compact."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="waits for a process with pidfd_open")


@pytest.fixture(scope="module")
def zygote() -> Iterator[Zygote]:
    server = Zygote()
    yield server
    server.close()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("first", range(FIRST, FIRST + RUNS, BATCH))
def test_nothing_that_was_promised_is_lost(first: int, zygote: Zygote, tmp_path: Path) -> None:
    started = time.monotonic()
    figures: Counter[str] = Counter()
    problems: list[tuple[int, str, list[str]]] = []
    slowest = 0.0
    for seed in range(first, min(first + BATCH, FIRST + RUNS)):
        order = _order(seed, first, tmp_path)
        ended = zygote.run(order)
        autopsy = Autopsy(tmp_path, Path(order.notes))
        autopsy.look()
        figures.update(kills=ended == "killed", records=autopsy.acknowledged, snapshots=autopsy.from_snapshot)
        figures.update(autopsy.cut)
        figures.update({f"at {order.point}" if order.point else "by the clock": 1})
        slowest = max(slowest, autopsy.resumed_s)
        if ended != "killed":
            autopsy.problems.append(f"the process was not killed: {ended}")
        if autopsy.problems:
            problems.append((seed, order.point, autopsy.problems))
    print(f"\nseeds {first}-: {dict(figures)}, resumed in at most {slowest:.2f} s, {time.monotonic() - started:.1f} s")
    assert problems == []


def _order(seed: int, first: int, home: Path) -> Order:
    """Every second process dies at a fault point, in turn; the first of a database makes it."""
    chance = random.Random(seed)
    fresh = seed == first or chance.random() < 0.1
    points = (*POINTS, *COMPACTION_POINTS)
    point = points[(seed // 2) % len(points)] if seed % 2 else ""
    compacting = point in COMPACTION_POINTS
    if point.startswith("migrate."):
        point = point if seed == first else ""
    often = 1 if point in ("open.created", "close.begun") else 2 if point.startswith("snapshot") else 12
    count = chance.randint(1, 2 if compacting else often)
    return Order(
        home=str(home),
        notes=str(home / f"notes-{seed}"),
        seed=seed,
        resume=compacting or not fresh,
        after_s=COMPACTION_S if compacting else 0.0 if point else chance.random() * LONGEST_LIFE_S,
        point=point,
        count=count,
        compact=compacting or chance.random() < 0.25,
        tail=10 if point.startswith("snapshot") else 60,
    )
