"""Commands that the person runs themself (``!make test``): one at a time, between turns, shown live, journalled.

What such a command printed goes along with the next prompt, unless it is private (``!!``): then no model sees it, ever.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol

from ...tools.base import Emit
from ...tools.events import Outcome, ToolEvent, ToolRunFinished, ToolRunStarted
from .bus import MessageBus
from .closing import not_finished, of_no_call
from .defects import report
from .events import CommandStarted
from .ids import new_id

OWN_NAME = "!"
"""What runs of such commands are called in the tool log; private ones are called so twice."""
MOST_BYTES = 60_000
"""Of output that goes along, when nothing is known of the model's window."""


class RunOwn(Protocol):
    """Runs a command of the person's own in the workspace."""

    def __call__(self, *, run_id: str, command: str, emit: Emit, max_bytes: int) -> Awaitable[ToolRunFinished]:
        """Run it to its end. Cancelling stops it; what it had written by then is in the result."""
        ...


class OwnCommands:
    """Runs them, one at a time."""

    def __init__(self, bus: MessageBus, run: RunOwn | None, durable: Callable[[], Awaitable[None]]) -> None:
        self._bus = bus
        self._run = run
        self._durable = durable
        self._task: asyncio.Task[None] | None = None

    @property
    def available(self) -> bool:
        """Whether commands can be run at all."""
        return self._run is not None

    @property
    def active(self) -> bool:
        """True while one runs."""
        return self._task is not None and not self._task.done()

    def start(self, command: str, *, private: bool, ended: Callable[[], None]) -> None:
        """Run a command; ``ended`` is called when it has ended."""
        run_id = new_id("own")
        self._bus.publish(CommandStarted(run_id=run_id, command=command, private=private))
        name = OWN_NAME * 2 if private else OWN_NAME
        self._publish(ToolRunStarted(run_id=run_id, name=name, title=" ".join(command.split())))
        self._task = asyncio.create_task(self._to_its_end(run_id, command), name="own command")

        def done(task: "asyncio.Task[None]") -> None:
            runs = any(run.run_id == run_id for run in self._bus.store.state.active_runs)
            if task.cancelled() and runs:  # before its first step: nothing ran
                self._publish(not_finished(run_id, Outcome.CANCELLED, "Stopped before it began."))
            ended()

        self._task.add_done_callback(done)

    def cancel(self) -> bool:
        """Stop what runs. False when nothing does."""
        return self.active and self._task is not None and self._task.cancel()

    async def wait(self) -> None:
        """Wait for the one that runs, if one does."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def _to_its_end(self, run_id: str, command: str) -> None:
        run, most = self._run, self._most_bytes()
        if run is None:
            return
        try:
            finished = await run(run_id=run_id, command=command, emit=self._publish, max_bytes=most)
        except Exception as error:  # a defect is shown, not swallowed, and the run does not stay open
            report("a command of the person's own failed inside Patchbay", error)
            finished = not_finished(run_id, Outcome.ERROR, f"{type(error).__name__}: {error}")
        self._publish(finished)
        await self._durable()

    def _most_bytes(self) -> int:
        """A quarter of the window, in bytes, where it is known."""
        model = self._bus.store.state.model
        window = None if model is None else model.context_window
        return MOST_BYTES if window is None else max(1000, min(MOST_BYTES, window // 4 * 3))

    def _publish(self, event: ToolEvent) -> None:
        """No turn, request or call of a model stands behind it."""
        self._bus.publish(of_no_call(event))
