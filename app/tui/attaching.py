"""What the screen asks of whoever knows the files: what goes along with a prompt, and which names there are."""

from collections.abc import Sequence
from typing import Protocol

from ...providers.base import ModelInfo
from ..engine.attached import Gathered


class Attaching(Protocol):
    """The files of the workspace, as far as a prompt can name them."""

    async def gather(self, text: str, model: ModelInfo | None) -> Gathered:
        """What the mentions of a prompt name, within what the model can take, and what the person should know."""
        ...

    async def files(self) -> Sequence[str]:
        """Every file that can be mentioned, relative to the workspace, with forward slashes."""
        ...
