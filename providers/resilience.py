"""What is tried again, when, and where instead: the policy. Nothing in here waits or sends.

Back-off is exponential with full jitter (a random share of a bound that doubles), so that many clients of a server that
comes back do not all return at once. What a server asks for (Retry-After, a limit's reset) is honoured.
"""

import random
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from .base import ModelInfo, ModelRef, ProviderConfigError
from .events import ErrorKind, ResponseError

LONGEST_WAIT_S = 60.0
"""A server that asks for a longer wait is not waited for: its error says when to ask again."""
SILENT_ATTEMPTS = 2
"""Attempts against a server that takes requests and then says nothing: each costs the whole idle limit."""
_OUTAGES = frozenset(
    {ErrorKind.NETWORK, ErrorKind.TIMEOUT, ErrorKind.OVERLOADED, ErrorKind.SERVER_ERROR, ErrorKind.RATE_LIMIT}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryPolicy:
    """How often a request is sent, and how long is waited in between. All times in seconds."""

    attempts: int = 5
    """How often one request is sent at most."""
    base_s: float = 0.5
    factor: float = 2.0
    cap_s: float = 30.0
    longest_wait_s: float = LONGEST_WAIT_S
    chance: Callable[[], float] = random.random
    """A number from 0 to 1."""

    def wait_s(self, error: ResponseError, attempt: int) -> float | None:
        """How long to wait after attempt number ``attempt`` (from 1) failed; None when it is not to be tried again."""
        silent = error.kind is ErrorKind.TIMEOUT and error.status is None
        asked = error.retry_after or 0.0
        if not error.retryable or attempt >= (min(SILENT_ATTEMPTS, self.attempts) if silent else self.attempts):
            return None
        if asked > self.longest_wait_s:
            return None
        bound = min(self.cap_s, self.base_s * self.factor ** (attempt - 1))
        return max(asked, self.chance() * bound)


class Models(Protocol):
    """What a failover needs of the provider directory."""

    def dialect(self, ref: ModelRef) -> str:
        """The wire protocol of a model's provider. Raises ``ProviderConfigError`` when it cannot be used."""
        ...

    def info(self, ref: ModelRef) -> ModelInfo:
        """All that is known of a model."""
        ...

    def failing(self, name: str) -> bool:
        """True while a provider is not asked because it kept failing."""
        ...


class Resilience:
    """Retry policy and failover chain of a session. ``sleep`` waits between two attempts."""

    def __init__(
        self,
        models: Models,
        sleep: Callable[[float], Awaitable[None]],
        *,
        policy: RetryPolicy | None = None,
        chain: Sequence[ModelRef] = (),
    ) -> None:
        self._models = models
        self._sleep = sleep
        self._policy = policy or RetryPolicy()
        self._chain = tuple(chain)

    @property
    def attempts(self) -> int:
        """How often one request is sent at most."""
        return self._policy.attempts

    def wait_s(self, error: ResponseError, attempt: int) -> float | None:
        """See ``RetryPolicy.wait_s``."""
        return self._policy.wait_s(error, attempt)

    def fallback(self, error: ResponseError, tried: Collection[ModelRef]) -> tuple[ModelInfo, str] | None:
        """The next model of the chain that can be used, and its dialect.

        None when there is none left, or when ``error`` is no outage: what is wrong with the request or the key is wrong
        for the person to see, not to be routed around.
        """
        if not (error.retryable or error.kind in _OUTAGES):
            return None
        for ref in self._chain:
            if ref in tried or self._models.failing(ref.provider):
                continue
            try:
                return self._models.info(ref), self._models.dialect(ref)
            except ProviderConfigError:
                continue  # not configured completely, or not found on this machine: the switcher says so
        return None

    async def sleep(self, seconds: float) -> None:
        """Wait between two attempts."""
        await self._sleep(seconds)
