"""What the screen asks of whoever reads the clipboard of this machine for an image."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from ...providers.base import ModelInfo
from ..engine.events import Attachment


class PasteError(Exception):
    """No image can be pasted; the message says why and what to do instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pasted:
    """An image that was taken from the clipboard and is kept."""

    mention: str
    """What stands for it in a prompt: ``@pasted-….png``."""
    said: str
    """What it is, for people."""
    concern: str = ""
    """What has to be said of it and the model; empty when there is nothing."""


class Pasting(Protocol):
    """The clipboard of this machine, as far as it holds images."""

    async def paste(self, model: ModelInfo | None) -> Pasted:
        """Take the image there is, and keep it. Raises ``PasteError``."""
        ...

    async def keep(self, attachments: Iterable[Attachment]) -> None:
        """Keep the pasted images among what went along with a prompt that is written anew. Never raises."""
        ...
