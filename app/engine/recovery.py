"""What a session knows of trying again: a policy that is plugged in, and the words a person reads meanwhile."""

from collections.abc import Collection
from typing import Protocol

from ...providers.base import ModelInfo, ModelRef
from ...providers.events import ErrorKind, ResponseError

_WORDS = {
    ErrorKind.RATE_LIMIT: "rate limit",
    ErrorKind.OVERLOADED: "overloaded",
    ErrorKind.SERVER_ERROR: "server error",
    ErrorKind.NETWORK: "no connection",
    ErrorKind.TIMEOUT: "no answer",
}


class Recovery(Protocol):
    """Decides what follows a request that failed before anything was shown."""

    @property
    def attempts(self) -> int:
        """How often one request is sent at most."""
        ...

    def wait_s(self, error: ResponseError, attempt: int) -> float | None:
        """Seconds to wait after attempt number ``attempt`` (from 1); None when it is not to be tried again."""
        ...

    def fallback(self, error: ResponseError, tried: Collection[ModelRef]) -> tuple[ModelInfo, str] | None:
        """The model to go on with and its dialect, none of ``tried``; None when the error stands."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait between two attempts."""
        ...


class NoRecovery:
    """Every error stands."""

    attempts = 1

    def wait_s(self, error: ResponseError, attempt: int) -> float | None:
        """Nothing is tried again."""

    def fallback(self, error: ResponseError, tried: Collection[ModelRef]) -> tuple[ModelInfo, str] | None:
        """Nobody else is asked."""

    async def sleep(self, seconds: float) -> None:
        """There is nothing to wait for."""


def in_words(error: ResponseError) -> str:
    """Why a request is tried again, in a few words."""
    words = _WORDS.get(error.kind, error.kind.value.replace("_", " "))
    return f"{words} ({error.status})" if error.status else words
