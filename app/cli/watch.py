"""Notices while the application runs that a model server on this machine was started, stopped, or loaded otherwise."""

import asyncio
import random
from collections.abc import Awaitable, Callable

from ...providers.base import ModelInfo, ModelRef, Online, ProviderStatus
from ..engine.events import NoticeLevel, Stamped, TurnEnded

PAUSE_S = 25.0
"""Between two looks, while somebody is there and something changed lately; give or take ``JITTER``."""
JITTER = 0.2
AWAY_PAUSE_S = 120.0
"""Between two looks while the terminal has not the focus."""
QUIET_PAUSE_S = 60.0
"""Between two looks once nothing changed for long."""
QUIET_AFTER = 20
"""So many looks without any change are long."""
SETTLE_S = 1.0
"""After a turn: the next one may begin at once, with a prompt that was queued."""


class Watch:
    """Looks again and again: never while a turn runs, and once soon after each."""

    def __init__(
        self,
        look: Callable[[], Awaitable[bool]],
        *,
        busy: Callable[[], bool],
        attended: Callable[[], bool],
        spread: Callable[[float, float], float] = random.uniform,
    ) -> None:
        """``look`` asks the servers and says whether anything changed; ``attended`` whether anybody watches."""
        self._look = look
        self._busy = busy
        self._attended = attended
        self._spread = spread
        self._turn_ended = asyncio.Event()
        self._unchanged = 0

    def hear(self, stamped: Stamped) -> None:
        """A sink of the session's bus: the end of a turn is a reason to look."""
        if isinstance(stamped.event, TurnEnded):
            self._turn_ended.set()

    async def run(self) -> None:
        """Until it is cancelled."""
        while True:
            self._turn_ended.clear()
            try:
                async with asyncio.timeout(self.pause()):
                    await self._turn_ended.wait()
                await asyncio.sleep(SETTLE_S)
            except TimeoutError:
                pass
            if not self._busy():
                self._unchanged = 0 if await self._look() else self._unchanged + 1

    def pause(self) -> float:
        """Seconds to the next look."""
        usual = QUIET_PAUSE_S if self._unchanged >= QUIET_AFTER else PAUSE_S
        return (usual if self._attended() else AWAY_PAUSE_S) * self._spread(1 - JITTER, 1 + JITTER)


def remarks(
    ref: ModelRef, before: tuple[ProviderStatus | None, ModelInfo], after: tuple[ProviderStatus | None, ModelInfo]
) -> list[tuple[str, NoticeLevel]]:
    """What a person must know of the chosen model's own server, from its state and the model's before and after."""
    (was, old), (now, new) = before, after
    if was is None or now is None or not now.local:
        return []
    match was.online, now.online:
        case Online.ONLINE, Online.OFFLINE:
            why = now.problem or f"{now.name} stopped answering: start it again"
            return [(f"{why}, or choose another model. {ref} answers as soon as it is back.", NoticeLevel.WARNING)]
        case Online.OFFLINE, Online.ONLINE:
            said = [(f"{now.name} answers again.", NoticeLevel.INFO)]
        case _:
            said = []
    had, has = (ref in [model.ref for model in status.models] for status in (was, now))
    if had and not has and now.online is Online.ONLINE:
        return [*said, (f"{now.name} no longer has {ref.model}: choose another model.", NoticeLevel.WARNING)]
    if old.context_window and new.context_window and old.context_window != new.context_window:
        text = f"{ref} has a window of {new.context_window:,} tokens now; it was {old.context_window:,}."
        smaller = new.context_window < old.context_window
        said.append((text, NoticeLevel.WARNING if smaller else NoticeLevel.INFO))
    return said
