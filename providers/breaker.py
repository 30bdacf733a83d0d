"""A circuit breaker per endpoint: a server that keeps failing is left alone for a while, then tried once.

Closed: requests pass. After ``threshold`` outages in a row within ``window_s`` seconds it opens: requests fail at once.
When ``cool_down_s`` seconds are over it is half-open: one request passes as a probe, and its end closes the breaker or
opens it again.
"""

import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import replace
from enum import StrEnum

from .base import ModelInfo, Provider
from .events import ErrorKind, ResponseEnd, ResponseError, ResponseEvent
from .messages import ChatRequest
from .resilience import LONGEST_WAIT_S

THRESHOLD = 5
WINDOW_S = 300.0
COOL_DOWN_S = 30.0
LOCAL_COOL_DOWN_S = 5.0
"""A server on this machine is often just being started again, and asking it costs nobody anything."""
_OUTAGES = frozenset({ErrorKind.NETWORK, ErrorKind.TIMEOUT, ErrorKind.OVERLOADED, ErrorKind.SERVER_ERROR})
"""What counts as a failure of the endpoint. A refusal, a rate limit included, is an answer."""


class BreakerState(StrEnum):
    """Whether requests pass."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class CircuitBreaker:
    """Counts the outages of one endpoint.

    ``clock`` gives epoch seconds; ``on_change`` is called when the breaker opens or closes.
    """

    def __init__(
        self,
        *,
        cool_down_s: float = COOL_DOWN_S,
        threshold: int = THRESHOLD,
        window_s: float = WINDOW_S,
        clock: Callable[[], float] = time.time,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._cool_down_s = cool_down_s
        self._threshold = threshold
        self._window_s = window_s
        self._clock = clock
        self._on_change = on_change
        self._outages: list[float] = []
        self._probing = False
        self.paused_until: float | None = None
        """When a request is let through again, in epoch seconds; None while the breaker is closed."""
        self.reason = ""
        """What the last outage said."""

    @property
    def now(self) -> float:
        """The breaker's clock, epoch seconds."""
        return self._clock()

    @property
    def state(self) -> BreakerState:
        """The state now."""
        if self.paused_until is None:
            return BreakerState.CLOSED
        return BreakerState.OPEN if self._clock() < self.paused_until else BreakerState.HALF_OPEN

    def admit(self) -> bool:
        """Whether a request may be sent now. In the half-open state the one that may is the probe.

        Whoever is admitted must call ``succeeded``, ``failed`` or ``released`` at the end.
        """
        match self.state:
            case BreakerState.CLOSED:
                return True
            case BreakerState.OPEN:
                return False
            case BreakerState.HALF_OPEN:
                admitted = not self._probing
                self._probing = True
                return admitted

    def succeeded(self) -> None:
        """The endpoint answered: all outages are forgotten."""
        was_open = self.paused_until is not None
        self._outages.clear()
        self._probing, self.paused_until, self.reason = False, None, ""
        if was_open:
            self._on_change()

    def failed(self, reason: str) -> None:
        """The endpoint was out, in the words of ``reason``."""
        now = self._clock()
        if self.paused_until is not None and not self._probing:
            return  # sent before the breaker opened: nothing new
        self._outages = [at for at in self._outages if 0 <= now - at <= self._window_s]
        self._outages.append(now)
        self.reason = reason
        if self._probing or len(self._outages) >= self._threshold:
            self._probing, self.paused_until = False, now + self._cool_down_s
            self._on_change()

    def released(self) -> None:
        """A request ended without telling anything of the endpoint (it was cancelled)."""
        self._probing = False

    def seen(self) -> None:
        """The server shows a sign of life (it lists its models): the next request is the probe."""
        if self.paused_until is not None:
            self.paused_until = min(self.paused_until, self._clock())

    def seconds_left(self) -> float:
        """How long no request is let through; 0 when one is."""
        return 0.0 if self.paused_until is None else max(0.0, self.paused_until - self._clock())


class GuardedProvider:
    """A provider behind a breaker. Nothing else changes, but an error says when it is worth asking again."""

    def __init__(self, provider: Provider, breaker: CircuitBreaker, *, longest_wait_s: float = LONGEST_WAIT_S) -> None:
        """``longest_wait_s``: a server that asks for more is not waited for, so its error names the time."""
        self._provider = provider
        self._longest_wait_s = longest_wait_s
        self.breaker = breaker

    @property
    def name(self) -> str:
        """The name it is configured or found under."""
        return self._provider.name

    @property
    def dialect(self) -> str:
        """The wire protocol."""
        return self._provider.dialect

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ResponseEvent]:
        """Answer one request, or fail at once while the breaker is open."""
        if not self.breaker.admit():
            yield self._refusal()
            return
        told = False
        events = self._provider.stream(request)
        try:
            async for each in events:
                event = self._explained(each) if isinstance(each, ResponseError) else each
                if isinstance(event, ResponseEnd | ResponseError):
                    told = True
                    self._tell(event)
                yield event
        finally:
            if not told:
                self.breaker.released()
            if isinstance(events, AsyncGenerator):
                await events.aclose()

    async def list_models(self) -> list[str]:
        """The ids the server offers. Raises ``ProviderConfigError`` with cause and fix."""
        return await self._provider.list_models()

    async def list_infos(self) -> list[ModelInfo]:
        """The models the server offers, with what its list says of them."""
        return await self._provider.list_infos()

    async def model_info(self, model: str) -> ModelInfo | None:
        """What the server itself says of the model; None when it says nothing."""
        return await self._provider.model_info(model)

    async def is_available(self) -> bool:
        """True when the server answers; False, never an exception, when it is down."""
        return await self._provider.is_available()

    async def aclose(self) -> None:
        """Close pooled connections."""
        await self._provider.aclose()

    def _tell(self, terminal: ResponseEnd | ResponseError) -> None:
        if isinstance(terminal, ResponseError) and terminal.kind in _OUTAGES:
            self.breaker.failed(terminal.message)
        else:
            self.breaker.succeeded()

    def _refusal(self) -> ResponseError:
        left = self.breaker.seconds_left()
        when = f"It is tried again {_moment(self.breaker.now + left, left)}" if left else "A probe is on its way"
        return ResponseError(
            kind=ErrorKind.OVERLOADED,
            message=f"{self.name} kept failing and is not asked now. {when}; ask again then, or switch to another"
            f" provider. It last said: {self.breaker.reason}",
            retry_after=left,
        )

    def _explained(self, error: ResponseError) -> ResponseError:
        """A wait that is too long to be sat out silently is named in the error."""
        if error.retry_after is None or error.retry_after <= self._longest_wait_s:
            return error
        moment = _moment(self.breaker.now + error.retry_after, error.retry_after)
        return replace(error, message=f"{error.message} That long is not waited here: ask again {moment}.")


def _moment(at: float, left: float) -> str:
    """A time of day, with the date when that is another day, and how many seconds from now it is, in words."""
    then, now = time.localtime(at), time.localtime(at - left)
    day = "" if then[:3] == now[:3] else time.strftime("%Y-%m-%d ", then)
    minutes, seconds = divmod(max(1, round(left)), 60)
    far = f"{seconds} s" if not minutes else f"{minutes} min" if minutes < 120 else f"{minutes // 60} h"
    return f"at {day}{time.strftime('%H:%M:%S', then)} (in {far})"
