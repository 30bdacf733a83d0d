"""What all dialects share."""

import httpx
from collections.abc import AsyncIterator
from .base import ModelInfo
from .endpoint import Endpoint
from .events import ResponseEvent
from .messages import ChatRequest


class DialectProvider:
    """One endpoint."""

    def __init__(self, endpoint: Endpoint, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._endpoint = endpoint
        self._transport = transport

    @property
    def name(self) -> str:
        """Name."""
        return self._endpoint.name

    @property
    def dialect(self) -> str:
        """Dialect."""
        return self._endpoint.dialect

    async def stream(self, request: ChatRequest) -> AsyncIterator[ResponseEvent]:
        """Answer."""
        raise NotImplementedError
        yield

    async def list_models(self) -> list[str]:
        """Models."""
        return []

    async def model_info(self, model: str) -> ModelInfo | None:
        """Info."""
        return None

    async def is_available(self) -> bool:
        """Up."""
        return False

    async def aclose(self) -> None:
        """Close."""
