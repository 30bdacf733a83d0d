"""What work costs, as a multiple of what other work costs in the same run.

Seconds say more about the machine and its other work than about the program; a ratio of two measurements that were
taken one after the other says what grows, and how.
"""

import time
from collections.abc import Awaitable, Callable

import pytest

ATTEMPTS = 4
"""Other work on the machine disturbs a measurement now and then; what really costs too much does so every time."""
LEAST_S = 0.001
"""What is measured as less counts as this much: shorter times are mostly the clock's."""


def seconds(work: Callable[[], object], tries: int = 3) -> float:
    """CPU time of this thread for it, the best of ``tries``."""
    spent: list[float] = []
    for _ in range(tries):
        before = time.thread_time()
        work()
        spent.append(time.thread_time() - before)
    return min(spent)


def multiple(work: Callable[[], object], baseline: Callable[[], object]) -> float:
    """How many times as much as ``baseline`` ``work`` costs."""
    return seconds(work) / max(seconds(baseline), LEAST_S)


async def check_ratio_of(measured: Callable[[], Awaitable[float]], most: float, what: str = "it") -> None:
    """Fail unless one of a few measurements is at most ``most``."""
    ratios: list[float] = []
    while len(ratios) < ATTEMPTS:
        ratios.append(await measured())
        if ratios[-1] <= most:
            return
    _too_much(what, most, ratios)


def check_ratio(measured: Callable[[], float], most: float, what: str = "it") -> None:
    """The same for measurements that wait for nothing."""
    ratios: list[float] = []
    while len(ratios) < ATTEMPTS:
        ratios.append(measured())
        if ratios[-1] <= most:
            return
    _too_much(what, most, ratios)


def _too_much(what: str, most: float, ratios: list[float]) -> None:
    pytest.fail(f"{what} may cost {most} times as much, and cost {', '.join(f'{ratio:.2f}' for ratio in ratios)}")
