"""A toolbox on a folder of its own, with a person who answers as told."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from patchbay.tools.events import (
    ApprovalRequested,
    ApprovalResolved,
    Decision,
    FileChanged,
    HunkAnswer,
    ToolEvent,
    ToolRunFinished,
    ToolRunStarted,
)
from patchbay.tools.policy import Policy, Rule
from patchbay.tools.toolbox import LocalToolbox


@dataclass
class Bench:
    """Runs calls and keeps what they emitted and asked."""

    root: Path
    toolbox: LocalToolbox
    remembered: list[str]
    answer: Decision = Decision.ONCE
    comment: str = ""
    hunks: tuple[HunkAnswer, ...] = ()
    while_asked: Any = None
    events: list[ToolEvent] = field(default_factory=list)
    asked: list[ApprovalRequested] = field(default_factory=list)
    count: int = 0

    async def approve(self, question: ApprovalRequested) -> ApprovalResolved:
        self.asked.append(question)
        if self.while_asked is not None:
            self.while_asked()
        return ApprovalResolved(
            approval_id=question.approval_id,
            run_id=question.run_id,
            decision=self.answer,
            comment=self.comment,
            hunks=self.hunks,
        )

    async def run(self, name: str, max_result_bytes: int | None = None, **arguments: Any) -> ToolRunFinished:
        self.count += 1
        self.events.clear()
        return await self.toolbox.run(
            run_id=f"run-{self.count}",
            name=name,
            arguments=arguments,
            emit=self.events.append,
            approve=self.approve,
            max_result_bytes=max_result_bytes,
        )

    def changes(self) -> list[FileChanged]:
        return [event for event in self.events if isinstance(event, FileChanged)]

    def started(self) -> list[ToolRunStarted]:
        return [event for event in self.events if isinstance(event, ToolRunStarted)]

    def file(self, name: str, content: str | bytes) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path


@pytest.fixture
def make_bench(tmp_path: Path):
    """Build a bench with the given allow rules."""

    def build(*rules: str, environment: dict[str, str] | None = None) -> Bench:
        root = tmp_path / "repo"
        root.mkdir(exist_ok=True)
        remembered: list[str] = []
        policy = Policy([Rule.parse(rule, origin="test") for rule in rules], remember=remembered.append)
        given = {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path)} | (environment or {})
        toolbox = LocalToolbox(root, policy, state_folder=tmp_path / "state", environment=given)
        return Bench(root=root, toolbox=toolbox, remembered=remembered)

    return build


@pytest.fixture
def bench(make_bench) -> Bench:
    """A bench without rules."""
    return make_bench()


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], Awaitable[None]]:
    """Waits for a condition, at most twenty-five seconds, without holding up the loop."""

    def poll(condition: Callable[[], bool]) -> None:
        end = time.monotonic() + 25
        while not condition():
            assert time.monotonic() < end, "the condition did not come true"
            time.sleep(0.005)

    async def wait(condition: Callable[[], bool]) -> None:
        await asyncio.to_thread(poll, condition)

    return wait
