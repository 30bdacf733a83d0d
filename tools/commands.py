"""The shell commands of one session: in the sandbox or out of it, waited for or in the background."""

import asyncio
import os
import shutil
import sys
import tempfile
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .launcher import Launcher, LaunchError, Order
from .output import BoundedOutput
from .process import ProcessEnd, run_process
from .safe_text import safe_text
from .sandbox import Kind, Sandbox
from .sandbox_blame import blocked
from .sandbox_sweep import Sweep

MAX_BACKGROUND = 16
"""Commands in the background at once."""
_KEPT = 32
"""Of those that ended, how many can still be asked for their output."""
_UNREAD_BYTES = 100_000
_MOST_OUTPUT = 4_000_000_000
"""Bytes; a command that writes more is ended."""
_FAR = 10 * 365 * 86_400.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandEnd:
    """How a command ended, and what became of protected names (a sentence each)."""

    process: ProcessEnd
    fenced: bool
    undone: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Background:
    """A command that nobody waits for."""

    id: str
    command: str
    unread: BoundedOutput
    fresh: asyncio.Event = field(default_factory=asyncio.Event)
    task: "asyncio.Task[CommandEnd] | None" = None

    @property
    def running(self) -> bool:
        """Whether it has not ended yet."""
        return self.task is not None and not self.task.done()


class TooMany(Exception):
    """There are ``MAX_BACKGROUND`` commands in the background already."""


class Commands:
    """Runs commands with bash in one folder. Close it: until then its background commands go on."""

    def __init__(self, *, root: Path, environment: Mapping[str, str], sandbox: Sandbox, output_folder: Path) -> None:
        self.sandbox = sandbox
        self._root = root
        self._environment = environment
        self._output_folder = output_folder
        self._launcher = Launcher()
        self._temporary: Path | None = None
        self._background: dict[str, Background] = {}
        self._count = 0
        self._expected: set[str] = set()
        self._sweeping = 0

    async def run(
        self, command: str, *, timeout_s: float | None, on_output: Callable[[bytes], None], fenced: bool = True
    ) -> CommandEnd:
        """Run a command to its end, its timeout or the cancellation of this task; nothing of it runs afterwards.

        ``fenced`` False runs it outside the sandbox, which only a person may decide. Raises ``OSError``.
        """
        total = 0

        def take(chunk: bytes) -> bool:
            nonlocal total
            total += len(chunk)
            on_output(chunk)
            return total < _MOST_OUTPUT

        if not fenced or self.sandbox.kind is Kind.NONE:
            end = await self._launch(await asyncio.to_thread(self._plain_order, command), timeout_s, take)
            if self._sweeping:  # what a person let it do is not undone when a command beside it ends
                self._expected.update(self.sandbox.sweep().found())
            return CommandEnd(process=end, fenced=False)
        try:
            return await self._run_fenced(command, timeout_s, take)
        except LaunchError:
            if self.sandbox.kind is not Kind.LANDLOCK or not self.sandbox.namespaces:
                raise
            self.sandbox.namespaces = False  # not allowed on this machine: Landlock stands alone from now on
            return await self._run_fenced(command, timeout_s, take)

    async def start(self, command: str) -> Background:
        """Run a command in the background, in the sandbox. Raises ``TooMany``."""
        self._forget_ended()
        if sum(each.running for each in self._background.values()) >= MAX_BACKGROUND:
            raise TooMany
        self._count += 1
        started = Background(id=f"bg{self._count}", command=command, unread=self._unread(f"bg{self._count}"))
        self._background[started.id] = started

        def take(chunk: bytes) -> None:
            started.unread.add(chunk)
            started.fresh.set()

        started.task = asyncio.create_task(self.run(command, timeout_s=None, on_output=take))
        started.task.add_done_callback(lambda _: started.fresh.set())
        return started

    def find(self, name: str) -> Background | None:
        """A background command by its id, running or among the last that ended."""
        return self._background.get(name)

    def names(self) -> list[str]:
        """The ids of all that can be asked for."""
        return list(self._background)

    async def read(self, background: Background, wait_s: float) -> str:
        """What it wrote since the last time, as safe text; waits a moment for the first of it."""
        if background.running and background.unread.total == 0:
            background.fresh.clear()
            with_news = asyncio.ensure_future(background.fresh.wait())
            await asyncio.wait({with_news}, timeout=wait_s)
            with_news.cancel()
        taken, background.unread = background.unread, self._unread(background.id)
        taken.close()
        return safe_text(taken.text())

    async def kill(self, background: Background) -> None:
        """End a background command with everything it started."""
        if background.task is not None:
            background.task.cancel()
            await asyncio.wait({background.task})

    def blamed(self, output: str) -> str:
        """What the sandbox seems to have kept a failed command from; empty when nothing points to it."""
        return blocked(output, network=self.sandbox.network, writable=self.sandbox.is_writable)

    def expect(self, path: Path) -> None:
        """A tool changed this file with the person's leave: a command that runs meanwhile is not to blame."""
        self._expected.add(os.fspath(path))

    async def aclose(self) -> None:
        """End everything, and take the folder for temporary files away."""
        tasks = [each.task for each in self._background.values() if each.task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        await asyncio.to_thread(self._launcher.close)
        if self._temporary is not None:
            await asyncio.to_thread(shutil.rmtree, self._temporary, ignore_errors=True)
            self._temporary = None

    async def _run_fenced(self, command: str, timeout_s: float | None, take: Callable[[bytes], bool]) -> CommandEnd:
        if self._sweeping == 0:
            self._expected.clear()
        self._sweeping += 1
        try:
            order, sweep = await asyncio.to_thread(self._fenced_order, command)
            try:
                end = await self._launch(order, timeout_s, take)
            finally:
                undone = sweep.settle(frozenset(self._expected))
        finally:
            self._sweeping -= 1
        if self.sandbox.kind is Kind.LANDLOCK:
            self.sandbox.layers = end.layers
        return CommandEnd(process=end, fenced=True, undone=tuple(undone))

    def _fenced_order(self, command: str) -> tuple[Order, Sweep]:
        order = self.sandbox.order(_line(command), self._environment, self._folder())
        return order, self.sandbox.sweep()

    def _plain_order(self, command: str) -> Order:
        environment = {**self._environment, "TMPDIR": os.fspath(self._folder())}
        return Order(arguments=_line(command), folder=os.fspath(self._root), environment=environment)

    async def _launch(self, order: Order, timeout_s: float | None, take: Callable[[bytes], bool]) -> ProcessEnd:
        if sys.platform == "linux":
            return await self._launcher.run(order, timeout_s=timeout_s, on_output=take)

        def heard(chunk: bytes) -> None:
            take(chunk)

        return await run_process(
            order.arguments,
            folder=Path(order.folder),
            environment=order.environment,
            timeout_s=_FAR if timeout_s is None else timeout_s,
            on_output=heard,
        )

    def _folder(self) -> Path:
        if self._temporary is None:
            self._temporary = Path(os.path.realpath(tempfile.mkdtemp(prefix="patchbay-")))
            weakref.finalize(self, shutil.rmtree, self._temporary, ignore_errors=True)  # however the program ends
        return self._temporary

    def _unread(self, name: str) -> BoundedOutput:
        return BoundedOutput(_UNREAD_BYTES, folder=self._output_folder, name=name)

    def _forget_ended(self) -> None:
        ended = [each.id for each in self._background.values() if not each.running]
        for name in ended[: max(0, len(ended) - _KEPT)]:
            self._background.pop(name).unread.close()


def _line(command: str) -> list[str]:
    return ["bash", "-c", "--", command]
