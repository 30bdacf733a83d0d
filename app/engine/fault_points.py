"""Named places around every write, commit and rename, where a test may stop the process or fail the disk.

Nothing happens there otherwise. A test that kills a session at each of them proves that each is safe to die at.
"""

from collections.abc import Callable

POINTS = (
    "open.created",
    "migrate.begun",
    "migrate.done",
    "write.begun",
    "write.row",
    "write.before_commit",
    "write.committed",
    "index.row",
    "snapshot.begun",
    "snapshot.text",
    "snapshot.texts",
    "snapshot.before_commit",
    "snapshot.committed",
    "close.begun",
)
"""What every session passes."""
COMPACTION_POINTS = (
    "pack.snapshot",
    "pack.begun",
    "pack.written",
    "pack.before_commit",
    "pack.committed",
    "pages.begun",
    "pages.given",
)
"""What an idle session and its database pass when they are compacted on disk."""
SALVAGE_POINTS = (
    "salvage.begun",
    "salvage.filled",
    "salvage.whole",
    "salvage.linked",
    "salvage.cleared",
    "salvage.replaced",
)
"""What a damaged database passes when it is opened."""

_hook: Callable[[str], None] | None = None


def reached(point: str) -> None:
    """The program is at this point. What the hook of a test raises goes on from here."""
    if _hook is not None:
        _hook(point)


def on_reaching(hook: Callable[[str], None] | None) -> None:
    """Let a test be called at every point; None takes it away."""
    global _hook  # one process, one hook: it reaches through all threads and objects
    _hook = hook
