"""An event loop whose clock jumps to the next timer instead of waiting: hours of back-off pass in no time.

A wait that nothing will ever end shows at once, since the loop has nothing left but the timer that guards the test.
"""

import asyncio
import selectors
from typing import Any

EPOCH_S = 1_700_000_000.0


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """``time`` starts at 0; ``epoch`` is the same clock in seconds since 1970."""

    def __init__(self) -> None:
        self._now = 0.0
        super().__init__(_JumpingSelector(self))  # type: ignore[arg-type]

    def time(self) -> float:
        return self._now

    def epoch(self) -> float:
        return EPOCH_S + self._now

    def jump(self, seconds: float) -> None:
        self._now += seconds


class _JumpingSelector:
    """A real selector that is never waited for while there is a timer."""

    def __init__(self, loop: VirtualTimeLoop) -> None:
        self._loop = loop
        self._real = selectors.DefaultSelector()

    def select(self, timeout: float | None = None) -> list[Any]:
        if timeout is None:
            return self._real.select(None)
        ready = self._real.select(0)
        if not ready and timeout > 0:
            self._loop.jump(timeout)
        return ready

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)
