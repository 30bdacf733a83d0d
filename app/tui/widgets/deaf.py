"""Keys that count only once a person can have seen the question they answer."""

from collections.abc import Callable

DEAF_SECONDS = 0.3
"""How long a new question takes no answer, counted anew from each key that comes meanwhile."""


class DeafTime:
    """The time after a question appeared in which no key is an answer to it. ``clock`` is monotonic, in seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until = 0.0

    def begin(self) -> None:
        """A question appeared."""
        self._until = self._clock() + DEAF_SECONDS

    def end(self) -> None:
        """Keys count from now on."""
        self._until = 0.0

    def hears(self) -> bool:
        """Whether a key counts now. A key in the deaf time makes it last longer: somebody is still typing."""
        if self._clock() < self._until:
            self.begin()
            return False
        return True
