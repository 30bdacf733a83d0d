"""The only seam between the session and the screen.

It waits for the bus's latch, then gives each view whose slices moved one ``sync(state)``, at most
``RATE_HZ`` times a second: the first change after a quiet moment is painted at once, a flood is folded into
frames. While something runs, views that show elapsed time are synced ``CLOCK_HZ`` times a second even when
nothing arrives. When all is quiet, nothing wakes up.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from ..engine.bus import Latch
from ..engine.session import Session
from ..engine.state import Phase, Revisions, SessionState

RATE_HZ = 25
"""Upper bound of syncs a second. Twenty to thirty are smooth for text; each costs a repaint."""
CLOCK_HZ = 4
"""Syncs a second of views with a running clock, when no event arrives."""


class View(Protocol):
    """Whatever paints the state: it may be destroyed and rebuilt at any time."""

    def sync(self, state: SessionState) -> None:
        """Bring the view up to date with the state."""
        ...


@dataclass(slots=True)
class _Target:
    view: View
    slices: tuple[str, ...]
    clocked: bool
    seen: tuple[int, ...] = field(default=())


class Bridge:
    """Drives the views of one session. Add views, then await ``run`` in a worker."""

    def __init__(self, session: Session, *, batch: Callable[[Callable[[], None]], None] | None = None) -> None:
        self._session = session
        self._latch: Latch = session.bus.latch()
        self._targets: list[_Target] = []
        self._batch = batch or _directly

    def add(self, view: View, *slices: str, clocked: bool = False) -> None:
        """Sync a view when one of the named slices of ``Revisions`` moves (and by the clock, if asked)."""
        self._targets.append(_Target(view, slices, clocked))

    def remove(self, view: object) -> None:
        """Stop syncing a view that goes away, if it is one."""
        self._targets = [target for target in self._targets if target.view is not view]

    async def run(self) -> None:
        """Sync for ever; cancel to stop."""
        self.sync_now()
        while True:
            ticked = await self._wait()
            started = time.monotonic()
            self._batch(lambda clock=ticked: self._sync(clock=clock))
            # The work itself counts: on a slow machine the rate falls and keys still get their turn.
            spent = time.monotonic() - started
            await asyncio.sleep(max(1 / RATE_HZ - spent, spent / 2))

    def sync_now(self) -> None:
        """Sync every view once, whatever moved."""
        for target in self._targets:
            target.seen = ()
        self._batch(lambda: self._sync(clock=False))

    async def _wait(self) -> bool:
        """Wait for a change; True when only the clock moved."""
        if self._session.state.phase is Phase.IDLE:
            await self._latch.wait()
            return False
        try:
            await asyncio.wait_for(self._latch.wait(), 1 / CLOCK_HZ)
        except TimeoutError:
            return True
        return False

    def _sync(self, *, clock: bool) -> None:
        state = self._session.state
        for target in tuple(self._targets):
            now = _picked(state.revisions, target.slices)
            if now != target.seen or (clock and target.clocked):
                target.seen = now
                target.view.sync(state)


def _picked(revisions: Revisions, slices: tuple[str, ...]) -> tuple[int, ...]:
    return tuple(getattr(revisions, name) for name in slices)


def _directly(work: Callable[[], None]) -> None:
    work()
