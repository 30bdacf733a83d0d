"""The provider worker: reads one provider stream to its end and publishes its events.

It guarantees the grammar's ending even for a provider that breaks it: exactly one terminal event reaches the
bus. It also keeps the loop responsive: a server that sends flat out would otherwise hold back key presses.
"""

import asyncio
import time
from collections.abc import Callable

from ...providers.base import Provider
from ...providers.events import ErrorKind, ResponseEnd, ResponseError, ResponseEvent, TerminalEvent
from ...providers.messages import ChatRequest
from .defects import report

_BREATH_S = 0.004
"""Longest time events are published without letting the loop run something else."""


async def read_stream(
    provider: Provider, request: ChatRequest, publish: Callable[[ResponseEvent], None]
) -> TerminalEvent:
    """Publish every event of one response and return its terminal event.

    Cancelling closes the connection and re-raises; no terminal event is published then, the caller says how
    the response ended.
    """
    stream = provider.stream(request)
    breathed = time.monotonic()
    try:
        async for event in stream:
            publish(event)
            if isinstance(event, ResponseEnd | ResponseError):
                return event
            if time.monotonic() - breathed > _BREATH_S:
                await asyncio.sleep(0)
                breathed = time.monotonic()
    except Exception as error:  # a bug in a dialect must end the response, not the session
        report("a provider broke its contract", error)
        return _ended_badly(publish, f"{provider.name} failed inside Patchbay: {type(error).__name__}: {error}")
    finally:
        close = getattr(stream, "aclose", None)
        if close is not None:
            await close()
    return _ended_badly(publish, f"{provider.name} ended the stream without an end event")


def _ended_badly(publish: Callable[[ResponseEvent], None], message: str) -> ResponseError:
    error = ResponseError(kind=ErrorKind.PROTOCOL, message=message)
    publish(error)
    return error
