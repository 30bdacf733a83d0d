"""The checks of a verification above the prompt while they run: each waiting, running, passed or failed.

It is there from the first check until the verification ends; its height changes only with the number of checks and
the size of the screen.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

from rich.cells import cell_len
from textual import events
from textual.content import Content
from textual.widget import Widget

from ....tools.safe_text import safe_line
from ...engine.state import CheckRun, SessionState, Verification
from ...engine.verify_events import CheckOutcome
from .. import amounts
from ..transcript.palette import UNICODE_SIGNS, Signs
from ..transcript.rows import elide
from .cost_bar import BarSegment

MOST_CHECKS = 6
FEW_CHECKS = 3
"""In view on a low screen."""
TALL_ROWS = 30
_NAME_CELLS = 16
_TIME_CELLS = 9
_WORDS = {
    CheckOutcome.PASSED: ("passed", "ok"),
    CheckOutcome.FAILED: ("failed", "danger"),
    CheckOutcome.TIMEOUT: ("too slow", "danger"),
    CheckOutcome.DENIED: ("not allowed", "warn"),
    CheckOutcome.MISSING: ("not installed", "warn"),
    CheckOutcome.CANCELLED: ("cancelled", "muted"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckView:
    """What is shown of a verification. ``now`` is seconds since the epoch; ``mending``: the model is at work."""

    verification: Verification
    now: float = 0.0
    mending: bool = False
    asking: bool = False
    """The check at hand waits for a person's leave."""
    stop_key: str = ""
    """What stops it, as it is written on screen; empty while something else has that key."""


def check_rows(view: CheckView, width: int, *, most: int, signs: Signs = UNICODE_SIGNS) -> list[list[BarSegment]]:
    """The rows, each at most ``width`` cells: how it stands, and the checks around the one at hand."""
    runs = view.verification.checks
    first, last = _window(runs, most)
    head = _head(view, width, hidden=len(runs) - (last - first), signs=signs)
    name_cells = min(_NAME_CELLS, max((cell_len(safe_line(run.check.name)) for run in runs), default=0))
    return [head, *(_row(run, view, width, name_cells, signs) for run in runs[first:last])]


def _head(view: CheckView, width: int, *, hidden: int, signs: Signs) -> list[BarSegment]:
    checks, verification = view.verification.checks, view.verification
    passed = sum(run.outcome is CheckOutcome.PASSED for run in checks)
    words = [f"{passed}/{len(checks)} passed"]
    number = verification.round + view.mending
    if number:
        words.append(f"round {number} of {verification.rounds}")
    if view.mending:
        words.append("the model mends")
    if hidden:
        words.append(f"{hidden} more not shown")
    hint = f"  {view.stop_key} stops " if view.stop_key else ""
    lead = " verify "
    room = max(1, width - cell_len(lead) - cell_len(hint))
    text = elide(f" {signs.dot} ".join(words), room, signs.more)
    gap = " " * max(0, room - cell_len(text))
    return [BarSegment(lead, "accent"), BarSegment(text), BarSegment(gap + hint, "muted")]


def _row(run: CheckRun, view: CheckView, width: int, name_cells: int, signs: Signs) -> list[BarSegment]:
    sign, role, state, time = _standing(run, view, signs)
    name = elide(safe_line(run.check.name), name_cells, signs.more)
    end = f" {state}{time:>{_TIME_CELLS}} "
    lead = f"   {sign} "
    used = cell_len(lead) + name_cells + 2 + cell_len(end)
    command = elide(safe_line(run.check.command), max(0, width - used), signs.more) if width > used else ""
    gap = " " * max(0, width - used - cell_len(command))
    return [
        BarSegment(lead, role),
        BarSegment(name + " " * (name_cells - cell_len(name) + 2)),
        BarSegment(command + gap, "muted"),
        BarSegment(end, role),
    ]


def _standing(run: CheckRun, view: CheckView, signs: Signs) -> tuple[str, str, str, str]:
    """Sign, role, word and time."""
    if run.outcome is not None:
        word, role = _WORDS[run.outcome]
        sign = signs.ok if run.outcome is CheckOutcome.PASSED else signs.failed if role == "danger" else signs.todo
        return sign, role, word, amounts.seconds(run.duration_s)
    if run.started_at is not None and view.asking:
        return signs.running, "warn", "waits for your answer", ""
    if run.started_at is not None:
        return signs.running, "accent", "running", amounts.seconds(max(0.0, view.now - run.started_at))
    return signs.todo, "muted", "waiting", ""


def _window(runs: tuple[CheckRun, ...], most: int) -> tuple[int, int]:
    """From which check to which: the one that runs, with those before it."""
    at = next((n for n, run in enumerate(runs) if run.started_at is not None and run.outcome is None), 0)
    first = max(0, min(at - most // 2, len(runs) - most))
    return first, min(len(runs), first + most)


class CheckList(Widget):
    """The checks while they run; it takes no room when none do."""

    def __init__(
        self,
        *,
        stop_key: str = "",
        signs: Signs = UNICODE_SIGNS,
        clock: Callable[[], float] = time.time,
        id: str | None = None,
    ) -> None:
        """``clock`` gives epoch seconds."""
        super().__init__(id=id)
        self._stop_key = stop_key
        self._signs = signs
        self._clock = clock
        self._view: CheckView | None = None
        self.display = False

    def sync(self, state: SessionState) -> None:
        """Follow the verification of the session."""
        now = state.verification
        self._view = None
        if now is not None and now.outcome is None and now.checks:
            self._view = CheckView(
                verification=now,
                now=self._clock(),
                mending=state.turn_id is not None,
                asking=bool(state.approvals),
                stop_key="" if state.approvals else self._stop_key,
            )
        self.lay_out()

    def lay_out(self) -> None:
        """Take as many rows as there are checks to show."""
        shown = self._view is not None
        if self.display != shown:
            self.display = shown
        if self._view is None:
            return
        height = 1 + min(len(self._view.verification.checks), self._most)
        if self.styles.height is None or self.styles.height.value != height:
            self.styles.height = height
        self.refresh()

    def on_resize(self, event: events.Resize) -> None:
        """A lower screen shows fewer."""
        self.lay_out()

    def render(self) -> Content:
        """The rows at the width now."""
        if self._view is None:
            return Content("")
        rows = check_rows(self._view, self.size.width, most=self._most, signs=self._signs)
        return Content("\n").join(Content.assemble(*((text, f"${role}") for text, role in row)) for row in rows)

    @property
    def _most(self) -> int:
        return MOST_CHECKS if self.screen.size.height >= TALL_ROWS else FEW_CHECKS
