"""The message bus: one asyncio loop, one total order.

Guarantees:

- ``publish`` is synchronous, never blocks and never awaits; it stamps each event with the next ``seq``.
- Delivery order is fixed: (1) the store reduces the event; it cannot lag or lose. (2) Attached sinks (the
  recorder, a headless printer) get every event in order. (3) Subscriptions get it through a bounded queue:
  a slow one loses its *oldest* events and counts them in ``dropped``. (4) Latches are told that slices moved:
  replace-latest, so losing an intermediate revision is harmless, the store has the state.
- An event published from inside a sink is delivered after the current one, to everybody, in order.
- A sink that raises is detached and the failure becomes a notice; nobody else is harmed.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import TypeAlias

from .defects import report
from .events import NoticeLevel, NoticePosted, SessionEvent, Stamped
from .state import Revisions
from .store import SessionStore

Sink: TypeAlias = Callable[[Stamped], None]


class Subscription:
    """A bounded view of the events from now on; iterate it asynchronously. The oldest go when it is full."""

    def __init__(self, capacity: int) -> None:
        self._events: deque[Stamped] = deque(maxlen=capacity)
        self._arrived = asyncio.Event()
        self._closed = False
        self.dropped = 0
        """Events lost because the reader was slow."""

    def offer(self, stamped: Stamped) -> None:
        """Take one event, dropping the oldest when full."""
        if len(self._events) == self._events.maxlen:
            self.dropped += 1
        self._events.append(stamped)
        self._arrived.set()

    def close(self) -> None:
        """End the iteration after what has arrived."""
        self._closed = True
        self._arrived.set()

    async def __aiter__(self) -> AsyncIterator[Stamped]:
        while True:
            while self._events:
                yield self._events.popleft()
            if self._closed:
                return
            self._arrived.clear()
            await self._arrived.wait()


class Latch:
    """Tells that the state moved; holds only the newest revisions."""

    def __init__(self, revisions: Revisions) -> None:
        self._moved = asyncio.Event()
        self.revisions = revisions

    def trip(self, revisions: Revisions) -> None:
        """Note the newest revisions."""
        self.revisions = revisions
        self._moved.set()

    async def wait(self) -> Revisions:
        """Wait until something moved since the last wait, then return the newest revisions."""
        await self._moved.wait()
        self._moved.clear()
        return self.revisions


class MessageBus:
    """Carries the events of one session. See the module's guarantees."""

    def __init__(self, store: SessionStore, *, clock: Callable[[], float] = time.time, first_seq: int = 1) -> None:
        self.store = store
        self._clock = clock
        self._seq = first_seq - 1
        self._sinks: list[Sink] = []
        self._subscriptions: list[Subscription] = []
        self._latches: list[Latch] = []
        self._pending: deque[SessionEvent] = deque()
        self._delivering = False

    @property
    def now(self) -> float:
        """The bus's clock, seconds since the epoch."""
        return self._clock()

    def attach(self, sink: Sink) -> Callable[[], None]:
        """Give a sink every event from now on, in order; returns the function that detaches it."""
        self._sinks.append(sink)

        def detach() -> None:
            if sink in self._sinks:
                self._sinks.remove(sink)

        return detach

    def subscribe(self, capacity: int = 1024) -> Subscription:
        """A bounded queue of the events from now on."""
        subscription = Subscription(capacity)
        self._subscriptions.append(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Close a subscription."""
        self._subscriptions.remove(subscription)
        subscription.close()

    def latch(self) -> Latch:
        """A replace-latest invalidation for whoever paints."""
        latch = Latch(self.store.state.revisions)
        self._latches.append(latch)
        return latch

    def publish(self, event: SessionEvent) -> None:
        """Stamp and deliver one event (see the module's guarantees)."""
        self._pending.append(event)
        if self._delivering:
            return
        self._delivering = True
        try:
            while self._pending:
                self._deliver(self._pending.popleft())
        finally:
            self._delivering = False

    def _deliver(self, event: SessionEvent) -> None:
        self._seq += 1
        stamped = Stamped(seq=self._seq, at=self._clock(), session_id=self.store.state.session_id, event=event)
        state = self.store.apply(stamped)
        for sink in tuple(self._sinks):
            try:
                sink(stamped)
            except Exception as error:  # a broken sink must not take the session with it
                report("an event consumer failed", error)
                self._sinks.remove(sink)
                self._pending.append(
                    NoticePosted(
                        message=f"an event consumer failed and was detached: {error!r}", level=NoticeLevel.ERROR
                    )
                )
        for subscription in self._subscriptions:
            subscription.offer(stamped)
        for latch in self._latches:
            latch.trip(state.revisions)
