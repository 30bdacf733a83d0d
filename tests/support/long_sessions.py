"""A session of many messages and much tool output, as the recorder writes it."""

import random
from decimal import Decimal
from pathlib import Path

from patchbay.app.engine.bus import MessageBus
from patchbay.app.engine.events import (
    ModelSelected,
    SessionStarted,
)
from patchbay.app.engine.recorder import Recorder
from patchbay.app.engine.state import SessionState
from patchbay.app.engine.store import SessionStore
from patchbay.providers.base import ModelInfo
from patchbay.providers.events import (
    Usage,
)
from support.past_turns import REF, publish_turn

LONG_ID = "session-long"
ANSWER = """Here is what I found in the **second** file:

- the `total` is computed twice
- the cache is never emptied, so it grows

```python
def total(values: list[float]) -> float:
    return sum(values)
```
"""


class LongSession:
    """Publishes turns of two messages each, with a tool run of ``output`` characters, half of it given to the model."""

    def __init__(self, database: Path, *, session_id: str = LONG_ID, folder: str = "/src/shop", seed: int = 1) -> None:
        self._random = random.Random(seed)
        self._ticks = 0
        self.bus = MessageBus(SessionStore(SessionState(session_id=session_id)), clock=self._clock)
        self.recorder = Recorder(database)
        self.bus.attach(self.recorder.sink)
        self.bus.publish(SessionStarted(folder=folder, version="test"))
        self.bus.publish(ModelSelected(model=ModelInfo(ref=REF, context_window=128_000), dialect="openai_chat"))

    def _clock(self) -> float:
        self._ticks += 1
        return 1_700_000_000.0 + self._ticks / 20

    def lines(self, chars: int) -> str:
        """Text such as a build prints, hard to compress."""
        words: list[str] = []
        length = 0
        while length < chars:
            word = f"{self._random.getrandbits(40):x}" if self._random.random() < 0.5 else "compiling module"
            words.append(word + ("\n" if self._random.random() < 0.15 else " "))
            length += len(words[-1])
        return "".join(words)[:chars]

    def turn(self, number: int, *, output: int) -> None:
        """A prompt, and an answer with a tool run."""
        publish_turn(
            self.bus,
            str(number),
            prompt=f"Question {number} about the harbour",
            text=ANSWER,
            command=f"make {number}",
            result=self.lines(output // 2),
            live=True,
            cost=Decimal("0.0007"),
            usage=Usage(input_tokens=9, output_tokens=40),
        )


def write_long_session(
    database: Path, *, messages: int = 10_000, output: int = 50_000_000, folder: str = "/src/shop"
) -> None:
    """A session of so many messages and characters of tool output."""
    session = LongSession(database, folder=folder)
    turns = messages // 2
    for number in range(turns):
        session.turn(number, output=output // turns)
    session.recorder.close()
