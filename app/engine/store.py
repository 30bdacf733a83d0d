"""The session store: the single source of truth, changed only by reducing events."""

from collections.abc import Iterable

from .events import Stamped
from .reducer import reduce
from .state import SessionState


class SessionStore:
    """Holds the newest state of one session. Panes, the switcher and the cost bar read; only the bus writes."""

    def __init__(self, state: SessionState) -> None:
        self._state = state

    @property
    def state(self) -> SessionState:
        """The newest state, a value that never changes under the reader."""
        return self._state

    def apply(self, stamped: Stamped) -> SessionState:
        """Reduce one event and return the new state."""
        self._state = reduce(self._state, stamped)
        return self._state

    def replay(self, events: Iterable[Stamped]) -> SessionState:
        """Reduce a journal, oldest first."""
        for stamped in events:
            self._state = reduce(self._state, stamped)
        return self._state
